// What a route's policy lets through: said once more in other words, and compared for any policy and any body.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ACTION_GROUPS,
  type ActionName,
  ACTIONS,
  answerRejection,
  DELIVERY_ACTIONS,
  locate,
  type Rejection,
} from "../../core/index.ts";
import { accepted, PATH, routeIn, routesWith } from "../support/accepted.ts";
import { runs } from "../support/runs.ts";
import { goodBodies, goodBody, goodText, head, type Json } from "./arbitraries.ts";

const NAMES = Object.keys(ACTIONS) as ActionName[];
const OWN = "webhooks/r";

/** Few enough that a body names what a policy names; some differ in case, a space, or by one end alone. */
const controller = fc.constantFrom("ci", "CI", "c", "ci 2", OWN, "webhooks/R");
const session = fc.constantFrom(
  "agent:main:sub:1",
  "agent:main:sub:12",
  "Agent:main:sub:1",
  "agent:main:sub",
  "agent:main:other",
  "hook:x",
  "hook:agent:main:sub:1",
);
const spaces = fc.constantFrom("", " ", "\t", "\n \u00a0", "\ufeff");
const spaced = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(spaces, text, spaces).map((parts) => parts.join(""));

const some = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> => fc.array(value, { minLength: 1, maxLength: 4 });
const word = fc.constantFrom("read", "write", ...NAMES);
const prefix = session.chain((key) => fc.integer({ min: 1, max: key.length }).map((end) => `${key.slice(0, end)}*`));

type Written = {
  readonly actions?: readonly string[];
  readonly controllerIds?: readonly string[];
  readonly childSessions?: string | readonly string[];
};

const written: fc.Arbitrary<Written> = fc.record(
  {
    actions: some(word),
    controllerIds: some(spaced(controller)),
    childSessions: fc.oneof(fc.constant("none"), session, prefix, some(spaced(session))),
  },
  { requiredKeys: [] },
);

/** Of two bodies one names a controller or a session, where its action has a field for it. */
const body: fc.Arbitrary<Json> = fc.oneof(
  goodBody,
  fc.oneof(
    fc.tuple(goodBodies.create_flow, spaced(controller)).map(([one, name]) => ({ ...one, controllerId: name })),
    spaced(controller).map((name) => ({ action: "list_flows", controllerId: name })),
    fc.tuple(goodBodies.run_task, spaced(session)).map(([one, key]) => ({ ...one, childSessionKey: key })),
  ),
);

const READS = ["get_flow", "list_flows", "find_latest_flow", "resolve_flow", "get_task_summary"];
const meant = (words: readonly string[]): readonly string[] =>
  NAMES.filter((name) => words.includes(name) || words.includes(READS.includes(name) ? "read" : "write"));

const isNamed = (one: string, list: string | readonly string[]): boolean => {
  if (list === "none") return false;
  if (typeof list !== "string") return list.some((each) => each.trim() === one);
  return list.endsWith("*") ? one.slice(0, list.length - 1) === list.slice(0, -1) : one === list;
};

/** The first field of a body that a policy forbids. */
const forbidden = ({ actions, controllerIds, childSessions }: Written, asked: Json): string | undefined => {
  const text = (name: string): string | undefined => (typeof asked[name] === "string" ? asked[name].trim() : undefined);
  const [named, child] = [text("controllerId"), text("childSessionKey")];
  if (actions !== undefined && !meant(actions).includes(String(asked["action"]))) return "action";
  if (controllerIds !== undefined && named !== undefined && named !== OWN && !isNamed(named, controllerIds))
    return "controllerId";
  return childSessions !== undefined && child !== undefined && !isNamed(child, childSessions)
    ? "childSessionKey"
    : undefined;
};

test("POLICY-1: read and write are all 13 actions between them, and none is in both", () => {
  expect([...ACTION_GROUPS.read, ...ACTION_GROUPS.write].toSorted()).toEqual(NAMES.toSorted());
  expect(new Set([...ACTION_GROUPS.read, ...DELIVERY_ACTIONS]).size).toBe(NAMES.length);
});

test("POLICY-1, POLICY-2, POLICY-3: whatever a policy and a body say, the body becomes a command exactly when the policy allows all of it", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(written, body, (policy, asked) => {
      const field = forbidden(policy, asked);
      const command = accepted(routesWith(policy), asked);
      seen.set(field ?? "allowed", (seen.get(field ?? "allowed") ?? 0) + 1);
      if (field === undefined) {
        expect(command._unsafeUnwrap()?.action.action).toBe(asked["action"]);
      } else {
        expect(command._unsafeUnwrapErr()).toMatchObject({ code: "action_not_allowed", fault: { field } });
      }
    }),
    { numRuns: runs(1000) },
  );
  expect([...seen.keys()].toSorted()).toEqual(["action", "allowed", "childSessionKey", "controllerId"]);
});

const KEY = "{{payload.key}}";
const RULES = [
  { when: { "payload.kind": "new" }, do: { action: "create_flow", goal: "g", controllerId: "{{payload.controller}}" } },
  {
    when: { "payload.kind": "task" },
    key: KEY,
    do: { action: "run_task", runtime: "acp", task: "t", childSessionKey: "{{payload.child}}" },
  },
];

test("POLICY-5: what a policy lets through, of a caller or a rule, is the command of a route without one", () => {
  const take = { allowActions: true, deliveries: RULES };
  const delivery = fc.record({
    kind: fc.constantFrom("new", "task"),
    key: fc.constantFrom("k", "l"),
    controller: spaced(controller),
    child: spaced(session),
  });
  const free = routesWith(take);
  let mapped = 0;
  fc.assert(
    fc.property(written, fc.oneof(body, delivery), fc.option(fc.constant("k")), (policy, asked, key) => {
      const { actions } = policy;
      // a policy has the actions of its rules
      const having = actions === undefined ? {} : { actions: [...actions, "create_flow", "run_task"] };
      const headers: Readonly<Record<string, string>> = key === null ? {} : { "idempotency-key": key };
      const confined = accepted(routesWith({ ...take, ...policy, ...having }), asked, headers);
      if (confined.isErr()) return;
      const { action, delivery: brought, client } = accepted(free, asked, headers)._unsafeUnwrap() ?? {};
      if (brought?.bind !== undefined) mapped += 1;
      expect(confined.value).toMatchObject({ action, delivery: brought, client });
    }),
    { numRuns: runs(300) },
  );
  expect(mapped).toBeGreaterThan(0);
});

test("POLICY-5: a policy that allows all refuses nothing, and one without fields is none", () => {
  expect(routeIn(routesWith({})).policy).toBeUndefined();
  const all = routesWith({ actions: ["read", "write"] });
  const named = routesWith({ actions: NAMES });
  fc.assert(
    fc.property(body, (asked) => {
      for (const routes of [all, named]) expect(accepted(routes, asked).isOk()).toBe(true);
    }),
    { numRuns: runs(200) },
  );
});

test("POLICY-1: a body that is no valid action is refused as such before the policy is asked, and a key after it", () => {
  const routes = routesWith({ actions: ["get_flow"] });
  const code = (asked: unknown, headers = {}): string => accepted(routes, asked, headers)._unsafeUnwrapErr().code;
  expect(code({ action: "cancel_flow" })).toBe("invalid_request");
  expect(code({ action: "drop_flow" })).toBe("invalid_request");
  expect(code({ action: "create_flow", goal: "g" }, { "idempotency-key": '"open' })).toBe("action_not_allowed");
});

test("POLICY-2, POLICY-3: what a rule reads from a delivery is confined as what a caller names is, and the log says by which rule", () => {
  const counted = { allowed: 0, refused: 0 };
  fc.assert(
    fc.property(
      fc.tuple(written),
      fc.boolean(),
      spaced(controller),
      spaced(session),
      ([policy], isNew, name, child) => {
        const { actions: _, ...confining } = policy;
        const delivery = { kind: isNew ? "new" : "task", key: "k", controller: name, child };
        const made = accepted(routesWith({ ...confining, deliveries: RULES }), delivery);
        const asked: Json = isNew
          ? { action: "create_flow", controllerId: name }
          : { action: "run_task", childSessionKey: child };
        const field = forbidden(confining, asked);
        counted[field === undefined ? "allowed" : "refused"] += 1;
        if (field === undefined) {
          expect(made._unsafeUnwrap()?.action.action).toBe(asked["action"]);
          return;
        }
        const { code, fault, why } = made._unsafeUnwrapErr();
        expect([code, fault?.field]).toEqual(["action_not_allowed", field]);
        expect(why).toBe(
          isNew
            ? "deliveries[0]: the controllerId of create_flow is not allowed by controllerIds"
            : "deliveries[1]: the childSessionKey of run_task is not allowed by childSessions",
        );
      },
    ),
    { numRuns: runs(300) },
  );
  expect(Math.min(counted.allowed, counted.refused)).toBeGreaterThan(0);
});

test("POLICY-1: a delivery that no rule takes may be an action of the route's callers, if the policy has it", () => {
  const deliveries = [{ when: { "payload.kind": "new" }, do: { action: "create_flow", goal: "g" } }];
  const routes = routesWith({ deliveries, allowActions: true, actions: ["create_flow", "get_flow"] });
  expect(accepted(routes, { action: "get_flow", flowId: "f" })._unsafeUnwrap()?.action.action).toBe("get_flow");
  expect(accepted(routes, { kind: "new", action: "cancel_flow" })._unsafeUnwrap()?.action.action).toBe("create_flow");
  expect(accepted(routes, { action: "cancel_flow", flowId: "f" })._unsafeUnwrapErr()).toEqual({
    code: "action_not_allowed",
    fault: { field: "action", sentence: "cancel_flow is not allowed here. The route allows create_flow, get_flow." },
    why: "cancel_flow is not allowed by actions",
    action: "cancel_flow",
  });
  expect(accepted(routes, { kind: "other" })._unsafeUnwrap()).toBeUndefined();
});

const answered = (rejection: Rejection, policy: Written): { readonly text: string; readonly log: string } => {
  const located = locate(routesWith(policy), head({ target: PATH }))._unsafeUnwrap();
  const { reply, event } = answerRejection(rejection, located);
  return { text: reply.body, log: event.fault ?? "" };
};

test("POLICY-4: the answer names the field and the route's actions, and holds none of its controllers and sessions; nor does the log, nor what was sent", () => {
  const hidden = goodText.filter((text) => text.length > 3).map((text) => `x${text.replaceAll("*", "+")}`);
  const isFilled = (policy: Written): boolean => {
    try {
      return routesWith(policy).size > 0;
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(some(word), some(hidden), some(hidden), body, (actions, controllerIds, childSessions, asked) => {
      const policy = { actions, controllerIds, childSessions };
      fc.pre(isFilled(policy));
      const rejection = accepted(routesWith(policy), asked);
      fc.pre(rejection.isErr());
      const { text, log } = answered(rejection._unsafeUnwrapErr(), policy);
      const field = forbidden(policy, asked);
      expect(JSON.parse(text)).toMatchObject({ ok: false, code: "action_not_allowed", result: { field } });
      if (field === "action") for (const name of meant(actions)) expect(text).toContain(name);
      expect(log).toMatch(/^[a-zA-Z_ ]+ is not allowed by (?:actions|controllerIds|childSessions)$/u);
      for (const name of [...controllerIds, ...childSessions]) {
        expect(text.includes(JSON.stringify(name).slice(1, -1))).toBe(false);
      }
    }),
    { numRuns: runs(300) },
  );
});

test("POLICY-4: the sentences say what to do", () => {
  const error = (policy: Written, asked: Json): unknown => {
    const rejection = accepted(routesWith(policy), asked)._unsafeUnwrapErr();
    return (JSON.parse(answered(rejection, policy).text) as { error: string }).error;
  };
  expect(error({ actions: ["get_flow", "list_flows"] }, { action: "cancel_flow", flowId: "f" })).toBe(
    "action: cancel_flow is not allowed here. The route allows get_flow, list_flows.",
  );
  expect(error({ controllerIds: ["ci"] }, { action: "list_flows", controllerId: "x" })).toBe(
    "controllerId: The route does not allow this controller. Leave the field out, or name the route's own or another that it allows.",
  );
  const task = { action: "run_task", flowId: "f", runtime: "acp", task: "t", childSessionKey: "agent:main:x" };
  expect(error({ childSessions: "none" }, task)).toBe(
    "childSessionKey: The route does not allow a task to name this session.",
  );
});
