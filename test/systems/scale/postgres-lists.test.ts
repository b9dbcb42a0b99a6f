// Lists, counts and quotas on a real PostgreSQL: what is read for them, and that replicas stay within a quota together.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import pg from "pg";
import { askAs, type AskDelivery, deliverAs, type Plain } from "../../../adapters/conformance/transcript.ts";
import { addressOf } from "../../../adapters/flows/postgres/address.ts";
import { clientConfig } from "../../../adapters/flows/postgres/connect.ts";
import type { PostgresFlows } from "../../../adapters/flows/postgres/index.ts";
import { listStatement } from "../../../adapters/flows/postgres/list-rows.ts";
import { Places } from "../../../adapters/flows/postgres/places.ts";
import { SCHEMA_VERSION } from "../../../adapters/flows/postgres/schema.ts";
import type { Statement } from "../../../adapters/flows/postgres/statement.ts";
import { askingOf, COUNT_OPEN } from "../../../adapters/flows/postgres/tables.ts";
import type { ActionOf, Delivery, FlowAction, ListFilter, OutcomeOf } from "../../../core/index.ts";
import { isListed } from "../../../core/index.ts";
import { OpenedFlows } from "./opened-flows.ts";
import { PASSWORD, PostgresServer } from "./postgres-server.ts";

const RUNS = Number(process.env["SCALE_RUNS"] ?? 30);
const OWNER = "agent:main:o1";
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

const nameOf = (url: string): string => url.slice(url.lastIndexOf("/") + 1);

/** $2 sessions take turns with these; few have the status `waiting`, and few the controller `rare`. */
const FILL = `INSERT INTO openclaw_webhooks.flows (flow_id, owner, sync_mode, controller_id, revision, status, notify_policy,
    goal, created_at, updated_at, weight)
  SELECT 'f' || i, 'agent:main:o' || i % $2::integer, 'managed', CASE WHEN i < 25 * $2::integer THEN 'rare' ELSE 'c' || i % 3 END, 0,
    CASE WHEN i % 999 = 0 THEN 'waiting' ELSE 'queued' END, 'silent', repeat('g', 300), i, i, 426
  FROM generate_series(1, $1::integer) AS i`;

const filled = async (url: string, count: number, sessions = 2, isAnalyzed = true): Promise<void> => {
  const client = await server.client(url);
  await client.query("SELECT set_config('openclaw_webhooks.upkeep', 'on', false)");
  await client.query(FILL, [count, sessions]);
  await client.end();
  if (isAnalyzed) await server.sql("VACUUM ANALYZE openclaw_webhooks.flows", nameOf(url));
};

type ListFlows = Omit<ActionOf<"list_flows">, "action">;

const listAs =
  (flows: PostgresFlows) =>
  async (fields: ListFlows): Promise<OutcomeOf<"flows">> => {
    const outcome = (await flows.execute(OWNER, { action: "list_flows", ...fields }, () => undefined))._unsafeUnwrap();
    assert.equal(outcome.kind, "flows");
    return outcome as OutcomeOf<"flows">;
  };

const idsOf = ({ flows }: OutcomeOf<"flows">): readonly unknown[] => flows.map(({ json }) => json["flowId"]);

test("LIST-1, LIST-2: filters by whichever index give the flows of the whole list in its order, page after page", async () => {
  const COUNT = 2000;
  const url = await server.database();
  const flows = await open(url);
  await filled(url, COUNT);
  await askAs(flows, OWNER)({ action: "finish_flow", flowId: "f999", expectedRevision: 0 });
  const list = listAs(flows);
  const present = (await list({})).flows.map(({ json }) => json);
  assert.equal(present.length, COUNT / 2);
  const filters = fc.record(
    {
      status: fc.constantFrom("queued" as const, "waiting" as const, "succeeded" as const, "lost" as const),
      controllerId: fc.constantFrom("rare", "c1", "none"),
      updatedAfter: fc.constantFrom(0, 30, COUNT / 2, COUNT, Number.MAX_SAFE_INTEGER),
    },
    { requiredKeys: [] },
  );
  const pages = fc.asyncProperty(filters, fc.constantFrom(7, 100, 500), async (filter: ListFilter, limit) => {
    const wanted = present.filter((flow) => isListed(filter, flow)).map((flow) => flow["flowId"]);
    assert.deepEqual(idsOf(await list(filter)), wanted);
    for (let at = 0, cursor: string | undefined, turns = 0; turns < 4; turns += 1) {
      const page = await list({ ...filter, limit, ...(cursor === undefined ? {} : { cursor }) });
      assert.deepEqual(idsOf(page), wanted.slice(at, at + limit));
      at += limit;
      assert.equal(page.next === null, wanted.length <= at);
      if (typeof page.next !== "string") return;
      cursor = page.next;
    }
  });
  await fc.assert(pages, { numRuns: RUNS });
});

type Plan = {
  readonly "Node Type": string;
  readonly "Index Name"?: string;
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly Plans?: readonly Plan[];
};

/** Where a plan reads the table, or an index of it. */
const scansOf = (plan: Plan): readonly Plan[] => [
  ...(plan["Relation Name"] === undefined ? [] : [plan]),
  ...(plan.Plans ?? []).flatMap(scansOf),
];

/** Rows that a plan has looked at. */
const readBy = (plan: Plan): number =>
  scansOf(plan).reduce((sum, scan) => {
    const removed = (scan["Rows Removed by Filter"] ?? 0) + (scan["Rows Removed by Index Recheck"] ?? 0);
    return sum + (scan["Actual Rows"] + removed) * scan["Actual Loops"];
  }, 0);

let prepared = 0;

/** Prepares the statement, to be planned for its values or, as after some uses, for all values. */
const prepare = async (client: pg.Client, { text }: Statement, mode: string): Promise<string> => {
  const name = `plan_${String((prepared += 1))}`;
  await client.query(`SET plan_cache_mode = ${mode}`);
  await client.query(`PREPARE ${name} AS ${text}`);
  return name;
};

/** What PostgreSQL does for the prepared statement. */
const planned = async (client: pg.Client, name: string, { values }: Statement): Promise<Plan> => {
  const given = values.map((value) => (typeof value === "number" ? String(value) : `'${String(value)}'`)).join(", ");
  const { rows } = await client.query<{ "QUERY PLAN": readonly { Plan: Plan }[] }>(
    `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE ${name}(${given})`,
  );
  const plan = rows[0]?.["QUERY PLAN"][0]?.Plan;
  assert.ok(plan);
  return plan;
};

const planOf = async (client: pg.Client, asked: Statement, mode: string): Promise<Plan> =>
  planned(client, await prepare(client, asked, mode), asked);

const MODES = ["force_custom_plan", "force_generic_plan"] as const;

test("LIST-2, QUOTA-1: whatever the filter, no more is read of many flows than a list shows, and nothing of rows for counts", async (t) => {
  const url = await server.database();
  await open(url);
  // so many that the flows of one are far apart, which makes PostgreSQL shun their rows
  await filled(url, 50 * 2000, 50);
  const client = await server.client(url);
  await client.query("SELECT set_config('openclaw_webhooks.owner', $1, false)", [OWNER]);
  const places = new Places("key");
  let most = 0;
  for (const mode of MODES)
    for (const status of [undefined, "waiting"] as const)
      for (const controllerId of [undefined, "rare"])
        for (const updatedAfter of [undefined, 50 * 1985])
          for (const before of [undefined, 7]) {
            const filter = { status, controllerId, updatedAfter };
            const load = { kind: "all", owner: OWNER, filter, before, limit: 10 } as const;
            const read = readBy(await planOf(client, listStatement(load, places), mode));
            most = Math.max(most, read);
            // the page and one more, twice: keys, then rows; or what one of the filters lets through
            assert.ok(read <= 60, `${mode} ${JSON.stringify({ ...filter, before })} reads ${String(read)} rows`);
          }
  t.diagnostic(`at most ${String(most)} of 2,000 flows are read for a page of 10`);
  for (const mode of MODES) {
    const counting = { text: COUNT_OPEN, values: [`{"${OWNER}"}`] };
    const scans = scansOf(await planOf(client, counting, mode));
    assert.deepEqual(
      scans.map((scan) => [scan["Node Type"], scan["Index Name"]]),
      [["Index Only Scan", "flows_open"]],
    );
  }
  await client.end();
});

const NONE = { tasks: false, writes: false, freshId: false, saved: undefined, open: undefined };

/** Plans made for so many flows, and what each then reads of 2,500. */
const readAfter = async (present: number): Promise<void> => {
  const url = await server.database();
  const flows = await open(url);
  for (let made = 0; made < present; made += 1) await flows.execute(OWNER, CREATE, () => undefined);
  await server.sql("ALTER TABLE openclaw_webhooks.flows SET (autovacuum_enabled = off)", nameOf(url));
  if (present > 0) await server.sql("ANALYZE openclaw_webhooks.flows", nameOf(url));
  const login = { address: addressOf(url)._unsafeUnwrap(), password: PASSWORD };
  const client = new pg.Client({ ...clientConfig(login), types: pg.types });
  await client.connect();
  await client.query("SELECT set_config('openclaw_webhooks.owner', $1, false)", [OWNER]);
  const places = new Places("key");
  const { statements } = askingOf(
    {
      ...NONE,
      load: [
        { kind: "flow", owner: OWNER, flowId: "f1" },
        { kind: "bound", routeId: "r", owner: OWNER, key: "k" },
        { kind: "newest", owner: OWNER, which: "open" },
        { kind: "newest", owner: OWNER, which: "any" },
        { kind: "all", owner: OWNER, filter: {}, before: undefined, limit: 10 },
      ],
    },
    places,
  );
  assert.equal(statements.length, 5);
  const names: string[] = [];
  for (const one of statements) {
    const name = await prepare(client, one, "force_generic_plan");
    await planned(client, name, one);
    names.push(name);
  }
  await filled(url, 5000, 2, false);
  for (const [at, one] of statements.entries()) {
    const read = readBy(await planned(client, names[at] ?? "", one));
    assert.ok(read <= 30, `${one.text} after ${String(present)} reads ${String(read)} rows`);
  }
  await client.end();
};

test("a plan that was made for no flows, or for few, reads few of many, also before PostgreSQL has analyzed them", async () => {
  for (const present of [0, 1, 30]) await readAfter(present);
});

test("STATUS-5: open flows are counted by status, with the oldest of each, of the sessions that are asked for", async () => {
  const url = await server.database();
  const flows = await open(url);
  await filled(url, 2000);
  assert.deepEqual(await flows.countOpen?.([OWNER]), [
    { status: "queued", count: 999, oldestAt: 1 },
    { status: "waiting", count: 1, oldestAt: 999 },
  ]);
  await askAs(flows, OWNER)({ action: "finish_flow", flowId: "f1", expectedRevision: 0 });
  assert.deepEqual(await flows.countOpen?.([OWNER, "agent:main:o0", "agent:main:none"]), [
    { status: "queued", count: 1997, oldestAt: 2 },
    { status: "waiting", count: 2, oldestAt: 999 },
  ]);
  assert.deepEqual(await flows.countOpen?.([]), []);
});

test("PG-6, LIST-1: a database of the version before is brought up to date by replicas that start at once, and read by pages", async () => {
  const url = await server.database();
  await opened.close(await open(url));
  await filled(url, 2000);
  const indexes = (): Promise<readonly unknown[]> =>
    server.sql("SELECT indexdef FROM pg_indexes WHERE schemaname = 'openclaw_webhooks' ORDER BY 1", nameOf(url));
  const present = await indexes();
  const before = await server.client(url);
  await before.query(`DROP INDEX openclaw_webhooks.flows_of_owner, openclaw_webhooks.flows_of_status, openclaw_webhooks.flows_open,
      openclaw_webhooks.flows_changed;
    CREATE UNIQUE INDEX flows_of_owner ON openclaw_webhooks.flows (owner, made);
    CREATE INDEX flows_of_status ON openclaw_webhooks.flows (owner, status, made);
    CREATE INDEX flows_open ON openclaw_webhooks.flows (owner, made) WHERE ended_at IS NULL;
    CREATE INDEX flows_changed ON openclaw_webhooks.flows (owner, updated_at);
    UPDATE openclaw_webhooks.about SET version = ${String(SCHEMA_VERSION - 1)}`);
  await before.end();
  assert.notDeepEqual(await indexes(), present);
  const replicas = await Promise.all([open(url), open(url), open(url)]);
  assert.deepEqual(
    replicas.map(({ isNew }) => isNew),
    [false, false, false],
  );
  assert.deepEqual(await indexes(), present);
  for (const flows of replicas)
    assert.deepEqual(idsOf(await listAs(flows)({ status: "waiting", updatedAfter: 900, limit: 5 })), ["f999"]);
});

const within = (quota: number): Delivery => ({
  routeId: "r",
  once: undefined,
  bind: undefined,
  starts: false,
  quota,
});

test("QUOTA-1, QUOTA-3, PG-1: replicas that make and reopen flows at once stay within the quota together, and fill it", async () => {
  const url = await server.database();
  const replicas = await Promise.all([open(url), open(url), open(url)]);
  let sessions = 0;
  const rounds = fc.array(fc.record({ creates: fc.nat({ max: 8 }), ends: fc.nat({ max: 3 }) }), {
    minLength: 1,
    maxLength: 5,
  });
  const bounded = fc.asyncProperty(rounds, fc.integer({ min: 1, max: 4 }), async (asked, quota) => {
    const owner = `agent:main:quota-${String((sessions += 1))}`;
    const at = (index: number): PostgresFlows => {
      const replica = replicas[index % replicas.length];
      if (replica === undefined) throw new Error("no replica");
      return replica;
    };
    const flowsOf = async (): Promise<NonNullable<Plain["flows"]>> =>
      (await askAs(at(0), owner)({ action: "list_flows" })).flows ?? [];
    const isOpen = (flow: { readonly [field: string]: unknown }): boolean => flow["endedAt"] === undefined;
    for (const { creates, ends } of asked) {
      const here = await flowsOf();
      const ended = here.filter((flow) => !isOpen(flow)).slice(0, 3);
      const reopens = ended.map(({ flowId, revision }, index) =>
        deliverAs(at(index), owner)(
          { action: "resume_flow", flowId: String(flowId), expectedRevision: Number(revision) },
          within(quota),
        ),
      );
      const made: readonly ReturnType<AskDelivery>[] = Array.from({ length: creates }, (_, index) =>
        deliverAs(at(index), owner)(CREATE, within(quota)),
      );
      const kinds: readonly string[] = (await Promise.all([...reopens, ...made])).map((one) =>
        typeof one === "string" ? one : one.kind,
      );
      assert.deepEqual(
        kinds.filter((kind) => !["created", "applied", "over_quota"].includes(kind)),
        [],
      );
      const now = (await flowsOf()).filter(isOpen);
      assert.equal(now.length, Math.min(quota, here.filter(isOpen).length + ended.length + creates));
      for (const { flowId } of now.slice(0, ends))
        await askAs(at(1), owner)({ action: "cancel_flow", flowId: String(flowId) });
    }
  });
  await fc.assert(bounded, { numRuns: RUNS });
});
