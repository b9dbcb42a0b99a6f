// What many flows cost PostgreSQL: bytes, and the time of each kind of read and write. `npx tsx test/bench/postgres.ts [flows]`;
// the server is one of its own from the system's packages.

import { askAs, deliverAs } from "../../adapters/conformance/transcript.ts";
import { openPostgresFlows } from "../../adapters/flows/postgres/index.ts";
import type { FlowAction } from "../../core/index.ts";
import { PASSWORD, PostgresServer } from "../systems/scale/postgres-server.ts";

const FLOWS = Number(process.argv[2] ?? 1_000_000);
const OWNERS = 100;
const ROUNDS = 200;
/** Milliseconds for which creates are counted. */
const QUOTA_MS = 1000;
const OWNER = "agent:main:owner-7";

/** One in ten is open; each has a state of about 500 bytes. */
const FILL = `INSERT INTO openclaw_webhooks.flows (flow_id, owner, sync_mode, controller_id, revision, status, notify_policy,
    goal, state_json, created_at, updated_at, ended_at, weight)
  SELECT gen_random_uuid(), 'agent:main:owner-' || n % ${String(OWNERS)}, 'managed', 'webhooks/' || n % 5, 3,
    CASE WHEN n % 1000 < 100 THEN 'waiting' ELSE 'succeeded' END, 'done_only', 'Review inbound queue ' || n,
    '{"text":"' || repeat(md5(n::text), 15) || '"}', 1700000000000 + n, 1700000000000 + n,
    CASE WHEN n % 1000 < 100 THEN NULL ELSE 4700000000000 + n END, 700
  FROM generate_series(1, ${String(FLOWS)}) AS n`;

const SIZES = `SELECT relname AS name, pg_relation_size(oid) AS bytes FROM pg_class
  WHERE relnamespace = 'openclaw_webhooks'::regnamespace AND relkind IN ('r', 'i') AND pg_relation_size(oid) > 1000000
  ORDER BY 2 DESC`;

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;

const server = await PostgresServer.start(["shared_buffers=512MB", "max_wal_size=4GB"]);
const url = await server.database();
const name = url.slice(url.lastIndexOf("/") + 1);
const flows = (await openPostgresFlows(url, { password: PASSWORD }))._unsafeUnwrap();
const begun = performance.now();
await server.sql(FILL, name);
await server.sql("VACUUM ANALYZE", name);
console.log(
  `${String(FLOWS)} flows of ${String(OWNERS)} owners, filled in ${((performance.now() - begun) / 1000).toFixed(0)} s`,
);
let total = 0;
for (const { name: table, bytes } of await server.sql(SIZES, name)) {
  total += Number(bytes);
  console.log(`${String(table)}: ${(Number(bytes) / FLOWS).toFixed(0)} bytes a flow`);
}
console.log(`in all ${(total / FLOWS).toFixed(0)} bytes a flow, ${(total / 2 ** 20).toFixed(0)} MiB`);

const ask = askAs(flows, OWNER);
const { flow } = await ask({ action: "create_flow", goal: "g", controllerId: "c" });
const flowId = String(flow?.["flowId"]);
let revision = 0;
const measured: Readonly<Record<string, () => FlowAction>> = {
  create_flow: () => ({ action: "create_flow", goal: "g", controllerId: "c", stateJson: "x".repeat(500) }),
  get_flow: () => ({ action: "get_flow", flowId }),
  set_waiting: () => ({ action: "set_waiting", flowId, expectedRevision: revision++ }),
  find_latest_flow: () => ({ action: "find_latest_flow" }),
  resolve_flow: () => ({ action: "resolve_flow", token: OWNER }),
  "a page of 50": () => ({ action: "list_flows", limit: 50 }),
  "a page of 50 of one status": () => ({ action: "list_flows", limit: 50, status: "waiting" }),
  "a page of 50 of a controller": () => ({ action: "list_flows", limit: 50, controllerId: "webhooks/2" }),
  "a page of 50 changed since": () => ({
    action: "list_flows",
    limit: 50,
    updatedAfter: 1_700_000_000_000 + FLOWS - 10_000,
  }),
};
for (const [kind, action] of Object.entries(measured)) {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const from = performance.now();
    await ask(action());
    times.push(performance.now() - from);
  }
  console.log(`${kind}: ${median(times).toFixed(2)} ms`);
}
for (const [kind, work] of [
  ["a sweep with nothing to do", async () => void (await flows.sweep())],
  ["counting the open flows of an owner", async () => void (await flows.countOpen?.([OWNER]))],
] as const) {
  const from = performance.now();
  await work();
  console.log(`${kind}: ${(performance.now() - from).toFixed(1)} ms`);
}

/** Creates a second, and the median of their milliseconds, of callers who ask all the time for one session, within a quota or without. */
const creating = async (callers: number, owner: string, quota: number | undefined): Promise<string> => {
  const deliver = deliverAs(flows, owner);
  const times: number[] = [];
  const from = performance.now();
  const call = async (): Promise<void> => {
    while (performance.now() - from < QUOTA_MS) {
      const asked = performance.now();
      await deliver(
        { action: "create_flow", goal: "g", controllerId: "c" },
        { routeId: "r", once: undefined, bind: undefined, starts: false, quota },
      );
      times.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return `${((times.length * 1000) / QUOTA_MS).toFixed(0)} a second, ${median(times).toFixed(1)} ms`;
};

for (const open of [0, 100, 1000, 10_000]) {
  for (const callers of [1, 10]) {
    for (const quota of [undefined, 1_000_000]) {
      const owner = `agent:main:quota-${crypto.randomUUID()}`;
      const ask = askAs(flows, owner);
      for (let made = 0; made < open; made += 50)
        await Promise.all(
          Array.from({ length: 50 }, () => ask({ action: "create_flow", goal: "g", controllerId: "c" })),
        );
      const kind = quota === undefined ? "without a quota" : "within one";
      console.log(
        `creates of ${String(callers)} callers for a session with ${String(open)} open flows, ${kind}: ${await creating(callers, owner, quota)}`,
      );
    }
  }
}
await flows.close();
await server.end();
