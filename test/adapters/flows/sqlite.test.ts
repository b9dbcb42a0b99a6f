// The promises of an SQLite file beyond the suite for stores: locks, crashes, versions, clean-up, permissions.

import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { err } from "neverthrow";
import { afterAll, expect, test } from "vitest";
import { askAs, type Plain } from "../../../adapters/conformance/transcript.ts";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import type { EmbeddedFlows, EmbeddedOptions } from "../../../adapters/flows/embedded-store.ts";
import { SqliteEngine } from "../../../adapters/flows/sqlite/engine.ts";
import { openSqliteFlows, type SqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import { checkFile, migrate, SCHEMA_VERSION } from "../../../adapters/flows/sqlite/schema.ts";
import {
  type Delivery,
  type FlowAction,
  MAX_RECORDS,
  type Needs,
  needsOf,
  RECORD_MS,
  type Stored,
  type TaskRecord,
} from "../../../core/index.ts";
import { laterFlows } from "../../support/later.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlite-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(folder, `${String((files += 1))}.db`);
const open = (file: string, options: Partial<EmbeddedOptions> = {}): SqliteFlows =>
  openSqliteFlows(file, options)._unsafeUnwrap();
const OWNER = "agent:main:owner";
const quiet = (): void => undefined;

const CREATE: FlowAction = { action: "create_flow", goal: "g", controllerId: "c", stateJson: { a: [1] } };
const LIST: FlowAction = { action: "list_flows" };
const get = (flowId: string): FlowAction => ({ action: "get_flow", flowId });
const finish = (flowId: string): FlowAction => ({ action: "finish_flow", flowId, expectedRevision: 0 });
const runTask = (flowId: string, label?: string): FlowAction => ({
  action: "run_task",
  flowId,
  runtime: "acp",
  task: "t",
  label,
});

const ask = (flows: FlowStore, action: FlowAction): Promise<Plain> => askAs(flows, OWNER)(action);
const create = async (flows: FlowStore): Promise<string> => String((await ask(flows, CREATE)).flow?.["flowId"]);

test("STORE-1: a write waits for another process's lock while reads continue, and then sees what that process wrote", async () => {
  const file = newFile();
  const flows = open(file);
  const flowId = await create(flows);
  const other = new DatabaseSync(file);
  other.exec("BEGIN IMMEDIATE");
  other.prepare("UPDATE flows SET revision = 7 WHERE flow_id = ?").run(flowId);
  const write = ask(flows, { action: "set_waiting", flowId, expectedRevision: 0 });
  expect((await ask(flows, get(flowId))).flow?.["revision"]).toBe(0);
  other.exec("COMMIT");
  expect(await write).toMatchObject({ kind: "not_applied", refusal: "revision_conflict", flow: { revision: 7 } });
  other.close();
  flows.close();
});

const WRITING: Needs = { ...needsOf(CREATE, OWNER), freshId: false };

const storedIn = async (engine: SqliteEngine, flowId: string): Promise<Stored> => {
  const done = await engine.transact(needsOf(get(flowId), OWNER), (stored) => ({ writes: [], stored }));
  return done._unsafeUnwrap().stored;
};

test("STORE-1: a write behind a lock that stays gets persist_failed, which the operator is told, and writes nothing", async () => {
  const file = newFile();
  open(file).close();
  const database = new DatabaseSync(file);
  const engine = new SqliteEngine(database, 30);
  const other = new DatabaseSync(file);
  other.exec("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE");
  database.exec("PRAGMA busy_timeout = 0");
  const failed = await engine.transact(WRITING, () => expect.fail("the lock was not waited for"));
  expect(failed._unsafeUnwrapErr().error).toMatchObject({ errcode: 5 });
  other.exec("ROLLBACK");
  const done = await engine.transact(WRITING, () => ({ writes: [], said: 5 }));
  expect(done._unsafeUnwrap().said).toBe(5);
  other.close();
  database.close();
});

test("STORE-1: work that throws is undone completely, and the next transaction succeeds", async () => {
  const file = newFile();
  const flows = open(file);
  const flowId = await create(flows);
  const database = new DatabaseSync(file);
  const engine = new SqliteEngine(database);
  const thrown = new Error("mid-way");
  const failed = await engine.transact(WRITING, () => {
    throw thrown;
  });
  expect(failed._unsafeUnwrapErr().error).toBe(thrown);
  const {
    flows: [flow],
  } = await storedIn(engine, flowId);
  const orphan = { kind: "put_task", task: { parentFlowId: "no-such-flow", taskId: "t" } as TaskRecord } as const;
  const half = await engine.transact(WRITING, () => ({ writes: [{ kind: "remove_flow", flowId }, orphan] }));
  expect(half._unsafeUnwrapErr().error).toBeInstanceOf(Error);
  expect(flow?.goal).toBe("g");
  expect(await storedIn(engine, flowId)).toEqual({ flows: [flow], tasks: [] });
  database.close();
  flows.close();
});

test("STORE-1: a nested call of the store is refused, and the outer work is done completely", async () => {
  const inside: unknown[] = [];
  let again = (): void => undefined;
  const now = (): number => {
    again();
    return 1;
  };
  const flows = open(newFile(), { now });
  const flowId = await create(flows);
  again = (): void => {
    again = () => undefined;
    inside.push(flows.execute(OWNER, CREATE, quiet));
  };
  expect((await ask(flows, finish(flowId))).kind).toBe("applied");
  expect(inside).toEqual([err("persist_failed")]);
  expect((await ask(flows, LIST)).flows).toMatchObject([{ flowId, status: "succeeded" }]);
  flows.close();
});

test("STORE-1: a closed store answers persist_failed and tells the operator why", async () => {
  const flows = open(newFile());
  flows.close();
  const told: unknown[] = [];
  const answered = await flows.execute(OWNER, LIST, (what, detail) => told.push(what, detail));
  expect(answered._unsafeUnwrapErr()).toBe("persist_failed");
  expect(told).toEqual(["the store failed", expect.objectContaining({ message: "database is not open" })]);
});

test("STORE-2: after a crash, the file and its log contain all answered writes", async () => {
  const file = newFile();
  const flows = open(file);
  const flowId = await create(flows);
  const crashed = newFile();
  for (const end of ["", "-wal"]) copyFileSync(file + end, crashed + end);
  const after = open(crashed);
  expect((await ask(after, get(flowId))).flow).toMatchObject({ flowId, stateJson: { a: [1] } });
  after.close();
  flows.close();
});

test("STORE-2: a file is synchronised to the disk, has a log, and only its owner may read it", () => {
  const file = newFile();
  const flows = open(file);
  const other = new DatabaseSync(file);
  expect(other.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  other.close();
  flows.close();
});

test("STORE-4: a newer file and a file of another application are refused and not changed", () => {
  const ours = new DatabaseSync(":memory:");
  expect(checkFile(ours).isOk()).toBe(true);
  migrate(ours);
  expect(checkFile(ours).isOk()).toBe(true);
  ours.exec(`PRAGMA user_version = ${String(SCHEMA_VERSION + 1)}`);
  expect(checkFile(ours)._unsafeUnwrapErr()).toBe("newer");
  const cases = [
    [`PRAGMA application_id = 1868789608; PRAGMA user_version = ${String(SCHEMA_VERSION + 1)}`, "newer"],
    ["CREATE TABLE songs (title TEXT)", "not_ours"],
    ["PRAGMA application_id = 7; CREATE TABLE songs (title TEXT)", "not_ours"],
  ] as const;
  for (const [sql, code] of cases) {
    const file = newFile();
    const made = new DatabaseSync(file);
    made.exec(sql);
    made.close();
    const before = readFileSync(file);
    expect(openSqliteFlows(file)._unsafeUnwrapErr().code).toBe(code);
    expect(readFileSync(file).equals(before)).toBe(true);
  }
});

test("STORE-4: a file that is not a database or cannot be opened is refused with the system's message", () => {
  const file = newFile();
  writeFileSync(file, "no database, but a text that is long enough to be looked at as one".repeat(20));
  const before = readFileSync(file);
  expect(openSqliteFlows(file)._unsafeUnwrapErr()).toMatchObject({ code: "unusable", error: expect.any(Error) });
  expect(readFileSync(file).equals(before)).toBe(true);
  expect(openSqliteFlows(join(folder, "no", "such.db"))._unsafeUnwrapErr()).toMatchObject({ code: "unusable" });
});

test("STORE-4: a file that is opened again keeps its flows, and a second migration changes nothing", async () => {
  const file = newFile();
  const first = open(file);
  const flowId = await create(first);
  first.close();
  const second = open(file);
  expect((await ask(second, { action: "find_latest_flow" })).flow).toMatchObject({ flowId });
  second.close();
  const database = new DatabaseSync(file);
  const version = (): unknown => database.prepare("PRAGMA user_version").get();
  expect(version()).toEqual({ user_version: SCHEMA_VERSION });
  migrate(database);
  expect(version()).toEqual({ user_version: SCHEMA_VERSION });
  database.close();
});

test("VIEW-4: a row that this store cannot have written is refused, and nothing of it is shown", async () => {
  const file = newFile();
  const flows = open(file);
  const other = new DatabaseSync(file);
  for (const change of ["status = 'bogus'", "sync_mode = 'x'", "state_json = '{'", "notify_policy = ''"]) {
    const flowId = await create(flows);
    other.exec(`UPDATE flows SET ${change} WHERE flow_id = '${flowId}'`);
    const told: unknown[] = [];
    const answered = await flows.execute(OWNER, get(flowId), (_, detail) => told.push(detail));
    expect(answered._unsafeUnwrapErr(), change).toBe("persist_failed");
    expect(told).toHaveLength(1);
  }
  other.close();
  flows.close();
});

const DAY = 24 * 60 * 60 * 1000;

const STORES: Readonly<Record<string, (options: Partial<EmbeddedOptions>) => EmbeddedFlows>> = {
  memory: (options) => memoryFlows(options),
  sqlite: (options) => open(newFile(), options),
  "a store that answers later": (options) => laterFlows(options),
};

test.each(Object.keys(STORES))(
  "STORE-3, FLOW-6: the sweep of %s ends flows with an intent and removes flows that ended long ago, but none with tasks",
  async (name) => {
    let now = 1_000_000;
    const flows = STORES[name]?.({ now: () => now }) ?? memoryFlows();
    const sweep = async (): Promise<number> => (await flows.sweep())._unsafeUnwrap();
    const [open, intended, busy, ended, worked] = [
      await create(flows),
      await create(flows),
      await create(flows),
      await create(flows),
      await create(flows),
    ];
    for (const flowId of [busy, worked]) await ask(flows, runTask(flowId));
    for (const flowId of [intended, busy]) await ask(flows, { action: "request_cancel", flowId, expectedRevision: 0 });
    for (const flowId of [ended, worked]) await ask(flows, finish(flowId));
    now += 5;
    expect(await sweep()).toBe(1);
    expect((await ask(flows, get(intended))).flow).toMatchObject({ status: "cancelled", revision: 2, endedAt: now });
    expect((await ask(flows, get(busy))).flow).toMatchObject({ status: "queued", revision: 1 });
    now = 1_000_000 + 7 * DAY - 1;
    expect(await sweep()).toBe(0);
    now += 1;
    expect(await sweep()).toBe(1);
    expect((await ask(flows, get(ended))).flow).toBe(null);
    now += 5;
    expect(await sweep()).toBe(1);
    const { flows: left = [] } = await ask(flows, LIST);
    expect(left.map(({ flowId }) => flowId).toSorted()).toEqual([open, busy, worked].toSorted());
    expect(await ask(flows, { action: "get_task_summary", flowId: worked })).toMatchObject({ summary: { total: 1 } });
  },
);

test.each(Object.keys(STORES))(
  "STORE-3: the sweep of %s continues until no flow is due",
  { timeout: 60_000 },
  async (name) => {
    let now = 1_000_000;
    const flows = STORES[name]?.({ now: () => now }) ?? memoryFlows();
    for (let index = 0; index < 450; index += 1) {
      await ask(flows, finish(await create(flows)));
    }
    now += 7 * DAY;
    expect((await flows.sweep())._unsafeUnwrap()).toBe(450);
    expect((await ask(flows, LIST)).flows).toEqual([]);
  },
);

test.each(Object.keys(STORES))("FLOW-6: %s shows a cancelled flow's tasks newest first", async (name) => {
  let now = 1_000_000;
  const flows = STORES[name]?.({ now: () => now }) ?? memoryFlows();
  const flowId = await create(flows);
  for (const label of ["first", "second", "third"]) {
    await ask(flows, runTask(flowId, label));
    now += label === "second" ? 1 : 0;
  }
  const { kind, refusal, tasks } = await ask(flows, { action: "cancel_flow", flowId });
  expect([kind, refusal]).toEqual(["not_cancelled", "cancel_pending"]);
  expect(tasks?.map(({ label }) => label)).toEqual(["third", "second", "first"]);
});

test("STORE-2: a store reports that its file was removed or replaced", () => {
  const file = newFile();
  const flows = open(file);
  expect(flows.isIntact()).toBe(true);
  rmSync(file);
  expect(flows.isIntact()).toBe(false);
  writeFileSync(file, "");
  expect(flows.isIntact()).toBe(false);
  flows.close();
  const memory = open(":memory:");
  expect(memory.isIntact()).toBe(true);
  memory.close();
  expect(memory.isIntact()).toBe(false);
});

const keyed = (key: string, routeId: string): Delivery => ({
  routeId,
  once: { key, fingerprint: "f" },
  bind: undefined,
  starts: false,
});
const isReplay = async (flows: FlowStore, key: string, routeId = "r"): Promise<boolean> =>
  (await flows.execute(OWNER, CREATE, quiet, keyed(key, routeId)))._unsafeUnwrap().replayed === true;

/** Puts `count` records of the route r into the file, a millisecond apart from `at` on. */
const fillRecords = (file: string, count: number, at: number): void => {
  const database = new DatabaseSync(file);
  const insert = database.prepare(
    "INSERT INTO records (route_id, owner, key, fingerprint, outcome, at) VALUES ('r', 'o', ?, 'f', '{}', ?)",
  );
  database.exec("BEGIN");
  for (let n = 0; n < count; n += 1) insert.run(`${String(at)} ${String(n)}`, at + n);
  database.exec("COMMIT");
  database.close();
};

const countRecords = (file: string): number => {
  const database = new DatabaseSync(file);
  const row = database.prepare("SELECT count(*) AS n FROM records WHERE route_id = 'r'").get();
  database.close();
  return Number(row?.["n"]);
};

test("ONCE-5: each route of a file keeps 10,000 records, counted with its own first and hundredth write", async () => {
  const file = newFile();
  let now = Date.now();
  open(file).close();
  fillRecords(file, MAX_RECORDS + 50, now - MAX_RECORDS - 50);
  const flows = open(file, { now: () => now });
  await isReplay(flows, "first");
  expect(countRecords(file)).toBe(MAX_RECORDS);
  now += MAX_RECORDS + 50;
  fillRecords(file, MAX_RECORDS + 50, now - MAX_RECORDS - 50);
  for (let n = 0; n < 100; n += 1) {
    await isReplay(flows, String(n));
    await isReplay(flows, String(n), "s");
  }
  expect(countRecords(file)).toBe(MAX_RECORDS);
  flows.close();
});

test("ONCE-5: of too many records in a file, those that a clock ahead has written go first", async () => {
  const file = newFile();
  const flows = open(file);
  expect(await isReplay(flows, "present")).toBe(false);
  fillRecords(file, MAX_RECORDS, Date.now() + 365 * RECORD_MS);
  flows.close();
  const again = open(file);
  expect(await isReplay(again, "next")).toBe(false);
  expect([await isReplay(again, "present"), await isReplay(again, "next")]).toEqual([true, true]);
  expect(countRecords(file)).toBe(MAX_RECORDS);
  again.close();
});

test("ONCE-5: a clock that is set back drops no record of a file while there is room", async () => {
  let now = Date.now();
  const flows = open(newFile(), { now: () => now });
  await isReplay(flows, "ahead", "s");
  await isReplay(flows, "ahead");
  now -= RECORD_MS;
  for (let n = 0; n < 100; n += 1) await isReplay(flows, String(n));
  expect([await isReplay(flows, "ahead"), await isReplay(flows, "ahead", "s")]).toEqual([true, true]);
  flows.close();
});
