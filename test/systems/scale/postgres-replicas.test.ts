// Three replicas of the server on one PostgreSQL: repeats at once, and kills of a replica and of PostgreSQL under load. The numbers
// of kills are variables of the environment, so that longer campaigns need no other code.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { AUTHORITY, GOOD, KEY } from "../../support/certificates.ts";
import { remove, runCli, Standalone, tempFolder, until } from "../standalone/harness.ts";
import { PASSWORD, PostgresServer } from "./postgres-server.ts";

const KEYS = Number(process.env["SCALE_KEYS"] ?? 1000);
const REPLICA_KILLS = Number(process.env["REPLICA_KILLS"] ?? 6);
const POSTGRES_KILLS = Number(process.env["POSTGRES_KILLS"] ?? 3);
const WRITERS = 6;
const SECRET = "replica-secret-0123456789";
const ENV = { PGPASSWORD: PASSWORD };

const folder = tempFolder();
const config = join(folder, "config.json5");
writeFileSync(
  config,
  `{ trustedProxies: ["127.0.0.1"], routes: { scale: { sessionKey: "agent:main:scale", secret: "${SECRET}" } } }`,
);

let postgres: PostgresServer;
before(async () => {
  postgres = await PostgresServer.start(["max_connections=100"]);
});
after(async () => {
  await postgres.end();
  remove(folder);
});

const start = (url: string, more: readonly string[] = []): Promise<Standalone> =>
  Standalone.start(["--config", config, "--db", url, "--db-connections", "8", ...more], ENV);

type Answer = { readonly status: number; readonly text: string };
type Flow = { readonly flowId: string; readonly revision: number; readonly stateJson?: unknown };

let clients = 0;
const send = async (server: Standalone, body: object, key?: string): Promise<Answer> => {
  clients += 1;
  const client = `10.${String((clients >> 16) & 255)}.${String((clients >> 8) & 255)}.${String(clients & 255)}`;
  const headers = {
    "content-type": "application/json",
    authorization: `Bearer ${SECRET}`,
    "x-forwarded-for": client,
    ...(key === undefined ? {} : { "idempotency-key": key }),
  };
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(`${server.base}/plugins/webhooks/scale`, init);
  return { status: response.status, text: await response.text() };
};

const flowIn = ({ status, text }: Answer): Flow => {
  assert.equal(status, 200, text);
  return (JSON.parse(text) as { result: { flow: Flow } }).result.flow;
};

const count = async (url: string, what = "count(*)"): Promise<number> => {
  const [row] = await postgres.sql(
    `SELECT ${what} AS n FROM openclaw_webhooks.flows`,
    url.slice(url.lastIndexOf("/") + 1),
  );
  return Number(row?.["n"]);
};

test(`PG-1, ONCE-1: one create with a key, sent to three replicas at once, makes one flow, ${String(KEYS)} times`, async () => {
  const url = await postgres.database();
  const replicas = await Promise.all([start(url), start(url), start(url)]);
  const create = { action: "create_flow", goal: "Once" };
  for (let done = 0; done < KEYS; done += 20) {
    const keys = Array.from({ length: Math.min(20, KEYS - done) }, (_, index) => `key-${String(done + index)}`);
    const answers = await Promise.all(
      keys.map((key) => Promise.all(replicas.map(async (replica) => flowIn(await send(replica, create, key)).flowId))),
    );
    for (const ids of answers) assert.equal(new Set(ids).size, 1, ids.join());
  }
  assert.equal(await count(url), KEYS);
  await Promise.all(replicas.map((replica) => replica.end("SIGTERM")));
});

/** A writer's flow at the last acknowledged revision, and whether one more write may have happened. */
type Told = { flow: Flow | undefined; acknowledged: number; isUnanswered: boolean };
type Load = { readonly told: readonly Told[]; readonly statuses: Map<number, number>; isOver: boolean };

const newLoad = (): Load => ({
  told: Array.from({ length: WRITERS }, () => ({ flow: undefined, acknowledged: 0, isUnanswered: false })),
  statuses: new Map(),
  isOver: false,
});

/** Raises a revision by one, again and again, at any of the replicas. `stateJson` is always the revision. */
const write = async (load: Load, told: Told, replicas: () => readonly Standalone[]): Promise<void> => {
  for (let turn = 0; !load.isOver; turn += 1) {
    const all = replicas();
    const server = all[turn % all.length];
    if (server === undefined) return;
    const { flow } = told;
    const body =
      flow === undefined
        ? { action: "create_flow", goal: "Survive", stateJson: 0 }
        : {
            action: "set_waiting",
            flowId: flow.flowId,
            expectedRevision: flow.revision,
            stateJson: flow.revision + 1,
          };
    told.isUnanswered = true;
    const answer = await send(server, body).catch((): Answer => ({ status: 0, text: "" }));
    load.statuses.set(answer.status, (load.statuses.get(answer.status) ?? 0) + 1);
    if (answer.status === 200) {
      told.flow = flowIn(answer);
      told.acknowledged += 1;
      told.isUnanswered = false;
    } else {
      await delay(10);
      // read before you retry; a create that was not answered may have made a flow that nobody knows
      if (flow !== undefined) await reread(all, told, flow);
    }
  }
};

const reread = async (replicas: readonly Standalone[], told: Told, { flowId, revision }: Flow): Promise<void> => {
  for (const server of replicas) {
    const read = await send(server, { action: "get_flow", flowId }).catch(() => undefined);
    if (read?.status !== 200) continue;
    const found = flowIn(read);
    assert.ok(
      found.revision === revision || found.revision === revision + 1,
      `${String(found.revision)} ${String(revision)}`,
    );
    assert.equal(found.stateJson, found.revision, "a revision is missing or doubled");
    told.flow = found;
    return;
  }
};

const check = async (server: Standalone, { told }: Load): Promise<void> => {
  for (const { flow, isUnanswered } of told) {
    if (flow === undefined) continue;
    const found = flowIn(await send(server, { action: "get_flow", flowId: flow.flowId }));
    assert.ok(found.revision >= flow.revision && found.revision <= flow.revision + (isUnanswered ? 1 : 0));
    assert.equal(found.stateJson, found.revision, "a revision is missing or doubled");
  }
};

const said = (load: Load): string =>
  [...load.statuses]
    .map(([status, times]) => `${String(times)} × ${status === 0 ? "no answer" : String(status)}`)
    .join(", ");

test(`PG-1, PG-2: ${String(REPLICA_KILLS)} kills of a replica under load lose no acknowledged write`, async (t) => {
  const url = await postgres.database();
  let replicas: readonly Standalone[] = await Promise.all([start(url), start(url), start(url)]);
  const load = newLoad();
  const writers = Promise.all(load.told.map((told) => write(load, told, () => replicas)));
  let slowest = 0;
  for (let kill = 0; kill < REPLICA_KILLS; kill += 1) {
    await delay(150 + ((kill * 37) % 130));
    const [first, ...others] = replicas;
    if (first === undefined) return;
    await first.end("SIGKILL");
    replicas = others;
    // the others go on at once: what the dead one had locked is free
    const from = performance.now();
    for (const other of others) flowIn(await send(other, { action: "create_flow", goal: "Go on" }));
    slowest = Math.max(slowest, performance.now() - from);
    replicas = [...others, await start(url)];
  }
  load.isOver = true;
  await writers;
  const [survivor] = replicas;
  if (survivor !== undefined) await check(survivor, load);
  const acknowledged = load.told.reduce((sum, one) => sum + one.acknowledged, 0);
  t.diagnostic(
    `${String(acknowledged)} writes acknowledged, none lost; callers saw ${said(load)}; the others answered two creates within ${slowest.toFixed(0)} ms`,
  );
  assert.ok(slowest < 5000);
  assert.equal(await count(url, "count(*) FILTER (WHERE state_json IS NOT NULL AND revision::text <> state_json)"), 0);
  await Promise.all(replicas.map((replica) => replica.end("SIGTERM")));
});

test(`PG-2, PG-3: ${String(POSTGRES_KILLS)} kills of PostgreSQL under load lose no acknowledged write, and no replica needs a restart`, async (t) => {
  const url = await postgres.database();
  const replicas = await Promise.all([start(url), start(url), start(url)]);
  const load = newLoad();
  const writers = Promise.all(load.told.map((told) => write(load, told, () => replicas)));
  const isReady = async (replica: Standalone): Promise<boolean> =>
    (await fetch(`${replica.base}/readyz`)).status === 200;
  const recoveries: number[] = [];
  for (let kill = 0; kill < POSTGRES_KILLS; kill += 1) {
    await delay(300 + ((kill * 53) % 170));
    await postgres.kill();
    for (const replica of replicas) {
      await until(async () => !(await isReady(replica)), "a replica without its database says that it is ready");
      assert.equal((await fetch(`${replica.base}/healthz`)).status, 200);
    }
    await postgres.run();
    const from = performance.now();
    for (const replica of replicas) await until(() => isReady(replica), "a replica does not come back");
    recoveries.push(performance.now() - from);
  }
  await delay(300);
  load.isOver = true;
  await writers;
  for (const replica of replicas) {
    await check(replica, load);
    assert.ok(replica.isRunning);
    assert.ok(!replica.log.join("\n").includes(PASSWORD));
  }
  const acknowledged = load.told.reduce((sum, one) => sum + one.acknowledged, 0);
  const longest = Math.max(...recoveries).toFixed(0);
  t.diagnostic(
    `${String(acknowledged)} writes acknowledged, none lost; callers saw ${said(load)}; ready again within ${longest} ms`,
  );
  const statuses = [...load.statuses.keys()].filter((status) => ![0, 200, 409, 503, 504].includes(status));
  assert.deepEqual(statuses, []);
  await Promise.all(replicas.map((replica) => replica.end("SIGTERM")));
});

test("PG-3: while PostgreSQL takes no writes, writes get 503, reads their answer, and /readyz 503", async () => {
  const url = await postgres.database();
  const name = url.slice(url.lastIndexOf("/") + 1);
  const replica = await start(url);
  const { flowId } = flowIn(await send(replica, { action: "create_flow", goal: "Before" }));
  const setReadOnly = async (isOn: boolean): Promise<void> => {
    await postgres.sql(`ALTER DATABASE ${name} SET default_transaction_read_only = ${isOn ? "on" : "off"}`);
    await postgres.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
  };
  await setReadOnly(true);
  await until(async () => (await fetch(`${replica.base}/readyz`)).status === 503);
  const refused = await send(replica, { action: "create_flow", goal: "Refused" });
  assert.equal(refused.status, 503);
  assert.match(refused.text, /persist_failed/u);
  assert.equal(flowIn(await send(replica, { action: "get_flow", flowId })).flowId, flowId);
  await replica.says("read-only transaction");
  await setReadOnly(false);
  await until(async () => (await fetch(`${replica.base}/readyz`)).status === 200);
  flowIn(await send(replica, { action: "create_flow", goal: "After" }));
  assert.equal(await replica.end("SIGTERM"), 0);
});

test("PG-3: a standby is neither read nor written, and used once it is the primary", async () => {
  const url = await postgres.database();
  const replica = await start(url);
  const { flowId } = flowIn(await send(replica, { action: "create_flow", goal: "Before" }));
  await postgres.kill();
  postgres.becomeStandby();
  await postgres.run();
  await until(async () => (await fetch(`${replica.base}/readyz`)).status === 503);
  assert.equal((await send(replica, { action: "get_flow", flowId })).status, 503);
  await replica.says("only a primary is used");
  const { status, error } = await runCli(["serve", "--port", "0", "--config", config, "--db", url], ENV);
  assert.equal(status, 1);
  assert.match(error, /is a standby, and only a primary is used/u);
  await postgres.sql("SELECT pg_promote()");
  await until(async () => (await fetch(`${replica.base}/readyz`)).status === 200);
  assert.equal(flowIn(await send(replica, { action: "get_flow", flowId })).flowId, flowId);
  assert.equal(await replica.end("SIGTERM"), 0);
});

test("PG-7: a caller that waits at one replica gets its answer when the flow changes at another one", async () => {
  const url = await postgres.database();
  const [here, there] = await Promise.all([start(url), start(url)]);
  const { flowId } = flowIn(await send(here, { action: "create_flow", goal: "Wait" }));
  const waiting = send(here, { action: "get_flow", flowId, afterRevision: 0, waitSeconds: 20 });
  await delay(500);
  const from = performance.now();
  flowIn(await send(there, { action: "set_waiting", flowId, expectedRevision: 0 }));
  assert.equal(flowIn(await waiting).revision, 1);
  assert.ok(performance.now() - from < 900);
  await Promise.all([here.end("SIGTERM"), there.end("SIGTERM")]);
});

test("PG-8: a database that cannot be used is refused with what is wrong and what to do, and no password is shown", async () => {
  const url = await postgres.database();
  const serve = async (db: string, env: object = ENV): Promise<string> => {
    const { status, out, error } = await runCli(["serve", "--port", "0", "--config", config, "--db", db], env);
    assert.equal(status, 1, error);
    assert.ok(!`${out}${error}`.includes(PASSWORD), error);
    return error;
  };
  const missing = url.replace(/[^/]+$/u, "nothing");
  const cases: readonly (readonly [said: RegExp, db: string, env?: object])[] = [
    [/must not have a password.*PGPASSWORD/u, url.replace("@", `:${PASSWORD}@`)],
    [/wants a password.*PGPASSWORD/u, url, { PGPASSWORD: "" }],
    [/refuses the password or the role \(28P01\)/u, url, { PGPASSWORD: "wrong" }],
    [/is not there \(3D000\).*createdb/u, missing],
    [/does not answer \(ECONNREFUSED\)/u, url.replace(/:\d+\//u, ":1/")],
    [/has no TLS/u, `${url}?sslmode=require`],
    [/sslmode that is not one of disable, require, verify-ca, verify-full/u, `${url}?sslmode=prefer`],
    [/parameter that is not known/u, `${url}?ssl=true`],
    [/must not have a password.*--db-password-file/u, `${url}?password=${PASSWORD}`],
    [/make or use its tables \(42501: permission denied for \w+ \w+\)\. Make the role/u, postgres.url("postgres")],
  ];
  for (const [words, db, env] of cases) assert.match(await serve(db, env), words);
  const copied = await runCli(["backup", join(folder, "copy.db"), "--db", url]);
  assert.equal(copied.status, 1);
  assert.match(copied.error, /backup copies SQLite files only.*pg_dump/u);
});

test("PG-8: a password comes from a private file, and a superuser is warned of", async () => {
  const file = join(folder, "password");
  writeFileSync(file, `${PASSWORD}\n`, { mode: 0o600 });
  const url = (await postgres.database()).replace("webhooks@", "postgres@");
  const replica = await Standalone.start(["--config", config, "--db", url, "--db-password-file", file]);
  await replica.says("may pass row-level security");
  flowIn(await send(replica, { action: "create_flow", goal: "By file" }));
  assert.equal(await replica.end("SIGTERM"), 0);
});

test("PG-8: over TLS the server's certificate is verified as sslmode says", async () => {
  const authority = join(folder, "authority.pem");
  writeFileSync(authority, AUTHORITY);
  const url = await postgres.database();
  await postgres.kill();
  postgres.useTls(GOOD, KEY);
  await postgres.run();
  const refused = async (db: string): Promise<string> =>
    (await runCli(["serve", "--port", "0", "--config", config, "--db", db], ENV)).error;
  assert.match(await refused(`${url}?sslmode=verify-full`), /authority that is not known here.*sslrootcert/u);
  const byName = `${url.replace("127.0.0.1", "localhost")}?sslrootcert=${authority}`;
  assert.match(await refused(`${byName}&sslmode=verify-full`), /certificate for another name/u);
  for (const db of [
    `${url}?sslmode=verify-full&sslrootcert=${authority}`,
    `${byName}&sslmode=verify-ca`,
    `${url}?sslmode=require`,
  ]) {
    const replica = await start(db);
    flowIn(await send(replica, { action: "create_flow", goal: "Encrypted" }));
    const sessions = await postgres.sql(
      "SELECT bool_and(ssl) AS n FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'webhooks'",
    );
    assert.deepEqual(sessions, [{ n: true }]);
    assert.equal(await replica.end("SIGTERM"), 0);
  }
});
