// A real Gateway with its own state folder on a free loopback port, with the packed plugin installed.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { promisify } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { endsWithUs } from "../../support/children.ts";
import { freePort } from "../../support/free-port.ts";

const run = promisify(execFile);

export const ROOT = join(import.meta.dirname, "..", "..", "..");

/** The Gateways that the plugin is tested on: folders with a lock file each, below test/systems. */
export type HostName = "host" | "host-oldest";

/** Installs a Gateway into its folder unless the pinned version is there. Minutes the first time. */
export const installHost = async (host: HostName): Promise<string> => {
  const folder = join(ROOT, "test", "systems", host);
  const wanted = (
    JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { dependencies: { openclaw: string } }
  ).dependencies.openclaw;
  const installed = join(folder, "node_modules", "openclaw", "package.json");
  const isThere =
    existsSync(installed) && (JSON.parse(readFileSync(installed, "utf8")) as { version: string }).version === wanted;
  if (!isThere) await run("npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund"], { cwd: ROOT });
  return join(folder, "node_modules", "openclaw", "openclaw.mjs");
};

/** Packs a package folder; gives the tarball's path. */
export const pack = async (folder: string = ROOT): Promise<string> => {
  const destination = mkdtempSync(join(tmpdir(), "packed-"));
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", destination], { cwd: folder });
  return join(destination, stdout.trim().split("\n").at(-1) ?? "");
};

/** The tarball that `npm run test:gateway` packs once for all of its test files; see prepare.ts. */
export const PACKED: string = join(ROOT, ".cache", "plugin.tgz");

export type Config = { readonly [field: string]: unknown };

export const TOKEN = "gateway-token-for-tests-0123456789";

/** The configuration of a Gateway without outside connections, with `routes` and the test's other settings. */
export const gatewayConfig = (routes: unknown, more: Config = {}): Config => ({
  gateway: { mode: "local", bind: "loopback", trustedProxies: ["127.0.0.1"], auth: { mode: "token", token: TOKEN } },
  update: { checkOnStart: false },
  models: { catalogRefresh: { enabled: false } },
  plugins: { entries: { webhooks: { enabled: true, config: { routes } } } },
  ...more,
});

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Config;
};

/** Milliseconds for a start, and for a command. */
const START_MS = 120_000;
const COMMAND_MS = 120_000;

export class Gateway {
  readonly #cli: string;
  readonly state: string;
  readonly port: number;
  readonly #more: NodeJS.ProcessEnv;
  #process: ChildProcess | undefined;
  #log = "";

  private constructor(cli: string, state: string, port: number, more: NodeJS.ProcessEnv) {
    this.#cli = cli;
    this.state = state;
    this.port = port;
    this.#more = more;
  }

  /**
   * Installs the tarballs with the Gateway's own command, then starts it and waits until it is ready. `more`: of its environment;
   * undefined takes a variable away.
   */
  static async start(
    host: HostName,
    config: Config,
    tarballs: readonly string[],
    more: NodeJS.ProcessEnv = {},
  ): Promise<Gateway> {
    const state = mkdtempSync(join(tmpdir(), "gateway-"));
    const gateway = new Gateway(await installHost(host), state, await freePort(), more);
    mkdirSync(gateway.state, { recursive: true });
    writeFileSync(gateway.#configFile, JSON.stringify(config, undefined, 2));
    for (const tarball of tarballs) await gateway.install(tarball);
    await gateway.boot();
    return gateway;
  }

  /** Milliseconds of CPU time that the Gateway's threads have taken so far, to the nanosecond; Linux only. */
  cpu(): number {
    const tasks = `/proc/${String(this.#process?.pid)}/task`;
    const spent = readdirSync(tasks).map((task) =>
      Number(readFileSync(join(tasks, task, "schedstat"), "utf8").split(" ")[0]),
    );
    return spent.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e6;
  }

  /** Bytes of memory that the Gateway's process has in use; Linux only. */
  memory(): number {
    const pages = readFileSync(`/proc/${String(this.#process?.pid)}/statm`, "utf8").split(" ")[1];
    return Number(pages) * 4096;
  }

  get base(): string {
    return `http://127.0.0.1:${String(this.port)}`;
  }

  /** What the Gateway has printed since its last start, without colours. */
  get log(): string {
    return stripVTControlCharacters(this.#log);
  }

  get #configFile(): string {
    return join(this.state, "openclaw.json");
  }

  get #env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
      HOME: this.state,
      OPENCLAW_STATE_DIR: this.state,
      OPENCLAW_CONFIG_PATH: this.#configFile,
      OPENCLAW_GATEWAY_PORT: String(this.port),
      OPENCLAW_GATEWAY_TOKEN: TOKEN,
      // An install reaches no registry and finds nothing in a cache.
      npm_config_registry: "http://127.0.0.1:9",
      npm_config_cache: join(this.state, "npm-cache"),
      NO_COLOR: "1",
      CI: "1",
      ...this.#more,
    };
  }

  /** Runs one `openclaw` command on this Gateway's state; gives what it prints. Rejects when it fails. */
  async cli(...args: readonly string[]): Promise<string> {
    const options = { env: this.#env, cwd: this.state, maxBuffer: 64 << 20, timeout: COMMAND_MS };
    const { stdout } = await run(process.execPath, [this.#cli, ...args], options);
    return stripVTControlCharacters(stdout);
  }

  install(tarball: string): Promise<string> {
    return this.cli("plugins", "install", `npm-pack:${tarball}`, "--force", "--accept-capabilities");
  }

  async boot(): Promise<void> {
    this.#log = "";
    const command = [this.#cli, "gateway", "run", "--port", String(this.port)];
    const child = endsWithUs(spawn(process.execPath, command, { env: this.#env, cwd: this.state }));
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => (this.#log += chunk.toString()));
    }
    await this.until("the Gateway is ready", () => /\[gateway\] ready/u.test(this.log), START_MS);
  }

  /** Kills the process, like a power cut. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGKILL");
    await gone;
  }

  /** Ends the Gateway and removes its state. */
  async discard(): Promise<void> {
    await this.kill();
    rmSync(this.state, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Changes the configuration file as an editor does; the Gateway's own entries in it stay. */
  edit(change: (config: Config) => Config): void {
    const next = change(JSON.parse(readFileSync(this.#configFile, "utf8")) as Config);
    const draft = join(this.state, `${basename(this.#configFile)}.draft`);
    writeFileSync(draft, JSON.stringify(next, undefined, 2));
    renameSync(draft, this.#configFile);
  }

  /** Waits until `isTrue`, or fails with a description and the end of the log. */
  async until(what: string, isTrue: () => boolean | Promise<boolean>, deadlineMs: number = 30_000): Promise<void> {
    const latest = performance.now() + deadlineMs;
    while (!(await isTrue())) {
      if (performance.now() > latest) throw new Error(`waited in vain: ${what}\n${this.log.slice(-4000)}`);
      await sleep(50);
    }
  }

  /** One POST of JSON; `client` is the forwarded address. */
  async post(path: string, secret: string, body: unknown, client: string = "10.9.8.7"): Promise<Answer> {
    const headers = {
      "content-type": "application/json",
      authorization: `Bearer ${secret}`,
      "x-forwarded-for": client,
    };
    const sent = await fetch(this.base + path, { method: "POST", headers, body: JSON.stringify(body) });
    const text = await sent.text();
    const isJson = sent.headers.get("content-type")?.startsWith("application/json") === true;
    return { status: sent.status, headers: sent.headers, text, json: isJson ? (JSON.parse(text) as Config) : {} };
  }
}

/** The routes of a Gateway's configuration with `change` applied. */
export const withRoutes =
  (change: (routes: Config) => Config) =>
  (config: Config): Config => {
    const at = config as unknown as { plugins: { entries: { webhooks: { config: { routes: Config } } } } };
    const copy = structuredClone(at);
    copy.plugins.entries.webhooks.config.routes = change(copy.plugins.entries.webhooks.config.routes);
    return copy as unknown as Config;
  };
