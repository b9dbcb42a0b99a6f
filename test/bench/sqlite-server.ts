// One server of the race over SQLite, in a process of its own: `sqlite-server.ts <contestant> <folder>`. `ours` is the
// standalone server; `watched` is the same, which at the word of the same name begins to write an audit file and to count for
// metrics, and ends that at `plain`; `bare` is the least that does the same SQL for the same answers. Says its port and
// the flows to ask for. A third argument is a
// number of flows that are there already.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AuditFile } from "../../adapters/audit/audit-file.ts";
import { AuditTurns } from "../../adapters/audit/audit-turns.ts";
import { listenerOf } from "../../adapters/bridge/listeners.ts";
import { RequestMetrics } from "../../adapters/metrics/request-metrics.ts";
import { clock, liveBridge } from "../../adapters/bridge/from-config.ts";
import { Log } from "../../adapters/bridge/log.ts";
import { forwardedClient } from "../../adapters/node/client.ts";
import { bridgeListener, type NodeListener, nodePrimitives } from "../../adapters/node/index.ts";
import { loadConfig } from "../../core/index.ts";
import { startServer } from "../../adapters/server/server.ts";
import { openSqliteFlows } from "../../adapters/flows/sqlite/index.ts";
import { STATEMENTS } from "../../adapters/flows/sqlite/tables.ts";
import { bareServer } from "./bare.ts";
import { skewClocks, tick } from "./clock.ts";
import { fillFlows } from "./lists.ts";
import { configOf, SESSION } from "./plugins.ts";

/** One for each connection, so that each can name the revision that it expects. */
const FLOWS = 8;

const [contestant = "", folder = "", count = "0"] = process.argv.slice(2);
const file = join(folder, `${contestant}.sqlite`);
if (Number(count) > 0) fillFlows(file, Number(count));

type Asked = { readonly action: string; readonly flowId: string; readonly goal: string; readonly currentStep: string };
type Row = Readonly<Record<string, unknown>>;

const shown = (row: Row): object => ({
  flowId: row["flow_id"],
  syncMode: row["sync_mode"],
  controllerId: row["controller_id"],
  currentStep: row["current_step"] ?? undefined,
  revision: row["revision"],
  status: row["status"],
  notifyPolicy: row["notify_policy"],
  goal: row["goal"],
  createdAt: row["created_at"],
  updatedAt: row["updated_at"],
});

/** Reads, runs the same statements as the store, and answers; nothing is checked. */
const storeHandler = (database: DatabaseSync) => {
  const find = database.prepare(STATEMENTS.find);
  const insert = database.prepare(STATEMENTS.insert);
  const update = database.prepare(STATEMENTS.update);
  const create = ({ goal, currentStep }: Asked): object => {
    const now = Date.now();
    const row = {
      flow_id: randomUUID(),
      owner: SESSION,
      sync_mode: "managed",
      controller_id: "webhooks/bench",
      notify_policy: "done_only",
      goal,
      created_at: now,
      revision: 0,
      status: "queued",
      current_step: currentStep,
      blocked_task_id: null,
      blocked_summary: null,
      state_json: null,
      wait_json: null,
      cancel_requested_at: null,
      updated_at: now,
      ended_at: null,
    };
    database.exec("BEGIN IMMEDIATE");
    insert.run(...Object.values(row));
    database.exec("COMMIT");
    return { created: true, flow: shown(row) };
  };
  const get = ({ flowId }: Asked): object => {
    database.exec("BEGIN");
    const row = find.get(flowId, SESSION);
    database.exec("COMMIT");
    return { flow: shown(row ?? {}) };
  };
  const change = ({ action, flowId, currentStep }: Asked): object => {
    database.exec("BEGIN IMMEDIATE");
    const before = find.get(flowId, SESSION) ?? {};
    const status = action === "set_waiting" ? "waiting" : "queued";
    const revision = Number(before["revision"]) + 1;
    const row = { ...before, status, revision, current_step: currentStep, updated_at: Date.now() };
    update.run(revision, status, currentStep, null, null, null, null, null, row.updated_at, null, flowId);
    database.exec("COMMIT");
    return { applied: true, flow: shown(row) };
  };
  const answer = (asked: Asked): object =>
    asked.action === "create_flow" ? create(asked) : asked.action === "get_flow" ? get(asked) : change(asked);
  return bareServer(200, (asked) => ({ ok: true, routeId: "bench", result: answer(asked as Asked) }));
};

const flows = openSqliteFlows(file)._unsafeUnwrap();
const flowIds: string[] = [];
for (let made = 0; made < FLOWS; made += 1) {
  const created = (
    await flows.execute(
      SESSION,
      { action: "create_flow", goal: "Review", controllerId: "webhooks/bench" },
      () => undefined,
    )
  )._unsafeUnwrap();
  if (created.kind === "created") flowIds.push(String(created.flow.json["flowId"]));
}

let isWatched = false;

/** What `serve` has with --audit and --admin. */
const watching = () => {
  const limits = { maxBytes: 16_777_216, files: 2 };
  const told = { onFault: console.error, onSolved: console.error };
  const audit = AuditFile.open({ file: join(folder, "audit.jsonl"), ...limits, ...told })._unsafeUnwrap();
  const turns = new AuditTurns(audit.write);
  return { onEvent: listenerOf([turns.add, new RequestMetrics().record]), whenKept: () => turns.kept };
};

const start = async (): Promise<number> => {
  if (contestant !== "bare") {
    skewClocks();
    const silent = { info: () => undefined, warn: console.warn, error: console.error };
    const { routes } = loadConfig(configOf(1), nodePrimitives.sha256);
    const { clientOf } = forwardedClient(["127.0.0.1"]);
    const log = new Log(silent, clock);
    const listenerWith = (told: ReturnType<typeof watching> | undefined): NodeListener =>
      bridgeListener(
        liveBridge(() => routes, { flows, ...told }, log, nodePrimitives),
        clientOf,
      );
    const plain = listenerWith(undefined);
    const watched = contestant === "watched" ? listenerWith(watching()) : plain;
    const counted: typeof plain = (...sent) => {
      tick(1);
      return (isWatched ? watched : plain)(...sent);
    };
    const isReady = (): boolean => flows.isIntact();
    const started = await startServer({ listener: counted, host: "127.0.0.1", port: 0, isReady });
    return Number(new URL(started._unsafeUnwrap().url).port);
  }
  flows.close();
  const database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  const server = createServer({ keepAliveTimeout: 600_000 }, storeHandler(database));
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));
};

const port = await start();
process.send?.({ port, flowIds });
process.on("message", (word) => {
  isWatched = word === "watched" || (isWatched && word === "cpu");
  process.send?.(process.cpuUsage());
});
process.on("disconnect", () => process.exit());
