// Deliveries to a Gateway, whose flows have no transaction with the plugin's file of claims: what one request does once, under
// repeats, crashes and failures of the host between any two steps, and what a file that cannot be used costs.

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { flowStoreSuite } from "../../../adapters/conformance/flow-store-suite.ts";
import { STORE_DEADLINE_MS } from "../../../adapters/bridge/execute.ts";
import { type FlowAction, MAX_RECORDS, RECORD_MS } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";
import { CREATE, flowOf, folder, kindOf, Lab, OWNER, text, type Trouble, withBind, withKey } from "./lab.ts";

describe("ONCE-6, ONCE-1, ONCE-2, BIND-1: the store of a Gateway", { timeout: 60_000 }, () => {
  let lab = new Lab();
  flowStoreSuite(test, {
    open: () => {
      lab = new Lab();
      return lab.store;
    },
    reopen: () => {
      lab.reload();
      return lab.store;
    },
    owners: ["agent:main:conformance:left", "agent:main:conformance:right"],
    runs: runs(30),
  });
});

/** Each mutating action about a flow at revision 0. */
const ABOUT = (flowId: string): readonly FlowAction[] => [
  CREATE,
  { action: "set_waiting", flowId, expectedRevision: 0, stateJson: { a: 1 } },
  { action: "set_waiting", flowId, expectedRevision: 0, blockedSummary: "b" },
  { action: "resume_flow", flowId, expectedRevision: 0 },
  { action: "finish_flow", flowId, expectedRevision: 0 },
  { action: "fail_flow", flowId, expectedRevision: 0 },
  { action: "request_cancel", flowId, expectedRevision: 0 },
  { action: "cancel_flow", flowId },
  { action: "run_task", flowId, runtime: "acp", task: "t" },
  { action: "run_task", flowId, runtime: "subagent", task: "t", runId: "its-own" },
];

/** Flows and tasks as they stand, less what differs from run to run. */
const stateOf = async (lab: Lab): Promise<string> => {
  const flows = lab.host.flows.map(({ status, revision }) => [status, revision]);
  const summaries = await Promise.all(
    lab.host.flows.map(async ({ flowId }) => {
      const read = await lab.ask({ action: "get_task_summary", flowId });
      return typeof read === "object" && read.kind === "summary" ? read.summary?.json["total"] : undefined;
    }),
  );
  return JSON.stringify([flows, summaries]);
};

test("ONCE-6: a call that failed is reconciled: whether the host did it or not, it is done once and answered alike", async () => {
  const troubles = fc.array(fc.constantFrom<Trouble>("throws before", "throws after"), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.nat(9), troubles, fc.boolean(), async (which, planned, isReloaded) => {
      const [lab, reference] = [new Lab(), new Lab()];
      const made = { lab: flowOf(await lab.ask(CREATE)), reference: flowOf(await reference.ask(CREATE)) };
      const actionIn = (name: "lab" | "reference"): FlowAction =>
        ABOUT(String(made[name]?.["flowId"]))[which] ?? CREATE;
      const expected = await reference.ask(actionIn("reference"), withKey("k"));
      lab.troubles = [...planned];
      let answer = await lab.ask(actionIn("lab"), withKey("k"));
      for (let tries = 0; typeof answer === "string"; tries += 1) {
        expect(answer).toContain("threw");
        expect(tries).toBeLessThan(6);
        if (isReloaded) lab.reload();
        lab.now += 1;
        answer = await lab.ask(actionIn("lab"), withKey("k"));
      }
      expect(kindOf(answer)).toBe(kindOf(expected));
      expect(await stateOf(lab)).toBe(await stateOf(reference));
      expect(text(await lab.ask(actionIn("lab"), withKey("k")))).toBe(text(answer));
      expect(await stateOf(lab)).toBe(await stateOf(reference));
    }),
    { numRuns: runs(60) },
  );
}, 60_000);

test("ONCE-6: what cannot be known is outcome_unknown each time, and changes nothing", async () => {
  for (const which of [1, 3]) {
    const lab = new Lab();
    const flowId = String(flowOf(await lab.ask(CREATE))?.["flowId"]);
    const action = ABOUT(flowId)[which] ?? CREATE;
    lab.troubles = ["throws after"];
    await lab.ask(action, withKey("k"));
    await lab.ask({ action: "set_waiting", flowId, expectedRevision: 1 });
    const before = await stateOf(lab);
    for (let tries = 0; tries < 3; tries += 1) {
      expect(await lab.ask(action, withKey("k"))).toBe("outcome_unknown");
      lab.reload();
    }
    expect(await stateOf(lab)).toBe(before);
    lab.now += RECORD_MS;
    expect(kindOf(await lab.ask(action, withKey("k")))).toBe("not_applied");
  }
});

/** What an edited rule, or another header, may make of the same bytes. */
const OTHERS = (flowId: string): readonly FlowAction[] => [
  { ...CREATE, goal: "Another" },
  { ...CREATE, controllerId: "another" },
  { action: "finish_flow", flowId, expectedRevision: 1 },
  { action: "finish_flow", flowId: "another", expectedRevision: 0 },
  { action: "cancel_flow", flowId: "another" },
  { action: "run_task", flowId: "another", runtime: "acp", task: "t" },
];

/** What a claim is about; of a bound flow the store finds the id and the revision. */
const planned = (action: FlowAction, isBound: boolean): string => {
  const { goal, controllerId, flowId, expectedRevision }: Partial<Record<string, unknown>> = { ...action };
  return JSON.stringify([action.action, goal, controllerId, ...(isBound ? [] : [flowId, expectedRevision])]);
};

test("ONCE-2: when an edited rule makes another action of the same delivery, its key counts as used, whatever became of the first", async () => {
  const trouble = fc.constantFrom<Trouble>("throws before", "throws after");
  await fc.assert(
    fc.asyncProperty(fc.nat(9), fc.nat(15), trouble, fc.boolean(), async (which, other, happens, isBound) => {
      const lab = new Lab();
      const flowId = String(flowOf(await lab.ask(CREATE, withBind("b")))?.["flowId"]);
      const first = ABOUT(flowId)[which] ?? CREATE;
      const second = [...ABOUT(flowId), ...OTHERS(flowId)][other] ?? CREATE;
      const delivery = withKey("k", isBound ? { bind: first === CREATE ? "new" : "b" } : {});
      lab.troubles = [happens];
      expect(await lab.ask(first, delivery)).toContain("threw");
      const before = await stateOf(lab);
      lab.reload();
      const answer = await lab.ask(second, delivery);
      expect(answer === "idempotency_key_reused").toBe(planned(first, isBound) !== planned(second, isBound));
      if (answer === "idempotency_key_reused") expect(await stateOf(lab)).toBe(before);
    }),
    { numRuns: runs(100) },
  );
  const lab = new Lab();
  const made = flowOf(await lab.ask(CREATE, withKey("k")));
  const cancel: FlowAction = { action: "cancel_flow", flowId: String(made?.["flowId"]) };
  expect(await lab.ask(cancel, withKey("k"))).toBe("idempotency_key_reused");
  expect(lab.host.flows).toMatchObject([{ status: made?.["status"] }]);
}, 60_000);

test("ONCE-3: a record that cannot be read is a failure of the store, and nothing is done", async () => {
  for (const outcome of ["{", '{"kind":"created","flow":{"flowId":7}}']) {
    const lab = new Lab();
    await lab.ask(CREATE, withKey("k"));
    const database = new DatabaseSync(lab.file);
    database.prepare("UPDATE records SET outcome = ?").run(outcome);
    database.close();
    expect(await lab.ask(CREATE, withKey("k"))).toBe("bad_host_answer");
    expect(lab.host.flows.length).toBe(1);
  }
});

test("LIST-5, ONCE-6: what a claim has made is found without a look at the states of other flows", async () => {
  const lab = new Lab();
  lab.troubles = ["throws after"];
  expect(await lab.ask(CREATE, withKey("k"))).toMatch(/^threw/u);
  let reads = 0;
  const other = Object.defineProperty({ ...lab.host.flows[0], flowId: "other", createdAt: 1 }, "stateJson", {
    enumerable: true,
    get: () => (reads += 1),
  });
  lab.others = [other, { nonsense: true }];
  expect(await lab.ask(CREATE, withKey("k"))).toMatchObject({ kind: "created", replayed: true });
  expect(reads).toBe(0);
});

test("ONCE-6: a revision that another writer took was not written by the claim", async () => {
  const lab = new Lab();
  const flowId = String(flowOf(await lab.ask(CREATE))?.["flowId"]);
  const action: FlowAction = { action: "finish_flow", flowId, expectedRevision: 0 };
  lab.troubles = ["throws before"];
  await lab.ask(action, withKey("k"));
  await lab.ask({ action: "finish_flow", flowId, expectedRevision: 0, stateJson: "another's" });
  expect(await lab.ask(action, withKey("k"))).toMatchObject({ kind: "not_applied", refusal: "revision_conflict" });
});

test("ONCE-2, ONCE-6: one request of a key runs; one that is late is looked for and never run again", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  try {
    const lab = new Lab();
    lab.troubles = ["hangs"];
    const first = lab.ask(CREATE, withKey("k"));
    await vi.waitFor(() => expect(lab.hanging.length).toBe(1));
    expect(await lab.ask(CREATE, withKey("k"))).toBe("idempotency_in_progress");
    lab.reload();
    expect(await lab.ask(CREATE, withKey("k"))).toBe("idempotency_in_progress");
    expect(await lab.ask(CREATE, withKey("k", { once: { key: "k", fingerprint: "other" } }))).toBe(
      "idempotency_key_reused",
    );
    vi.advanceTimersByTime(STORE_DEADLINE_MS);
    expect(await lab.ask(CREATE, withKey("k"))).toBe("outcome_unknown");
    for (const end of lab.hanging) end();
    expect(kindOf(await first)).toBe("created");
    expect(text(await lab.ask(CREATE, withKey("k")))).toBe(text(await first));
    expect(lab.host.flows.length).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});

test("BIND-1: of many creates for one text at once, and an action between them, one flow comes out", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 8 }), fc.boolean(), async (many, isKeyed) => {
      const lab = new Lab();
      lab.troubles = ["hangs"];
      const asked = Array.from({ length: many }, (_, index) =>
        lab.ask(CREATE, isKeyed ? withKey(String(index), { bind: "b" }) : withBind("b")),
      );
      const acted = lab.ask({ action: "set_waiting", flowId: "-", expectedRevision: 99 }, withBind("b"));
      await vi.waitFor(() => expect(lab.hanging.length).toBe(1));
      for (const end of lab.hanging) end();
      const answers = await Promise.all(asked);
      expect(answers.map(kindOf).toSorted()).toEqual([
        "created",
        ...Array.from({ length: many - 1 }, () => "existing"),
      ]);
      expect(kindOf(await acted)).toBe("applied");
      expect(lab.host.flows.length).toBe(1);
    }),
    { numRuns: runs(30) },
  );
});

test("BIND-1, ONCE-6: a create that a crash kept from being bound is found by the next request of its text", async () => {
  const nexts: readonly FlowAction[] = [CREATE, { action: "finish_flow", flowId: "-", expectedRevision: 0 }];
  for (const next of nexts) {
    for (const trouble of ["throws before", "throws after"] as const) {
      const lab = new Lab();
      lab.troubles = [trouble];
      await lab.ask(CREATE, withBind("b"));
      lab.reload();
      const answer = kindOf(await lab.ask(next, withBind("b")));
      const isMade = trouble === "throws after";
      expect(answer).toBe(next === CREATE ? (isMade ? "existing" : "created") : isMade ? "applied" : "ignored");
      expect(lab.host.flows.length).toBe(next === CREATE || isMade ? 1 : 0);
    }
  }
});

test("BIND-2: an action about a bound flow is tried again against other writers, four times at most", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, withBind("b"));
  const wait: FlowAction = { action: "set_waiting", flowId: "-", expectedRevision: 0 };
  lab.troubles = ["overtaken", "overtaken", "overtaken"];
  expect(kindOf(await lab.ask(wait, withKey("three", { bind: "b" })))).toBe("applied");
  lab.troubles = ["overtaken", "overtaken", "overtaken", "overtaken"];
  expect(await lab.ask(wait, withKey("four", { bind: "b" }))).toMatchObject({ refusal: "revision_conflict" });
  expect(kindOf(await lab.ask(wait, withKey("four", { bind: "b" })))).toBe("applied");
  expect(lab.host.flows.length).toBe(1);
});

test("ONCE-1, BIND-1: keys and texts of one route or owner say nothing on another", async () => {
  const lab = new Lab();
  const both = withKey("k", { bind: "b" });
  await lab.ask(CREATE, both);
  expect(kindOf(await lab.ask(CREATE, { ...both, routeId: "other" }))).toBe("created");
  expect(kindOf(await lab.ask(CREATE, both, "agent:main:owner-b"))).toBe("created");
  const finish: FlowAction = { action: "finish_flow", flowId: "-", expectedRevision: 0 };
  expect(kindOf(await lab.ask(finish, { ...withBind("b"), routeId: "third" }))).toBe("ignored");
});

test(
  "ONCE-5: a route keeps 10,000 records, and each for a day; an open one is not dropped for room",
  { timeout: 120_000 },
  async () => {
    const lab = new Lab();
    lab.troubles = ["throws after"];
    await lab.ask(CREATE, withKey("open"));
    const database = new DatabaseSync(lab.file);
    const insert = database.prepare(
      "INSERT INTO records (route_id, owner, key, fingerprint, at, stamp, outcome) VALUES ('r', ?, ?, 'f', ?, 0, '{}')",
    );
    database.exec("BEGIN");
    for (let n = 1; n <= MAX_RECORDS + 50; n += 1) insert.run(OWNER, `k${String(n)}`, lab.now + n);
    database.exec("COMMIT");
    lab.now += MAX_RECORDS + 100;
    const count = (): number => Number(database.prepare("SELECT count(*) AS n FROM records").get()?.["n"]);
    for (let n = 0; n < 100; n += 1) await lab.ask(CREATE, withKey(`new${String(n)}`));
    expect(count()).toBeLessThan(MAX_RECORDS + 50);
    expect(kindOf(await lab.ask(CREATE, withKey("open")))).toBe("created");
    expect(lab.host.flows.length).toBe(101);
    lab.now += RECORD_MS;
    const before = count();
    await lab.ask(CREATE, withKey("next day"));
    expect(count()).toBeLessThan(before);
    expect(kindOf(await lab.ask(CREATE, withKey("new0")))).toBe("created");
    expect(lab.host.flows.length).toBe(103);
    database.close();
  },
);

/** Puts `count` records into the file, `msApart` apart from `at` on. `outcome`: null of an open claim. */
const fill = (
  file: string,
  routeId: string,
  count: number,
  at: number,
  msApart: number,
  outcome: string | null,
): void => {
  const database = new DatabaseSync(file);
  const insert = database.prepare(
    `INSERT INTO records (route_id, owner, key, fingerprint, at, stamp, plan, outcome) VALUES (?, ?, ?, 'f', ?, 0, ?, ?)`,
  );
  const plan = outcome === null ? '{"does":"cancel_flow","flowId":"f"}' : null;
  database.exec("BEGIN");
  for (let n = 0; n < count; n += 1) {
    insert.run(routeId, OWNER, `${String(at)} ${String(n)}`, at + n * msApart, plan, outcome);
  }
  database.exec("COMMIT");
  database.close();
};

const countIn = (file: string, table: "records" | "bindings", routeId: string): number => {
  const database = new DatabaseSync(file);
  const row = database.prepare(`SELECT count(*) AS n FROM ${table} WHERE route_id = ?`).get(routeId);
  database.close();
  return Number(row?.["n"]);
};

test("ONCE-5, ONCE-7: a route with 10,000 open claims is refused until they are a day old, and drops what is over meanwhile", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, { ...withKey("first"), routeId: "other" });
  fill(lab.file, "r", 3, lab.now - RECORD_MS, 0, "{}");
  fill(lab.file, "r", MAX_RECORDS + 20, lab.now, 0, null);
  expect(await lab.ask(CREATE, withKey("k"))).toBe("idempotency_unavailable");
  expect(lab.log).toEqual([expect.stringMatching(/holds 10020 requests of route r that are not known to be over/u)]);
  expect(countIn(lab.file, "records", "r")).toBe(MAX_RECORDS + 20);
  expect(kindOf(await lab.ask(CREATE, { ...withKey("k"), routeId: "other" }))).toBe("created");
  lab.now += RECORD_MS - 1;
  expect(await lab.ask(CREATE, withKey("k"))).toBe("idempotency_unavailable");
  lab.now += 1;
  expect(kindOf(await lab.ask(CREATE, withKey("k")))).toBe("created");
  // a clock that was ahead of time blocks nothing either
  lab.now -= 3 * RECORD_MS;
  expect(kindOf(await lab.ask(CREATE, withKey("k2")))).toBe("created");
});

test("ONCE-5: each route keeps its own count, which begins with its first write after an opening", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, withKey("first"));
  const refill = (): void =>
    fill(lab.file, "r", MAX_RECORDS + 50, (lab.now += MAX_RECORDS + 100) - MAX_RECORDS - 60, 1, "{}");
  refill();
  lab.reload();
  await lab.ask(CREATE, withKey("after the reload"));
  expect(countIn(lab.file, "records", "r")).toBeLessThanOrEqual(MAX_RECORDS + 1);
  refill();
  for (let n = 0; n < 100; n += 1) {
    await lab.ask(CREATE, withKey(String(n)));
    await lab.ask(CREATE, { ...withKey(String(n)), routeId: "s" });
  }
  expect(countIn(lab.file, "records", "r")).toBeLessThan(MAX_RECORDS + 100);
});

test("ONCE-5: a route whose creates find their flows, which claims nothing, keeps 10,000 records as well", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, withBind("b"));
  fill(lab.file, "r", MAX_RECORDS + 500, lab.now - MAX_RECORDS - 600, 1, "{}");
  lab.reload();
  expect(kindOf(await lab.ask(CREATE, withKey("k", { bind: "b" })))).toBe("existing");
  expect(countIn(lab.file, "records", "r")).toBe(MAX_RECORDS);
});

test("ONCE-5: of too many records, those that a clock ahead has written go first", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, withKey("present"));
  lab.now += 1;
  fill(lab.file, "r", MAX_RECORDS, lab.now + 365 * RECORD_MS, 1, "{}");
  lab.reload();
  await lab.ask(CREATE, withKey("next"));
  expect(await lab.ask(CREATE, withKey("present"))).toMatchObject({ replayed: true });
  expect(await lab.ask(CREATE, withKey("next"))).toMatchObject({ replayed: true });
  expect(countIn(lab.file, "records", "r")).toBeLessThanOrEqual(MAX_RECORDS + 1);
});

test("ONCE-5, BIND-2: a clock that is set back drops nothing while there is room", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, withKey("ahead", { bind: "b" }));
  lab.now -= RECORD_MS;
  lab.reload();
  await lab.ask(CREATE, withKey("next"));
  expect(await lab.ask(CREATE, withKey("ahead", { bind: "b" }))).toMatchObject({ kind: "created", replayed: true });
  expect(kindOf(await lab.ask(CREATE, withBind("b")))).toBe("existing");
});

test("BIND-2: a delivery that ends its flow ends the key at once, also where the host does not show the flow", async () => {
  const ends: readonly FlowAction[] = [
    { action: "finish_flow", flowId: "-", expectedRevision: 0 },
    { action: "fail_flow", flowId: "-", expectedRevision: 0 },
    { action: "cancel_flow", flowId: "-" },
  ];
  for (const end of ends) {
    for (const [isKeyed, trouble] of [[true], [false], [true, "shows no flow"]] as const) {
      if (trouble !== undefined && end.action !== "cancel_flow") continue;
      const lab = new Lab();
      await lab.ask(CREATE, withBind("b"));
      await lab.ask(CREATE, withBind("other"));
      expect(countIn(lab.file, "bindings", "r")).toBe(2);
      lab.troubles = [trouble];
      await lab.ask(end, isKeyed ? withKey("k", { bind: "b" }) : withBind("b"));
      expect(countIn(lab.file, "bindings", "r")).toBe(1);
      expect(kindOf(await lab.ask(CREATE, withBind("other")))).toBe("existing");
    }
  }
});

test("BIND-2: a route keeps 100,000 keys; the oldest go first, those of a clock ahead before them", async () => {
  const most = 100_000;
  const lab = new Lab();
  await lab.ask(CREATE, withBind("present"));
  const database = new DatabaseSync(lab.file);
  const insert = database.prepare(
    `INSERT INTO bindings (route_id, owner, key, stamp, plan, flow_id) VALUES ('r', ?, ?, ?, '{"does":"cancel_flow","flowId":"f"}', 'f')`,
  );
  const put = (count: number, stamp: number): void => {
    database.exec("BEGIN");
    for (let n = 0; n < count; n += 1) insert.run(OWNER, `${String(stamp)} ${String(n)}`, stamp + n);
    database.exec("COMMIT");
  };
  const isKept = async (): Promise<boolean> => {
    lab.reload();
    await lab.ask(CREATE, { ...withBind("any"), once: { key: String(lab.now), fingerprint: "f" } });
    return kindOf(await lab.ask(CREATE, withBind("present"))) === "existing";
  };
  put(most, lab.now + 365 * RECORD_MS);
  expect(await isKept()).toBe(true);
  expect(countIn(lab.file, "bindings", "r")).toBeLessThanOrEqual(most + 1);
  database.exec("DELETE FROM bindings WHERE flow_id = 'f'");
  lab.now += 2 * most;
  put(most - 3, lab.now - most - 10);
  expect(await isKept()).toBe(true);
  put(3, lab.now - 3);
  lab.now += 1;
  expect(await isKept()).toBe(false);
  database.close();
}, 60_000);

describe("ONCE-7: a file that cannot be used", () => {
  /** What can be wrong, and a word of the sentence about it. */
  const FAULTS: readonly (readonly [what: string, break_: (file: string) => void, said: RegExp])[] = [
    [
      "of a newer version",
      (file) => {
        const database = new DatabaseSync(file);
        database.exec("PRAGMA user_version = 99");
        database.close();
      },
      /newer version of this plugin\. Install that version/u,
    ],
    [
      "of another program",
      (file) => {
        rmSync(file);
        const database = new DatabaseSync(file);
        database.exec("CREATE TABLE theirs (a)");
        database.close();
      },
      /another program's\. Stop the Gateway/u,
    ],
    ["not a database", (file) => writeFileSync(file, "x".repeat(5000)), /is damaged\. Stop the Gateway/u],
    ["cut short", (file) => truncateSync(file, statSync(file).size - 4096), /is damaged\. Stop the Gateway/u],
    [
      "a folder",
      (file) => {
        rmSync(file);
        new DatabaseSync(join(file, "..", "x")).close();
        renameSync(join(file, ".."), file.replace(/below.*$/u, "aside"));
        writeFileSync(file.replace(/\/below.*$/u, "/below"), "");
      },
      /cannot be used \(E(?:NOTDIR|EXIST)\)/u,
    ],
  ];
  test.each(FAULTS)(
    "%s: requests with a key or a text are refused with one sentence, others go on",
    async (_, break_, said) => {
      const lab = new Lab();
      await lab.ask(CREATE, withKey("k"));
      lab.claims.file.close();
      break_(lab.file);
      lab.reload();
      const shown = (): unknown => statSync(lab.file, { throwIfNoEntry: false })?.size;
      const size = shown();
      expect(await lab.ask(CREATE, withKey("k"))).toBe("idempotency_unavailable");
      expect(await lab.ask(CREATE, withBind("b"))).toBe("idempotency_unavailable");
      expect(lab.host.flows.length).toBe(1);
      expect(kindOf(await lab.ask(CREATE))).toBe("created");
      expect(kindOf(await lab.ask({ action: "list_flows" }, withKey("k")))).toBe("flows");
      expect(lab.log.length).toBe(2);
      for (const line of lab.log) expect(line).toMatch(said);
      expect(shown()).toBe(size);
    },
  );

  test("a full disk: nothing is done without a claim, and nothing definite is said without a record", async () => {
    const place = join(folder, "small");
    mkdirSync(place);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=600k", "tmpfs", place]);
    try {
      const lab = new Lab(join(place, "below", "deliveries.sqlite"));
      const large: FlowAction = { ...CREATE, stateJson: "s".repeat(60_000) };
      const answers: string[] = [];
      for (let n = 0; n < 40; n += 1) answers.push(kindOf(await lab.ask(large, withKey(String(n)))));
      expect(new Set(answers)).toEqual(new Set(["created", "idempotency_unavailable", "outcome_unknown"]));
      const goals = lab.host.flows.length;
      expect(answers.filter((answer) => answer !== "idempotency_unavailable").length).toBe(goals);
      for (const line of lab.log) expect(line).toMatch(/its disk is full\. Make room/u);
      expect(kindOf(await lab.ask(CREATE))).toBe("created");
      execFileSync("mount", ["-o", "remount,size=50m", place]);
      for (let n = 0; n < 40; n += 1) {
        const again = await lab.ask(large, withKey(String(n)));
        expect(kindOf(again)).toBe("created");
        if (answers[n] !== "idempotency_unavailable") expect(again).toMatchObject({ replayed: true });
      }
      expect(lab.host.flows.length).toBe(41);
      lab.claims.file.close();
    } finally {
      execFileSync("umount", ["-l", place]);
    }
  });

  test("removed while it is open: said once, then begun anew", async () => {
    const lab = new Lab();
    await lab.ask(CREATE, withKey("k"));
    for (const name of readdirSync(join(lab.file, ".."))) rmSync(join(lab.file, "..", name));
    expect(await lab.ask(CREATE, withKey("k2"))).toBe("idempotency_unavailable");
    expect(lab.log).toEqual([expect.stringMatching(/was removed or replaced/u)]);
    expect(kindOf(await lab.ask(CREATE, withKey("k2")))).toBe("created");
    expect(lab.log.length).toBe(1);
  });

  test("it is made by the first request that needs it, for its user only", async () => {
    const lab = new Lab();
    await lab.ask(CREATE);
    await lab.ask({ action: "list_flows" }, withKey("k"));
    expect(statSync(lab.file, { throwIfNoEntry: false })).toBeUndefined();
    await lab.ask(CREATE, withKey("k"));
    const modes = readdirSync(join(lab.file, "..")).map((name) => statSync(join(lab.file, "..", name)).mode & 0o777);
    expect([...new Set(modes)]).toEqual([0o600]);
    expect(statSync(join(lab.file, "..")).mode & 0o777).toBe(0o700);
  });
});
