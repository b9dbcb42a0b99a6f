// What an SQLite file promises beyond the suite for every store: locks, crashes, versions, clean-up, permissions.

import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { err } from "neverthrow";
import { afterAll, expect, test } from "vitest";
import { settled } from "../../../adapters/conformance/transcript.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import type { EmbeddedFlows, EmbeddedOptions } from "../../../adapters/flows/embedded-store.ts";
import { SqliteEngine } from "../../../adapters/flows/sqlite/engine.ts";
import { openSqliteFlows, type SqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import { checkFile, migrate, SCHEMA_VERSION } from "../../../adapters/flows/sqlite/schema.ts";

const folder = mkdtempSync(join(tmpdir(), "sqlite-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(folder, `${String((files += 1))}.db`);
const open = (file: string, options: Partial<EmbeddedOptions> = {}): SqliteFlows =>
  openSqliteFlows(file, options)._unsafeUnwrap();
const OWNER = "agent:main:owner";
const quiet = (): void => undefined;
const create = async (flows: EmbeddedFlows): Promise<string> => {
  const { flow } = await settled(
    flows.bind(OWNER, quiet).create({ goal: "g", controllerId: "c", stateJson: { a: [1] } }),
  );
  return String(flow?.["flowId"]);
};

test("STORE-1: a write waits for another process's lock, while reads go on, and then sees what that one wrote", async () => {
  const file = newFile();
  const flows = open(file);
  const flowId = await create(flows);
  const other = new DatabaseSync(file);
  other.exec("BEGIN IMMEDIATE");
  other.prepare("UPDATE flows SET revision = 7 WHERE flow_id = ?").run(flowId);
  const write = settled(flows.bind(OWNER, quiet).setWaiting({ flowId, expectedRevision: 0 }));
  expect((await settled(flows.bind(OWNER, quiet).get(flowId))).flow?.["revision"]).toBe(0);
  other.exec("COMMIT");
  expect(await write).toMatchObject({ kind: "not_applied", refusal: "revision_conflict", flow: { revision: 7 } });
  other.close();
  flows.close();
});

test("STORE-1: a lock that stays costs the write a persist_failed, told to the operator, and nothing is written", async () => {
  const file = newFile();
  open(file).close();
  const database = new DatabaseSync(file);
  const engine = new SqliteEngine(database, 30);
  const other = new DatabaseSync(file);
  other.exec("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE");
  database.exec("PRAGMA busy_timeout = 0");
  const failed = await engine.write(() => expect.fail("the lock was not waited for"));
  expect(failed._unsafeUnwrapErr().error).toMatchObject({ errcode: 5 });
  other.exec("ROLLBACK");
  expect((await engine.write(() => 5))._unsafeUnwrap()).toBe(5);
  other.close();
  database.close();
});

test("STORE-1: work that throws is undone whole, and the next transaction is none the worse", async () => {
  const file = newFile();
  const flows = open(file);
  const flowId = await create(flows);
  const database = new DatabaseSync(file);
  const engine = new SqliteEngine(database);
  const thrown = new Error("mid-way");
  const failed = await engine.write((tables) => {
    tables.remove(flowId);
    expect(tables.find(OWNER, flowId)).toBe(undefined);
    throw thrown;
  });
  expect(failed._unsafeUnwrapErr().error).toBe(thrown);
  expect((await engine.read((tables) => tables.find(OWNER, flowId)?.goal))._unsafeUnwrap()).toBe("g");
  database.close();
  flows.close();
});

test("STORE-1: work that asks the store again from inside is refused that, and is itself done whole", async () => {
  const inside: unknown[] = [];
  let again = (): void => undefined;
  const now = (): number => {
    again();
    return 1;
  };
  const flows = open(newFile(), { now });
  const flowId = await create(flows);
  const owned = flows.bind(OWNER, quiet);
  again = (): void => {
    again = () => undefined;
    inside.push(owned.create({ goal: "inner", controllerId: "c" }));
  };
  expect((await settled(owned.finish({ flowId, expectedRevision: 0 }))).kind).toBe("applied");
  expect(inside).toEqual([err("persist_failed")]);
  expect((await settled(owned.list())).flows).toMatchObject([{ flowId, status: "succeeded" }]);
  flows.close();
});

test("STORE-1: a store that is closed answers persist_failed and says why to the operator", async () => {
  const flows = open(newFile());
  flows.close();
  const told: unknown[] = [];
  const answered = await flows.bind(OWNER, (what, said) => told.push(what, said)).list();
  expect(answered._unsafeUnwrapErr()).toBe("persist_failed");
  expect(told).toEqual(["the store failed", expect.objectContaining({ message: "database is not open" })]);
});

test("STORE-2: the file as a crash leaves it, beside its log, has what was answered", async () => {
  const file = newFile();
  const flows = open(file);
  const flowId = await create(flows);
  const crashed = newFile();
  for (const end of ["", "-wal"]) copyFileSync(file + end, crashed + end);
  const after = open(crashed);
  expect((await settled(after.bind(OWNER, quiet).get(flowId))).flow).toMatchObject({ flowId, stateJson: { a: [1] } });
  after.close();
  flows.close();
});

test("STORE-2: a file is written through to the disk, keeps a log, and only its owner may read it", () => {
  const file = newFile();
  const flows = open(file);
  const other = new DatabaseSync(file);
  expect(other.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  other.close();
  flows.close();
});

test("STORE-4: a newer file and another application's are refused and left as they are", () => {
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

test("STORE-4: what is no database, or cannot be opened, is refused with the system's word", () => {
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
  expect((await settled(second.bind(OWNER, quiet).latest())).flow).toMatchObject({ flowId });
  second.close();
  const database = new DatabaseSync(file);
  const version = (): unknown => database.prepare("PRAGMA user_version").get();
  expect(version()).toEqual({ user_version: SCHEMA_VERSION });
  migrate(database);
  expect(version()).toEqual({ user_version: SCHEMA_VERSION });
  database.close();
});

test("VIEW-4: a row that no version of this store wrote costs its request a refusal, and shows nothing", async () => {
  const file = newFile();
  const flows = open(file);
  const other = new DatabaseSync(file);
  for (const change of ["status = 'bogus'", "sync_mode = 'x'", "state_json = '{'", "notify_policy = ''"]) {
    const flowId = await create(flows);
    other.exec(`UPDATE flows SET ${change} WHERE flow_id = '${flowId}'`);
    const told: unknown[] = [];
    const answered = await flows.bind(OWNER, (_, said) => told.push(said)).get(flowId);
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
};

test.each(Object.keys(STORES))(
  "STORE-3, FLOW-6: the sweep of %s ends flows with an intent and removes old ends, but none with tasks",
  async (name) => {
    let now = 1_000_000;
    const flows = STORES[name]?.({ now: () => now }) ?? memoryFlows();
    const mine = flows.bind(OWNER, quiet);
    const sweep = async (): Promise<number> => (await flows.sweep())._unsafeUnwrap();
    const [open, intended, busy, ended, worked] = [
      await create(flows),
      await create(flows),
      await create(flows),
      await create(flows),
      await create(flows),
    ];
    const runTask = (flowId: string): Promise<unknown> => settled(mine.runTask({ flowId, runtime: "acp", task: "t" }));
    await runTask(busy);
    await runTask(worked);
    for (const flowId of [intended, busy]) await settled(mine.requestCancel({ flowId, expectedRevision: 0 }));
    for (const flowId of [ended, worked]) await settled(mine.finish({ flowId, expectedRevision: 0 }));
    now += 5;
    expect(await sweep()).toBe(1);
    expect((await settled(mine.get(intended))).flow).toMatchObject({ status: "cancelled", revision: 2, endedAt: now });
    expect((await settled(mine.get(busy))).flow).toMatchObject({ status: "queued", revision: 1 });
    now = 1_000_000 + 7 * DAY - 1;
    expect(await sweep()).toBe(0);
    now += 1;
    expect(await sweep()).toBe(1);
    expect((await settled(mine.get(ended))).flow).toBe(null);
    now += 5;
    expect(await sweep()).toBe(1);
    const { flows: left = [] } = await settled(mine.list());
    expect(left.map(({ flowId }) => flowId).toSorted()).toEqual([open, busy, worked].toSorted());
    expect(await settled(mine.summary(worked))).toMatchObject({ summary: { total: 1 } });
  },
);

test.each(Object.keys(STORES))("STORE-3: the sweep of %s goes on until nothing is due", async (name) => {
  let now = 1_000_000;
  const flows = STORES[name]?.({ now: () => now }) ?? memoryFlows();
  const mine = flows.bind(OWNER, quiet);
  for (let index = 0; index < 450; index += 1) {
    await settled(mine.finish({ flowId: await create(flows), expectedRevision: 0 }));
  }
  now += 7 * DAY;
  expect((await flows.sweep())._unsafeUnwrap()).toBe(450);
  expect((await settled(mine.list())).flows).toEqual([]);
});

test.each(Object.keys(STORES))("FLOW-6: %s shows a cancelled flow's tasks newest first", async (name) => {
  let now = 1_000_000;
  const flows = STORES[name]?.({ now: () => now }) ?? memoryFlows();
  const mine = flows.bind(OWNER, quiet);
  const flowId = await create(flows);
  for (const label of ["first", "second", "third"]) {
    await settled(mine.runTask({ flowId, runtime: "acp", task: "t", label }));
    now += label === "second" ? 1 : 0;
  }
  const { kind, refusal, tasks } = await settled(mine.cancel(flowId));
  expect([kind, refusal]).toEqual(["not_cancelled", "cancel_pending"]);
  expect(tasks?.map(({ label }) => label)).toEqual(["third", "second", "first"]);
});

test.each(Object.keys(STORES))("%s lists flows of one millisecond by id", async (name) => {
  const ids = ["c", "a", "b"];
  const flows = STORES[name]?.({ now: () => 5, newId: () => ids.shift() ?? "d" }) ?? memoryFlows();
  for (let made = 0; made < 3; made += 1) await create(flows);
  const { flows: listed = [] } = await settled(flows.bind(OWNER, quiet).list());
  expect(listed.map(({ flowId }) => flowId)).toEqual(["a", "b", "c"]);
  expect((await settled(flows.bind(OWNER, quiet).latest())).flow).toMatchObject({ flowId: "a" });
});

test("STORE-2: a store whose file was removed or replaced says so", () => {
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
