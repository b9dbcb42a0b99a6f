// A redis-server of the system, on a free port of this machine with a temporary folder; killed, stopped and started again by tests.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { endsWithUs } from "../../support/children.ts";
import { connect } from "../../../adapters/limits/redis/connect.ts";
import { remove, tempFolder, until } from "../standalone/harness.ts";
import { freePort } from "../../support/free-port.ts";

/** The server's program, in the order in which they are looked for, if none is chosen. */
const CHOSEN = process.env["REDIS_SERVER"];
const PROGRAMS = CHOSEN === undefined ? ["redis-server", "valkey-server"] : [CHOSEN];

const MISSING =
  "npm run test:scale needs redis-server 7 or valkey-server 8, or later: install the package redis-server or valkey-server of your system (apt-get install redis-server).";

const programOf = (): string => {
  const found = PROGRAMS.find((name) => {
    try {
      execFileSync(name, ["--version"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(MISSING);
  return found;
};

export class RedisServer {
  readonly port: number;
  readonly #folder = tempFolder();
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  /** `args`: in the form of redis-server. By default it keeps an append-only file, as docs/scale.md says. */
  static async start(...args: readonly string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), ["--appendonly", "yes", "--save", "", ...args]);
    await server.again();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${String(this.port)}`;
  }

  get folder(): string {
    return this.#folder;
  }

  /** Starts it on the same port with what its folder holds. `more`: arguments that go before those of the first start. */
  async again(...more: readonly string[]): Promise<void> {
    const where = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.#folder];
    const child = endsWithUs(
      spawn(programOf(), [...where, ...this.#args, ...more], { stdio: ["ignore", "pipe", "inherit"] }),
    );
    this.#child = child;
    let log = "";
    child.stdout.on("data", (chunk) => (log += String(chunk)));
    await until(() => log.includes("Ready to accept connections"), "redis-server did not start");
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  async end(): Promise<void> {
    await this.kill();
    remove(this.#folder);
  }

  /** One command, on a connection of its own. */
  async ask(...words: readonly string[]): Promise<unknown> {
    const link = (await connect({ host: "127.0.0.1", port: this.port, isTls: false }))._unsafeUnwrap();
    try {
      await until(
        () =>
          link.ask("PING").then(
            () => true,
            () => false,
          ),
        "redis-server does not answer",
      );
      return await link.ask(...words);
    } finally {
      link.close();
    }
  }
}
