// What a page, a filter and a refused whole list cost with many flows: databases that are filled beforehand.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";
import { openSqliteFlows } from "../../adapters/flows/sqlite/index.ts";
import type { FlowStore } from "../../adapters/flows/flow-store.ts";
import type { FlowAction } from "../../core/index.ts";
import { stopwatch } from "./clock.ts";
import { medianOf } from "./paired.ts";
import { SESSION } from "./plugins.ts";

/** Puts so many flows into the database at `file`, each hundredth of which waits; the others have succeeded. */
export const fillFlows = (file: string, count: number): void => {
  openSqliteFlows(file)._unsafeUnwrap().close();
  const database = new DatabaseSync(file);
  database
    .prepare(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
      INSERT INTO flows (flow_id, owner, sync_mode, controller_id, revision, status, notify_policy, goal, state_json,
        created_at, updated_at, ended_at, made)
      SELECT lower(hex(randomblob(16))), ?2, 'managed', 'webhooks/bench', 1, CASE i % 100 WHEN 0 THEN 'waiting' ELSE 'succeeded' END,
        'done_only', 'Review inbound queue ' || i, '{"ticket":' || i || ',"text":"' || hex(randomblob(50)) || '"}',
        1700000000000 + i, 1700000000000 + i, CASE i % 100 WHEN 0 THEN NULL ELSE 1700000000000 + i END, i FROM n`,
    )
    .run(count, SESSION);
  database.close();
};

export type ListCost = { readonly name: string; readonly milliseconds: number };

const MANY = 100_000;
const AT_END = 1_700_000_000_000 + MANY - 50;

/** Answers of a store with 100,000 flows, without the making of a reply. */
const QUESTIONS: Readonly<Record<string, FlowAction>> = {
  "the whole list, refused": { action: "list_flows" },
  "a page of 100": { action: "list_flows", limit: 100 },
  "a page of 100 in the middle": { action: "list_flows", limit: 100, cursor: `${String(MANY / 2)}~` },
  "100 that wait": { action: "list_flows", limit: 100, status: "waiting" },
  "none that failed": { action: "list_flows", limit: 100, status: "failed" },
  "none of a controller": { action: "list_flows", limit: 100, controllerId: "none" },
  "50 that were changed last": { action: "list_flows", limit: 100, updatedAfter: AT_END },
};

const ignore = (): void => undefined;

const costsOf = async (name: string, store: FlowStore, rounds: number): Promise<readonly ListCost[]> => {
  const costs: ListCost[] = [];
  for (const [question, action] of Object.entries(QUESTIONS)) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const started = stopwatch();
      await store.execute(SESSION, action, ignore);
      times.push(stopwatch() - started);
    }
    costs.push({ name: `${name}: ${question}`, milliseconds: medianOf(times) });
  }
  return costs;
};

/** Milliseconds for each question, in own stores with 100,000 flows of one session, and of a create under a quota. */
export const measureLists = async (folder: string, rounds: number): Promise<readonly ListCost[]> => {
  const file = join(folder, "lists.db");
  fillFlows(file, MANY);
  const sqlite = openSqliteFlows(file)._unsafeUnwrap();
  const memory = memoryFlows();
  const create: FlowAction = { action: "create_flow", goal: "Review inbound queue", controllerId: "webhooks/bench" };
  for (let made = 0; made < MANY; made += 1) await memory.execute(SESSION, create, ignore);
  const costs = [...(await costsOf("sqlite", sqlite, rounds)), ...(await costsOf("memory", memory, rounds))];
  const quota = { routeId: "bench", once: undefined, bind: undefined, starts: false, quota: 1000 };
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const started = stopwatch();
    await sqlite.execute(SESSION, create, ignore, quota);
    times.push(stopwatch() - started);
  }
  sqlite.close();
  return [...costs, { name: "sqlite: a create that is refused at 1,000 open flows", milliseconds: medianOf(times) }];
};
