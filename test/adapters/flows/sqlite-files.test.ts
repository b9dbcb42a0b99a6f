// What happens to a database file beside its store: removed, replaced, cut, copied, damaged, or of somebody else.

import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execFileSync, spawn } from "node:child_process";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, expect, test, vi } from "vitest";
import { backUp } from "../../../adapters/flows/sqlite/backup.ts";
import { askAs } from "../../../adapters/conformance/transcript.ts";
import { openSqliteFlows, type SqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import { SqliteEngine } from "../../../adapters/flows/sqlite/engine.ts";
import { type LogIndex, mayHaveMoved } from "../../../adapters/flows/sqlite/log-index.ts";
import { NO_FILES, watchFiles } from "../../../adapters/flows/sqlite/open-files.ts";
import { SCHEMA_VERSION } from "../../../adapters/flows/sqlite/schema.ts";
import type { FlowAction, Outcome, StoreFailure } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";
import type { Result } from "neverthrow";

const root = mkdtempSync(join(tmpdir(), "sqlite-files-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
/** A folder of its own for each file, so that everything beside the file can be looked at. */
const newFolder = (): string => {
  const folder = join(root, String((folders += 1)));
  mkdirSync(folder);
  return folder;
};
const newFile = (): string => join(newFolder(), "flows.db");
const open = (file: string): SqliteFlows => openSqliteFlows(file)._unsafeUnwrap();

const OWNER = "agent:main:owner";
const CREATE = { action: "create_flow", goal: "g", controllerId: "c" } as const;
const LIST: FlowAction = { action: "list_flows" };

type Answer = Result<Outcome, StoreFailure>;
const told: unknown[] = [];
const run = async (flows: SqliteFlows, action: FlowAction): Promise<Answer> =>
  flows.execute(OWNER, action, (_, detail) => told.push(detail));
const listed = async (flows: SqliteFlows): Promise<readonly unknown[]> =>
  ((await askAs(flows, OWNER)(LIST)).flows ?? []).map(({ flowId }) => flowId);

/** Another process that writes, and moves the log in each of SQLite's ways. */
const WRITER = `
const { DatabaseSync } = require("node:sqlite");
const database = new DatabaseSync(process.argv[1], { timeout: 20000 });
database.exec("PRAGMA wal_autocheckpoint = 3");
for (let round = 0; round < 200; round += 1) {
  database.exec("PRAGMA user_version = 2");
  if (round % 4 === 3) database.exec("PRAGMA wal_checkpoint(" + ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][(round >> 2) % 4] + ")");
}
`;

/** What can happen to the files of a running store. `other`: another database of this product. */
const ACCIDENTS: Readonly<Record<string, (file: string, other: string) => void>> = {
  "all files removed": (file) => {
    for (const end of ["", "-wal", "-shm"]) rmSync(file + end);
  },
  "the file removed": (file) => rmSync(file),
  "the log removed": (file) => rmSync(`${file}-wal`),
  "log and index removed": (file) => {
    for (const end of ["-wal", "-shm"]) rmSync(file + end);
  },
  "the index removed": (file) => rmSync(`${file}-shm`),
  "the file moved away": (file) => renameSync(file, `${file}.old`),
  "another file moved over it": (file, other) => renameSync(other, file),
  "a copy of itself moved over it": (file) => {
    copyFileSync(file, `${file}.copy`);
    renameSync(`${file}.copy`, file);
  },
  "a copy of the log moved over it": (file) => {
    copyFileSync(`${file}-wal`, `${file}.copy`);
    renameSync(`${file}.copy`, `${file}-wal`);
  },
  "the folder renamed": (file) => renameSync(join(file, ".."), `${join(file, "..")}-renamed`),
  "the folder replaced": (file) => {
    const folder = join(file, "..");
    renameSync(folder, `${folder}-renamed`);
    cpSync(`${folder}-renamed`, folder, { recursive: true });
  },
  "the file emptied": (file) => truncateSync(file, 0),
  "the log emptied and written on": (file) => truncateSync(`${file}-wal`, 0),
  "a link to another file": (file, other) => {
    rmSync(file);
    symlinkSync(other, file);
  },
  "a link to itself under another name": (file) => {
    renameSync(file, `${file}.real`);
    symlinkSync(`${file}.real`, file);
  },
  "a folder in its place": (file) => {
    rmSync(file);
    mkdirSync(file);
  },
  "a second name": (file) => linkSync(file, `${file}.hard`),
  "another file copied over it": (file, other) => writeFileSync(file, readFileSync(other)),
  "its own bytes written again": (file) => writeFileSync(file, readFileSync(file)),
  "another file of its size copied over it": (file, other) => {
    const bytes = Buffer.alloc(statSync(file).size);
    readFileSync(other).copy(bytes);
    writeFileSync(file, bytes);
  },
  "the log emptied": (file) => writeFileSync(`${file}-wal`, ""),
  "the log cut to its head": (file) => truncateSync(`${file}-wal`, 32),
  "the log cut inside its last page": (file) => truncateSync(`${file}-wal`, statSync(`${file}-wal`).size - 1),
  "the index emptied": (file) => truncateSync(`${file}-shm`, 0),
  "the index cut": (file) => truncateSync(`${file}-shm`, 4096),
};

test.each(Object.keys(ACCIDENTS))(
  "STORE-6: %s: no write is answered with success, and it is said once",
  async (name) => {
    const file = newFile();
    const flows = open(file);
    for (let made = 0; made < 3; made += 1) expect((await run(flows, CREATE)).isOk()).toBe(true);
    const other = newFile();
    open(other).close();
    const reasons: string[] = [];
    void flows.lost.then(({ message }) => reasons.push(message));
    expect(flows.isIntact()).toBe(true);
    ACCIDENTS[name]?.(file, other);
    for (let again = 0; again < 3; again += 1) {
      expect((await run(flows, CREATE))._unsafeUnwrapErr()).toBe("persist_failed");
    }
    expect((await run(flows, LIST))._unsafeUnwrapErr()).toBe("persist_failed");
    expect((await flows.sweep()).isErr()).toBe(true);
    expect(flows.isIntact()).toBe(false);
    expect(reasons).toEqual([expect.stringMatching(/flows\.db\S* .+ until the server is started again$/u)]);
    flows.close();
  },
);

test.each(Object.keys(ACCIDENTS))("STORE-6: %s: an idle store sees it before it writes anything", async (name) => {
  const file = newFile();
  const flows = open(file);
  await run(flows, CREATE);
  const other = newFile();
  open(other).close();
  if (name.startsWith("the log")) expect(flows.isIntact()).toBe(true);
  else await flows.sweep();
  const reasons: string[] = [];
  void flows.lost.then(({ message }) => reasons.push(message));
  ACCIDENTS[name]?.(file, other);
  // a lost log is saved where that is safe; a file that an operator put there is left alone
  const bytes = (): string =>
    statSync(file, { throwIfNoEntry: false })?.isFile() === true && !name.startsWith("the log")
      ? readFileSync(file, "base64")
      : "";
  const after = bytes();
  expect(flows.isIntact()).toBe(false);
  expect((await run(flows, CREATE)).isErr()).toBe(true);
  expect(reasons).toHaveLength(1);
  expect(bytes()).toEqual(after);
  flows.close();
});

test.each<readonly [string, (file: string) => string]>([
  [
    "moved away",
    (file) => {
      renameSync(file, `${file}.away`);
      return `${file}.away`;
    },
  ],
  [
    "without its log",
    (file) => {
      rmSync(`${file}-wal`);
      return file;
    },
  ],
])("STORE-6: what was answered before the accident is saved into the file that is %s", async (_, accident) => {
  const file = newFile();
  const flows = open(file);
  for (let made = 0; made < 3; made += 1) await run(flows, CREATE);
  const before = await listed(flows);
  const saved = accident(file);
  await run(flows, CREATE);
  const copy = newFile();
  copyFileSync(saved, copy);
  const next = open(copy);
  expect(await listed(next)).toEqual(expect.arrayContaining([...before]));
  next.close();
  if (existsSync(`${file}-wal`)) expect(statSync(`${file}-wal`).size).toBe(0);
  flows.close();
});

test.each([
  ["a file", (folder: string) => writeFileSync(folder, ""), "was removed, or its folder was renamed"],
  ["nothing", () => undefined, "was removed, or its folder was renamed"],
  ["a link to itself", (folder: string) => symlinkSync(folder, folder), "cannot be looked at (ELOOP)"],
])("STORE-6: where the folder was there is now %s, and the reason says so", async (_, replace, reason) => {
  const file = newFile();
  const folder = join(file, "..");
  const flows = open(file);
  renameSync(folder, `${folder}-away`);
  replace(folder);
  expect([flows.isIntact(), (await flows.lost).message]).toEqual([false, expect.stringContaining(`${file} ${reason}`)]);
  expect((await run(flows, LIST)).isErr()).toBe(true);
  flows.close();
});

test("STORE-6: a lost log is not moved into a file beside which another process has begun a new one", async () => {
  const file = newFile();
  const flows = open(file);
  await run(flows, CREATE);
  for (const end of ["-wal", "-shm"]) rmSync(file + end);
  writeFileSync(`${file}-wal`, "a log that another process has begun");
  const before = readFileSync(file);
  expect((await run(flows, CREATE)).isErr()).toBe(true);
  expect(readFileSync(file).equals(before)).toBe(true);
  flows.close();
});

test("STORE-6: reads see within a second that the files are others", async () => {
  const file = newFile();
  const flows = open(file);
  rmSync(file);
  await vi.waitFor(async () => expect((await run(flows, LIST)).isErr()).toBe(true), { timeout: 3000, interval: 20 });
  flows.close();
});

test("STORE-6: a second after a write, a log that was cut is seen without another one", async () => {
  const file = newFile();
  const flows = open(file);
  const reasons: string[] = [];
  void flows.lost.then(({ message }) => reasons.push(message));
  await run(flows, CREATE);
  truncateSync(`${file}-wal`, 0);
  await vi.waitFor(() => expect(reasons).toHaveLength(1), { timeout: 3000, interval: 20 });
  flows.close();
});

test("STORE-6: a log that cannot be moved, for another reason than a lock or a full disk, loses the files", async () => {
  const file = newFile();
  open(file).close();
  const database = new DatabaseSync(file);
  database.exec(`${WAL}; INSERT INTO tasks (task_id, flow_id, record) SELECT 'a', flow_id, '' FROM flows`);
  const lost: unknown[] = [];
  const engine = new SqliteEngine(database, undefined, () => ({ ...NO_FILES, lose: (error) => lost.push(error) }));
  const write = (): void => database.exec("PRAGMA user_version = 2");
  write();
  const reader = new DatabaseSync(file);
  reader.exec("BEGIN; SELECT * FROM flows");
  reader.prepare("SELECT * FROM flows").all();
  write();
  expect([engine.settle()._unsafeUnwrap(), lost]).toEqual([false, []]);
  reader.close();
  truncateSync(`${file}-wal`, 32);
  expect(engine.settle().isErr()).toBe(true);
  expect(lost).toMatchObject([{ errcode: 522 }]);
  engine.close();
  const watched = open(file);
  const files = watchFiles(file);
  for (const reason of ["first", "second"]) files.lose(new Error(reason));
  expect(files.look()?.message).toMatch(/cannot take what its log holds \(first\)\. Every command is refused/u);
  expect([await files.lost, files.mayRescue()]).toEqual([files.look(), false]);
  files.close();
  watched.close();
});

test("STORE-6: a move of the log that is at work at one of two looks, or ended between them, explains a write", () => {
  const still: LogIndex = { log: "1 2", logBytes: 0, moved: "1 2 3", isMoving: false };
  const moving = { ...still, isMoving: true };
  expect(mayHaveMoved(still, { ...still })).toBe(false);
  for (const [earlier, later] of [
    [moving, still],
    [still, moving],
    [still, { ...still, moved: "1 2 4" }],
    [undefined, still],
    [still, undefined],
  ] as const) {
    expect(mayHaveMoved(earlier, later)).toBe(true);
  }
});

test("STORE-6: what other processes write and move into the file is not an accident", async () => {
  const file = newFile();
  const flows = open(file);
  const others = Array.from({ length: 2 }, () =>
    spawn(process.execPath, ["-e", WRITER, file], { stdio: ["ignore", "ignore", "inherit"] }),
  );
  let made = 0;
  while (others.some(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
    expect((await run(flows, CREATE)).isOk()).toBe(true);
    made += 1;
    await setImmediate();
    if (made % 5 === 0) expect([flows.isIntact(), (await flows.sweep()).isOk()]).toEqual([true, true]);
  }
  expect(others.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  expect(await listed(flows)).toHaveLength(made);
  flows.close();
}, 60_000);

test("STORE-6: a store that lost its file stays so until it is opened again, even if the file comes back", async () => {
  const file = newFile();
  const flows = open(file);
  await run(flows, CREATE);
  renameSync(file, `${file}.away`);
  expect((await run(flows, CREATE)).isErr()).toBe(true);
  renameSync(`${file}.away`, file);
  expect((await run(flows, CREATE)).isErr()).toBe(true);
  flows.close();
  const again = open(file);
  expect((await run(again, CREATE)).isOk()).toBe(true);
  again.close();
});

test("STORE-6: what changes nothing for the next start is not in the way", async () => {
  const real = newFile();
  const link = join(newFolder(), "linked.db");
  symlinkSync(real, link);
  const flows = open(link);
  const goesOn = async (): Promise<void> => {
    expect((await run(flows, CREATE)).isOk()).toBe(true);
    expect(flows.isIntact()).toBe(true);
  };
  await goesOn();
  chmodSync(real, 0o640);
  await goesOn();
  const beside = open(real);
  expect((await run(beside, CREATE)).isOk()).toBe(true);
  await beside.sweep();
  beside.close();
  await goesOn();
  flows.close();
  expect(flows.isIntact()).toBe(false);
});

test("STORE-7: the file alone has every write, a second after the last one and after a sweep", async () => {
  const file = newFile();
  const copyHas = async (flowIds: readonly unknown[]): Promise<void> => {
    const copy = newFile();
    copyFileSync(file, copy);
    const flows = open(copy);
    expect(await listed(flows)).toEqual(flowIds);
    flows.close();
  };
  const flows = open(file);
  for (let made = 0; made < 5; made += 1) await run(flows, CREATE);
  const before = await listed(flows);
  await flows.sweep();
  await copyHas(before);
  for (let made = 0; made < 5; made += 1) await run(flows, CREATE);
  await vi.waitFor(() => expect(statSync(`${file}-wal`).size).toBe(0), { timeout: 5000, interval: 20 });
  await copyHas(await listed(flows));
  flows.close();
});

test("STORE-7: a reader in the way delays it, and it is tried again", async () => {
  const file = newFile();
  const flows = open(file);
  await run(flows, CREATE);
  const reader = new DatabaseSync(file);
  reader.exec("BEGIN; SELECT * FROM flows");
  reader.prepare("SELECT * FROM flows").all();
  await run(flows, CREATE);
  const untried = readFileSync(file);
  // the first try moves what the reader does not need any more
  await vi.waitFor(() => expect(readFileSync(file).equals(untried)).toBe(false), { timeout: 5000, interval: 20 });
  expect((await flows.sweep()).isOk()).toBe(true);
  expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
  reader.close();
  await vi.waitFor(() => expect(statSync(`${file}-wal`).size).toBe(0), { timeout: 5000, interval: 20 });
  flows.close();
});

/** All files beside a database, with their contents. */
const everythingIn = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "base64")]));

/** Files as a crash leaves them: copied while the database is open. */
const crashed = (statements: readonly string[]): string => {
  const file = newFile();
  const database = new DatabaseSync(file);
  for (const sql of statements) database.exec(sql);
  const left = newFile();
  for (const end of ["", "-wal", "-shm", "-journal"]) {
    if (existsSync(file + end)) copyFileSync(file + end, left + end);
  }
  database.close();
  return left;
};

const MARK = "PRAGMA application_id = 1868789608";
const NEWER = `PRAGMA user_version = ${String(SCHEMA_VERSION + 1)}`;
const WAL = "PRAGMA journal_mode = WAL";
const SONGS = "CREATE TABLE songs (title TEXT)";

test.each<readonly [string, string, readonly string[]]>([
  ["a newer file whose log is pending", "newer", [MARK, NEWER, WAL, SONGS]],
  ["a newer file that only its log says is newer", "newer", [WAL, SONGS, MARK, NEWER]],
  ["a file that a pending migration made newer", "newer", [MARK, SONGS, "PRAGMA user_version = 1", WAL, NEWER]],
  ["another application's file whose log is pending", "not_ours", [SONGS, WAL, "INSERT INTO songs VALUES ('a')"]],
  ["another application's file that is all in its log", "not_ours", [WAL, SONGS]],
  ["another application's file without tables", "not_ours", ["PRAGMA application_id = 7", WAL]],
  ["a file without tables that has a version", "not_ours", ["PRAGMA user_version = 3"]],
  [
    "another application's file with a journal to roll back",
    "not_ours",
    [
      SONGS,
      "PRAGMA cache_size = 1",
      "BEGIN",
      ...Array.from({ length: 60 }, () => `INSERT INTO songs VALUES (hex(zeroblob(4000)))`),
    ],
  ],
])("STORE-4: %s is refused, and every byte of it and beside it stays", (_, code, statements) => {
  const file = crashed(statements);
  const before = everythingIn(join(file, ".."));
  expect(openSqliteFlows(file)._unsafeUnwrapErr().code).toBe(code);
  expect(everythingIn(join(file, ".."))).toEqual(before);
});

test("STORE-4: a log without its database is refused and stays", async () => {
  const file = newFile();
  const flows = open(file);
  await run(flows, CREATE);
  const left = newFile();
  copyFileSync(`${file}-wal`, `${left}-wal`);
  flows.close();
  for (const hasEmptyFile of [false, true]) {
    if (hasEmptyFile) writeFileSync(left, "");
    const before = everythingIn(join(left, ".."));
    expect(openSqliteFlows(left)._unsafeUnwrapErr()).toMatchObject({ code: "unusable", error: expect.any(Error) });
    expect(everythingIn(join(left, ".."))).toEqual(before);
  }
});

/** Symlinks that lead to a file: a chain of an absolute and a relative one, and one of its folder. */
const linksTo = (file: string): readonly string[] => {
  const folder = newFolder();
  symlinkSync(file, join(folder, "first"));
  symlinkSync("first", join(folder, "second"));
  symlinkSync(join(file, ".."), join(folder, "folder"));
  return [join(folder, "second"), join(folder, "folder", "flows.db")];
};

test("STORE-4: through symlinks, also to a file that is not there, the target's own log is looked at", async () => {
  const newer = crashed([WAL, SONGS, MARK, NEWER]);
  const alone = crashed([WAL, SONGS, MARK]);
  rmSync(alone);
  for (const file of [newer, alone]) {
    const before = everythingIn(join(file, ".."));
    for (const link of linksTo(file)) {
      expect(openSqliteFlows(link)._unsafeUnwrapErr().code).toBe(file === newer ? "newer" : "unusable");
      expect((await backUp(link, newFile()))._unsafeUnwrapErr().code).toBe(file === newer ? "newer" : "missing");
      expect(everythingIn(join(file, ".."))).toEqual(before);
    }
  }
  const made = newFile();
  for (const link of linksTo(made)) {
    const flows = open(link);
    expect((await run(flows, CREATE)).isOk()).toBe(true);
    expect(existsSync(`${made}-wal`)).toBe(true);
    expect((await backUp(link, newFile())).isOk()).toBe(true);
    flows.close();
  }
});

test("STORE-4: a file with two names is refused under each of them, and stays", async () => {
  const file = newFile();
  open(file).close();
  const other = join(newFolder(), "other.db");
  linkSync(file, other);
  for (const name of [file, other]) {
    const before = everythingIn(join(name, ".."));
    const { error } = openSqliteFlows(name)._unsafeUnwrapErr();
    expect(String(error)).toContain("it has 2 names (hard links)");
    expect((await backUp(name, newFile()))._unsafeUnwrapErr().code).toBe("unusable");
    expect(everythingIn(join(name, ".."))).toEqual(before);
  }
  rmSync(other);
  open(file).close();
});

test("STORE-4: a start that was cut off, in any state of its files, can be made again", async () => {
  for (const statements of [[], [WAL], [WAL, "BEGIN", SONGS]]) {
    const flows = open(crashed(statements));
    expect((await run(flows, CREATE)).isOk()).toBe(true);
    flows.close();
  }
});

test.each<readonly [string, readonly string[]]>([
  ["no tables", [MARK]],
  ["no tables in the present version", [MARK, `PRAGMA user_version = ${String(SCHEMA_VERSION)}`]],
  ["other tables", [MARK, SONGS, "PRAGMA user_version = 1"]],
  ["other columns", [MARK, "CREATE TABLE flows (a)", "CREATE TABLE tasks (a)", "PRAGMA user_version = 2"]],
  ["views in their place", [MARK, SONGS, "CREATE VIEW flows AS SELECT * FROM songs", "PRAGMA user_version = 2"]],
  ["a negative version", [MARK, SONGS, "PRAGMA user_version = -1"]],
])("STORE-9: a file with our mark and %s gives a result, never an exception", (_, statements) => {
  const opened = openSqliteFlows(crashed(statements));
  if (opened.isOk()) opened.value.close();
  else expect(opened.error).toMatchObject({ code: expect.stringMatching(/unusable|newer/u) });
});

test.each([
  ["a folder", (file: string) => mkdirSync(file)],
  ["a folder where its log would be", (file: string) => mkdirSync(`${file}-wal`)],
  ["a few bytes", (file: string) => writeFileSync(file, "x")],
  ["the head of a database and nothing else", (file: string) => writeFileSync(file, "SQLite format 3\0")],
  ["a device", (file: string) => symlinkSync("/dev/zero", file)],
  ["a link to itself", (file: string) => symlinkSync(file, file)],
])("STORE-9: %s at the path gives a result with a reason, and is left alone", (_, make) => {
  const file = newFile();
  make(file);
  expect(openSqliteFlows(file)._unsafeUnwrapErr()).toMatchObject({ code: "unusable", error: expect.any(Error) });
});

const SOME = 40;

/** A valid file with flows and tasks of two owners, and the id of one of its owner's flows. */
const valid = async (): Promise<{ readonly bytes: Buffer; readonly flowId: string }> => {
  const file = newFile();
  const flows = open(file);
  let last = "";
  for (const owner of ["agent:main:other", OWNER]) {
    const ask = askAs(flows, owner);
    for (let made = 0; made < SOME; made += 1) {
      last = String((await ask({ ...CREATE, goal: `goal ${"of ".repeat(made)}` })).flow?.["flowId"]);
      if (made % 5 === 0) await ask({ action: "run_task", flowId: last, runtime: "acp", task: "t" });
      if (made % 7 === 0) await ask({ action: "finish_flow", flowId: last, expectedRevision: 0 });
    }
  }
  flows.close();
  return { bytes: readFileSync(file), flowId: last };
};

const PAGE = 4096;
const CORRUPTION = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: fc.nat(), bit: fc.nat({ max: 7 }) }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat(), bit: fc.constant(0) }),
  fc.record({ kind: fc.constant("zero" as const), at: fc.nat(), bit: fc.constant(0) }),
);

const corrupted = (
  bytes: Buffer,
  { kind, at, bit }: { kind: "flip" | "cut" | "zero"; at: number; bit: number },
): Buffer => {
  const copy = Buffer.from(bytes);
  if (copy.length === 0) return copy;
  const place = at % copy.length;
  if (kind === "cut") return copy.subarray(0, place);
  if (kind === "zero")
    return copy.fill(0, place - (place % PAGE), Math.min(place - (place % PAGE) + PAGE, copy.length));
  copy[place] = (copy[place] ?? 0) ^ (1 << bit);
  return copy;
};

const everyAction = (flowId: string): readonly FlowAction[] => [
  LIST,
  { action: "get_flow", flowId },
  { action: "find_latest_flow" },
  { action: "resolve_flow", token: OWNER },
  { action: "get_task_summary", flowId },
  { action: "set_waiting", flowId, expectedRevision: 0 },
  { action: "resume_flow", flowId, expectedRevision: 1 },
  { action: "run_task", flowId, runtime: "acp", task: "t" },
  { action: "request_cancel", flowId, expectedRevision: 2 },
  { action: "cancel_flow", flowId },
  { action: "fail_flow", flowId, expectedRevision: 3 },
  { action: "finish_flow", flowId, expectedRevision: 4 },
  CREATE,
];

test("STORE-9: 300 damaged files: opening and each action give a result, and a list is never short", async () => {
  const { bytes, flowId } = await valid();
  const seen = { refused: 0, opened: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(CORRUPTION, { minLength: 1, maxLength: 3 }), async (faults) => {
      const file = newFile();
      const damaged = faults.reduce(corrupted, bytes);
      writeFileSync(file, damaged);
      const opened = openSqliteFlows(file);
      if (opened.isErr()) {
        seen.refused += 1;
        expect(opened.error.code).toMatch(/^(?:unusable|not_ours|newer)$/u);
        return;
      }
      seen.opened += 1;
      const flows = opened.value;
      const list = await run(flows, LIST);
      // a flip inside a text cannot be seen; a flow that is missing can
      if (list.isOk() && list.value.kind === "flows") {
        expect(list.value.flows).toHaveLength(damaged.length === 0 ? 0 : SOME);
      }
      for (const action of everyAction(flowId)) expect([true, false]).toContain((await run(flows, action)).isOk());
      expect([true, false]).toContain((await flows.sweep()).isOk());
      expect([true, false]).toContain(flows.isIntact());
      flows.close();
    }),
    { numRuns: runs(300) },
  );
  console.log(`damaged files: ${String(seen.refused)} refused, ${String(seen.opened)} opened`);
  expect(seen.refused).toBeGreaterThan(0);
}, 120_000);

test("STORE-9: a first start on a full disk names the cause, and leaves no file", () => {
  const folder = newFolder();
  const seen = new Set<unknown>();
  for (let size = 4; size <= 48; size += 4) {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${String(size)}k`, "tmpfs", folder]);
    try {
      const { error } = openSqliteFlows(join(folder, "flows.db"))._unsafeUnwrapErr();
      seen.add(Object(error).errcode);
      expect(readdirSync(folder)).toEqual([]);
      writeFileSync(join(folder, "flows.db"), "");
      expect(openSqliteFlows(join(folder, "flows.db")).isErr()).toBe(true);
      expect(readdirSync(folder)).toContain("flows.db");
    } finally {
      execFileSync("umount", ["-l", folder]);
    }
  }
  expect(seen).toEqual(new Set([13, 4874]));
});

test("STORE-8: a backup of an idle or a crashed file is whole, private and new, and a bad source is refused", async () => {
  const file = newFile();
  const flows = open(file);
  await run(flows, CREATE);
  const expected = await listed(flows);
  const target = newFile();
  expect((await backUp(file, target))._unsafeUnwrap()).toBe(1);
  expect([statSync(target).mode & 0o777, readdirSync(join(target, ".."))]).toEqual([0o600, ["flows.db"]]);
  const bytes = readFileSync(target);
  expect((await backUp(file, target))._unsafeUnwrapErr().code).toBe("exists");
  expect((await backUp(file, file))._unsafeUnwrapErr().code).toBe("exists");
  expect(readFileSync(target).equals(bytes)).toBe(true);
  flows.close();
  const restored = open(target);
  expect(await listed(restored)).toEqual(expected);
  restored.close();
  const dangling = join(newFolder(), "link.db");
  symlinkSync(join(newFolder(), "nowhere"), dangling);
  const loop = join(newFolder(), "link.db");
  symlinkSync(loop, loop);
  const long = join(newFolder(), "n".repeat(255));
  expect((await backUp(file, long))._unsafeUnwrap()).toBe(1);
  const damaged = newFile();
  writeFileSync(damaged, Buffer.from(bytes).fill(0, PAGE));
  for (const [source, to, code] of [
    [join(newFolder(), "none.db"), newFile(), "missing"],
    [crashed([SONGS, WAL, SONGS.replace("songs", "more")]), newFile(), "not_ours"],
    [crashed([MARK, NEWER, WAL]), newFile(), "newer"],
    [damaged, newFile(), "unusable"],
    [file, dangling, "exists"],
    [file, join(newFolder(), "no", "such.db"), "unwritable"],
    [file, "/dev/null/such.db", "unwritable"],
    [file, join(newFolder(), "n".repeat(300)), "unwritable"],
    [file, join(loop, "such.db"), "unwritable"],
    [file, loop, "exists"],
    ["/dev/null/flows.db", newFile(), "missing"],
    [join(newFolder(), "n".repeat(300)), newFile(), "unusable"],
    [loop, newFile(), "unusable"],
  ] as const) {
    const before = code === "not_ours" || code === "newer" ? everythingIn(join(source, "..")) : {};
    expect((await backUp(source, to))._unsafeUnwrapErr().code).toBe(code);
    expect(existsSync(to)).toBe(false);
    if (code !== "unwritable") expect(readdirSync(join(to, "..")).filter((name) => name !== "link.db")).toEqual([]);
    if (code === "not_ours" || code === "newer") expect(everythingIn(join(source, ".."))).toEqual(before);
  }
});
