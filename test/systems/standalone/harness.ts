// The standalone server as operators run it: a separate process, killed or stopped from outside.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { endsWithUs } from "../../support/children.ts";
import { asUser, MAIN } from "../../support/command-line.ts";

export const tempFolder = (): string => mkdtempSync(join(tmpdir(), "openclaw-webhooks-"));
export const remove = (folder: string): void => rmSync(folder, { recursive: true, force: true });

export { type Ended, runCli } from "../../support/command-line.ts";

/** Polls until it is so; fails after 20 seconds. */
export const until = async (isSo: () => boolean | Promise<boolean>, what = "it did not come to be"): Promise<void> => {
  const latest = performance.now() + 20_000;
  while (!(await isSo())) {
    if (performance.now() > latest) throw new Error(what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

export class Standalone {
  readonly base: string;
  readonly log: string[];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, base: string, log: string[]) {
    this.#child = child;
    this.base = base;
    this.log = log;
  }

  /** Resolves once it listens. `uid`: the user that it runs as, if the tests run as root. */
  static async start(args: readonly string[], env: object = {}, uid?: number): Promise<Standalone> {
    const user = uid === undefined ? {} : { uid, gid: uid };
    const [program, ...words] = asUser(process.execPath, [MAIN, "serve", "--port", "0", ...args], user);
    const child = endsWithUs(spawn(program, words, { env: { ...process.env, ...env } }));
    const log: string[] = [];
    const base = await new Promise<string>((resolve, reject) => {
      createInterface(child.stderr).on("line", (line) => {
        log.push(line);
        const url = /listening on (https?:\/\/[^\s,]+)/u.exec(line)?.[1];
        if (url !== undefined) resolve(url);
      });
      child.once("exit", () => reject(new Error(`it did not start: ${log.join("\n")}`)));
    });
    return new Standalone(child, base, log);
  }

  post(routeId: string, secret: string, body: object): Promise<Response> {
    const headers = { "content-type": "application/json", authorization: `Bearer ${secret}` };
    return fetch(`${this.base}/plugins/webhooks/${routeId}`, { method: "POST", headers, body: JSON.stringify(body) });
  }

  /** Sends a signal that does not end it. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Bytes of memory that the process has now. */
  get memory(): number {
    const status = readFileSync(`/proc/${String(this.#child.pid)}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/u.exec(status)?.[1]) * 1024;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves once the log has `count` lines with these words. */
  async says(words: string, count = 1): Promise<void> {
    await until(
      () => this.log.filter((line) => line.includes(words)).length >= count,
      `${words}\n${this.log.join("\n")}`,
    );
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const gone = once(this.#child, "exit");
    this.#child.kill(signal);
    const [status] = (await gone) as [number | null];
    return status;
  }
}
