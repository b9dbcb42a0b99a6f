// Repeats and bindings: exactly once for each key, whatever is repeated, and the flow that a key is bound to.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Action,
  CANCEL_REFUSALS,
  type CommandIds,
  CREATE_REFUSALS,
  createFlow,
  decide,
  decideDelivery,
  isKept,
  isRepeatable,
  type Delivery,
  type FlowAction,
  type FlowRecord,
  type KeyName,
  MAX_RECORDS,
  MUTATION_REFUSALS,
  needsOfDelivery,
  type Outcome,
  parseAction,
  parseJson,
  readSavedOutcome,
  RECORD_MS,
  replyToOutcome,
  saveOutcome,
  type SavedRecord,
  type Stored,
  summarizeTasks,
  TASK_REFUSALS,
  type TaskRecord,
  viewSummary,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";
import { goodBody } from "./arbitraries.ts";

const OWNER = "agent:main:owner";
const NOW = 1_700_000_000_000;

const keysOf = <Table extends object>(table: Table): (keyof Table)[] => Object.keys(table) as (keyof Table)[];

const statusOf = (outcome: Outcome): number => replyToOutcome(outcome, "r").status;

const nameOf = ({ routeId, owner, key }: KeyName): string => `${routeId} ${owner} ${key}`;

/** Rows, with records and bindings, as an engine keeps them. */
class Rows {
  readonly flows = new Map<string, FlowRecord>();
  readonly tasks: TaskRecord[] = [];
  readonly records = new Map<string, SavedRecord>();
  readonly bindings = new Map<string, string>();
  writes = 0;
  #made = 0;

  ask(action: FlowAction, delivery: Delivery, now = NOW, owner = OWNER): Outcome | string {
    const needs = needsOfDelivery(action, owner, delivery);
    const found = needs.load.flatMap((load) => {
      if (load.kind === "bound") return [this.flows.get(this.bindings.get(nameOf(load)) ?? "")];
      return load.kind === "flow" ? [this.flows.get(load.flowId)] : [...this.flows.values()].toReversed().slice(0, 1);
    });
    const flows = found.filter((flow) => flow !== undefined);
    const saved = needs.saved === undefined ? undefined : this.records.get(nameOf(needs.saved));
    const tasks = needs.tasks ? this.tasks.filter(({ parentFlowId }) => parentFlowId === flows[0]?.flowId) : [];
    this.#made += 1;
    const ids: CommandIds = { owner, fresh: `fresh-${String(this.#made)}` };
    const stored: Stored = { flows, tasks, saved };
    const { outcome, writes } = decideDelivery(action, stored, ids, delivery, now);
    for (const write of writes) {
      this.writes += 1;
      if (write.kind === "insert_flow" || write.kind === "update_flow") this.flows.set(write.flow.flowId, write.flow);
      else if (write.kind === "put_task") this.tasks.push(write.task);
      else if (write.kind === "put_record") this.records.set(nameOf(write), write.saved);
      else if (write.kind === "bind_key") this.bindings.set(nameOf(write), write.flowId);
    }
    return outcome.isOk() ? outcome.value : outcome.error;
  }
}

const asFlowAction = (action: Action): FlowAction =>
  action.action === "create_flow" ? { ...action, controllerId: action.controllerId ?? "webhooks/r" } : action;
const parsed = (body: unknown): FlowAction => asFlowAction(parseAction(body)._unsafeUnwrap());
const CREATE = parsed({ action: "create_flow", goal: "g" });

const once = (key: string, fingerprint = "f"): Delivery => ({
  routeId: "r",
  once: { key, fingerprint },
  bind: undefined,
  starts: false,
});
const bind = (key: string, routeId = "r"): Delivery => ({ routeId, once: undefined, bind: key, starts: false });

const bodyOf = (outcome: Outcome | string): string =>
  typeof outcome === "string" ? outcome : replyToOutcome(outcome, "r").body;

const action = goodBody.map(parsed);
/** The action about the one flow that is there, at its revision. */
const aboutIt = (asked: FlowAction): FlowAction => ({
  ...asked,
  ...("flowId" in asked ? { flowId: "it" } : {}),
  ...("expectedRevision" in asked ? { expectedRevision: 0 } : {}),
});

const withFlow = (): Rows => {
  const rows = new Rows();
  rows.flows.set("it", createFlow("it", { action: "create_flow", goal: "g", controllerId: "c" }, NOW));
  return rows;
};

test("ONCE-1, ONCE-2: a repeat under the same key writes nothing and gets the same answer, marked as a replay", () => {
  fc.assert(
    fc.property(
      action.filter(isRepeatable).map(aboutIt),
      fc.integer({ min: -RECORD_MS, max: RECORD_MS - 1 }),
      (asked, later) => {
        const rows = withFlow();
        const first = rows.ask(asked, once("k"));
        const { writes } = rows;
        const second = rows.ask(asked, once("k"), NOW + later);
        expect(rows.writes).toBe(writes);
        expect(bodyOf(second)).toBe(bodyOf(first));
        expect(typeof second === "string" ? "" : replyToOutcome(second, "r").headers["Idempotent-Replayed"]).toBe(
          "true",
        );
        expect(
          typeof first === "string" ? "" : replyToOutcome(first, "r").headers["Idempotent-Replayed"],
        ).toBeUndefined();
      },
    ),
    { numRuns: runs(200) },
  );
});

test("ONCE-1: a key says nothing about another key, another route or a later day", () => {
  const rows = new Rows();
  rows.ask(CREATE, once("k"));
  rows.ask(CREATE, once("K"));
  rows.ask(CREATE, { ...once("k"), routeId: "other" });
  rows.ask(CREATE, once("k"), NOW + RECORD_MS);
  expect(rows.flows.size).toBe(4);
  expect(MAX_RECORDS).toBe(10_000);
});

test("ONCE-2: the same key with another body is refused and changes nothing", () => {
  const rows = new Rows();
  rows.ask(CREATE, once("k", "one"));
  const { writes } = rows;
  expect(rows.ask(CREATE, once("k", "two"))).toBe("idempotency_key_reused");
  expect(rows.writes).toBe(writes);
});

test("ONCE-3: what was saved reads back as the same answer, and nothing else reads as an outcome", () => {
  fc.assert(
    fc.property(action.filter(isRepeatable).map(aboutIt), fc.jsonValue(), (asked, wild) => {
      const flows = [...withFlow().flows.values()];
      const { outcome } = decide(asked, { flows, tasks: [] }, { owner: OWNER, fresh: "x" }, NOW);
      const done = outcome._unsafeUnwrap();
      const text = JSON.stringify(saveOutcome(done));
      const read = readSavedOutcome(asked, parseJson(text)._unsafeUnwrap())._unsafeUnwrap();
      expect(replyToOutcome(read, "r")).toEqual(replyToOutcome(done, "r"));
      expect(text).not.toContain(OWNER);
      expect(readSavedOutcome(asked, wild).isOk() && typeof wild !== "object").toBe(false);
    }),
  );
  for (const saved of [
    null,
    [],
    {},
    { kind: "flows" },
    { kind: "created", flow: {} },
    { kind: "created", flow: null },
    { kind: 1 },
  ]) {
    expect(readSavedOutcome(CREATE, saved).isErr(), JSON.stringify(saved)).toBe(true);
  }
});

test("ONCE-3: every part of an outcome reads back as it was, and what is no such part is refused", () => {
  const rows = withFlow();
  const about = { flowId: "it", expectedRevision: 0 };
  const task = { action: "run_task", flowId: "it", runtime: "acp", task: "t" };
  for (const [body, parts] of [
    [task, ["kind", "flow", "task"]],
    [{ action: "set_waiting", ...about, expectedRevision: 7 }, ["kind", "refusal", "current"]],
    [{ action: "finish_flow", ...about }, ["kind", "flow"]],
    [{ ...task, runId: "late" }, ["kind", "refusal", "ended", "flow"]],
    [{ action: "cancel_flow", flowId: "none" }, ["kind", "refusal"]],
  ] as const) {
    const asked = parsed(body);
    const done = rows.ask(asked, once(JSON.stringify(body)));
    if (typeof done === "string") throw new Error(done);
    const saved = JSON.parse(JSON.stringify(saveOutcome(done)));
    expect(Object.keys(saved).toSorted(), body.action).toEqual(parts.toSorted());
    expect(saveOutcome(readSavedOutcome(asked, saved)._unsafeUnwrap())).toEqual(saved);
    for (const part of parts.slice(1))
      expect(readSavedOutcome(asked, { ...saved, [part]: 5 }).isErr(), part).toBe(true);
  }
  const summary = viewSummary(summarizeTasks(rows.tasks))._unsafeUnwrap();
  expect(saveOutcome({ kind: "summary", summary })).toMatchObject({
    kind: "summary",
    summary: { total: 1, active: 1 },
  });
  const wrong = readSavedOutcome(CREATE, { kind: "not_created", refusal: 5 });
  expect(wrong._unsafeUnwrapErr()).toEqual({ field: "" });
  const child = { childSessionKey: "agent:main:child" };
  const saved = { kind: "task_created", flow: withFlow().flows.get("it"), task: { ...rows.tasks[0], ...child } };
  const shown = (body: object): object => saveOutcome(readSavedOutcome(parsed(body), saved)._unsafeUnwrap());
  expect(shown({ ...task, ...child })).toHaveProperty("task.childSessionKey", child.childSessionKey);
  expect(shown(task)).not.toHaveProperty("task.childSessionKey");
});

test("ONCE-3: kept is what was carried out, and nothing that is answered with 503", () => {
  const refused: readonly Outcome[] = [
    ...keysOf(MUTATION_REFUSALS).map((refusal): Outcome => ({ kind: "not_applied", refusal })),
    ...keysOf(CREATE_REFUSALS).map((refusal): Outcome => ({ kind: "not_created", refusal })),
    ...keysOf(CANCEL_REFUSALS).map((refusal): Outcome => ({ kind: "not_cancelled", refusal })),
    ...keysOf(TASK_REFUSALS).map((refusal): Outcome => ({ kind: "task_not_created", refusal })),
    { kind: "flow", flow: null },
  ];
  for (const outcome of refused) expect([outcome, isKept(outcome)]).toEqual([outcome, statusOf(outcome) < 500]);
  expect(isKept({ kind: "ignored" })).toBe(false);
});

test("ONCE-3: a record that cannot be read is a failure of the store, not a second effect", () => {
  const rows = new Rows();
  rows.records.set(`r ${OWNER} k`, { fingerprint: "f", outcome: "{", at: NOW });
  expect(rows.ask(CREATE, once("k"))).toBe("bad_host_answer");
  rows.records.set(`r ${OWNER} k`, {
    fingerprint: "f",
    outcome: '{"kind":"created","flow":{"flowId":7}}',
    at: NOW,
  });
  expect(rows.ask(CREATE, once("k"))).toBe("bad_host_answer");
  expect(rows.flows.size).toBe(0);
});

const FINISH = parsed({ action: "finish_flow", flowId: "any", expectedRevision: 99 });

test("BIND-1: a key leads to its open flow at its present revision; a second create finds it; once it has ended the key is free", () => {
  const rows = new Rows();
  expect(rows.ask(FINISH, bind("pr 1"))).toEqual({ kind: "ignored" });
  const made = rows.ask(CREATE, bind("pr 1"));
  const again = rows.ask(CREATE, bind("pr 1"));
  expect(rows.flows.size).toBe(1);
  expect(again).toEqual({ kind: "existing", flow: (made as { flow: unknown }).flow });
  const wait = parsed({ action: "set_waiting", flowId: "any", expectedRevision: 0 });
  for (let times = 1; times < 4; times += 1) {
    expect(rows.ask(wait, bind("pr 1"))).toMatchObject({ kind: "applied", flow: { json: { revision: times } } });
  }
  expect(rows.ask(FINISH, bind("pr 2"))).toEqual({ kind: "ignored" });
  expect(rows.ask(FINISH, bind("pr 1", "other"))).toEqual({ kind: "ignored" });
  expect(rows.ask(FINISH, bind("pr 1"))).toMatchObject({ kind: "applied", flow: { json: { status: "succeeded" } } });
  expect(rows.ask(FINISH, bind("pr 1"))).toEqual({ kind: "ignored" });
  expect(rows.ask(CREATE, bind("pr 1"))).toMatchObject({ kind: "created" });
  expect(rows.flows.size).toBe(2);
});

test("BIND-1, ONCE-2: a repeated delivery is a replay even after its flow has ended; nothing that was ignored is kept", () => {
  const rows = new Rows();
  const both = (key: string): Delivery => ({
    routeId: "r",
    once: { key, fingerprint: key },
    bind: "pr 1",
    starts: false,
  });
  const first = rows.ask(CREATE, both("d1"));
  rows.ask(FINISH, both("d2"));
  expect(bodyOf(rows.ask(CREATE, both("d1")))).toBe(bodyOf(first));
  expect(rows.flows.size).toBe(1);
  expect(rows.ask(FINISH, both("d3"))).toEqual({ kind: "ignored" });
  expect([...rows.records.keys()]).toEqual([`r ${OWNER} d1`, `r ${OWNER} d2`]);
});

test("ONCE-2: when an edited rule makes another action of the same delivery, its key counts as used, and nothing is done", () => {
  const rows = new Rows();
  rows.ask(CREATE, once("k"));
  const { writes } = rows;
  expect(rows.ask(parsed({ action: "cancel_flow", flowId: "it" }), once("k"))).toBe("idempotency_key_reused");
  expect(rows.writes).toBe(writes);
});

test("ONCE-8, BIND-1: records and bound keys of another session, which the route has meanwhile, say nothing, and are there again after", () => {
  const rows = new Rows();
  const both: Delivery = { ...once("k"), bind: "pr 1" };
  const wait = parsed({ action: "set_waiting", flowId: "any", expectedRevision: 0 });
  const [OTHER, first] = ["agent:main:other", rows.ask(CREATE, both)];
  expect(rows.ask(wait, bind("pr 1"), NOW, OTHER)).toEqual({ kind: "ignored" });
  const theirs = rows.ask(CREATE, both, NOW, OTHER);
  expect(theirs).toMatchObject({ kind: "created" });
  expect(bodyOf(theirs)).not.toBe(bodyOf(first));
  expect(rows.ask(CREATE, both)).toEqual({ ...(first as Outcome), replayed: true });
  expect(rows.ask(CREATE, both, NOW, OTHER)).toEqual({ ...(theirs as Outcome), replayed: true });
  expect(rows.ask(wait, bind("pr 1"))).toMatchObject({ kind: "applied", flow: { json: { flowId: "fresh-1" } } });
  expect(rows.flows.size).toBe(2);
});
