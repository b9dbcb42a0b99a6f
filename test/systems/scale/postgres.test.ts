// Flows on a real PostgreSQL, without the server around them: round trips, replicas, the wall between owners, failures.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Delivery, FlowAction } from "../../../core/index.ts";
import { askAs, deliverAs, type Plain } from "../../../adapters/conformance/transcript.ts";
import { openPostgresFlows, type PostgresFlows, type PostgresOptions } from "../../../adapters/flows/postgres/index.ts";
import { until } from "../standalone/harness.ts";
import { CountingProxy } from "./postgres-proxy.ts";
import { OpenedFlows } from "./opened-flows.ts";
import { PASSWORD, PostgresServer } from "./postgres-server.ts";

const OWNER = "agent:main:owner";
const CREATE: FlowAction = { action: "create_flow", goal: "g", controllerId: "c" };

let server: PostgresServer;
const opened = new OpenedFlows();
const { open } = opened;
before(async () => {
  server = await PostgresServer.start(["max_connections=200", "fsync=off"]);
});
after(async () => {
  await opened.closeAll();
  await server.end();
});

const onNew = async (options: PostgresOptions = {}): Promise<PostgresFlows> => open(await server.database(), options);

const through = (url: string, proxy: CountingProxy): string => url.replace(/:\d+\//u, `:${String(proxy.port)}/`);

const idOf = ({ flow }: Plain): string => String(flow?.["flowId"]);

const latest = async (flows: PostgresFlows): Promise<string> =>
  idOf(await askAs(flows, OWNER)({ action: "find_latest_flow" }));

const once = (key: string): Delivery => ({
  routeId: "r",
  once: { key, fingerprint: "f" },
  bind: undefined,
  starts: false,
});

const within = (quota: number): Delivery => ({ ...once(""), once: undefined, quota });

test("PG-1, QUOTA-1: a read takes one round trip, a write two, with a quota too", async (t) => {
  const proxy = await CountingProxy.to(server.port);
  const flows = await open(through(await server.database(), proxy), { connections: 1 });
  const ask = askAs(flows, OWNER);
  const deliver = deliverAs(flows, OWNER);
  // a connection, and statements that it knows
  const warm = async (): Promise<void> => {
    const flowId = idOf(await ask(CREATE));
    await ask({ action: "set_waiting", flowId, expectedRevision: 0 });
    await deliver(CREATE, once(crypto.randomUUID()));
    await deliver(CREATE, within(99));
    await deliver({ action: "set_waiting", flowId, expectedRevision: 1 }, within(99));
    await deliver(CREATE, { ...once(crypto.randomUUID()), quota: 99 });
    await ask({ action: "list_flows", limit: 2, status: "waiting" });
    for (const action of ["list_flows", "find_latest_flow"] as const) await ask({ action });
    await ask({ action: "get_flow", flowId });
    await ask({ action: "resolve_flow", token: OWNER });
    await ask({ action: "get_task_summary", flowId });
  };
  await warm();
  await delay(200);
  const flowId = idOf(await ask(CREATE));
  const flow =
    (action: object): (() => Promise<Plain>) =>
    () =>
      ask({ flowId, ...action } as FlowAction);
  const measured: Readonly<Record<string, readonly [most: number, work: () => Promise<unknown>]>> = {
    create_flow: [2, () => ask(CREATE)],
    "create_flow with a key": [2, () => deliver(CREATE, once("k"))],
    "a repeat of it": [2, () => deliver(CREATE, once("k"))],
    "create_flow within a quota": [2, () => deliver(CREATE, within(99))],
    "create_flow with a key within a quota": [2, () => deliver(CREATE, { ...once("q"), quota: 99 })],
    "a create above the quota": [2, () => deliver(CREATE, within(1))],
    set_waiting: [2, flow({ action: "set_waiting", expectedRevision: 0 })],
    "a conflict": [2, flow({ action: "set_waiting", expectedRevision: 0 })],
    "set_waiting within a quota": [
      2,
      () => deliver({ action: "set_waiting", flowId, expectedRevision: 1 }, within(99)),
    ],
    run_task: [2, flow({ action: "run_task", runtime: "acp", task: "t" })],
    cancel_flow: [2, flow({ action: "cancel_flow" })],
    get_flow: [1, flow({ action: "get_flow" })],
    get_task_summary: [1, flow({ action: "get_task_summary" })],
    find_latest_flow: [1, () => ask({ action: "find_latest_flow" })],
    resolve_flow: [1, () => ask({ action: "resolve_flow", token: OWNER })],
    list_flows: [1, () => ask({ action: "list_flows" })],
    "a page of two flows of one status": [1, () => ask({ action: "list_flows", limit: 2, status: "waiting" })],
  };
  for (const [name, [most, work]] of Object.entries(measured)) {
    const { trips, bytes } = await proxy.during(work);
    // other replicas are told afterwards, of several changes at once
    await delay(50);
    t.diagnostic(`${name}: ${String(trips)} round trips, ${String(bytes)} bytes`);
    assert.equal(trips, most, name);
  }
  proxy.end();
});

test("PG-6: replicas that start at once on an empty database all serve from it", async () => {
  for (let round = 0; round < 5; round += 1) {
    const url = await server.database();
    const replicas = await Promise.all(Array.from({ length: 6 }, () => open(url, { connections: 2 })));
    assert.equal(replicas.filter(({ isNew }) => isNew).length, 1);
    const made = async (flows: PostgresFlows): Promise<string> => idOf(await askAs(flows, OWNER)(CREATE));
    const ids = await Promise.all(replicas.map(made));
    for (const flows of replicas) {
      const all: Plain = await askAs(flows, OWNER)({ action: "list_flows" });
      assert.deepEqual((all.flows ?? []).map(({ flowId }) => String(flowId)).toSorted(), ids.toSorted());
    }
  }
});

test("PG-6: a schema of a newer version or of another program is refused and left as it is", async () => {
  const name = (url: string): string => url.slice(url.lastIndexOf("/") + 1);
  const newer = await server.database();
  await opened.close(await open(newer));
  await server.sql("UPDATE openclaw_webhooks.about SET version = 99", name(newer));
  assert.equal((await openPostgresFlows(newer, { password: PASSWORD }))._unsafeUnwrapErr().code, "newer");
  const foreign = await server.database();
  await server.sql("CREATE SCHEMA openclaw_webhooks; CREATE TABLE openclaw_webhooks.flows (id int)", name(foreign));
  await server.sql("GRANT USAGE ON SCHEMA openclaw_webhooks TO webhooks", name(foreign));
  assert.equal((await openPostgresFlows(foreign, { password: PASSWORD }))._unsafeUnwrapErr().code, "not_ours");
  const tables = "SELECT relname FROM pg_class WHERE relnamespace = 'openclaw_webhooks'::regnamespace";
  assert.deepEqual(await server.sql(tables, name(foreign)), [{ relname: "flows" }]);
});

test("PG-6, PG-1: a replica goes on when a newer version adds a column, also on connections that have read before", async () => {
  const url = await server.database();
  const flows = await open(url, { connections: 1 });
  const ask = askAs(flows, OWNER);
  const flowId = idOf(await ask(CREATE));
  const reads: readonly FlowAction[] = [
    { action: "get_flow", flowId },
    { action: "find_latest_flow" },
    { action: "list_flows" },
    { action: "list_flows", limit: 1, status: "queued" },
    { action: "resolve_flow", token: flowId },
  ];
  const all = (): Promise<readonly Plain[]> => Promise.all(reads.map((action) => ask(action)));
  const before = await all();
  await server.sql("ALTER TABLE openclaw_webhooks.flows ADD COLUMN more text", url.slice(url.lastIndexOf("/") + 1));
  assert.deepEqual(await all(), before);
  const { flow } = await ask({ action: "set_waiting", flowId, expectedRevision: 0 });
  assert.equal(flow?.["revision"], 1);
});

test("PG-4: without an owner nothing is seen, with one only its own, whatever a query forgets", async () => {
  const url = await server.database();
  const flows = await open(url);
  for (const owner of ["a", "b"]) {
    const { flow } = await askAs(flows, owner)(CREATE);
    await askAs(flows, owner)({ action: "run_task", flowId: String(flow?.["flowId"]), runtime: "acp", task: "t" });
    await deliverAs(flows, owner)(CREATE, { ...once("k"), bind: "b" });
  }
  const client = await server.client(url);
  const owners = async (table: string): Promise<readonly string[]> =>
    (
      await client.query<{ owner: string }>(`SELECT DISTINCT owner FROM openclaw_webhooks.${table} ORDER BY owner`)
    ).rows.map(({ owner }) => owner);
  for (const table of ["flows", "tasks", "records", "bindings"]) {
    await client.query("RESET ALL");
    assert.deepEqual(await owners(table), [], table);
    await client.query("SELECT set_config('openclaw_webhooks.owner', 'a', false)");
    assert.deepEqual(await owners(table), ["a"], table);
    const foreign = await client.query(`UPDATE openclaw_webhooks.${table} SET owner = 'a' WHERE owner = 'b'`);
    assert.equal(foreign.rowCount, 0);
    await assert.rejects(client.query(`UPDATE openclaw_webhooks.${table} SET owner = 'b'`), /row-level security/u);
  }
  await client.end();
  assert.equal(flows.warning, undefined);
  const free = await open(url.replace("webhooks@", "postgres@"));
  assert.match(free.warning ?? "", /SUPERUSER/u);
});

test("PG-10: what a cursor shows tells nothing of how many flows others make", async () => {
  const flows = await onNew();
  const list = async (owner: string): Promise<string> => {
    const listed = await flows.execute(owner, { action: "list_flows", limit: 1 }, () => undefined);
    const outcome = listed._unsafeUnwrap();
    return outcome.kind === "flows" ? String(outcome.next) : "";
  };
  const steps: number[] = [];
  for (const others of [0, 1, 5]) {
    await askAs(flows, "a")(CREATE);
    for (let made = 0; made < others; made += 1) await askAs(flows, "b")(CREATE);
    await askAs(flows, "a")(CREATE);
    steps.push(Number.parseInt(await list("a"), 10));
  }
  // numbers in a row would be at most 12 apart
  const gaps = steps.slice(1).map((step, index) => Math.abs(step - (steps[index] ?? 0)));
  assert.ok(
    gaps.every((gap) => gap > 1000),
    steps.join(),
  );
  assert.notEqual(Number.parseInt(await list("a"), 10), Number.parseInt(await list("b"), 10));
});

test("PG-7: a caller that waits at one replica is told of a write at another one", async () => {
  const url = await server.database();
  const [here, there] = [await open(url), await open(url)];
  const flowId = idOf(await askAs(here, OWNER)(CREATE));
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const told: (string | undefined)[] = [];
  const unwatch = here.changes.watch(OWNER, (id) => {
    told.push(id);
    if (id === flowId) resolve(id);
  });
  // until it listens: the first "any flow may have changed"
  while (told.length === 0) await delay(10);
  const from = performance.now();
  await askAs(there, OWNER)({ action: "set_waiting", flowId, expectedRevision: 0 });
  assert.equal(await promise, flowId);
  assert.ok(performance.now() - from < 900, "it was found by a look only");
  unwatch();
});

test("PG-7: what nobody tells of is found by a look within about a second", async () => {
  const url = await server.database();
  const here = await open(url);
  const flowId = idOf(await askAs(here, OWNER)(CREATE));
  let told = 0;
  const unwatch = here.changes.watch(OWNER, () => (told += 1));
  await delay(2500);
  const before = told;
  await server.sql("UPDATE openclaw_webhooks.flows SET revision = 7", url.slice(url.lastIndexOf("/") + 1));
  const from = performance.now();
  await until(() => told > before);
  assert.ok(performance.now() - from < 2000);
  assert.equal((await askAs(here, OWNER)({ action: "get_flow", flowId })).flow?.["revision"], 7);
  unwatch();
});

test("PG-2: a commit that nobody has answered is told as unknown, and its key leads to what it did", async () => {
  const proxy = await CountingProxy.to(server.port);
  const url = await server.database();
  const flows = await open(through(url, proxy), { connections: 1 });
  const direct = await open(url);
  const count = async (): Promise<number> => (await askAs(direct, OWNER)({ action: "list_flows" })).flows?.length ?? 0;
  for (const [place, delivery] of [once("k"), undefined].entries()) {
    await askAs(flows, OWNER)({ action: "find_latest_flow" });
    proxy.loseAnswers(2);
    const asked = flows.execute(OWNER, CREATE, () => undefined, delivery);
    await until(async () => (await count()) > place);
    proxy.cut();
    assert.equal((await asked)._unsafeUnwrapErr(), "outcome_unknown");
    if (delivery === undefined) continue;
    assert.deepEqual(idOf((await deliverAs(direct, OWNER)(CREATE, delivery)) as Plain), await latest(direct));
    assert.equal(await count(), 1);
  }
  proxy.end();
});

test("PG-2: what was cut off before its commit was sent is told as not written, and is not", async () => {
  const proxy = await CountingProxy.to(server.port);
  const url = await server.database();
  const flows = await open(through(url, proxy), { connections: 1 });
  const flowId = idOf(await askAs(flows, OWNER)(CREATE));
  // the first round trip is not answered, and neither is that of the second try
  proxy.loseAnswers(1);
  const asked = flows.execute(OWNER, { action: "set_waiting", flowId, expectedRevision: 0 }, () => undefined);
  await delay(200);
  proxy.cut();
  const done = await asked;
  const { flow } = await askAs(await open(url), OWNER)({ action: "get_flow", flowId });
  assert.equal(flow?.["revision"], done.isOk() ? 1 : 0);
  if (done.isErr()) assert.equal(done.error, "persist_failed");
  proxy.end();
});

test("PG-1, PG-2: a key has one effect, whenever the connection is cut", async () => {
  const proxy = await CountingProxy.to(server.port);
  const url = await server.database();
  const flows = await open(through(url, proxy), { connections: 1 });
  const direct = await open(url);
  const keys = Array.from({ length: 30 }, (_, index) => `k${String(index)}`);
  for (const [place, key] of keys.entries()) {
    const asked = flows.execute(OWNER, CREATE, () => undefined, once(key));
    await delay(place % 6);
    proxy.cut();
    await asked;
    assert.notEqual(typeof (await deliverAs(direct, OWNER)(CREATE, once(key))), "string");
  }
  const { flows: listed = [] } = await askAs(direct, OWNER)({ action: "list_flows" });
  assert.equal(listed.length, keys.length);
  proxy.end();
});

test("PG-3: a server that takes no writes is not ready, refuses writes and answers reads, and is ready again", async () => {
  const url = await server.database();
  const name = url.slice(url.lastIndexOf("/") + 1);
  const flows = await open(url);
  const flowId = idOf(await askAs(flows, OWNER)(CREATE));
  assert.equal(await flows.isReady(), true);
  const setReadOnly = async (isOn: boolean): Promise<void> => {
    await server.sql(`ALTER DATABASE ${name} SET default_transaction_read_only = ${isOn ? "on" : "off"}`);
    await server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
    await delay(700);
  };
  await setReadOnly(true);
  assert.equal(await flows.isReady(), false);
  assert.equal((await flows.execute(OWNER, CREATE, () => undefined))._unsafeUnwrapErr(), "persist_failed");
  assert.equal((await askAs(flows, OWNER)({ action: "get_flow", flowId })).flow?.["flowId"], flowId);
  await setReadOnly(false);
  assert.equal(await flows.isReady(), true);
  assert.equal((await askAs(flows, OWNER)(CREATE)).kind, "created");
});

test("PG-3: a server that does not answer is not ready within seconds, and costs no more than a bounded wait", async () => {
  const proxy = await CountingProxy.to(server.port);
  const flows = await open(through(await server.database(), proxy), { connections: 2 });
  assert.equal(await flows.isReady(), true);
  await delay(600);
  proxy.hold();
  const from = performance.now();
  assert.equal(await flows.isReady(), false);
  assert.ok(performance.now() - from < 3000);
  const failed = await flows.execute(OWNER, CREATE, () => undefined);
  assert.ok(failed.isErr() && ["persist_failed", "outcome_unknown"].includes(failed.error));
  assert.ok(performance.now() - from < 20_000);
  proxy.cut();
  while (!(await flows.isReady())) await delay(100);
  assert.equal((await askAs(flows, OWNER)(CREATE)).kind, "created");
  proxy.end();
});

test("PG-3: writes that wait for a lock, and those that wait for their connections, are refused after one wait for each", async () => {
  const url = await server.database();
  const flows = await open(url, { connections: 1 });
  const ask = askAs(flows, OWNER);
  const flowId = idOf(await ask(CREATE));
  const other = await server.client(url);
  await other.query(
    "BEGIN; SELECT set_config('openclaw_webhooks.upkeep', 'on', true); SELECT FROM openclaw_webhooks.flows FOR UPDATE",
  );
  const from = performance.now();
  const writes = Array.from({ length: 6 }, async () => {
    await assert.rejects(ask({ action: "set_waiting", flowId, expectedRevision: 0 }));
    return performance.now() - from;
  });
  const ms = await Promise.all(writes);
  await other.end();
  // one may get the connection at the moment at which it has waited long enough
  const prompt = ms.filter((one) => one < 8000);
  assert.ok(prompt.length >= ms.length - 1, `they took ${ms.join(", ")} ms`);
});

test("PG-5: replicas that sweep at once end each flow once, and wait for no flow that is being changed", async () => {
  const url = await server.database();
  const replicas = await Promise.all([open(url), open(url), open(url)]);
  const [first] = replicas;
  if (first === undefined) return;
  const ask = askAs(first, OWNER);
  const ids = await Promise.all(Array.from({ length: 300 }, async () => idOf(await ask(CREATE))));
  await Promise.all(ids.map((flowId) => ask({ action: "request_cancel", flowId, expectedRevision: 0 })));
  const holder = await server.client(url);
  await holder.query("BEGIN; SELECT set_config('openclaw_webhooks.upkeep', 'on', true)");
  await holder.query({ text: "SELECT 1 FROM openclaw_webhooks.flows WHERE flow_id = $1 FOR UPDATE", values: [ids[0]] });
  const swept = await Promise.all(replicas.map(async (flows) => (await flows.sweep())._unsafeUnwrap()));
  assert.equal(
    swept.reduce((sum, one) => sum + one, 0),
    299,
  );
  await holder.query("ROLLBACK");
  await holder.end();
  assert.equal((await first.sweep())._unsafeUnwrap(), 1);
  const { flows: listed = [] } = await ask({ action: "list_flows" });
  assert.deepEqual(
    [...new Set(listed.map(({ revision, status }) => `${String(revision)} ${String(status)}`))],
    ["2 cancelled"],
  );
});

test("PG-5: an event is claimed by one replica at a time", async () => {
  const url = await server.database();
  const replicas = await Promise.all([open(url), open(url), open(url)]);
  const on = new Set(["ended"] as const);
  const subscriptions = new Map([[OWNER, [{ routeId: "r", name: "r", on }]]]);
  for (const flows of replicas) flows.events?.subscribe(() => subscriptions);
  const [first] = replicas;
  if (first === undefined) return;
  const ask = askAs(first, OWNER);
  for (let made = 0; made < 60; made += 1) {
    const flowId = idOf(await ask(CREATE));
    await ask({ action: "finish_flow", flowId, expectedRevision: 0 });
  }
  const target = { routeId: "r", address: "x" };
  const claims = await Promise.all(
    replicas.flatMap((flows) =>
      Array.from({ length: 4 }, async () => (await flows.events?.claim(target, 8, flows.now()))?._unsafeUnwrap() ?? []),
    ),
  );
  const ids = claims.flat().map(({ eventId }) => eventId);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(ids.length, 60);
});

test("PG-9: replicas whose clocks are an hour apart date flows and records by the database's", async (t) => {
  const url = await server.database();
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 3_600_000 });
  const ahead = await open(url);
  const { flow } = await askAs(ahead, OWNER)(CREATE);
  t.mock.timers.reset();
  assert.ok(Math.abs(Number(flow?.["createdAt"]) - Date.now()) < 5000);
});

test("PG-9: replicas that stood still meanwhile list what is made in turn in that order, dated by now", async (t) => {
  const url = await server.database();
  const replicas = await Promise.all([open(url), open(url)]);
  const standing = performance.now() - 60_000;
  t.mock.method(performance, "now", () => standing);
  const ids: string[] = [];
  for (const index of [0, 0, 1, 1, 0, 1])
    ids.unshift(idOf(await askAs(replicas[index] ?? assert.fail(), OWNER)(CREATE)));
  t.mock.restoreAll();
  const { flows = [] } = await askAs(replicas[0], OWNER)({ action: "list_flows" });
  const times = flows.map(({ createdAt }) => Number(createdAt));
  assert.deepEqual(
    flows.map((flow) => flow["flowId"]),
    ids,
  );
  assert.deepEqual(
    times,
    times.toSorted((a, b) => b - a),
  );
  assert.ok(Date.now() - Math.min(...times) < 30_000);
});
