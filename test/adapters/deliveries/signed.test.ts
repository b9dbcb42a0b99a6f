// Signed routes through a whole bridge: what opens them, what does not, and in which order it is found out.

import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { LIMITS_DEADLINE_MS } from "../../../adapters/bridge/bridge.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import type { Limits } from "../../../adapters/limits/limits.ts";
import { SCHEME_NAMES, type SchemeName } from "../../../core/index.ts";
import { rig, SECRETS, signed } from "../../support/deliveries.ts";
import { runs } from "../../support/runs.ts";

const SESSION = "agent:main:main";
const LIST = "list_flows";

const routesOf = (more: object = {}): object =>
  Object.fromEntries(
    SCHEME_NAMES.map((name) => [name, { sessionKey: SESSION, secret: SECRETS[name], signature: name, ...more }]),
  );

/** A body that each scheme takes: Linear's has its time inside. */
const bodyOf = (goal: string): string =>
  JSON.stringify({ action: "create_flow", goal, stateJson: { webhookTimestamp: 1 } });

const LINEAR_RULES = [{ do: { action: "create_flow", goal: "{{payload.goal}}" } }];

/** Linear's time is a member of the body, which an action cannot have: its routes have rules. */
const ROUTES = {
  ...routesOf(),
  linear: { sessionKey: SESSION, secret: SECRETS.linear, signature: "linear", deliveries: LINEAR_RULES },
};
const deliveryOf = (scheme: SchemeName, goal: string): string =>
  scheme === "linear" ? JSON.stringify({ goal, webhookTimestamp: Date.now() }) : bodyOf(goal);

describe.each(SCHEME_NAMES)("%s", (scheme) => {
  test("SIGN-4, ORDER-2: a signed body is carried out, whatever it holds", async () => {
    const { send } = rig(ROUTES);
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[ -~\u00e0-\u00ff\u4e00-\u4eff]{1,40}$/u), async (goal) => {
        fc.pre(goal.trim() !== "");
        const body = deliveryOf(scheme, goal);
        const { status, body: said } = await send(scheme, body, signed(scheme, body));
        expect([status, said.result?.flow]).toMatchObject([200, { goal: goal.trim() }]);
      }),
      { numRuns: runs(20) },
    );
  });

  test("LIMIT-11: a sender is told its limits once its body has proved who it is, and before that nothing", async () => {
    const { send } = rig(ROUTES);
    const told = async (body: string, headers: Readonly<Record<string, string>>): Promise<readonly unknown[]> => {
      const sent = await send(scheme, body, headers);
      return [sent.status, sent.headers.get("RateLimit-Policy"), sent.headers.get("RateLimit")];
    };
    const policy = '"default";q=120;w=60, "in-flight";q=8;qu="concurrent-requests"';
    const body = deliveryOf(scheme, "g");
    expect(await told(body, signed(scheme, body))).toEqual([200, policy, '"default";r=119;t=60']);
    expect(await told(body, signed(scheme, `${body} `))).toEqual([401, null, null]);
    expect(await told(body, {})).toEqual([401, null, null]);
    const old = JSON.stringify({ goal: "g", webhookTimestamp: 1 });
    const later = scheme === "linear" ? [401, null, null] : [400, policy, '"default";r=116;t=60'];
    expect(await told(old, signed(scheme, old))).toEqual(later);
  });

  test("AUTH-5, SIGN-3, SIGN-4: everything that is wrong with a signature is refused by the same bytes", async () => {
    const { send, events } = rig(ROUTES);
    const body = deliveryOf(scheme, "g");
    const good = signed(scheme, body);
    const wrong: readonly Readonly<Record<string, string>>[] = [
      {},
      { authorization: `Bearer ${SECRETS[scheme]}` },
      { "x-openclaw-webhook-secret": SECRETS[scheme] },
      signed(scheme, `${body} `),
      signed(scheme, body, { secret: `${SECRETS[scheme].slice(0, -4)}AAAA` }),
      ...Object.keys(good).map((name) => ({ ...good, [name]: "" })),
      ...Object.entries(good).map(([name, value]) => ({ ...good, [name]: `${value}, ${value}` })),
      ...(scheme === "standard" || scheme === "stripe" || scheme === "slack"
        ? [-301_000, 302_000].map((away) => signed(scheme, body, { now: Date.now() + away }))
        : []),
    ];
    const refused = await Promise.all(wrong.slice(0, 8).map((headers) => send(scheme, body, headers)));
    for (const headers of wrong.slice(8)) refused.push(await send(scheme, body, headers));
    for (const { status, text } of refused) expect([status, text]).toEqual([401, refused[0]?.text]);
    expect(refused[0]?.text).toBe(
      JSON.stringify({ ok: false, code: "unauthorized", error: "The secret is missing or wrong.", result: {} }),
    );
    expect(events.filter(({ action }) => action !== undefined)).toEqual([]);
  });
});

test("ORDER-2: a signed route checks in its order, each check before what comes after it", async () => {
  const deliveries = [{ when: { "payload.a": true }, do: { action: "create_flow", goal: "{{payload.b}}" } }];
  const { send, handler } = rig({
    it: { sessionKey: SESSION, secret: SECRETS.github, signature: "github", deliveries, maxBodyBytes: 100 },
  });
  const big = JSON.stringify({ a: "x".repeat(100) });
  const code = async (body: string, headers: Readonly<Record<string, string>>): Promise<string | undefined> =>
    (await send("it", body, headers)).body.code;
  const sign = (body: string): Readonly<Record<string, string>> => signed("github", body);
  expect((await handler(new Request("http://bridge.test/nowhere", { method: "GET" }))).status).toBe(404);
  expect((await handler(new Request("http://bridge.test/plugins/webhooks/it"))).status).toBe(405);
  expect(await code(big, { "content-type": "text/plain" })).toBe("unsupported_media_type");
  expect(await code(big, {})).toBe("unauthorized");
  expect(await code(big, sign("{}"))).toBe("payload_too_large");
  expect(await code("{", sign("{}"))).toBe("unauthorized");
  expect(await code("{", sign("{"))).toBe("invalid_json");
  expect(await code("[]", sign("[]"))).toBe("ignored");
  expect(await code('{"a":1}', sign('{"a":1}'))).toBe("mapping_failed");
  expect(await code('{"a":1,"b":" "}', sign('{"a":1,"b":" "}'))).toBe("mapping_failed");
  expect(await code('{"a":1,"b":"x"}', sign('{"a":1,"b":"x"}'))).toBe(undefined);
});

test("SIGN-6, AUTH-6: a signature opens the route of its scheme and key, and no other; a plain secret opens none of them", async () => {
  const { send } = rig({
    ...ROUTES,
    other: { sessionKey: SESSION, secret: "another-secret-0123456789", signature: "github" },
  });
  for (const scheme of SCHEME_NAMES) {
    const body = deliveryOf(scheme, "g");
    for (const route of [...SCHEME_NAMES, "other"]) {
      const { status } = await send(route, body, signed(scheme, body));
      expect([scheme, route, status]).toEqual([scheme, route, route === scheme ? 200 : 401]);
    }
    for (const headers of [
      { authorization: `Bearer ${SECRETS[scheme]}` },
      { "x-openclaw-webhook-secret": SECRETS[scheme] },
    ])
      expect([scheme, (await send(scheme, body, headers)).status]).toEqual([scheme, 401]);
  }
});

test("SIGN-3: a time inside the signed body is held against the clock, in both directions", async () => {
  const { send } = rig(ROUTES);
  for (const [away, status] of [
    [-301_000, 401],
    [-299_000, 200],
    [299_000, 200],
    [301_000, 401],
  ] as const) {
    const body = JSON.stringify({ goal: "g", webhookTimestamp: Date.now() + away });
    const sent = await send("linear", body, signed("linear", body));
    expect([away, sent.status, sent.body.routeId]).toEqual([away, status, status === 200 ? "linear" : undefined]);
  }
});

test("AUTH-9: during a rotation both keys open a signed route, and the use of the old one is told", async () => {
  const previousSecret = "the-secret-before-0123456789";
  const { send, events, lines } = rig({
    it: { sessionKey: SESSION, secret: SECRETS.github, previousSecret, signature: "github" },
  });
  const body = JSON.stringify({ action: "create_flow", goal: "g" });
  const other = JSON.stringify({ action: "create_flow", goal: "h" });
  expect((await send("it", body, signed("github", body))).status).toBe(200);
  expect(events.map(({ secret }) => secret)).toEqual(["current"]);
  expect(lines).toEqual([]);
  for (const [sent, status] of [
    [other, 200],
    ["{", 400],
  ] as const) {
    expect((await send("it", sent, signed("github", sent, { secret: previousSecret }))).status).toBe(status);
  }
  expect(events.map(({ secret }) => secret)).toEqual(["current", "previous", "previous"]);
  expect(lines).toEqual([
    expect.stringMatching(/a sender still uses the previousSecret .*route=it .*secret=previous/u),
  ]);
  expect((await send("it", body, signed("github", body, { secret: "neither-of-both-0123456789" }))).status).toBe(401);
});

test("AUTH-8, AUTH-9: a plain secret comes in its own header, in the field's own, or as a bearer token; the old one too", async () => {
  const secret = "gitlab-token-0123456789";
  const previousSecret = "gitlab-token-before-0123456789";
  const { send, events } = rig({ it: { sessionKey: SESSION, secret, previousSecret, secretHeader: "X-Gitlab-Token" } });
  const ask = JSON.stringify({ action: LIST });
  const status = async (headers: Readonly<Record<string, string>>): Promise<number> =>
    (await send("it", ask, headers)).status;
  for (const value of [secret, previousSecret]) {
    expect(await status({ "x-gitlab-token": value })).toBe(200);
    expect(await status({ "x-openclaw-webhook-secret": value })).toBe(200);
    expect(await status({ authorization: `Bearer ${value}` })).toBe(200);
  }
  expect(events.map((event) => event.secret)).toEqual([
    "current",
    "current",
    "current",
    "previous",
    "previous",
    "previous",
  ]);
  expect(await status({ "x-gitlab-token": `${secret}, ${secret}` })).toBe(401);
  expect(await status({ "x-gitlab-token": "wrong" })).toBe(401);
  expect(await status({ "x-gitlab-token": secret, authorization: "Bearer wrong" })).toBe(401);
  expect(await status({ "x-gitlab-token": secret, "x-openclaw-webhook-secret": "wrong" })).toBe(401);
  expect(await status({ "x-other-token": secret })).toBe(401);
});

test("BODY-7: a route takes bodies of the size that it allows, and says how large that is", async () => {
  const secret = "secret-of-a-route-0123456789";
  const { send } = rig({
    small: { sessionKey: SESSION, secret, maxBodyBytes: 1000 },
    large: { sessionKey: SESSION, secret, maxBodyBytes: 1_000_000 },
  });
  const sized = (size: number): string => {
    const empty = JSON.stringify({ action: "create_flow", goal: "g", stateJson: "" });
    return empty.replace('""', JSON.stringify("x".repeat(size - empty.length)));
  };
  const sent = async (route: string, size: number): Promise<unknown> => {
    const { status, body } = await send(route, sized(size), { authorization: `Bearer ${secret}` });
    return status === 200 ? status : [status, body.error];
  };
  expect(await sent("small", 1000)).toBe(200);
  expect(await sent("small", 1001)).toEqual([413, "The body is larger than 1,000 bytes."]);
  expect(await sent("large", 1_000_000)).toBe(200);
  expect(await sent("large", 1_000_001)).toEqual([413, "The body is larger than 1,000,000 bytes."]);
});

const UNASKED = { kind: "admission_unavailable", retryAfterMs: 1000 } as const;

test.each<readonly [string, Limits["confirm"], number, boolean]>([
  ["gives a slot", () => true, 200, true],
  ["gives a slot later", () => Promise.resolve(true), 200, true],
  ["has no slot left", () => false, 429, false],
  ["has no slot left, as it says later", () => Promise.resolve(false), 429, false],
  ["cannot be asked", () => UNASKED, 503, false],
  ["cannot be asked, as it says later", () => Promise.resolve(UNASKED), 503, false],
  [
    "fails",
    () => {
      throw new Error("boom");
    },
    500,
    false,
  ],
  ["fails later", () => Promise.reject(new Error("boom")), 500, false],
])("SIGN-5, SLOT-2, LIMIT-15: a proved request whose limit %s", async (_, confirm, status, isHeld) => {
  const released: boolean[] = [];
  let asked = 0;
  const flows = memoryFlows();
  const { send } = rig(
    { it: { sessionKey: SESSION, secret: SECRETS.github, signature: "github" } },
    {
      limits: {
        admit: () => ({ kind: "admitted" }),
        confirm,
        release: (_at, isProved) => void released.push(isProved),
      },
      flows: {
        takesDeliveries: true,
        execute: (...command) => {
          asked += 1;
          return flows.execute(...command);
        },
      },
    },
  );
  const body = JSON.stringify({ action: "create_flow", goal: "g" });
  expect((await send("it", body, {})).status).toBe(401);
  expect((await send("it", body, signed("github", body, { secret: "another-secret-0123456789" }))).status).toBe(401);
  expect([released, asked]).toEqual([[false, false], 0]);
  const { status: said, headers } = await send("it", body, signed("github", body));
  expect([said, headers.get("retry-after")]).toEqual([status, status === 429 || status === 503 ? "1" : null]);
  expect([released, asked]).toEqual([[false, false, isHeld], isHeld ? 1 : 0]);
});

/** Limits that let everything in, and whose answer to a proof is given by `confirm`. */
const limitsWith = (confirm: () => boolean | Promise<boolean>): { limits: Limits; released: boolean[] } => {
  const released: boolean[] = [];
  const limits: Limits = {
    admit: () => ({ kind: "admitted" }),
    confirm,
    release: (_at, isProved) => void released.push(isProved),
  };
  return { limits, released };
};

const HUB = { it: { sessionKey: SESSION, secret: SECRETS.github, signature: "github" } };

test("BODY-8: a proved body is counted while its limits take their time", async () => {
  const { promise: slot, resolve: give } = Promise.withResolvers<boolean>();
  let [proved, refused] = [0, 0];
  const { limits } = limitsWith(() => {
    proved += 1;
    return slot;
  });
  const { send } = rig({ it: { ...HUB.it, maxBodyBytes: 26_214_400 } }, { limits });
  const body = `${" ".repeat(12_000_000)}{"action":"list_flows"}`;
  const sending: Promise<unknown>[] = [];
  for (let place = 1; place <= 8; place += 1) {
    const sent = send("it", body, signed("github", body), `203.0.113.${String(place)}`);
    sending.push(sent.then(({ status }) => (refused += status === 503 ? 1 : 0)));
    await vi.waitFor(() => expect(proved + refused).toBe(place));
  }
  expect([proved, refused]).toEqual([5, 3]);
  give(true);
  await Promise.all(sending);
});

test("SLOT-2, SLOT-3: a slot that the limits give too late goes back, once", async () => {
  vi.useFakeTimers();
  for (const late of [true, false]) {
    const { promise: slot, resolve: give } = Promise.withResolvers<boolean>();
    const { limits, released } = limitsWith(() => slot);
    const { send } = rig(HUB, { limits });
    const body = JSON.stringify({ action: "create_flow", goal: "g" });
    const sending = send("it", body, signed("github", body));
    await vi.advanceTimersByTimeAsync(LIMITS_DEADLINE_MS);
    expect([(await sending).status, released]).toEqual([500, []]);
    give(late);
    await vi.advanceTimersByTimeAsync(0);
    expect(released).toEqual([late]);
  }
  vi.useRealTimers();
});

test("SIGN-3, SIGN-5: an old recording whose time is in its body does not make its sender known", async () => {
  let confirmed = 0;
  const { limits } = limitsWith(() => {
    confirmed += 1;
    return true;
  });
  const { send } = rig(ROUTES, { limits });
  for (const [sentAt, status, times] of [
    [1, 401, 0],
    [Date.now(), 200, 1],
  ] as const) {
    const body = JSON.stringify({ goal: "g", webhookTimestamp: sentAt });
    expect([(await send("linear", body, signed("linear", body))).status, confirmed]).toEqual([status, times]);
  }
  expect((await send("github", "{", signed("github", "{"))).status).toBe(400);
  expect(confirmed).toBe(2);
});

test("AUDIT-2, AUTH-5: the operator's log says what a refused signature lacks; the caller is told the same for all", async () => {
  const { send, events, lines } = rig({
    hub: HUB.it,
    timed: { sessionKey: SESSION, secret: SECRETS.standard, signature: "standard" },
    linear: ROUTES.linear,
  });
  const body = JSON.stringify({ goal: "g", webhookTimestamp: 1 });
  const refused = [
    await send("hub", body, {}),
    await send("hub", body, { "x-hub-signature-256": "0000" }),
    await send("hub", body, signed("github", `${body} `)),
    await send("timed", body, signed("standard", body, { now: Date.now() - 400_000 })),
    await send("linear", body, signed("linear", body)),
  ];
  expect(refused.map(({ status, text }) => [status, text])).toEqual(refused.map(() => [401, refused[0]?.text]));
  const faults = [
    "it has no signature",
    "its signature, its id or its time is malformed",
    "no key of the route signed its bytes",
    "its time is more than 300 seconds away from this clock",
    "the time in its body is not within 300 seconds of this clock",
  ];
  expect(events.map(({ fault }) => fault)).toEqual(faults);
  for (const [place, fault] of faults.entries()) expect(lines[place]).toContain(fault);
});
