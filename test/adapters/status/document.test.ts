// The document of the operator's page.

import fc from "fast-check";
import { expect, test } from "vitest";
import { loadConfig } from "../../../core/index.ts";
import { told } from "../../../adapters/bridge/told.ts";
import { memoryFlows } from "../../../adapters/flows/memory/index.ts";
import { openSqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import { nodePrimitives } from "../../../adapters/node/index.ts";
import { Activity } from "../../../adapters/status/activity.ts";
import { createStatus, type StatusOptions } from "../../../adapters/status/document.ts";
import { statusPages } from "../../../adapters/status/page.ts";
import { runs } from "../../support/runs.ts";

const { sha256 } = nodePrimitives;
const activity = new Activity();
const store = memoryFlows();
const KEY = `whsec_${Buffer.from("q8Zr2LkP9vXw4TnB7mYc1JdF6hGs3Ke5").toString("base64")}`;

const documentOf = (routes: unknown) =>
  createStatus({ config: () => loadConfig({ routes }, sha256), activity, store })();

const statusOf = (options: StatusOptions) => createStatus(options)();

/** A text that is in nothing else by chance. */
const hidden = (prefix: string) => fc.uuid().map((id) => `${prefix}${id}`);

test("STATUS-1: no secret, key, session or path of a receiver is in the document, wherever the operator has put it", async () => {
  const secrets = fc.record({
    secret: hidden("s3-"),
    previous: hidden("p4-"),
    session: hidden("agent:main:"),
    path: hidden("hook-"),
  });
  const places = fc.constantFrom("none", "id", "path", "rule", "description");
  await fc.assert(
    fc.asyncProperty(secrets, places, async ({ secret, previous, session, path }, place) => {
      const at = (name: string): boolean => place === name;
      const id = at("id") ? session : "ci";
      const route = {
        sessionKey: session,
        secret,
        previousSecret: previous,
        ...(at("path") ? { path: `/hooks/${session}` } : {}),
        ...(at("description") ? { description: session } : {}),
        ...(at("rule") ? { deliveries: [{ do: { action: "create_flow", goal: session }, key: session }] } : {}),
        notify: { url: `https://ci.example/${path}?token=${path}`, secret: at("id") ? "whsec_abcd" : KEY },
      };
      const text = JSON.stringify(await documentOf({ [id]: route }));
      for (const value of [secret, previous, session, path, KEY, KEY.slice(6)])
        expect(text.toLowerCase()).not.toContain(value.toLowerCase());
      expect(text).toContain('"state":"live"');
    }),
  );
});

test("STATUS-1: a session key that is in the id of a route is hidden, whether the route lives, is cold or skipped, and where others name it", async () => {
  const states = fc.constantFrom("live", "cold", "skipped", "twin");
  // neither long nor of the shape of a session key: only its route says what it is
  const key = fc.uuid().map((id) => `team-${id.slice(0, 8)}`);
  await fc.assert(
    fc.asyncProperty(key, states, fc.boolean(), async (session, state, isPart) => {
      const id = isPart ? `hook-${session}` : session;
      const twin = { sessionKey: "agent:main:hook", secret: "long enough to be one 1", path: "/same" };
      const routes = {
        [id]: {
          sessionKey: session,
          secret: state === "cold" ? "" : "long enough to be one 1",
          path: state === "skipped" ? "none" : "/same",
        },
        ...(state === "twin" ? { other: twin } : {}),
      };
      const { routes: shown, ...rest } = await documentOf(routes);
      expect(JSON.stringify([shown, rest])).not.toContain(session);
      expect([shown[0]?.id, shown[0]?.state]).toEqual(["[hidden]", state === "twin" ? "live" : state]);
      if (state === "cold" || state === "skipped") expect(shown[0]?.problems[0]).toMatch(/^route \[hidden\] /u);
    }),
    { numRuns: runs(60) },
  );
});

test("STATUS-1: a route shows why it does not live", async () => {
  const { routes, problems } = await documentOf({
    live: { sessionKey: "agent:main:a", secret: "long enough to be one 1" },
    weak: { sessionKey: "agent:main:b", secret: "kurz7" },
    cold: { sessionKey: "agent:main:c", secret: { source: "env", provider: "default", id: "X" } },
    wrong: { sessionKey: "", secret: "long enough to be one 2" },
    off: { enabled: false },
  });
  expect(routes.map(({ id, state, problems: why }) => [id, state, why.length])).toEqual([
    ["live", "live", 0],
    ["weak", "live", 1],
    ["cold", "cold", 1],
    ["wrong", "skipped", 1],
  ]);
  expect(problems).toEqual([]);
  expect((await documentOf(3)).problems).toHaveLength(1);
});

test("GATEWAY-1, NOTIFY-9: a line of another source stands in the row of its route, and callbacks that nobody gets among those", async () => {
  const routes = {
    live: { sessionKey: "agent:main:a", secret: "long enough to be one 1" },
    cold: { sessionKey: "agent:main:c", secret: "" },
    mute: {
      sessionKey: "agent:main:m",
      secret: "long enough to be one 2",
      notify: { url: "https://ci.example/x", secret: "whsec_abcd" },
    },
  };
  const lines = {
    cold: "route cold cold: secret could not be resolved: set it.",
    advice: "route live advice: previousSecret could not be resolved: remove it.",
    path: "route live skipped: path is not granted of agent:main:a.",
    other: "route cold-as-ice cold: not one of these.",
    proxy: "trustedProxies x is not an address.",
  };
  const config = loadConfig({ routes }, sha256);
  const problems = config.problems.filter(({ effect }) => effect !== "cold");
  const found = await statusOf({
    config: () => config,
    activity,
    store,
    told: () => [
      ...problems.map((problem) => told(problem)),
      { routeId: "cold", effect: "cold", line: lines.cold },
      { routeId: "live", effect: "advice", line: lines.advice },
      { routeId: "live", effect: "skipped", line: lines.path },
      { routeId: "cold-as-ice", effect: "cold", line: lines.other },
      { line: lines.proxy },
    ],
    callbacks: () => ["route live has callbacks that nobody took."],
  });
  expect(found.routes.map(({ id, problems: why }) => [id, why])).toEqual([
    ["live", [lines.advice]],
    ["mute", []],
    ["cold", [lines.cold]],
  ]);
  expect(found.problems).toEqual([lines.path.replace("agent:main:a", "[hidden]"), lines.other, lines.proxy]);
  expect(found.callbacks).toEqual([
    expect.stringMatching(/^route mute without callbacks: notify\.secret is not whsec_ /u),
    "route live has callbacks that nobody took.",
  ]);
});

test("STATUS-2: a delivery that asks for nothing is no refusal", async () => {
  const counted = new Activity();
  const event = { time: 0, durationMs: 1, routeId: "a" };
  for (const [status, code] of [
    [200, "ignored"],
    [401, "unauthorized"],
    [504, "outcome_unknown"],
    [401, "unauthorized"],
  ] as const)
    counted.add({ ...event, status, code });
  const { codes } = await statusOf({ config: () => loadConfig({}, sha256), activity: counted, store });
  expect(codes).toEqual([
    { code: "unauthorized", count: 2 },
    { code: "outcome_unknown", count: 1 },
  ]);
});

const sqlite = openSqliteFlows(":memory:")._unsafeUnwrap();

test.each([
  ["memory", store],
  ["sqlite", sqlite],
] as const)("open flows of the routes' sessions are counted by status (%s)", async (_, flows) => {
  const ask = (owner: string, action: Parameters<typeof flows.execute>[1]) =>
    flows.execute(owner, action, () => undefined);
  const create = (status: "queued" | "running") =>
    ({ action: "create_flow", goal: "g", controllerId: "c", status }) as const;
  await ask("agent:main:a", create("queued"));
  await ask("agent:main:a", create("running"));
  await ask("agent:main:other", create("running"));
  await ask("agent:main:b", create("running"));
  const ended = (await ask("agent:main:a", create("running")))._unsafeUnwrap();
  if (ended.kind !== "created") throw new Error(ended.kind);
  await ask("agent:main:a", { action: "finish_flow", flowId: String(ended.flow.json["flowId"]), expectedRevision: 0 });
  const routes = {
    a: { sessionKey: "agent:main:a", secret: "long enough to be one 1" },
    a2: { sessionKey: "agent:main:a", secret: "long enough to be one 3" },
    b: { sessionKey: "agent:main:b", secret: "long enough to be one 2" },
  };
  const { flows: counted, at } = await statusOf({
    config: () => loadConfig({ routes }, sha256),
    activity,
    store: flows,
  });
  expect(counted.open?.map(({ status, count }) => [status, count])).toEqual([
    ["queued", 1],
    ["running", 2],
  ]);
  for (const { oldestAt } of counted.open ?? []) expect(at - oldestAt).toBeLessThan(60_000);
});

test("a store that cannot count, or fails at it, is said", async () => {
  const config = () => loadConfig({}, sha256);
  expect((await statusOf({ config, activity, store: {} })).flows.why).toContain("does not count");
  const countOpen = (): never => {
    throw new Error("secret words");
  };
  const failed = await statusOf({ config, activity, store: { countOpen } });
  expect(failed.flows.why).toBe("the store failed. The log says more");
});

test("ADMIN-1: page and document are made once for as long as one document is shown", async () => {
  const first = await documentOf({});
  const second = await documentOf({ a: { sessionKey: "" } });
  let shown = first;
  const pages = statusPages(() => Promise.resolve(shown));
  for (const name of ["/", "/status.json"] as const) {
    shown = first;
    const before = await pages[name]();
    expect(await pages[name]()).toBe(before);
    shown = second;
    const after = await pages[name]();
    expect([after === before, after.body.includes("sessionKey")]).toEqual([false, true]);
  }
});

test("STATUS-3: the page runs its own script and styles alone, and is framed by its own host alone", async () => {
  const pages = statusPages(() => documentOf({ "</script><script>alert(1)</script>": { sessionKey: "" } }));
  const { headers, body } = await pages["/"]();
  const policy = new Map(
    (headers["Content-Security-Policy"] ?? "")
      .split("; ")
      .map((part) => [part.split(" ")[0], part.split(" ").slice(1).join(" ")]),
  );
  const hash = (tag: string): string => {
    const text = body.slice(
      body.indexOf(`<${tag}>`) + tag.length + 2,
      body.indexOf(`</${tag}>`, body.indexOf(`<${tag}>`)),
    );
    return `'sha256-${Buffer.from(sha256(new TextEncoder().encode(text))).toString("base64")}'`;
  };
  expect(body).not.toContain("<script>alert");
  expect(body.match(/<script/gu)).toHaveLength(2);
  expect(policy.get("default-src")).toBe("'none'");
  expect(policy.get("script-src")).toBe(hash("script"));
  expect(policy.get("style-src")).toBe(hash("style"));
  expect(policy.get("connect-src")).toBe("'self'");
  expect(policy.get("frame-ancestors")).toBe("'self'");
  expect(policy.get("base-uri")).toBe("'none'");
  expect(policy.get("form-action")).toBe("'none'");
  expect(body).not.toMatch(
    /innerHTML|insertAdjacentHTML|document\.write|\son\w+=|<link|src=|https?:\/\/(?!www\.w3\.org\/2000\/svg)/u,
  );
  expect(headers["Cache-Control"]).toBe("no-store");
  expect(JSON.parse((await pages["/status.json"]()).body)).toHaveProperty("routes");
});
