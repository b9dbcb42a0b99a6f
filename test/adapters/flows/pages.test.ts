// Pages, filters and the bound of lists in the embedded stores, while flows are made, changed and removed.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { EmbeddedFlows, EmbeddedOptions } from "../../../adapters/flows/embedded-store.ts";
import type { FlowEngine } from "../../../adapters/flows/engine.ts";
import { MemoryEngine, memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { SqliteEngine } from "../../../adapters/flows/sqlite/engine.ts";
import { openSqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import { ListRows } from "../../../adapters/flows/sqlite/list-rows.ts";
import { migrate, SCHEMA_VERSION } from "../../../adapters/flows/sqlite/schema.ts";
import {
  type ActionOf,
  createFlow,
  FLOW_TEXTS,
  type FlowAction,
  isListed,
  type ListFilter,
  MAX_LIST_BYTES,
  MOST_LISTED,
  needsOf,
  type OutcomeOf,
  replyToOutcome,
  RETENTION_MS,
  type Shown,
} from "../../../core/index.ts";
import { laterFlows } from "../../support/later.ts";
import { runs } from "../../support/runs.ts";

const folder = mkdtempSync(join(tmpdir(), "pages-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(folder, `${String((files += 1))}.db`);

const STORES: Readonly<Record<string, (options: Partial<EmbeddedOptions>) => EmbeddedFlows>> = {
  memory: memoryFlows,
  "a store that answers later": laterFlows,
  sqlite: (options) => openSqliteFlows(newFile(), options)._unsafeUnwrap(),
};

type ListFlows = Omit<ActionOf<"list_flows">, "action">;
const ignore = (): void => undefined;

const asking =
  (store: EmbeddedFlows, owner: string) =>
  async (action: FlowAction): Promise<Shown | undefined> => {
    const outcome = (await store.execute(owner, action, ignore))._unsafeUnwrap();
    return "flow" in outcome && outcome.flow !== null ? outcome.flow?.json : undefined;
  };

const listing =
  (store: EmbeddedFlows, owner: string) =>
  async (fields: ListFlows = {}): Promise<OutcomeOf<"flows"> | string> => {
    const listed = await store.execute(owner, { action: "list_flows", ...fields }, ignore);
    return listed.isOk() ? (listed.value as OutcomeOf<"flows">) : listed.error;
  };

type Listed = OutcomeOf<"flows">;

/** All pages; `between` runs before each one that is not the first. */
const pagesOf = async (
  list: ReturnType<typeof listing>,
  fields: ListFlows & { readonly limit: number },
  between: (page: number) => Promise<void> = () => Promise.resolve(),
): Promise<readonly Shown[]> => {
  const flows: Shown[] = [];
  let { next, flows: first } = (await list(fields)) as Listed;
  flows.push(...first.map(({ json }) => json));
  expect(first.length).toBeLessThanOrEqual(fields.limit);
  for (let page = 0; next !== null && next !== undefined; page += 1) {
    expect(page).toBeLessThan(60);
    await between(page);
    const answer = (await list({ ...fields, cursor: next })) as Listed;
    expect(answer.flows.length).toBeLessThanOrEqual(fields.limit);
    flows.push(...answer.flows.map(({ json }) => json));
    next = answer.next;
  }
  expect(next).toBe(null);
  return flows;
};

const CONTROLLERS = ["a", "b"] as const;
const STEP = fc.record({
  does: fc.constantFrom("create", "create", "finish", "wait", "remove"),
  which: fc.nat({ max: 9 }),
  controller: fc.constantFrom(...CONTROLLERS),
  tick: fc.constantFrom(0, 0, 1, -1),
});
const FILTER: fc.Arbitrary<ListFilter & { readonly isLate: boolean }> = fc.record(
  {
    status: fc.constantFrom("queued" as const, "waiting" as const, "succeeded" as const, "failed" as const),
    controllerId: fc.constantFrom(...CONTROLLERS),
    isLate: fc.boolean(),
  },
  { requiredKeys: ["isLate"] },
);

const OWNER = "agent:main:owner";
let owners = 0;

test.each(Object.keys(STORES))(
  "LIST-1, LIST-2: the pages of %s skip and repeat no flow that is there all the time, and have it in its order",
  { timeout: 60_000 },
  async (name) => {
    let now = 1_000_000;
    const store = STORES[name]?.({ now: () => now }) ?? memoryFlows();
    await fc.assert(
      fc.asyncProperty(
        fc.array(STEP, { maxLength: 12 }),
        fc.array(fc.array(STEP, { maxLength: 3 }), { maxLength: 8 }),
        FILTER,
        fc.integer({ min: 1, max: 4 }),
        async (before, between, { isLate, ...fixed }, limit) => {
          owners += 1;
          const [ask, list] = [
            asking(store, `${OWNER}:${String(owners)}`),
            listing(store, `${OWNER}:${String(owners)}`),
          ];
          const made: string[] = [];
          const there = new Map<string, Shown>();
          const run = async ({ does, which, controller, tick }: (typeof before)[number]): Promise<void> => {
            now += tick;
            const flow = there.get([...there.keys()][which % Math.max(1, there.size)] ?? "");
            if (does === "create" || flow === undefined) {
              const created = (await ask({ action: "create_flow", goal: "g", controllerId: controller })) ?? {};
              made.push(String(created["flowId"]));
              there.set(String(created["flowId"]), created);
              return;
            }
            const about = { flowId: String(flow["flowId"]), expectedRevision: Number(flow["revision"]) };
            const action = does === "wait" ? "set_waiting" : "finish_flow";
            there.set(about.flowId, (await ask({ action, ...about })) ?? {});
            if (does !== "remove") return;
            now += RETENTION_MS;
            await store.sweep();
            for (const [id, one] of there) if (one["endedAt"] !== undefined) there.delete(id);
          };
          for (const step of before) await run(step);
          const filter: ListFilter = { ...fixed, ...(isLate ? { updatedAfter: now } : {}) };
          const matching = (): readonly string[] =>
            [...there].filter(([, flow]) => isListed(filter, flow)).map(([id]) => id);
          const whole = (await list(filter)) as Listed;
          expect(whole.flows.map(({ json }) => json)).toEqual(
            made.toReversed().flatMap((id) => (matching().includes(id) ? [there.get(id)] : [])),
          );
          expect(whole.next).toBe(undefined);
          let steady = matching();
          const seen = await pagesOf(list, { ...filter, limit }, async (page) => {
            for (const step of between[page] ?? []) {
              await run(step);
              steady = steady.filter((id) => matching().includes(id));
            }
          });
          const ids = seen.map((flow) => String(flow["flowId"]));
          expect(new Set(ids).size).toBe(ids.length);
          expect(steady.filter((id) => !ids.includes(id))).toEqual([]);
          expect(seen.filter((flow) => !isListed(filter, flow))).toEqual([]);
          const places = ids.map((id) => made.indexOf(id));
          expect(places).toEqual(places.toSorted((a, b) => b - a));
        },
      ),
      { numRuns: runs(60) },
    );
  },
);

test.each(Object.keys(STORES))(
  "LIST-1, LIST-3: %s goes on from any cursor with the owner's own flows, and only with those",
  async (name) => {
    const store = STORES[name]?.({}) ?? memoryFlows();
    const [mine, theirs] = [asking(store, `${OWNER}:a`), asking(store, `${OWNER}:b`)];
    const own: unknown[] = [];
    for (let count = 0; count < 9; count += 1) {
      own.unshift((await mine({ action: "create_flow", goal: "mine", controllerId: "c" }))?.["flowId"]);
      if (count % 2 === 0) await theirs({ action: "create_flow", goal: "theirs", controllerId: "c" });
    }
    const others = (await listing(store, `${OWNER}:b`)({ limit: 2 })) as Listed;
    const list = listing(store, `${OWNER}:a`);
    const idsAt = async (cursor: string): Promise<readonly unknown[]> =>
      ((await list({ cursor })) as Listed).flows.map(({ json }) => json["flowId"]);
    // of an owner the places tell nothing of another one's flows
    expect(others.next).toBe("4~");
    expect(await idsAt(others.next ?? "")).toEqual(own.slice(6));
    expect(await idsAt("999999999999999~")).toEqual(own);
    expect(await idsAt("0~")).toEqual([]);
    expect(await idsAt(`5~' OR owner <> '${OWNER}:a' --`)).toEqual(own.slice(5));
  },
);

/** A flow whose state takes about so many bytes. */
const large = (bytes: number): FlowAction => ({
  action: "create_flow",
  goal: "large",
  controllerId: "c",
  stateJson: { text: "x".repeat(bytes) },
});

test.each(Object.keys(STORES))(
  "LIST-4: %s refuses a whole list that is too large, ends a page before it is, and shows a large flow alone",
  { timeout: 60_000 },
  async (name) => {
    const store = STORES[name]?.({}) ?? memoryFlows();
    const [ask, list] = [asking(store, OWNER), listing(store, OWNER)];
    const MIB = 1 << 20;
    for (let count = 0; count < 7; count += 1) await ask(large(MIB));
    expect(((await list()) as Listed).flows.length).toBe(7);
    expect(((await list({ limit: 7 })) as Listed).next).toBe(null);
    await ask(large(MIB));
    expect(await list()).toBe("list_too_large");
    expect(await list({ status: "queued" })).toBe("list_too_large");
    expect(((await list({ status: "failed" })) as Listed).flows).toEqual([]);
    const page = (await list({ limit: 500 })) as Listed;
    expect([page.flows.length, page.next]).toEqual([7, expect.any(String)]);
    expect((await pagesOf(list, { limit: 500 })).length).toBe(8);
    await ask(large(MAX_LIST_BYTES));
    const [first, second] = [(await list({ limit: 2 })) as Listed, (await pagesOf(list, { limit: 3 })).length];
    expect([first.flows.length, second]).toEqual([1, 9]);
  },
);

const ENGINES: Readonly<Record<string, () => FlowEngine>> = {
  memory: () => new MemoryEngine(),
  sqlite: () => {
    const database = new DatabaseSync(":memory:");
    migrate(database);
    return new SqliteEngine(database);
  },
};

/** Flows that an engine gives of a list, and whether it says that there are more. */
const readBy = async (engine: FlowEngine, fields: ListFlows): Promise<readonly [flows: number, more: boolean]> => {
  const needs = needsOf({ action: "list_flows", ...fields }, OWNER);
  const read = await engine.transact(needs, (stored) => ({ writes: [], stored }));
  const { flows, page } = read._unsafeUnwrap().stored;
  return [flows.length, page?.more ?? false];
};

test.each(Object.keys(ENGINES))(
  "LIST-4: whichever field makes flows long, %s reads no more of them than about one answer has",
  { timeout: 60_000 },
  async (name) => {
    const MIB = 1 << 20;
    for (const field of FLOW_TEXTS) {
      const engine = ENGINES[name]?.() ?? new MemoryEngine();
      for (let count = 0; count < 12; count += 1) {
        const made = createFlow(String(count), { action: "create_flow", goal: "g", controllerId: "c" }, count);
        const flow = { ...made, [field]: "x".repeat(MIB) };
        const write = { kind: "insert_flow", owner: OWNER, flow } as const;
        await engine.transact(needsOf({ action: "create_flow", goal: "g", controllerId: "c" }, OWNER), () => ({
          writes: [write],
        }));
      }
      expect([field, await readBy(engine, {})]).toEqual([field, [0, true]]);
      expect([field, await readBy(engine, { status: "queued" })]).toEqual([field, [0, true]]);
      expect([field, await readBy(engine, { limit: 500 })]).toEqual([field, [7, true]]);
    }
  },
);

/** Flows that look short and are long as JSON. */
const LONG_AS_JSON = [
  { goal: "\u0001".repeat(40_000) },
  { currentStep: "\u4e00".repeat(80_000) },
  { stateJson: Array.from({ length: 9500 }, () => -1.234567890123456e-300) },
].map((long): FlowAction => ({ action: "create_flow", goal: "g", controllerId: "c", ...long }));

test.each(Object.keys(STORES))(
  "LIST-1, LIST-4: pages of %s are no longer than an answer may be, whatever the characters, and go on where they were cut",
  { timeout: 60_000 },
  async (name) => {
    for (const long of LONG_AS_JSON) {
      const store = STORES[name]?.({}) ?? memoryFlows();
      const [ask, list] = [asking(store, OWNER), listing(store, OWNER)];
      const made: unknown[] = [];
      for (let count = 0; count < 50; count += 1) {
        const flow = await ask(long);
        made.unshift(flow?.["flowId"]);
      }
      expect(await list()).toBe("list_too_large");
      const seen: unknown[] = [];
      for (let cursor: string | undefined = "999~"; cursor !== undefined;) {
        const page = (await list({ limit: 48, cursor })) as Listed;
        expect(Buffer.byteLength(replyToOutcome(page, "r").body)).toBeLessThanOrEqual(MAX_LIST_BYTES);
        seen.push(...page.flows.map(({ json }) => json["flowId"]));
        cursor = page.next ?? undefined;
      }
      expect(seen).toEqual(made);
    }
  },
);

test.each(["memory", "sqlite"])(
  "LIST-4: %s refuses a list of too many small flows without reading them",
  async (name) => {
    const store = name === "memory" ? memoryFlows() : await manyIn(newFile(), MOST_LISTED + 1);
    const [ask, list] = [asking(store, OWNER), listing(store, OWNER)];
    if (name === "memory") {
      for (let count = 0; count <= MOST_LISTED; count += 1)
        await ask({ action: "create_flow", goal: "g", controllerId: "c" });
    }
    expect(await list()).toBe("list_too_large");
    const page = (await list({ limit: 500 })) as Listed;
    expect([page.flows.length, page.next]).toEqual([500, expect.any(String)]);
    const { flows } = (await list({ limit: 2, cursor: "3~" })) as Listed;
    expect(flows.length).toBe(2);
  },
  60_000,
);

/** A database with so many flows of the owner; each tenth waits, and the first half was changed at 1, the others at 2. */
const manyIn = async (file: string, count: number): Promise<EmbeddedFlows> => {
  openSqliteFlows(file)._unsafeUnwrap().close();
  const database = new DatabaseSync(file);
  database
    .prepare(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
      INSERT INTO flows (flow_id, owner, sync_mode, controller_id, revision, status, notify_policy, goal, created_at, updated_at, made)
      SELECT 'f' || i, ?2, 'managed', CASE i % 3 WHEN 0 THEN 'a' ELSE 'b' END, 0, CASE i % 10 WHEN 0 THEN 'waiting' ELSE 'queued' END,
        'silent', 'g', 0, CASE WHEN i <= ?1 / 2 THEN 1 ELSE 2 END, i FROM n`,
    )
    .run(count, OWNER);
  database.close();
  return openSqliteFlows(file)._unsafeUnwrap();
};

test("LIST-2: filters by whichever index give the same flows in the same order", { timeout: 60_000 }, async () => {
  const COUNT = 3000;
  const store = await manyIn(newFile(), COUNT);
  const list = listing(store, OWNER);
  const all = ((await list()) as Listed).flows.map(({ json }) => json);
  expect(all.map((flow) => flow["flowId"])).toEqual(
    Array.from({ length: COUNT }, (_, index) => `f${String(COUNT - index)}`),
  );
  await asking(store, OWNER)({ action: "finish_flow", flowId: "f9", expectedRevision: 0 });
  const filters = fc.record(
    {
      status: fc.constantFrom("queued" as const, "waiting" as const, "succeeded" as const, "lost" as const),
      controllerId: fc.constantFrom("a", "b", "none"),
      updatedAfter: fc.constantFrom(0, 1, 2, Number.MAX_SAFE_INTEGER),
    },
    { requiredKeys: [] },
  );
  const present = ((await list()) as Listed).flows.map(({ json }) => json);
  await fc.assert(
    fc.asyncProperty(filters, fc.constantFrom(7, 500), fc.nat({ max: COUNT }), async (filter, limit, from) => {
      const wanted = present.filter((flow) => isListed(filter, flow));
      expect(((await list(filter)) as Listed).flows.map(({ json }) => json)).toEqual(wanted);
      const { flows, next } = (await list({ ...filter, limit, cursor: `${String(from)}~` })) as Listed;
      const after = wanted.filter((flow) => Number(String(flow["flowId"]).slice(1)) < from);
      expect(flows.map(({ json }) => json)).toEqual(after.slice(0, limit));
      expect(next === null).toBe(after.length <= limit);
    }),
    { numRuns: runs(60) },
  );
});

test("LIST-2: whatever the filter, SQLite asks an index alone which flows are listed, because rows may be large", () => {
  const database = new DatabaseSync(":memory:");
  migrate(database);
  const asked = new Set<string>();
  const rows = new ListRows((text) => {
    asked.add(text);
    return database.prepare(text);
  });
  for (const status of [undefined, "queued"] as const)
    for (const controllerId of [undefined, "c"])
      for (const updatedAfter of [undefined, 5])
        for (const before of [undefined, 7])
          rows.list({ kind: "all", owner: OWNER, filter: { status, controllerId, updatedAfter }, before, limit: 1 });
  expect(asked.size).toBe(16);
  for (const text of asked) {
    const values = Array.from({ length: text.split("?").length - 1 }, () => 1);
    const [search, ...more] = database.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...values);
    const [, conditions = ""] = /WHERE (.*) ORDER/u.exec(text) ?? [];
    // either all conditions are the index's key, or all columns are in the index and only ids are sorted
    const isCovered = String(search?.["detail"]).includes("COVERING INDEX flows_changed");
    const isKey = String(search?.["detail"]).endsWith(`(${conditions.replaceAll(" = ", "=").replaceAll(" < ", "<")})`);
    expect([text, isCovered ? text.startsWith("SELECT flow_id AS id") : isKey && more.length === 0]).toEqual([
      text,
      true,
    ]);
  }
});

test("LIST-1, STORE-4: a database of the version before is brought up to date and read by pages", async () => {
  const file = newFile();
  ((await manyIn(file, 25)) as EmbeddedFlows & { close(): void }).close();
  const database = new DatabaseSync(file);
  const indexes = (): readonly unknown[] =>
    database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' ORDER BY name").all();
  const present = indexes();
  for (const index of ["flows_of_status", "flows_of_controller", "flows_changed"]) database.exec(`DROP INDEX ${index}`);
  database.exec(`PRAGMA user_version = ${String(SCHEMA_VERSION - 1)}`);
  const store = openSqliteFlows(file)._unsafeUnwrap();
  expect(indexes()).toEqual(present);
  expect((await pagesOf(listing(store, OWNER), { status: "waiting", controllerId: "b", limit: 1 })).length).toBe(2);
  store.close();
  database.close();
});
