// What a route may say of what its callers may ask for.

import fc from "fast-check";
import { expect, test } from "vitest";
import { problemLine } from "../../core/index.ts";
import { routeIn, routesWith } from "../support/accepted.ts";
import { runs } from "../support/runs.ts";
import { load, wildText } from "./arbitraries.ts";

const GOOD = { sessionKey: "agent:main:main", secret: "a-long-and-random-secret" };
const linesOf = (fields: object): readonly string[] =>
  load({ routes: { r: { ...GOOD, ...fields } } }).problems.map(problemLine);

const create = { do: { action: "create_flow", goal: "g" } };
const task = { action: "run_task", flowId: "{{payload.id}}", runtime: "acp", task: "t" };
const SESSIONS = 'childSessions must be "none", a session key, a list of at least one, or one prefix with * at its end';
const UNFILLED = "contains a reference that was not replaced by its value. Set the variable, or write the value itself";

test("LIMIT-10, QUOTA-1: each limit of a route is a whole number up to its bound, and anything else is named", () => {
  for (const [field, most] of [
    ["perMinute", 6000],
    ["inFlight", 64],
    ["maxFlows", 1_000_000],
    ["maxTasks", 10_000],
  ] as const) {
    for (const value of [1, 2, most]) expect(linesOf({ limits: { [field]: value } }), field).toEqual([]);
    for (const value of [0, -1, most + 1, 1.5, "5", null])
      expect(linesOf({ limits: { [field]: value } })).toEqual([
        expect.stringContaining(`limits.${field} must be a whole number from 1 to ${String(most)}`),
      ]);
  }
});

test.each<[object, string]>([
  [{ actions: ["get_flows"] }, "actions must be a list of at least one of read, write, get_flow"],
  [{ actions: ["Read"] }, "actions must be a list of at least one of read, write, get_flow"],
  [{ actions: [] }, "actions must be a list"],
  [{ actions: "read" }, "actions must be a list"],
  [{ actions: ["*"] }, "actions must be a list"],
  [{ actions: null }, "actions must be a list"],
  [{ controllerIds: [] }, "controllerIds must be a list of at least one controller id, each in full, without *"],
  [{ controllerIds: ["ci/*"] }, "controllerIds must be a list"],
  [{ controllerIds: ["ci", " "] }, "controllerIds must be a list"],
  [{ controllerIds: "ci" }, "controllerIds must be a list"],
  [{ controllerIds: ["ci", "${CONTROLLER}", "$OTHER"] }, `controllerIds ${UNFILLED}`],
  [{ controllerIds: ["c".repeat(4097)] }, "controllerIds is longer than 4096 characters. Set a shorter one"],
  [{ childSessions: [] }, SESSIONS],
  [{ childSessions: " " }, SESSIONS],
  [{ childSessions: 7 }, SESSIONS],
  [{ childSessions: "*" }, SESSIONS],
  [{ childSessions: "agent:*:x" }, SESSIONS],
  [{ childSessions: "agent:main:**" }, SESSIONS],
  [{ childSessions: ["agent:main:*"] }, SESSIONS],
  [{ childSessions: ["none"] }, SESSIONS],
  [{ childSessions: ["agent:main:x", "none"] }, SESSIONS],
  [{ childSessions: "None" }, SESSIONS],
  [{ childSessions: "none*" }, SESSIONS],
  [{ childSessions: "agent:${AGENT}:*" }, `childSessions ${UNFILLED}`],
  [{ childSessions: ["agent:main:x", "<your-session>"] }, `childSessions ${UNFILLED}`],
  [
    { actions: ["read"], deliveries: [create] },
    "deliveries[0] has the action create_flow, which is not among actions of the route",
  ],
  [
    { controllerIds: ["ci"], deliveries: [{ do: { ...create.do, controllerId: " CI " } }] },
    "deliveries[0] has do.controllerId with a controller that is not among controllerIds of the route",
  ],
  [
    { childSessions: "none", deliveries: [{ do: { ...task, childSessionKey: "agent:main:x" } }] },
    "deliveries[0] has do.childSessionKey with a session that is not among childSessions of the route",
  ],
  [
    { actions: ["get_flow"], run: { message: "x" } },
    "run has no effect, because create_flow is not among actions of the route. Add it, or remove run",
  ],
])("POLICY-6: %j skips the route with one line that names the field", (fields, line) => {
  const { routes, problems } = load({ routes: { r: { ...GOOD, ...fields }, other: GOOD } });
  expect([...routes.keys()]).toEqual(["/plugins/webhooks/other"]);
  const [first = "", ...others] = problems.filter(({ effect }) => effect !== "advice").map(problemLine);
  expect([first.startsWith(`route r skipped: ${line}`), others]).toEqual([true, []]);
});

test("POLICY-6: everything that is wrong is named at once", () => {
  const fields = { actions: ["x"], controllerIds: [], childSessions: "*", run: {}, secret: "" };
  const named = linesOf(fields).map((line) => line.split(" ")[3]);
  expect(named.toSorted()).toEqual(["actions", "childSessions", "controllerIds", "run.message", "secret"]);
});

test.each<[object]>([
  [{ controllerIds: ["ci"], deliveries: [{ do: { ...create.do, controllerId: " ci " } }] }],
  [{ controllerIds: ["ci"], deliveries: [{ do: { ...create.do, controllerId: "webhooks/r" } }] }],
  [{ controllerIds: ["ci"], controllerId: "own", deliveries: [{ do: { ...create.do, controllerId: "own" } }] }],
  [{ controllerIds: ["ci"], deliveries: [{ do: { ...create.do, controllerId: "{{payload.x}}" } }] }],
  [{ childSessions: "agent:main:x", deliveries: [{ do: { ...task, childSessionKey: "agent:main:x" } }] }],
  [{ childSessions: "agent:*", deliveries: [{ do: { ...task, childSessionKey: "agent:main:x" } }] }],
  [{ actions: ["write"], childSessions: "none", run: { message: "x" }, deliveries: [create] }],
])("POLICY-6: %j is no contradiction", (fields) => {
  expect(linesOf(fields)).toEqual([]);
});

test("POLICY-6: texts are trimmed, and a single key is a list of one", () => {
  const policyOf = (fields: object): unknown => routeIn(routesWith(fields)).policy;
  const rest = { actions: undefined, controllerIds: undefined, childSessions: undefined };
  const keys = (...all: readonly string[]): object => ({
    ...rest,
    childSessions: { kind: "keys", keys: new Set(all) },
  });
  expect(policyOf({ controllerIds: [" a ", "b"] })).toEqual({ ...rest, controllerIds: new Set(["a", "b"]) });
  expect(policyOf({ childSessions: " none " })).toEqual(keys());
  expect(policyOf({ childSessions: " agent:main:X " })).toEqual(keys("agent:main:X"));
  expect(policyOf({ childSessions: [" k ", "l"] })).toEqual(keys("k", "l"));
  expect(policyOf({ childSessions: " agent:main:* " })).toEqual({
    ...rest,
    childSessions: { kind: "prefix", prefix: "agent:main:" },
  });
  expect(policyOf({ actions: ["read", "cancel_flow"] })).toEqual({
    ...rest,
    actions: new Set(["get_flow", "list_flows", "find_latest_flow", "resolve_flow", "get_task_summary", "cancel_flow"]),
  });
});

test("POLICY-6, CONFIG-3: whatever the fields hold, no problem repeats it and nothing is thrown", () => {
  const secret = wildText.map((text) => `Zq7${text}`);
  const marked = fc.oneof(fc.anything({ maxDepth: 2 }), secret, fc.array(secret));
  fc.assert(
    fc.property(marked, marked, marked, (actions, controllerIds, childSessions) => {
      const lines = linesOf({ actions, controllerIds, childSessions });
      for (const line of lines) expect(line.includes("Zq7")).toBe(false);
    }),
    { numRuns: runs(300) },
  );
});
