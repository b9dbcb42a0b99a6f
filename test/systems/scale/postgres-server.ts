// A PostgreSQL of the tests' own: from the system's packages, in a temporary folder, on a free port of this machine.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { endsWithUs } from "../../support/children.ts";
import { freePort } from "../../support/free-port.ts";

const MISSING =
  "PostgreSQL 14 or later is not installed: apt-get install postgresql (the tests use its programs initdb and postgres, and no server of the system).";

/** The role that the product has in these databases, and the password of all roles. */
const ROLE = "webhooks";
export const PASSWORD = "postgres-secret-0123456789";

/** The folder of the newest version's programs. */
const programs = (): string => {
  const version = (folder: string): number => Number(/(\d+)\/bin$/u.exec(folder)?.[1] ?? 0);
  const packaged = globSync("/usr/lib/postgresql/*/bin").toSorted((a, b) => version(b) - version(a));
  const onPath = spawnSync("pg_config", ["--bindir"], { encoding: "utf8" }).stdout?.trim() ?? "";
  const found = [...packaged, onPath].find((folder) => folder !== "" && existsSync(join(folder, "initdb")));
  if (found === undefined) throw new Error(MISSING);
  return found;
};

type User = { readonly uid?: number; readonly gid?: number };

/** PostgreSQL refuses to run as root. */
const unprivileged = (): User => {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string): string =>
    ["postgres", "nobody"]
      .map((name) => spawnSync("id", [flag, name], { encoding: "utf8" }).stdout.trim())
      .find((id) => id !== "") ?? "65534";
  return { uid: Number(idOf("-u")), gid: Number(idOf("-g")) };
};

export class PostgresServer {
  readonly port: number;
  readonly #folder: string;
  readonly #bin: string;
  readonly #user: User;
  #settings: readonly string[];
  #child: ChildProcess | undefined;
  #databases = 0;
  readonly log: string[] = [];

  private constructor(folder: string, bin: string, user: User, port: number, settings: readonly string[]) {
    this.#folder = folder;
    this.#bin = bin;
    this.#user = user;
    this.port = port;
    this.#settings = settings;
  }

  /** `settings`: such as `max_connections=20`. Writes are flushed to the disk as in production. */
  static async start(settings: readonly string[] = []): Promise<PostgresServer> {
    const bin = programs();
    const user = unprivileged();
    const folder = mkdtempSync(join(tmpdir(), "openclaw-webhooks-postgres-"));
    const secret = join(folder, "password");
    writeFileSync(secret, PASSWORD);
    if (user.uid !== undefined && user.gid !== undefined)
      for (const place of [folder, secret]) chownSync(place, user.uid, user.gid);
    const options = ["-D", join(folder, "data"), "-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256"];
    execFileSync(join(bin, "initdb"), [...options, `--pwfile=${secret}`, "--no-sync"], { ...user, stdio: "pipe" });
    const server = new PostgresServer(folder, bin, user, await freePort(), settings);
    await server.run();
    await server.sql(`CREATE ROLE ${ROLE} LOGIN PASSWORD '${PASSWORD}'`);
    return server;
  }

  /** From the next start on it takes TLS too, with a certificate and its key, PEM. */
  useTls(cert: string, key: string): void {
    const [certFile, keyFile] = [join(this.#folder, "server.crt"), join(this.#folder, "server.key")];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key, { mode: 0o600 });
    const { uid, gid } = this.#user;
    if (uid !== undefined && gid !== undefined) for (const file of [certFile, keyFile]) chownSync(file, uid, gid);
    this.#settings = [...this.#settings, "ssl=on", `ssl_cert_file=${certFile}`, `ssl_key_file=${keyFile}`];
  }

  /** From the next start on it is a standby that waits for its primary, until `SELECT pg_promote()`. */
  becomeStandby(): void {
    writeFileSync(join(this.#folder, "data", "standby.signal"), "");
  }

  /** Starts the processes; resolves once it takes commands. */
  async run(): Promise<void> {
    const words = [
      `listen_addresses=127.0.0.1`,
      `port=${String(this.port)}`,
      `unix_socket_directories=${this.#folder}`,
      ...this.#settings,
    ].flatMap((setting) => ["-c", setting]);
    const child = endsWithUs(
      spawn(join(this.#bin, "postgres"), ["-D", join(this.#folder, "data"), ...words], {
        ...this.#user,
        stdio: ["ignore", "ignore", "pipe"],
      }),
    );
    this.#child = child;
    child.stderr.on("data", (text: Buffer) => void this.log.push(text.toString()));
    const latest = performance.now() + 30_000;
    const begun = this.log.length;
    for (;;) {
      // processes of one that was killed may still be ending
      if (child.exitCode !== null && /pre-existing shared memory block/u.test(this.log.slice(begun).join(""))) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        return this.run();
      }
      if (child.exitCode !== null || performance.now() > latest)
        throw new Error(`PostgreSQL did not start: ${this.log.join("")}`);
      if (
        await this.sql("SELECT 1").then(
          () => true,
          () => false,
        )
      )
        return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** As the superuser. */
  async sql(text: string, database = "postgres"): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const client = new pg.Client({
      host: "127.0.0.1",
      port: this.port,
      user: "postgres",
      password: PASSWORD,
      database,
    });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** The URL of a new database, which belongs to the product's role. */
  async database(): Promise<string> {
    const name = `webhooks_${String((this.#databases += 1))}`;
    await this.sql(`CREATE DATABASE ${name} OWNER ${ROLE}`);
    return this.url(name);
  }

  url(database: string, role = ROLE): string {
    return `postgres://${role}@127.0.0.1:${String(this.port)}/${database}`;
  }

  /** A connection of the product's role. */
  async client(url: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url.replace("@", `:${PASSWORD}@`) });
    await client.connect();
    return client;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** All of its processes end as by a power cut, less what the system would lose. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = once(child, "exit");
    const backends = spawnSync("pgrep", ["-P", String(child.pid)], { encoding: "utf8" })
      .stdout.trim()
      .split("\n");
    child.kill("SIGKILL");
    for (const backend of backends.filter((id) => id !== "")) {
      try {
        process.kill(Number(backend), "SIGKILL");
      } catch {
        // it has ended by itself
      }
    }
    await gone;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
