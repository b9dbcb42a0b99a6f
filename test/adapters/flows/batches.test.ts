// Writes of one turn on SQLite share a transaction: each is undone alone, answered after the commit, and seen only then.

import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import type { Result } from "neverthrow";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Awaitable } from "../../../adapters/flows/awaitable.ts";
import type { Decided, StoreFault } from "../../../adapters/flows/engine.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { MAX_BATCH } from "../../../adapters/flows/sqlite/batch.ts";
import { SqliteEngine } from "../../../adapters/flows/sqlite/engine.ts";
import { openSqliteFlows, type SqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import { watchFiles } from "../../../adapters/flows/sqlite/open-files.ts";
import { createNodeListener } from "../../../adapters/node/index.ts";
import { startServer } from "../../../adapters/server/server.ts";
import {
  type FlowAction,
  type FlowRecord,
  type Needs,
  needsOf,
  type TaskRecord,
  type Write,
} from "../../../core/index.ts";
import { CONFIG, PATH_A, ROUTE_A } from "../../core/arbitraries.ts";
import { turn } from "../../support/later.ts";
import { runs } from "../../support/runs.ts";

const folder = mkdtempSync(join(tmpdir(), "batches-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(folder, `${String((files += 1))}.db`);

const OWNER = "agent:main:owner";
const CREATE: FlowAction = { action: "create_flow", goal: "g", controllerId: "c" };
const WRITING: Needs = { ...needsOf(CREATE, OWNER), freshId: false };
const LISTING: Needs = needsOf({ action: "list_flows" }, OWNER);

const flow = (flowId: string): FlowRecord => ({
  flowId,
  syncMode: "managed",
  controllerId: "c",
  revision: 0,
  status: "queued",
  notifyPolicy: "done_only",
  goal: "g",
  createdAt: 1,
  updatedAt: 1,
});
const insert = (flowId: string): Write => ({ kind: "insert_flow", owner: OWNER, flow: flow(flowId) });
/** A row that no table takes. */
const ORPHAN: Write = { kind: "put_task", task: { parentFlowId: "no-such-flow", taskId: "t" } as TaskRecord };

let database: DatabaseSync;
let engine: SqliteEngine;
/** What the connection was told, in order, and what else is noted. */
let told: string[];

const openOn = (file: string, lockDeadlineMs?: number): void => {
  openSqliteFlows(file)._unsafeUnwrap().close();
  database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 0");
  database.prepare("SELECT 1 FROM flows").get();
  engine = new SqliteEngine(database, lockDeadlineMs, () => watchFiles(file));
  told = [];
  const exec = database.exec.bind(database);
  vi.spyOn(database, "exec").mockImplementation((sql) => {
    told.push(sql);
    exec(sql);
  });
};
beforeEach(() => openOn(newFile()));
afterEach(() => engine.close());

const write = (...writes: readonly Write[]) => engine.transact(WRITING, () => ({ writes }));
const idsNow = (): readonly string[] => {
  const listed = engine.transact(LISTING, (stored) => ({ writes: [], stored })) as Result<
    Decided & { readonly stored: { readonly flows: readonly FlowRecord[] } },
    StoreFault
  >;
  return listed
    ._unsafeUnwrap()
    .stored.flows.map(({ flowId }) => flowId)
    .toReversed();
};
const isKept = async (answer: Awaitable<Result<Decided, StoreFault>>): Promise<boolean> => (await answer).isOk();
const begun = (): number => told.filter((sql) => sql === "BEGIN IMMEDIATE").length;
const all = (answers: readonly Awaitable<Result<Decided, StoreFault>>[]): Promise<readonly boolean[]> =>
  Promise.all(answers.map(isKept));

test("STORE-10: what comes in one turn shares one commit, is answered after it, and is seen only then", async () => {
  const answers = ["a", "b", "c"].map((id) => write(insert(id)));
  for (const one of answers) void Promise.resolve(one).then(() => told.push("answered"));
  expect(idsNow()).toEqual([]);
  expect(await all(answers)).toEqual([true, true, true]);
  const commits = told.filter((sql) => !sql.includes("one"));
  // the read in between has a transaction of its own
  expect(commits).toEqual(["BEGIN", "COMMIT", "BEGIN IMMEDIATE", "COMMIT", "answered", "answered", "answered"]);
  expect(idsNow()).toEqual(["a", "b", "c"]);
});

test("STORE-10: a single write waits for no other, and costs no savepoint", async () => {
  const answer = Promise.resolve(write(insert("a"))).then(() => told.push("answered"));
  const turned = turn().then(() => told.push("next turn"));
  await Promise.all([answer, turned]);
  expect(told).toEqual(["BEGIN IMMEDIATE", "COMMIT", "answered", "next turn"]);
});

test("STORE-10: whatever fails is undone alone, wherever it stands and however many come", async () => {
  const asked = fc.array(fc.constantFrom("kept", "throws", "half", "nothing"), { minLength: 1, maxLength: 20 });
  let made = 0;
  await fc.assert(
    fc.asyncProperty(asked, async (kinds) => {
      const before = idsNow();
      const answers = kinds.map((kind) => {
        const id = String((made += 1));
        if (kind === "kept") return write(insert(id));
        if (kind === "half") return write(insert(id), ORPHAN);
        if (kind === "nothing") return write();
        return engine.transact(WRITING, () => {
          throw new Error("mid-way");
        });
      });
      const first = made - kinds.length + 1;
      expect(await all(answers)).toEqual(kinds.map((kind) => kind === "kept" || kind === "nothing"));
      const kept = kinds.flatMap((kind, at) => (kind === "kept" ? [String(first + at)] : []));
      expect(idsNow()).toEqual([...before, ...kept]);
    }),
    { numRuns: runs(50) },
  );
});

test("STORE-10: each sees what those before it in the same turn have done, so that of several updates one wins", async () => {
  const flows: SqliteFlows = openSqliteFlows(newFile())._unsafeUnwrap();
  const quiet = (): void => undefined;
  const created = (await flows.execute(OWNER, CREATE, quiet))._unsafeUnwrap();
  if (created.kind !== "created") return expect.fail("no flow");
  const flowId = String(created.flow.json["flowId"]);
  const update: FlowAction = { action: "set_waiting", flowId, expectedRevision: 0 };
  const answers = await Promise.all(Array.from({ length: 9 }, () => flows.execute(OWNER, update, quiet)));
  const kinds = answers.map((one) => one._unsafeUnwrap().kind);
  expect(kinds).toEqual(["applied", ...Array.from({ length: 8 }, () => "not_applied")]);
  flows.close();
});

test("STORE-10: a commit that fails answers none with success and keeps nothing, and the next one succeeds", async () => {
  const late = engine.transact(WRITING, () => {
    // the missing row is then noticed by COMMIT
    database.exec("PRAGMA defer_foreign_keys = ON");
    return { writes: [ORPHAN] };
  });
  expect(await all([late, write(insert("a")), write(insert("b"))])).toEqual([false, false, false]);
  expect(idsNow()).toEqual([]);
  expect(await all([write(insert("c")), write(insert("d"))])).toEqual([true, true]);
});

test("STORE-10: when SQLite undoes a whole transaction, those that had their turn are refused, and the others go on", async () => {
  let isFirst = true;
  const before = write(insert("a"));
  const breaks = engine.transact(WRITING, () => {
    expect(isFirst).toBe(true);
    isFirst = false;
    database.exec("ROLLBACK");
    throw new Error("the disk failed");
  });
  expect(await all([before, breaks, write(insert("c"))])).toEqual([false, false, true]);
  expect(idsNow()).toEqual(["c"]);
});

test("STORE-10: a transaction takes 256 writes at most, and 20 ms of work, so that others get their turn", async () => {
  const many = Array.from({ length: 2 * MAX_BATCH + 1 }, (_, n) => write(insert(String(n))));
  let turns = 0;
  const ended = all(many).then(() => turns);
  for (; turns < 9; turns += 1) await turn();
  expect(await ended).toBe(2);
  expect([begun(), idsNow().length]).toEqual([3, many.length]);
  const works = (): Decided => {
    const ends = performance.now() + 20;
    while (performance.now() < ends);
    return { writes: [] };
  };
  expect(await all([1, 2].map(() => engine.transact(WRITING, works)))).toEqual([true, true]);
  expect(begun()).toBe(5);
});

test("STORE-10: all that wait for another process's lock commit together once it is free, those that came later, too", async () => {
  const other = new DatabaseSync(String(database.location()));
  other.exec("BEGIN IMMEDIATE");
  const early = [write(insert("a")), write(insert("b"))];
  for (let n = 0; n < 3; n += 1) await turn();
  const later = write(insert("c"));
  engine.hurry();
  expect(idsNow()).toEqual([]);
  other.exec("COMMIT");
  expect(await all([...early, later])).toEqual([true, true, true]);
  expect([idsNow(), told.filter((sql) => sql === "COMMIT").length]).toEqual([["a", "b", "c"], 3]);
  other.close();
});

test("STORE-10: behind a lock that stays each is refused at its own deadline", async () => {
  engine.close();
  const file = newFile();
  openOn(file, 60);
  const other = new DatabaseSync(file);
  other.exec("BEGIN IMMEDIATE");
  const order: string[] = [];
  const early = Promise.resolve(write(insert("a"))).then((done) => order.push(`early ${String(done.isOk())}`));
  await new Promise((resolve) => setTimeout(resolve, 30));
  const later = Promise.resolve(write(insert("b"))).then((done) => order.push(`later ${String(done.isOk())}`));
  await early;
  expect(order).toEqual(["early false"]);
  other.exec("ROLLBACK");
  await later;
  expect(order).toEqual(["early false", "later true"]);
  other.close();
});

test("STORE-6, STORE-10: when the file has gone at the commit, none that wrote is answered with success", async () => {
  const removes = engine.transact(WRITING, () => {
    rmSync(String(database.location()));
    return { writes: [] };
  });
  expect(await all([removes, write(insert("a")), write(insert("b"))])).toEqual([true, false, false]);
  expect(await all([write(), write()])).toEqual([false, false]);
});

test("STORE-11: what is hurried is committed at once, with all that wait, and from inside a transaction never", async () => {
  const inside = engine.transact(WRITING, () => {
    engine.hurry();
    return { writes: [insert("a")] };
  });
  const second = write(insert("b"));
  engine.hurry();
  expect(idsNow()).toEqual(["a", "b"]);
  expect(await all([inside, second])).toEqual([true, true]);
  engine.hurry();
  expect(begun()).toBe(1);
});

const open = (port: number): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
  });

const BODY = JSON.stringify({ action: "create_flow", goal: "g" });
const HEAD = [
  `POST ${PATH_A} HTTP/1.1`,
  "Host: a",
  "Content-Type: application/json",
  `Authorization: Bearer ${ROUTE_A.secret}`,
  `Content-Length: ${String(BODY.length)}`,
];

/** The status of a create, which is sent at once. */
const createOn = (socket: Socket): Promise<string> => {
  socket.write(`${HEAD.join("\r\n")}\r\n\r\n${BODY}`);
  return new Promise((resolve) => socket.once("data", (answer) => resolve(answer.toString("latin1").slice(9, 12))));
};

test.each(["sqlite", "memory"])("STORE-11: 50 creates of one client at once are all answered by %s", async (name) => {
  const sqlite = openSqliteFlows(newFile())._unsafeUnwrap();
  const flows = name === "sqlite" ? sqlite : memoryFlows();
  const logger = { info: () => undefined, warn: () => undefined, error: console.error };
  const listener = createNodeListener({ config: CONFIG, flows, logger });
  const server = (await startServer({ listener, host: "127.0.0.1", port: 0, isReady: () => true }))._unsafeUnwrap();
  const sockets = await Promise.all(Array.from({ length: 50 }, () => open(Number(new URL(server.url).port))));
  // each connection is known to the server before all of them are used in one turn
  for (const socket of sockets) expect(await createOn(socket)).toBe("200");
  expect(await Promise.all(sockets.map(createOn))).toEqual(sockets.map(() => "200"));
  for (const socket of sockets) socket.destroy();
  await server.stop();
  sqlite.close();
});
