import fc from "fast-check";
import { expect, test } from "vitest";
import {
  explainRoute,
  explainUnmet,
  hmacSha256,
  type JsonValue,
  loadConfig,
  mapDelivery,
  parseRules,
  type Route,
  SCHEME_NAMES,
  sha256,
  signDelivery,
  signingKey,
  type Source,
  statedBy,
  unmetIn,
} from "../../core/index.ts";
import { bytes } from "./arbitraries.ts";

const SECRET = "a-signing-secret-0123456789";

const routeOf = (fields: object): Route => {
  const config = loadConfig({ routes: { github: { sessionKey: "s", secret: SECRET, ...fields } } }, sha256);
  const route = config.routes.get("/plugins/webhooks/github");
  if (route === undefined) throw new Error(JSON.stringify(config.problems));
  return route;
};

const key = "pr {{payload.repository.full_name}}#{{payload.number}}";
const opened = {
  when: { "headers.x-github-event": "pull_request", "payload.action": ["opened", "reopened"] },
  key,
  do: { action: "create_flow", goal: "Review" },
};

test("a route with rules is explained by a sentence on what it takes and one for each rule", () => {
  const closed = { when: { "payload.action": "closed", "payload.number": true }, key, do: { action: "finish_flow" } };
  const named = { when: { "payload.flow": true }, do: { action: "cancel_flow", flowId: "{{payload.flow}}" } };
  const all = { do: { action: "create_flow", goal: "{{payload.title}}" } };
  expect(explainRoute(routeOf({ signature: "github", deliveries: [opened, closed, named, all] }))).toEqual([
    "takes deliveries that are signed as github",
    `deliveries[0]: when headers.x-github-event is "pull_request" and payload.action is "opened" or "reopened": create_flow, bound to key "${key}"`,
    `deliveries[1]: when payload.action is "closed" and payload.number is there: finish_flow of the flow that is bound to key "${key}"`,
    "deliveries[2]: when payload.flow is there: cancel_flow of the flow that do.flowId names",
    "deliveries[3]: always: create_flow",
  ]);
});

test.each<[object, readonly unknown[]]>([
  [{}, []],
  [{ maxBodyBytes: 262_144 }, []],
  [{ maxBodyBytes: 1000 }, ["takes actions with its secret, in bodies of at most 1,000 bytes"]],
  [{ previousSecret: `${SECRET}-0` }, ["takes actions with its secret or its previousSecret"]],
  [
    { signature: "github", maxBodyBytes: 26_214_400 },
    ["takes actions that are signed as github, in bodies of at most 26,214,400 bytes"],
  ],
  [{ signature: "slack" }, ["takes actions that are signed as slack"]],
  [
    { signature: "slack", previousSecret: `${SECRET}-0` },
    ["takes actions that are signed as slack, by secret or previousSecret"],
  ],
  [
    { actions: ["create_flow", "get_flow"] },
    ["takes actions with its secret", "allows no action but create_flow, get_flow"],
  ],
  [
    { controllerIds: ["ci", "de\nploy"], childSessions: "none" },
    [
      "takes actions with its secret",
      String.raw`lets a body name no controller but its own and "ci", "de\nploy"`,
      "lets a task name no child session",
    ],
  ],
  [
    { childSessions: "agent:main:hook:*" },
    ["takes actions with its secret", "lets a task name only child sessions that begin with its prefix"],
  ],
  [{ childSessions: "agent:main:x" }, ["takes actions with its secret", "lets a task name one child session only"]],
  [
    { childSessions: ["agent:main:x", "agent:main:y"] },
    ["takes actions with its secret", "lets a task name 2 child sessions only"],
  ],
  [{ secretHeader: "X-Gitlab-Token" }, ["takes actions with its secret, which may stand in the header x-gitlab-token"]],
  [
    { previousSecret: `${SECRET}-0`, deliveries: [opened], allowActions: true },
    [
      "takes deliveries, and actions of callers, with its secret or its previousSecret",
      expect.stringMatching(/^deliveries\[0\]: when/u),
    ],
  ],
  [
    { limits: { perMinute: 6000, inFlight: 64, maxFlows: 1, maxTasks: 10_000 } },
    [
      "takes actions with its secret",
      "takes at most 6,000 requests a minute and 64 at once of each client",
      "makes no flow beyond 1 open in its session",
      "adds no task beyond 10,000 active of a flow",
    ],
  ],
  [
    { limits: { perMinute: 120, inFlight: 1 } },
    ["takes actions with its secret", "takes at most 1 at once of each client"],
  ],
  [
    { run: { message: "Do." } },
    [
      "takes actions with its secret",
      "has a Gateway start an agent for each new flow, without tools, in a session of its own, 900 s and 1 at once at most",
    ],
  ],
  [
    { run: { message: "Do.", tools: true, session: "agent:main:x", timeoutSeconds: 3600, concurrency: 2 } },
    [
      "takes actions with its secret",
      "has a Gateway start an agent for each new flow, with tools, in the session agent:main:x, 3,600 s and 2 at once at most",
    ],
  ],
])("POLICY-4, LIMIT-10: of %j the route says what it takes and allows", (fields, lines) => {
  expect(explainRoute(routeOf(fields))).toEqual(lines);
});

const word = fc.constantFrom("a", "b", "c");
const value = fc.oneof(word, fc.constant(1), fc.constant(null), fc.constant(false));
const wanted = fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 3 }), fc.constant(true));
const when = fc.dictionary(fc.constantFrom("payload.a", "payload.b", "headers.a", "headers.b"), wanted, { maxKeys: 3 });
const payload = fc.dictionary(word, value, { maxKeys: 3 });

test("MAP-4: the rule that maps a delivery is the first that no condition speaks against, and the others have one that does", () => {
  let held = 0;
  const rule = when.map((conditions) => ({ when: conditions, do: { action: "create_flow", goal: "x" } }));
  const deliveries = fc.array(rule, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(deliveries, payload, fc.dictionary(word, word), (written, members, headers) => {
      const rules = parseRules(written, []).unwrapOr([]);
      const source: Source = { payload: members as JsonValue, header: (name) => headers[name] };
      const mapped = mapDelivery(rules, source)?._unsafeUnwrap();
      const unmet = rules.map((one) => unmetIn(one, source));
      expect(mapped?.rule ?? -1).toBe(unmet.indexOf(undefined));
      if (mapped !== undefined) held += 1;
      for (const condition of unmet) {
        if (condition === undefined) continue;
        const sentence = explainUnmet(condition, source);
        expect(sentence.startsWith(`${condition.path.written} is `)).toBe(true);
        expect(sentence).toContain(condition.anyOf === undefined ? "missing" : ", not ");
      }
    }),
  );
  expect(held).toBeGreaterThan(0);
});

test("AUDIT-2: what a delivery or a rule holds cannot end a line or hide in it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (wild, sent) => {
      const rule = {
        when: { "payload.a": [wild, 1] },
        key: `k${wild.replaceAll("{", "")}`,
        do: { action: "finish_flow" },
      };
      const [parsed] = parseRules([rule], [])._unsafeUnwrap();
      const condition = parsed?.when[0];
      if (condition === undefined) throw new Error("no condition");
      const source: Source = { payload: { a: sent }, header: () => undefined };
      const lines = [explainUnmet(condition, source), ...explainRoute(routeOf({ deliveries: [rule] }))];
      for (const line of lines) expect(line).toMatch(/^[ -~]{1,900}$/u);
    }),
  );
});

test("SIGN-3: what a head states is read of the spelling that was sent, trimmed, and nothing is read of what is malformed", () => {
  const said = (scheme: Parameters<typeof statedBy>[0], headers: Readonly<Record<string, string>>, payload?: unknown) =>
    statedBy(scheme, (name) => headers[name], payload ?? null);
  for (const field of ["svix-id", "svix-timestamp", "svix-signature"] as const) {
    const headers = { "svix-id": " msg ", "svix-timestamp": " 1700000000 ", "svix-signature": "v1,abc" };
    const { id, at } = said("standard", { [field]: headers[field] });
    expect([id, at]).toEqual([
      field === "svix-id" ? "msg" : undefined,
      field === "svix-timestamp" ? 1_700_000_000_000 : undefined,
    ]);
    expect(said("standard", headers)).toEqual({ id: "msg", at: 1_700_000_000_000, lacks: [] });
  }
  expect(said("standard", { "webhook-id": "a.b", "webhook-timestamp": "soon" })).toEqual({
    id: undefined,
    at: undefined,
    lacks: ["id", "time"],
  });
  expect(said("stripe", { "stripe-signature": "t=1,t=2,v1=00" })).toEqual({
    id: undefined,
    at: undefined,
    lacks: ["time"],
  });
  expect(said("stripe", { "stripe-signature": "t= 1700000000 ,v1=00" }).at).toBe(1_700_000_000_000);
  expect(said("linear", {}, { webhookTimestamp: 5 }).at).toBe(5);
  for (const sent of ["5", 5.5, Number.NaN, null]) {
    expect(said("linear", {}, { webhookTimestamp: sent }).at).toBeUndefined();
  }
  // of a scheme that signs no time none is read, neither of the head nor of the body
  expect(said("github", { "x-github-delivery": "d" }, { webhookTimestamp: 5, undefined: 7 })).toEqual({
    id: "d",
    at: undefined,
    lacks: [],
  });
});

test("SIGN-3: what a signed delivery states is its id and its time", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SCHEME_NAMES),
      fc.stringMatching(/^[\w-]{1,40}$/u),
      fc.nat(2_000_000_000),
      (scheme, id, at) => {
        const secret = Buffer.alloc(32, SECRET).toString("base64");
        const signing = signingKey(scheme, secret)._unsafeUnwrap();
        const body = { webhookTimestamp: at * 1000 };
        const headers = signDelivery(scheme, signing, { id, now: at * 1000 }, bytes(JSON.stringify(body)), hmacSha256);
        const stated = statedBy(scheme, (name) => headers[name], body);
        const isTimed = !["github", "shopify"].includes(scheme);
        const isNamed = ["standard", "github", "shopify"].includes(scheme);
        expect(stated).toEqual({ id: isNamed ? id : undefined, at: isTimed ? at * 1000 : undefined, lacks: [] });
        const lacks = {
          standard: ["id", "time"],
          stripe: ["time"],
          slack: ["time"],
          github: [],
          shopify: [],
          linear: [],
        };
        expect(statedBy(scheme, () => undefined, null)).toEqual({ id: undefined, at: undefined, lacks: lacks[scheme] });
      },
    ),
  );
});
