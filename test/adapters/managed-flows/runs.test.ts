// Runs in the plugin's own file: what a request that starts an agent leaves there, under repeats, crashes and failures between any
// two steps; the rows themselves; and files of the version before.

import { mkdirSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { resolveIntent } from "../../../adapters/managed-flows/deliver.ts";
import { FILE_VERSION, PluginFile } from "../../../adapters/managed-flows/plugin-file.ts";
import { MAX_RUNS, Runs } from "../../../adapters/managed-flows/runs-table.ts";
import { type Delivery, type FlowAction, RUN_STATES, type RunResult, type RunRow } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";
import { CREATE, flowOf, kindOf, Lab, newFile, OWNER, type Trouble } from "./lab.ts";

const starting = (more: Partial<Delivery> = {}): Delivery => ({
  routeId: "r",
  once: undefined,
  bind: undefined,
  starts: true,
  ...more,
});
const key = (name: string): Delivery["once"] => ({ key: name, fingerprint: "f" });

const rowsOf = (lab: Lab): readonly RunRow[] => new Runs(lab.claims.file).list()._unsafeUnwrap();

const resolve = (lab: Lab, row: RunRow): Promise<boolean> =>
  resolveIntent(
    row,
    { report: lab.report, askHost: ({ action }) => lab.store.execute(row.owner, action, lab.report) },
    lab.claims,
  );

/** What a runner does at its start. */
const resolveAll = async (lab: Lab): Promise<void> => {
  for (const row of rowsOf(lab)) if (row.state === "intended") expect(await resolve(lab, row)).toBe(true);
};

const idsOf = (flows: readonly { readonly flowId: string | undefined }[]): readonly (string | undefined)[] =>
  flows.map(({ flowId }) => flowId).toSorted();

const inSql = <T>(file: string, use: (database: DatabaseSync) => T): T => {
  const database = new DatabaseSync(file);
  try {
    return use(database);
  } finally {
    database.close();
  }
};

test("RUN-1: each flow that a request makes through a route with run gets one entry, whatever fails, crashes and is repeated", async () => {
  const sent = fc.record({
    once: fc.option(fc.constantFrom("k1", "k2"), { nil: undefined }),
    bind: fc.option(fc.constantFrom("b1", "b2"), { nil: undefined }),
    trouble: fc.constantFrom<Trouble>(undefined, undefined, "throws before", "throws after", "shows no flow"),
    isReloaded: fc.boolean(),
    isResolved: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(sent, { minLength: 1, maxLength: 8 }), async (requests) => {
      const lab = new Lab();
      for (const { once, bind, trouble, isReloaded, isResolved } of requests) {
        lab.troubles = [trouble];
        await lab.ask(CREATE, starting({ once: once === undefined ? undefined : key(once), bind }));
        if (isReloaded) lab.reload();
        if (isResolved) await resolveAll(lab);
        lab.now += 1;
      }
      await resolveAll(lab);
      const rows = rowsOf(lab);
      expect(idsOf(rows)).toEqual(idsOf(lab.host.flows));
      expect(rows.map(({ seq }) => seq)).toEqual(rows.map(({ seq }) => seq).toSorted((a, b) => a - b));
      for (const row of rows) expect(row).toMatchObject({ routeId: "r", state: "queued", turn: 1, tries: 0 });
    }),
    { numRuns: runs(150) },
  );
}, 60_000);

test("RUN-1: a replay, a flow that is bound already and a refusal start nothing; a request without run has no entry", async () => {
  const lab = new Lab();
  const flow = flowOf(await lab.ask(CREATE, starting({ once: key("k"), bind: "b" })));
  expect(rowsOf(lab)).toMatchObject([{ flowId: flow?.["flowId"], owner: OWNER, state: "queued" }]);
  expect(lab.woken).toBe(1);
  expect(await lab.ask(CREATE, starting({ once: key("k"), bind: "b" }))).toMatchObject({ replayed: true });
  expect(kindOf(await lab.ask(CREATE, starting({ bind: "b" })))).toBe("existing");
  await lab.ask(CREATE, { ...starting({ once: key("other") }), starts: false });
  await lab.ask(CREATE, { ...starting({ bind: "other" }), starts: false });
  expect([rowsOf(lab).length, lab.woken]).toEqual([1, 1]);
});

test("RUN-1: while the host is at it nobody else finds out; afterwards the runner is woken", async () => {
  const lab = new Lab();
  lab.troubles = ["hangs"];
  const asked = lab.ask(CREATE, starting());
  await vi.waitFor(() => expect(lab.hanging.length).toBe(1));
  lab.reload();
  const [row] = rowsOf(lab);
  if (row === undefined) throw new Error("no row");
  expect([row.state, row.flowId, lab.woken]).toEqual(["intended", undefined, 0]);
  expect(await resolve(lab, row)).toBe(false);
  expect(rowsOf(lab)).toEqual([row]);
  for (const end of lab.hanging) end();
  expect(kindOf(await asked)).toBe("created");
  expect(lab.woken).toBe(1);
  expect(rowsOf(lab)).toMatchObject([{ state: "queued", flowId: lab.host.flows[0]?.flowId }]);
});

test("RUN-1: what could not be settled, because the host failed or the file was locked, is found out later", async () => {
  for (const isMade of [true, false]) {
    const lab = new Lab();
    lab.troubles = [isMade ? "throws after" : "throws before"];
    await lab.ask(CREATE, starting());
    expect([rowsOf(lab).map(({ state }) => state), lab.woken]).toEqual([["intended"], 1]);
    await resolveAll(lab);
    expect(idsOf(rowsOf(lab))).toEqual(isMade ? idsOf(lab.host.flows) : []);
  }
  const lab = new Lab();
  let locking: DatabaseSync | undefined;
  lab.afterCall = () => {
    locking = new DatabaseSync(lab.file);
    locking.exec("BEGIN IMMEDIATE");
  };
  expect(kindOf(await lab.ask(CREATE, starting()))).toBe("created");
  expect(lab.log).toEqual([expect.stringMatching(/is locked by another process/u)]);
  locking?.close();
  expect([rowsOf(lab).map(({ state }) => state), lab.woken]).toEqual([["intended"], 1]);
  await resolveAll(lab);
  expect(rowsOf(lab)).toMatchObject([{ state: "queued", flowId: lab.host.flows[0]?.flowId }]);
});

test("RUN-1: a repeat that finds out what became of a flow settles its run at once, and wakes the runner", async () => {
  const byKey = starting({ once: key("k") });
  const byText = starting({ bind: "b" });
  for (const delivery of [byKey, byText]) {
    for (const trouble of ["throws before", "throws after"] as const) {
      const lab = new Lab();
      lab.troubles = [trouble];
      await lab.ask(CREATE, delivery);
      lab.reload();
      expect([rowsOf(lab).map(({ state }) => state), lab.woken]).toEqual([["intended"], 1]);
      const isExisting = delivery === byText && trouble === "throws after";
      expect(kindOf(await lab.ask(CREATE, delivery))).toBe(isExisting ? "existing" : "created");
      const [{ flowId } = { flowId: "none" }, ...others] = lab.host.flows;
      expect([others.length, lab.woken]).toEqual([0, 2]);
      expect(rowsOf(lab).filter(({ state }) => state === "queued")).toMatchObject([{ flowId }]);
      if (delivery === byKey) expect(rowsOf(lab).length).toBe(1);
    }
  }
});

test("RUN-1: what becomes of a run later is not undone by a repeat, nor by who looks for it again", async () => {
  const lab = new Lab();
  lab.troubles = ["throws after"];
  await lab.ask(CREATE, starting({ once: key("k") }));
  const [intended] = rowsOf(lab);
  if (intended === undefined) throw new Error("no row");
  await resolveAll(lab);
  const table = new Runs(lab.claims.file);
  const [queued] = rowsOf(lab);
  if (queued === undefined) throw new Error("no row");
  const running: RunRow = { ...queued, state: "running", tries: 1, boot: "one" };
  table.save(running)._unsafeUnwrap();
  expect(await lab.ask(CREATE, starting({ once: key("k") }))).toMatchObject({ kind: "created", replayed: true });
  expect(await resolve(lab, intended)).toBe(true);
  expect(rowsOf(lab)).toEqual([running]);
  table.remove(running.seq)._unsafeUnwrap();
  expect(await resolve(lab, intended)).toBe(true);
  expect(kindOf(await lab.ask(CREATE, starting({ once: key("k") })))).toBe("created");
  expect([rowsOf(lab), lab.host.flows.length]).toEqual([[], 1]);
});

test("RUN-1: of two entries with the same flow one is kept", () => {
  const file = new PluginFile({ file: newFile });
  const table = new Runs(file);
  table.list()._unsafeUnwrap();
  inSql(file.id, (database) => {
    const insert = database.prepare(
      `INSERT INTO runs (route_id, owner, stamp, plan, state, turn, tries, at)
       VALUES ('r', ?, ?, '{"does":"create_flow","controllerId":"c","goal":"g"}', 'intended', 1, 0, 0)`,
    );
    for (const [owner, stamp] of [
      ["one", 1],
      ["one", 2],
      ["two", 3],
    ] as const)
      insert.run(owner, stamp);
  });
  expect([1, 2, 3].map((stamp) => table.bind(stamp, "flow")._unsafeUnwrap())).toEqual([true, false, true]);
  expect(table.list()._unsafeUnwrap()).toMatchObject([
    { owner: "one", stamp: 1, flowId: "flow" },
    { owner: "two", stamp: 3, flowId: "flow" },
  ]);
});

test("RUN-1: a route with 10,000 runs that are not over starts nothing more, and makes no flow; others go on", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, starting());
  inSql(lab.file, (database) =>
    database.exec(
      `INSERT INTO runs (route_id, owner, stamp, plan, flow_id, state, turn, tries, at)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${String(MAX_RUNS - 1)})
       SELECT 'r', 'o', i, '{"does":"create_flow","controllerId":"c","goal":"g"}', i, 'queued', 1, 0, 0 FROM n`,
    ),
  );
  const made = lab.host.flows.length;
  for (const delivery of [starting(), starting({ once: key("k") }), starting({ bind: "b" })]) {
    expect(await lab.ask(CREATE, delivery)).toBe("idempotency_unavailable");
  }
  expect(lab.host.flows.length).toBe(made);
  expect(new Set(lab.log).size).toBe(1);
  expect(lab.log[0]).toMatch(/holds 10000 runs of route r that are not over\. Wait, or raise its run\.concurrency/u);
  expect(kindOf(await lab.ask(CREATE, { ...starting(), routeId: "other" }))).toBe("created");
  expect(kindOf(await lab.ask(CREATE, { ...starting({ once: key("k") }), starts: false }))).toBe("created");
  new Runs(lab.claims.file).remove(2)._unsafeUnwrap();
  expect(kindOf(await lab.ask(CREATE, starting()))).toBe("created");
});

test("RUN-1, ONCE-6: a claim gets no time that a run has, also when the run's record is gone", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, starting());
  inSql(lab.file, (database) => database.prepare("UPDATE runs SET stamp = ?").run(lab.now + 5000));
  lab.reload();
  await lab.ask(CREATE, starting());
  expect(rowsOf(lab).at(-1)?.stamp).toBeGreaterThan(lab.now + 5000);
});

const result = fc.option(
  fc.oneof(
    fc.record({ status: fc.constant("succeeded" as const), reply: fc.string(), isCut: fc.boolean() }),
    fc.record({ status: fc.constant("failed" as const), code: fc.constantFrom("run_lost" as const, "run_failed") }),
  ),
  { nil: undefined },
) as fc.Arbitrary<RunResult | undefined>;

test("a run is read as it was written, also by the next process, until it is removed", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, starting());
  const change = fc.record({
    state: fc.constantFrom(...RUN_STATES),
    turn: fc.nat(),
    tries: fc.nat(),
    boot: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
    at: fc.nat(),
    result,
  });
  const [row] = rowsOf(lab);
  if (row === undefined) throw new Error("no row");
  fc.assert(
    fc.property(change, fc.boolean(), (changed, isReopened) => {
      const table = new Runs(lab.claims.file);
      table.save({ ...row, ...changed })._unsafeUnwrap();
      if (isReopened) lab.claims.file.close();
      expect(table.list()._unsafeUnwrap()).toEqual([{ ...row, ...changed }]);
    }),
    { numRuns: runs(50) },
  );
  new Runs(lab.claims.file).remove(row.seq)._unsafeUnwrap();
  expect(rowsOf(lab)).toEqual([]);
});

test("ONCE-7: a row that this plugin cannot have written is damage, and said so", () => {
  for (const column of ["state", "plan", "result"]) {
    const file = new PluginFile({ file: newFile });
    const table = new Runs(file);
    table.list()._unsafeUnwrap();
    inSql(file.id, (database) => {
      database.exec(`INSERT INTO runs (route_id, owner, stamp, plan, state, turn, tries, at)
        VALUES ('r', 'o', 1, '{"does":"create_flow","controllerId":"c","goal":"g"}', 'queued', 1, 0, 0)`);
      database.exec(`UPDATE runs SET ${column} = 'nonsense'`);
    });
    expect(table.list()._unsafeUnwrapErr().advice).toMatch(/is damaged\. Stop the Gateway/u);
  }
});

/** The tables as they were before there were runs, word for word. */
const VERSION_1 = `
CREATE TABLE records (
  route_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  at INTEGER NOT NULL,
  stamp INTEGER NOT NULL,
  plan TEXT,
  outcome TEXT,
  PRIMARY KEY (route_id, owner, key)
) STRICT;
CREATE INDEX records_by_age ON records (at);
CREATE INDEX records_of_route ON records (route_id, at);
CREATE INDEX records_by_stamp ON records (stamp);
CREATE INDEX open_records ON records (route_id, at) WHERE outcome IS NULL;
CREATE TABLE bindings (
  route_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  stamp INTEGER NOT NULL,
  plan TEXT NOT NULL,
  flow_id TEXT,
  PRIMARY KEY (route_id, owner, key)
) STRICT;
CREATE INDEX bindings_by_stamp ON bindings (stamp);
CREATE INDEX bindings_of_route ON bindings (route_id, stamp);
PRAGMA application_id = ${String(0x6f637763)};
PRAGMA user_version = 1;
`;

test("ONCE-1, ONCE-7: a file of version 1 becomes one of the present version with the first need, and keeps what it holds", async () => {
  const [lab, old] = [new Lab(), newFile()];
  const both = { ...starting({ once: key("k"), bind: "b" }), starts: false };
  const made = await lab.ask(CREATE, both);
  mkdirSync(dirname(old), { recursive: true });
  inSql(old, (database) => {
    database.exec(VERSION_1);
    database.prepare("ATTACH ? AS made").run(lab.file);
    for (const table of ["records", "bindings"]) database.exec(`INSERT INTO ${table} SELECT * FROM made.${table}`);
  });
  lab.claims.file.close();
  inSql(lab.file, (database) => database.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
  for (const end of ["", "-wal", "-shm"]) rmSync(lab.file + end, { force: true });
  inSql(old, (database) => database.prepare("VACUUM INTO ?").run(lab.file));
  lab.reload();
  expect(await lab.ask(CREATE, both)).toEqual({ ...(made as object), replayed: true });
  expect(kindOf(await lab.ask(CREATE, { ...both, once: undefined }))).toBe("existing");
  expect(kindOf(await lab.ask(CREATE, starting()))).toBe("created");
  expect(rowsOf(lab)).toMatchObject([{ state: "queued", flowId: lab.host.flows[1]?.flowId }]);
  const tablesOf = (file: string): unknown =>
    inSql(file, (database) => [
      database.prepare("PRAGMA user_version").get()?.["user_version"],
      database.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").all(),
    ]);
  const fresh = new Lab();
  await fresh.ask(CREATE, starting());
  expect(tablesOf(lab.file)).toEqual(tablesOf(fresh.file));
  expect(tablesOf(lab.file)).toEqual([FILE_VERSION, expect.anything()]);
});

test("whether there is a file can be asked without making one, and without a folder for it", async () => {
  const lab = new Lab();
  const { file } = lab.claims;
  expect([file.exists(), statSync(lab.file, { throwIfNoEntry: false })]).toEqual([false, undefined]);
  await lab.ask(CREATE, starting());
  file.close();
  expect(file.exists()).toBe(true);
  const nowhere = new PluginFile({
    file: () => {
      throw new Error("no folder");
    },
  });
  expect(nowhere.exists()).toBe(false);
});

test("ONCE-7, RUN-1: a request that starts a run does nothing when the file cannot be used", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, starting());
  lab.claims.file.close();
  inSql(lab.file, (database) => database.exec("PRAGMA user_version = 99"));
  lab.reload();
  const about: FlowAction = { action: "list_flows" };
  expect(await lab.ask(CREATE, starting())).toBe("idempotency_unavailable");
  expect(kindOf(await lab.ask(about, starting()))).toBe("flows");
  expect([lab.host.flows.length, lab.log.length]).toEqual([1, 1]);
});
