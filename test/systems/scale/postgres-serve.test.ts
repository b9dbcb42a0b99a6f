// `serve` on PostgreSQL with all that it has beside the routes: pages for operators, the audit file, quotas and callbacks.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SECRET as SIGNING } from "../../support/callbacks.ts";
import { Receiver, status } from "../../support/receiver.ts";
import { remove, Standalone, tempFolder, until } from "../standalone/harness.ts";
import { PASSWORD, PostgresServer } from "./postgres-server.ts";

const SECRET = "operator-secret-0123456789";
const SESSION = "agent:main:operated";
const ENV = { PGPASSWORD: PASSWORD };
const MOST = 4;

const folder = tempFolder();
const config = join(folder, "config.json5");
const receiver = new Receiver();
let postgres: PostgresServer;

before(async () => {
  postgres = await PostgresServer.start(["max_connections=100", "fsync=off"]);
  await receiver.start();
  const notify = { url: `${receiver.origin}/hook`, secret: SIGNING, on: ["ended"] };
  const limits = { maxFlows: MOST, perMinute: 6000 };
  writeFileSync(config, JSON.stringify({ routes: { a: { sessionKey: SESSION, secret: SECRET, limits, notify } } }), {
    mode: 0o600,
  });
});
after(async () => {
  await receiver.close();
  await postgres.end();
  remove(folder);
});

/** A replica with its pages and its audit file. */
class Operated {
  readonly server: Standalone;
  readonly pages: string;
  readonly #audit: string;

  private constructor(server: Standalone, pages: string, audit: string) {
    this.server = server;
    this.pages = pages;
    this.#audit = audit;
  }

  static async start(url: string, name: string): Promise<Operated> {
    const audit = join(folder, `${name}.jsonl`);
    const server = await Standalone.start(
      ["--config", config, "--db", url, "--db-connections", "4", "--admin", "0", "--audit", audit],
      ENV,
    );
    await server.says("pages for operators at");
    const [, pages = ""] = /pages for operators at (http:\S+?)\/?[\s"]/u.exec(`${server.log.join("\n")}\n`) ?? [];
    return new Operated(server, pages, audit);
  }

  async ask(body: object): Promise<{ readonly status: number; readonly flowId: string }> {
    const response = await this.server.post("a", SECRET, body);
    const { result } = (await response.json()) as {
      readonly result?: { readonly flow?: { readonly flowId?: string } };
    };
    return { status: response.status, flowId: String(result?.flow?.flowId) };
  }

  async document(): Promise<Readonly<Record<string, unknown>>> {
    return (await (await fetch(`${this.pages}/status.json`)).json()) as Readonly<Record<string, unknown>>;
  }

  async ready(): Promise<readonly number[]> {
    const bases = [this.server.base, this.pages];
    return Promise.all(bases.map(async (base) => (await fetch(`${base}/readyz`)).status));
  }

  get audited(): readonly Readonly<Record<string, unknown>>[] {
    const lines = readFileSync(this.#audit, "utf8").trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  }
}

const openIn = (document: Readonly<Record<string, unknown>>): number => {
  const { open = [] } = document["flows"] as { readonly open?: readonly { readonly count: number }[] };
  return open.reduce((sum, { count }) => sum + count, 0);
};

const whyIn = (document: Readonly<Record<string, unknown>>): string =>
  (document["flows"] as { readonly why?: string }).why ?? "";

test("QUOTA-1, STATUS-1, AUDIT-1, NOTIFY-1, PG-5: two replicas share a quota, count the same flows, audit what each has answered, and tell each end once", async () => {
  const url = await postgres.database();
  const replicas = await Promise.all([Operated.start(url, "one"), Operated.start(url, "two")]);
  // some are told only by a second try, which may be the other replica's
  receiver.answering = (response, got, number) =>
    number % 3 === 1 ? void response.writeHead(503, { "retry-after": "1" }).end() : status(200)(response, got, number);
  const create = { action: "create_flow", goal: "Operated" };
  const made = (
    await Promise.all(replicas.flatMap((replica) => Array.from({ length: MOST }, () => replica.ask(create))))
  ).filter((answer) => answer.status !== 429);
  assert.deepEqual(
    made.map((answer) => answer.status),
    Array.from({ length: MOST }, () => 200),
  );
  for (const replica of replicas) {
    assert.equal(openIn(await replica.document()), MOST);
    assert.deepEqual(await replica.ready(), [200, 200]);
  }
  const statuses = await Promise.all(
    made.map(async ({ flowId }, index) => {
      const replica = replicas[index % replicas.length];
      return (await replica?.ask({ action: "finish_flow", flowId, expectedRevision: 0 }))?.status;
    }),
  );
  assert.deepEqual(
    statuses,
    made.map(() => 200),
  );
  const idsOf = (flowId: string): readonly string[] =>
    receiver.got.filter(({ body }) => body.includes(flowId)).map(({ id }) => id);
  const waiting = async (): Promise<number> => {
    const [row] = await postgres.sql(
      "SELECT count(*) AS n FROM openclaw_webhooks.events",
      url.slice(url.lastIndexOf("/") + 1),
    );
    return Number(row?.["n"]);
  };
  await until(async () => (await waiting()) === 0, "callbacks are not told");
  for (const { flowId } of made) assert.equal(new Set(idsOf(flowId)).size, 1);
  // no callback that was taken is sent again
  const tries = receiver.got.length;
  assert.ok(tries <= 2 * MOST + 2, `${String(tries)} callbacks for ${String(MOST)} ends`);
  const lines = replicas.flatMap((replica) => replica.audited);
  assert.equal(lines.length, 2 * MOST + MOST);
  assert.deepEqual(
    lines.filter(({ status: code }) => code === 429).map(({ code }) => code),
    Array.from({ length: MOST }, () => "quota_exceeded"),
  );
  for (const { server } of replicas) assert.equal(await server.end("SIGTERM"), 0);
});

test("PG-3, STATUS-5, AUDIT-1: while PostgreSQL is gone the pages are there and say so, and what was refused is audited; then all goes on", async () => {
  const replica = await Operated.start(await postgres.database(), "alone");
  assert.equal((await replica.ask({ action: "create_flow", goal: "Before" })).status, 200);
  assert.equal(openIn(await replica.document()), 1);
  await postgres.kill();
  await until(async () => (await replica.ready()).every((code) => code === 503));
  const from = performance.now();
  // the page is made once a second
  await until(async () => whyIn(await replica.document()).startsWith("the store"));
  assert.ok(performance.now() - from < 5000);
  assert.match(
    String((await replica.document())["problems"]),
    /^the database postgres:\S+ does not answer, or takes no writes/u,
  );
  assert.equal((await fetch(`${replica.pages}/metrics`)).status, 200);
  assert.equal((await replica.ask({ action: "create_flow", goal: "Refused" })).status, 503);
  await until(() => replica.audited.some(({ code }) => code === "persist_failed"));
  await postgres.run();
  await until(async () => (await replica.ready()).every((code) => code === 200));
  assert.equal((await replica.ask({ action: "create_flow", goal: "After" })).status, 200);
  await until(async () => openIn(await replica.document()) === 2);
  assert.deepEqual((await replica.document())["problems"], []);
  assert.equal(await replica.server.end("SIGTERM"), 0);
});

test("PG-4, STATUS-1: a role that row-level security does not bind is told on the operator's page too", async () => {
  const replica = await Operated.start((await postgres.database()).replace("webhooks@", "postgres@"), "free");
  assert.match(JSON.stringify(await replica.document()), /may pass row-level security/u);
  assert.equal(await replica.server.end("SIGTERM"), 0);
});
