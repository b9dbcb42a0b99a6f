// Replicas of `serve` on one redis-server: what their callers see, and a load on them.

import { writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { remove, Standalone, tempFolder } from "../standalone/harness.ts";

export const SECRET = "replica-secret-0123456789";
const ROUTE = "ci";

export type RouteLimits = { readonly perMinute?: number; readonly inFlight?: number };

/** What a caller saw of a replica. `begunAt`: by performance.now(). `ms`: until the answer was there. */
export type Seen = {
  readonly at: number;
  readonly begunAt: number;
  readonly status: number;
  readonly code: string | undefined;
  readonly retryAfter: string | null;
  readonly rateLimit: string | null;
  readonly ms: number;
};

const BODY = JSON.stringify({ action: "list_flows" });

const headersOf = (client: string): Readonly<Record<string, string>> => ({
  "content-type": "application/json",
  authorization: `Bearer ${SECRET}`,
  "x-forwarded-for": client,
});

export class Replicas {
  readonly servers: readonly Standalone[];
  readonly #folder: string;

  private constructor(servers: readonly Standalone[], folder: string) {
    this.servers = servers;
    this.#folder = folder;
  }

  /** `args`: such as `--limits`. `envs`: one replica for each, with these variables. */
  static async start(
    limits: RouteLimits,
    args: readonly string[],
    envs: readonly object[] = [{}, {}, {}],
  ): Promise<Replicas> {
    const folder = tempFolder();
    const config = join(folder, "config.json");
    const routes = { [ROUTE]: { sessionKey: "agent:main:ci", secret: SECRET, limits } };
    writeFileSync(config, JSON.stringify({ trustedProxies: ["127.0.0.1"], routes }));
    const servers = await Promise.all(
      envs.map((env, at) =>
        Standalone.start(["--config", config, "--db", join(folder, `${String(at)}.db`), ...args], env),
      ),
    );
    return new Replicas(servers, folder);
  }

  /** A request of a client to one replica. */
  async ask(at: number, client: string): Promise<Seen> {
    const begunAt = performance.now();
    const response = await fetch(`${this.#base(at)}/plugins/webhooks/${ROUTE}`, {
      method: "POST",
      headers: headersOf(client),
      body: BODY,
    });
    const { code } = (await response.json()) as { code?: string };
    const { status, headers } = response;
    const ms = performance.now() - begunAt;
    const told = { retryAfter: headers.get("retry-after"), rateLimit: headers.get("ratelimit") };
    return { at, begunAt, status, code, ...told, ms };
  }

  /** All replicas are asked by the client, each one request after the other, until `isOver`. Adds to `seen`. */
  async load(client: string, isOver: () => boolean, seen: Seen[]): Promise<void> {
    const each = this.servers.map(async (_, at) => {
      while (!isOver()) seen.push(await this.ask(at, client));
    });
    await Promise.all(each);
  }

  /** Begins a request that holds a slot, because its body does not come. The function that comes back ends it. */
  hold(at: number, client: string): () => void {
    const url = `${this.#base(at)}/plugins/webhooks/${ROUTE}`;
    const headers = { ...headersOf(client), "content-length": "100" };
    const request = httpRequest(url, { method: "POST", headers, agent: false });
    request.on("error", () => undefined);
    request.write("{");
    return () => void request.destroy();
  }

  async isReady(at: number): Promise<boolean> {
    return (await fetch(`${this.#base(at)}/readyz`)).ok;
  }

  async areReady(isReady: boolean): Promise<boolean> {
    const all = await Promise.all(this.servers.map((_, at) => this.isReady(at)));
    return all.every((one) => one === isReady);
  }

  #base(at: number): string {
    const server = this.servers[at];
    if (server === undefined) throw new Error(`there is no replica ${String(at)}`);
    return server.base;
  }

  async end(): Promise<void> {
    await Promise.all(this.servers.map((server) => (server.isRunning ? server.end("SIGKILL") : undefined)));
    remove(this.#folder);
  }
}

/** How often each status and code was seen. */
export const tally = (seen: readonly Seen[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...Map.groupBy(seen, ({ status, code }) => `${String(status)}${code === undefined ? "" : ` ${code}`}`)].map(
      ([kind, group]) => [kind, group.length],
    ),
  );
