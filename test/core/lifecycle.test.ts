import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createFlow,
  type FlowEvent,
  type FlowRecord,
  isEnded,
  isRevisionChecked,
  parseAction,
  transition,
} from "../../core/index.ts";
import { flowFields, goodBodies, goodBody, type Json } from "./arbitraries.ts";
import { runs } from "../support/runs.ts";

const NOW = 2_000_000_000_000;
const flow = flowFields as fc.Arbitrary<unknown> as fc.Arbitrary<FlowRecord>;
const managed = flow.map((one): FlowRecord => ({ ...one, syncMode: "managed" }));
const tasks = fc.nat({ max: 2 });

const REVISED = ["set_waiting", "resume_flow", "finish_flow", "fail_flow", "request_cancel"] as const;
const revised = fc.oneof(...REVISED.map((name) => goodBodies[name])) as fc.Arbitrary<Json>;
const event: fc.Arbitrary<FlowEvent> = fc.oneof(
  revised,
  goodBodies.cancel_flow,
  goodBodies.run_task,
  fc.constant({ action: "sweep" }),
) as fc.Arbitrary<unknown> as fc.Arbitrary<FlowEvent>;
const at = (one: FlowRecord, asked: Json): FlowEvent =>
  ({ ...asked, expectedRevision: one.revision }) as unknown as FlowEvent;

/** A record as JSON, in which absent and undefined are the same. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("FLOW-1: a refusal changes nothing, FLOW-2: a write adds 1 (a cancel that also marks the intent, 2) and sets updatedAt", () => {
  fc.assert(
    fc.property(flow, event, tasks, (before, asked, active) => {
      const copy = structuredClone(before);
      const result = transition(before, asked, active, NOW);
      expect(before).toEqual(copy);
      if (result.isErr() || result.value.flow === before) return;
      const { flow: after } = result.value;
      const marked =
        asked.action === "cancel_flow" && before.cancelRequestedAt === undefined && after.status === "cancelled";
      expect(after.revision - before.revision).toBe(marked ? 2 : 1);
      expect(after.updatedAt).toBe(NOW);
      expect([
        after.flowId,
        after.goal,
        after.notifyPolicy,
        after.controllerId,
        after.createdAt,
        after.syncMode,
      ]).toEqual([
        before.flowId,
        before.goal,
        before.notifyPolicy,
        before.controllerId,
        before.createdAt,
        before.syncMode,
      ]);
    }),
    { numRuns: runs(1000) },
  );
});

test("FLOW-3: in every status, a revision-checked action applies to the revision that it names and to no other", () => {
  fc.assert(
    fc.property(managed, revised, fc.integer({ min: -3, max: 3 }), tasks, (one, asked, offset, active) => {
      const aimed = { ...asked, expectedRevision: one.revision + offset } as unknown as FlowEvent;
      const result = transition(one, aimed, active, NOW);
      expect(result.isOk()).toBe(offset === 0);
      if (result.isErr()) expect(result.error).toBe("revision_conflict");
      else expect(result.value.pending).toBe(false);
    }),
  );
});

test("FLOW-3: a mirrored flow is not managed, whatever revision is named", () => {
  fc.assert(
    fc.property(flow, revised, tasks, (one, asked, active) => {
      const mirrored = { ...one, syncMode: "task_mirrored" as const };
      expect(transition(mirrored, asked as unknown as FlowEvent, active, NOW)._unsafeUnwrapErr()).toBe("not_managed");
      const task = { action: "run_task", flowId: "f", runtime: "acp", task: "t" } as const;
      expect(transition({ ...mirrored, cancelRequestedAt: 1 }, task, active, NOW)._unsafeUnwrapErr()).toBe(
        "not_managed",
      );
    }),
  );
});

test("FLOW-4: a cancel intent survives every event, and only request_cancel moves it", () => {
  fc.assert(
    fc.property(flow, fc.nat(), event, tasks, (one, since, asked, active) => {
      const intended: FlowRecord = { ...one, cancelRequestedAt: since };
      const aimed = "expectedRevision" in asked ? at(one, asked as unknown as Json) : asked;
      transition(intended, aimed, active, NOW).map(({ flow: after }) =>
        expect(after.cancelRequestedAt).toBe(asked.action === "request_cancel" ? NOW : since),
      );
    }),
    { numRuns: runs(500) },
  );
});

/** The second table of gateway-semantics §3, row by row: an oracle that is independent of the code. */
const given = (asked: Json, field: string, kept: unknown): unknown =>
  field in asked ? (asked[field] === null && !field.endsWith("Json") ? undefined : asked[field]) : kept;

const expected = (one: FlowRecord, asked: Json): unknown => {
  const next: Record<string, unknown> = { ...one, revision: one.revision + 1, updatedAt: NOW };
  const take = (...fields: (keyof FlowRecord)[]): void => {
    for (const field of fields) next[field] = given(asked, field, one[field]);
  };
  const drop = (...fields: string[]): void => {
    for (const field of fields) delete next[field];
  };
  if (asked["action"] === "set_waiting") {
    take("currentStep", "stateJson", "waitJson", "blockedTaskId", "blockedSummary");
    drop("endedAt");
    next["status"] =
      typeof asked["blockedTaskId"] === "string" || typeof asked["blockedSummary"] === "string" ? "blocked" : "waiting";
  } else if (asked["action"] === "resume_flow") {
    take("currentStep", "stateJson");
    drop("blockedTaskId", "blockedSummary", "endedAt");
    Object.assign(next, { waitJson: null, status: asked["status"] ?? "queued" });
  } else if (asked["action"] === "finish_flow") {
    take("stateJson");
    drop("blockedTaskId", "blockedSummary");
    Object.assign(next, { waitJson: null, status: "succeeded", endedAt: NOW });
  } else if (asked["action"] === "fail_flow") {
    take("stateJson", "blockedTaskId", "blockedSummary");
    Object.assign(next, { waitJson: null, status: "failed", endedAt: NOW });
  } else {
    next["cancelRequestedAt"] = NOW;
  }
  return next;
};

test("FLOW-2: each revision-checked action changes each field as in the measured table", () => {
  fc.assert(
    fc.property(managed, revised, tasks, (one, asked, active) => {
      const { flow: after } = transition(one, at(one, asked), active, NOW)._unsafeUnwrap();
      expect(plain(after)).toEqual(plain(expected(one, asked)));
    }),
    { numRuns: runs(2000) },
  );
});

const OPEN = ["queued", "running", "waiting"];
const ended = (one: FlowRecord): boolean =>
  !(OPEN.includes(one.status) || (one.status === "blocked" && one.endedAt === undefined));

test("FLOW-1: a flow has ended if it is succeeded, failed, cancelled, lost, or blocked with an end", () => {
  fc.assert(
    fc.property(flow, (one) => {
      expect(isEnded(one)).toBe(ended(one));
    }),
  );
});

test("FLOW-6: cancel_flow ends an open flow at once, or waits for its tasks with the intent stored", () => {
  fc.assert(
    fc.property(flow, tasks, (one, active) => {
      const result = transition(one, { action: "cancel_flow", flowId: one.flowId }, active, NOW);
      if (ended(one)) {
        expect(result._unsafeUnwrapErr()).toBe("terminal");
        return;
      }
      const { flow: after, pending } = result._unsafeUnwrap();
      const since = one.cancelRequestedAt ?? NOW;
      const marks = one.cancelRequestedAt === undefined ? 1 : 0;
      expect(pending).toBe(active > 0);
      const { blockedTaskId: _a, blockedSummary: _b, ...rest } = one;
      const cancelled = {
        ...rest,
        status: "cancelled",
        waitJson: null,
        endedAt: NOW,
        updatedAt: NOW,
        revision: one.revision + marks + 1,
      };
      const waiting = { ...one, revision: one.revision + marks, updatedAt: marks === 1 ? NOW : one.updatedAt };
      expect(plain(after)).toEqual(plain({ ...(pending ? waiting : cancelled), cancelRequestedAt: since }));
    }),
    { numRuns: runs(500) },
  );
});

test("FLOW-5: run_task is refused for an intent before an end, and never writes", () => {
  const task = { action: "run_task", flowId: "f", runtime: "acp", task: "t" } as const;
  fc.assert(
    fc.property(managed, tasks, (one, active) => {
      const result = transition(one, task, active, NOW);
      if (one.cancelRequestedAt !== undefined) expect(result._unsafeUnwrapErr()).toBe("cancel_requested");
      else if (ended(one)) expect(result._unsafeUnwrapErr()).toBe("terminal");
      else expect(result._unsafeUnwrap()).toEqual({ flow: one, pending: false });
    }),
  );
});

test("FLOW-6: a sweep ends managed open flows with an intent and without tasks, and changes no other flow", () => {
  fc.assert(
    fc.property(flow, tasks, (one, active) => {
      const { flow: after } = transition(one, { action: "sweep" }, active, NOW)._unsafeUnwrap();
      const swept = one.syncMode === "managed" && one.cancelRequestedAt !== undefined && !ended(one) && active === 0;
      if (!swept) {
        expect(after).toBe(one);
        return;
      }
      expect(after).toMatchObject({ status: "cancelled", waitJson: null, endedAt: NOW, revision: one.revision + 1 });
      expect([after.blockedTaskId, after.blockedSummary]).toEqual([undefined, undefined]);
    }),
    { numRuns: runs(500) },
  );
});

test("FLOW-2: a new flow starts at revision 0 with the requested fields, and defaults for the others", () => {
  fc.assert(
    fc.property(goodBodies.create_flow, (asked) => {
      const body = parseAction(asked)._unsafeUnwrap();
      if (body.action !== "create_flow") return;
      const made = createFlow("id", { ...body, controllerId: body.controllerId ?? "webhooks/r" }, NOW);
      const { action: _, ...fields } = asked;
      const defaults = {
        controllerId: "webhooks/r",
        status: "queued",
        notifyPolicy: "done_only",
        flowId: "id",
        syncMode: "managed",
      };
      const { currentStep, ...rest } = { ...defaults, ...fields, revision: 0, createdAt: NOW, updatedAt: NOW } as Json;
      expect(plain(made)).toEqual(plain(currentStep === null ? rest : { ...rest, currentStep }));
    }),
  );
});

test("ACTION-1: the revision-checked actions are the five that name a revision", () => {
  fc.assert(
    fc.property(goodBody, (body) => {
      const action = parseAction(body)._unsafeUnwrap();
      expect(isRevisionChecked(action)).toBe((REVISED as readonly string[]).includes(action.action));
    }),
  );
});

test("FLOW-6: a sweep does not change a flow without a cancel intent", () => {
  fc.assert(
    fc.property(managed, tasks, (one, active) => {
      const { cancelRequestedAt: _, ...open } = one;
      expect(transition(open, { action: "sweep" }, active, NOW)._unsafeUnwrap()).toEqual({
        flow: open,
        pending: false,
      });
    }),
  );
});

test("FLOW-4: request_cancel stores the intent with its time, anew each time", () => {
  const created = createFlow("f", { action: "create_flow", goal: "g", controllerId: "c" }, 1);
  const asked = { action: "request_cancel", flowId: "f", expectedRevision: 0 } as const;
  const once = transition(created, asked, 0, 5)._unsafeUnwrap().flow;
  expect([once.cancelRequestedAt, once.status, once.updatedAt]).toEqual([5, "queued", 5]);
  const again = transition(once, { ...asked, expectedRevision: 1 }, 0, 9)._unsafeUnwrap().flow;
  expect(again.cancelRequestedAt).toBe(9);
});

test("FLOW-7: a write never gives a flow a time before its last one, whatever the clock says", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1000, max: 1000 }),
      fc.constantFrom("finish_flow", "request_cancel", "set_waiting"),
      (drift, action) => {
        const made = createFlow("f", { action: "create_flow", goal: "g", controllerId: "c" }, NOW);
        const flow = { ...made, updatedAt: NOW + 50 };
        const after = transition(flow, { action, flowId: "f", expectedRevision: 0 }, 0, NOW + drift)._unsafeUnwrap()
          .flow;
        const at = Math.max(NOW + drift, NOW + 50);
        expect(after.updatedAt).toBe(at);
        expect([after.endedAt ?? at, after.cancelRequestedAt ?? at]).toEqual([at, at]);
        expect(
          transition(
            { ...flow, createdAt: NOW + 2000 },
            { action, flowId: "f", expectedRevision: 0 },
            0,
            NOW,
          )._unsafeUnwrap().flow.updatedAt,
        ).toBe(NOW + 2000);
      },
    ),
  );
});
