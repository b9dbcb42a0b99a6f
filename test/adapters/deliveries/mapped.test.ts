// Mapped deliveries and repeated requests through a whole bridge, in memory and on SQLite.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { EmbeddedFlows } from "../../../adapters/flows/embedded-store.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { openSqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import { ACTIONS, type Delivery, DELIVERY_ACTIONS, err, NO_DELIVERY, ok } from "../../../core/index.ts";
import { goodBody } from "../../core/arbitraries.ts";
import { githubDeliveries } from "../../support/github-deliveries.ts";
import { GITHUB_RULES } from "../../support/github-rules.ts";
import { rig, type Rig, SECRETS, type Sent, signed } from "../../support/deliveries.ts";
import { runs } from "../../support/runs.ts";

const SESSION = "agent:main:main";
const SECRET = "secret-of-a-route-0123456789";
const BEARER = { authorization: `Bearer ${SECRET}` };
const KEY = "pr {{payload.repository.full_name}}#{{payload.number}}";

/** The example of the docs. */
const GITHUB = {
  sessionKey: SESSION,
  secret: SECRETS.github,
  signature: "github",
  deliveries: [
    {
      when: { "headers.x-github-event": "pull_request", "payload.action": ["opened", "reopened"] },
      key: KEY,
      do: {
        action: "create_flow",
        goal: "Review {{payload.pull_request.title}}",
        stateJson: { url: "{{payload.pull_request.html_url}}", number: "{{payload.number}}" },
      },
    },
    {
      when: { "headers.x-github-event": "pull_request", "payload.action": "closed" },
      key: KEY,
      do: { action: "finish_flow" },
    },
  ],
};

const ROUTES = {
  github: GITHUB,
  other: { ...GITHUB, secret: "another-secret-0123456789" },
  both: { sessionKey: SESSION, secret: SECRET, deliveries: GITHUB.deliveries, allowActions: true },
  plain: { sessionKey: SESSION, secret: SECRET },
  twin: { sessionKey: SESSION, secret: SECRET },
};

const pull = (action: string, number = 7, more: object = {}): string =>
  JSON.stringify({
    action,
    number,
    repository: { full_name: "acme/app" },
    pull_request: { title: "Fix it", html_url: "https://git.test/acme/app/pull/7", ...more },
  });

const folder = mkdtempSync(join(tmpdir(), "deliveries-"));
afterAll(() => rmSync(folder, { recursive: true }));

const STORES: Readonly<Record<string, () => Promise<EmbeddedFlows>>> = {
  memory: () => Promise.resolve(memoryFlows()),
  sqlite: async () => (await openSqliteFlows(join(folder, `${crypto.randomUUID()}.db`)))._unsafeUnwrap(),
};

describe.each(Object.entries(STORES))("%s", (_, open) => {
  const setUp = async (): Promise<Rig> => rig(ROUTES, { flows: await open() });

  const deliver = ({ send }: Rig, body: string, event = "pull_request", route = "github"): Promise<Sent> =>
    send(route, body, {
      ...signed("github", body, route === "other" ? { secret: ROUTES.other.secret } : {}),
      "x-github-event": event,
    });

  const flowsOf = async ({ send }: Rig): Promise<readonly { goal: string; status: string; stateJson?: unknown }[]> =>
    (await send("plain", JSON.stringify({ action: "list_flows" }), BEARER)).body.result?.["flows"] as never;

  test("MAP-4, BIND-1: a pull request creates a flow, which its end finishes", async () => {
    const to = await setUp();
    const opened = await deliver(to, pull("opened"));
    expect(opened.body.result).toMatchObject({
      created: true,
      flow: {
        goal: "Review Fix it",
        stateJson: { url: "https://git.test/acme/app/pull/7", number: 7 },
        controllerId: "webhooks/github",
      },
    });
    expect((await deliver(to, pull("opened", 8))).body.result).toMatchObject({ created: true });
    expect((await deliver(to, pull("reopened"))).body.result).toMatchObject({
      created: false,
      flow: { flowId: opened.body.result?.flow?.flowId },
    });
    const closed = await deliver(to, pull("closed"));
    expect(closed.body.result).toMatchObject({ applied: true, flow: { goal: "Review Fix it", status: "succeeded" } });
    expect(closed.body.result?.flow?.flowId).toBe(opened.body.result?.flow?.flowId);
    expect((await deliver(to, pull("closed", 9))).body).toEqual({
      ok: true,
      routeId: "github",
      code: "ignored",
      result: {},
    });
    expect((await flowsOf(to)).map(({ status }) => status)).toEqual(["queued", "succeeded"]);
  });

  test("ONCE-1, ONCE-2, ONCE-4: the same signed bytes are a replay, whatever their id and event are", async () => {
    const to = await setUp();
    const first = await deliver(to, pull("opened"));
    expect(first.headers.get("idempotent-replayed")).toBeNull();
    for (const event of ["pull_request", "pull_request"]) {
      const again = await deliver(to, pull("opened"), event);
      expect([again.status, again.text, again.headers.get("idempotent-replayed")]).toEqual([200, first.text, "true"]);
    }
    expect(to.events.map(({ replayed }) => replayed)).toEqual([undefined, true, true]);
    expect(await flowsOf(to)).toHaveLength(1);
  });

  test("ONCE-8: keys, bindings and errors of one route never show on another of the same session", async () => {
    const to = await setUp();
    const [one, two] = [await deliver(to, pull("opened")), await deliver(to, pull("opened"), "pull_request", "other")];
    expect(two.headers.get("idempotent-replayed")).toBeNull();
    expect(two.body.result).toMatchObject({ created: true });
    expect(two.body.result?.flow?.flowId).not.toBe(one.body.result?.flow?.flowId);
    await deliver(to, pull("closed"), "pull_request", "other");
    expect((await flowsOf(to)).map(({ status }) => status)).toEqual(["succeeded", "queued"]);
  });

  test("MAP-5: what no rule takes is ignored, and so is the action in a payload", async () => {
    const to = await setUp();
    for (const [body, event] of [
      [JSON.stringify({ zen: "Speak like a human." }), "ping"],
      [pull("labeled"), "pull_request"],
      [JSON.stringify({ action: "create_flow", goal: "mine" }), "pull_request"],
      ["[]", "push"],
      ["null", "push"],
      ['"create_flow"', "push"],
    ] as const) {
      const { status, body: said } = await deliver(to, body, event);
      expect([status, said]).toEqual([200, { ok: true, routeId: "github", code: "ignored", result: {} }]);
    }
    expect(await flowsOf(to)).toEqual([]);
  });

  test("MAP-5: with allowActions a body that no rule takes may be one of the 13 actions", async () => {
    const to = await setUp();
    const ask = (body: string, event: string): Promise<Sent> =>
      to.send("both", body, { ...BEARER, "x-github-event": event });
    expect((await ask(JSON.stringify({ action: "create_flow", goal: "mine" }), "")).body.result).toMatchObject({
      flow: { goal: "mine" },
    });
    expect((await ask(pull("opened"), "pull_request")).body.result).toMatchObject({ flow: { goal: "Review Fix it" } });
    expect((await ask(pull("labeled"), "pull_request")).body.code).toBe("ignored");
    expect((await ask(JSON.stringify({ action: "create_flow" }), "")).body.code).toBe("invalid_request");
  });

  test("MAP-6: a delivery that lacks what its rule needs does nothing, and says which rule and path", async () => {
    const to = await setUp();
    for (const [body, path] of [
      [pull("opened", 7, { title: undefined }), "{{payload.pull_request.title}}"],
      [pull("opened", 7, { html_url: undefined }), "{{payload.pull_request.html_url}}"],
      [pull("opened", 7).replace('"number":7,', ""), "{{payload.number}}"],
    ] as const) {
      const { status, body: said } = await deliver(to, body);
      expect([status, said.code, said.result]).toEqual([422, "mapping_failed", { field: "deliveries[0]" }]);
      expect(said.error).toContain(`deliveries[0]: ${path} is missing`);
    }
    const blank = await deliver(to, pull("opened", 7, { title: "x".repeat(70_000) }));
    expect([blank.status, blank.body.code]).toEqual([422, "mapping_failed"]);
    expect(await flowsOf(to)).toEqual([]);
    expect((await deliver(to, pull("opened"))).status).toBe(200);
  });

  test("ONCE-1, ONCE-2: a caller may repeat any action that changes something under a key", async () => {
    const to = await setUp();
    const ask = (body: object, key?: string, route = "plain"): Promise<Sent> =>
      to.send(route, JSON.stringify(body), key === undefined ? BEARER : { ...BEARER, "idempotency-key": key });
    const { flowId } = (await ask({ action: "create_flow", goal: "g" })).body.result?.flow ?? {};
    const about = { flowId, expectedRevision: 0 };
    const bodies: Readonly<Record<(typeof DELIVERY_ACTIONS)[number], object>> = {
      create_flow: { goal: "another" },
      set_waiting: about,
      resume_flow: about,
      fail_flow: about,
      request_cancel: about,
      finish_flow: about,
      cancel_flow: { flowId },
      run_task: { flowId, runtime: "acp", task: "t" },
    };
    for (const action of DELIVERY_ACTIONS) {
      const body = { action, ...bodies[action] };
      const first = await ask(body, action);
      expect(first.headers.get("idempotent-replayed")).toBeNull();
      const flows = await flowsOf(to);
      for (const key of [action, `"${action}"`, ` ${action} `]) {
        const again = await ask(body, key);
        expect([again.status, again.text, again.headers.get("idempotent-replayed")]).toEqual([
          first.status,
          first.text,
          "true",
        ]);
      }
      expect(await flowsOf(to)).toEqual(flows);
      expect((await ask({ ...body, extra: 1 }, action)).body.code).toBe("invalid_request");
      const other = await ask(
        action === "create_flow" ? { ...body, goal: "other" } : { ...body, flowId: "other" },
        action,
      );
      expect([other.status, other.body.code]).toEqual([422, "idempotency_key_reused"]);
    }
    const twin = await ask({ action: "create_flow", goal: "another" }, "create_flow", "twin");
    expect([twin.status, twin.headers.get("idempotent-replayed")]).toEqual([200, null]);
  });

  test("ONCE-3: what was refused before the store is not kept, so a corrected request runs", async () => {
    const to = await setUp();
    const ask = (body: object): Promise<Sent> =>
      to.send("plain", JSON.stringify(body), { ...BEARER, "idempotency-key": "k" });
    expect((await ask({ action: "create_flow" })).status).toBe(400);
    expect((await to.send("plain", "{", { ...BEARER, "idempotency-key": "k" })).status).toBe(400);
    expect((await ask({ action: "create_flow", goal: "g" })).status).toBe(200);
  });

  test("ONCE-4: a malformed key is refused, and actions that only read do not look at it", async () => {
    const to = await setUp();
    for (const key of ['"open', "x".repeat(256), "caf\u00e9", '""']) {
      const headers = { ...BEARER, "idempotency-key": key };
      const { status, body } = await to.send("plain", JSON.stringify({ action: "create_flow", goal: "g" }), headers);
      expect([status, body.code, body.result?.["field"]]).toEqual([400, "invalid_request", "Idempotency-Key"]);
      expect((await to.send("plain", JSON.stringify({ action: "list_flows" }), headers)).status).toBe(200);
    }
    expect(await flowsOf(to)).toEqual([]);
  });
});

test("MAP-7: a payload cannot choose action, session, route or controller beyond its rule", async () => {
  const to = rig(ROUTES);
  const names = Object.keys(ACTIONS);
  await fc.assert(
    fc.asyncProperty(goodBody, fc.constantFrom(...names), async (action, name) => {
      const body = JSON.stringify({
        ...JSON.parse(pull("opened")),
        ...action,
        do: { action: name },
        controllerId: "stolen",
        sessionKey: "agent:main:stolen",
        action: "opened",
        number: Math.random(),
      });
      const { body: said } = await to.send("github", body, {
        ...signed("github", body),
        "x-github-event": "pull_request",
      });
      expect(said.routeId).toBe("github");
      expect(said.result?.flow ?? {}).toMatchObject({ goal: "Review Fix it", controllerId: "webhooks/github" });
    }),
    { numRuns: runs(50) },
  );
});

test("ONCE-7: a store that keeps no records is not asked for a request with a key; one without a key goes on", async () => {
  const flows = memoryFlows();
  let asked = 0;
  const { send } = rig(ROUTES, {
    flows: {
      execute: (...command) => {
        asked += 1;
        return flows.execute(...command);
      },
    },
  });
  const body = JSON.stringify({ action: "create_flow", goal: "g" });
  const refused = await send("plain", body, { ...BEARER, "idempotency-key": "k" });
  expect([refused.status, refused.body.code, refused.headers.get("retry-after"), asked]).toEqual([
    503,
    "idempotency_unavailable",
    "1",
    0,
  ]);
  expect((await send("plain", body, BEARER)).status).toBe(200);
});

test("RUN-1: the store is told which requests start a run; one without agents goes on, and says once per route that it has none", async () => {
  const run = { message: "Review {{flow.goal}}" };
  const routes = { plain: { ...ROUTES.plain, run }, github: { ...ROUTES.github, run }, twin: ROUTES.twin };
  const flows = memoryFlows();
  const told: (Delivery | undefined)[] = [];
  const execute: EmbeddedFlows["execute"] = (owner, action, report, delivery) => {
    told.push(delivery);
    return flows.execute(owner, action, report, delivery);
  };
  const simple = rig(routes, { flows: { execute } });
  const create = JSON.stringify({ action: "create_flow", goal: "g" });
  for (const route of ["plain", "twin"]) expect((await simple.send(route, create, BEARER)).status).toBe(200);
  expect((await simple.send("plain", JSON.stringify({ action: "list_flows" }), BEARER)).status).toBe(200);
  expect((await simple.send("plain", create, { ...BEARER, "idempotency-key": "k" })).status).toBe(503);
  expect(told).toEqual([
    { routeId: "plain", once: undefined, bind: undefined, starts: true },
    NO_DELIVERY,
    NO_DELIVERY,
  ]);
  const advice = simple.lines.filter((line) => line.includes("run starts agents only in a Gateway"));
  expect(advice).toEqual(
    ["plain", "github"].map(
      (id) =>
        expect.stringContaining(
          `route ${id} advice: run starts agents only in a Gateway, because serve and a server of your own have none.`,
        ) as unknown,
    ),
  );
  const { send } = rig(routes, { flows: { takesDeliveries: true, execute } });
  expect((await send("plain", create, { ...BEARER, "idempotency-key": "k" })).status).toBe(200);
  for (const action of ["opened", "closed"]) {
    const headers = { ...signed("github", pull(action)), "x-github-event": "pull_request" };
    expect((await send("github", pull(action), headers)).status).toBe(200);
  }
  expect(told.slice(3).map((delivery) => delivery?.starts)).toEqual([true, true, false]);
});

test("MAP-4, ONCE-4: each of GitHub's example payloads is carried out, or ignored, or a replay; none is an error of the bridge", async () => {
  const { send, lines } = rig({ hub: { ...GITHUB, deliveries: GITHUB_RULES } });
  const counts = new Map<string, number>();
  for (const [place, { event, body }] of githubDeliveries().entries()) {
    const headers = { ...signed("github", body), "x-github-event": event };
    const client = `10.0.${String(place >> 5)}.1`;
    const sent = await send("hub", body, headers, client);
    expect([sent.status, sent.text]).toEqual([200, sent.text]);
    const again = await send("hub", body, headers, client);
    if (sent.body.code !== "ignored")
      expect([again.text, again.headers.get("idempotent-replayed")]).toEqual([sent.text, "true"]);
    const what = sent.body.code ?? (sent.body.result?.["created"] === false ? "existing" : "done");
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  expect([...counts.keys()].toSorted()).toEqual(["done", "existing", "ignored"]);
  expect(lines).toEqual([]);
});

test("BODY-5, MAP-6: what JSON cannot keep gets into no text and no key, so that two things cannot become one", async () => {
  const { send } = rig({
    hub: { ...GITHUB, deliveries: [{ key: "{{payload.id}}", do: { action: "create_flow", goal: "n={{payload.n}}" } }] },
  });
  const ask = (body: string): Promise<Sent> => send("hub", body, signed("github", body));
  for (const value of [String.raw`"\ud800"`, String.raw`"a\udfff"`, "1e999", '{"a":1e999}', '{"__proto__":1}']) {
    for (const body of [`{"id":${value},"n":1}`, `{"id":1,"n":${value}}`]) {
      const { status, body: said } = await ask(body);
      expect([body, status, said.code, said.result?.["field"]]).toEqual([body, 422, "mapping_failed", "deliveries[0]"]);
      expect(said.error).toContain("holds what cannot be stored");
    }
  }
  expect((await ask('{"id":1,"n":1}')).status).toBe(200);
});

test("BODY-4: a large body that nests without end is refused before it is parsed, brackets in texts aside", async () => {
  const deliveries = [{ do: { action: "create_flow", goal: "{{payload.goal}}" } }];
  const { send } = rig({ hub: { ...GITHUB, deliveries, maxBodyBytes: 26_214_400 } });
  const ask = (body: string): Promise<Sent> => send("hub", body, signed("github", body));
  const deep = await ask("[".repeat(5_000_000));
  expect([deep.status, deep.body.error]).toEqual([400, "The body nests deeper than 10,000 levels"]);
  const text = String.raw`[[{{\"[`.repeat(100_000);
  const flat = await ask(`{"goal":"g","a":"${text}","b":[${"[],".repeat(50_000)}[]]}`);
  expect([flat.status, flat.body.result?.flow]).toMatchObject([200, { goal: "g" }]);
});

test("BODY-6: a provider that sends forms is told to send JSON", async () => {
  const { send } = rig({ hub: GITHUB, plain: ROUTES.plain });
  const form = { "content-type": "application/x-www-form-urlencoded" };
  expect((await send("hub", "payload=%7B%7D", { ...form, ...signed("github", "payload=%7B%7D") })).body).toMatchObject({
    code: "unsupported_media_type",
    error: "content-type: Forms are not read. Set the content type of the webhook to application/json",
    result: { field: "content-type" },
  });
  expect((await send("plain", "a=1", { ...form, ...BEARER })).body.result).toEqual({});
});

test.each<readonly [string, object, unknown]>([
  ["ignored", { action: "finish_flow", flowId: "x", expectedRevision: 0 }, ok({ kind: "ignored" })],
  ["a replay", { action: "list_flows" }, ok({ kind: "flows", flows: [], replayed: true })],
  ["a key that was used", { action: "list_flows" }, err("idempotency_key_reused")],
])("VIEW-4: a store that answers %s to a request that has no key is not believed", async (_, body, answer) => {
  const { send } = rig(ROUTES, { flows: { takesDeliveries: true, execute: () => answer as never } });
  const { status, body: said, headers } = await send("plain", JSON.stringify(body), BEARER);
  expect([status, said.code, headers.get("idempotent-replayed")]).toEqual([502, "bad_host_answer", null]);
});

test("MAP-6, AUDIT-1: the operator's log names the rule and what it lacks, and nothing of the delivery or the session", async () => {
  const OWN_NAME = "team-session";
  const rule = (goal: string) => ({ do: { action: "create_flow", goal } });
  const lacking = (member: string): string => `{{payload["${member}"]}}`;
  await fc.assert(
    fc.asyncProperty(
      fc.stringMatching(/^v[0-9]{8}$/u),
      fc.constantFrom("absent", SESSION, OWN_NAME),
      async (value, member) => {
        const deliveries = [{ when: { "payload.a": 1 }, ...rule("g") }, rule(lacking(member))];
        const sessionKey = member === OWN_NAME ? OWN_NAME : SESSION;
        const { send, lines, events } = rig({ r: { sessionKey, secret: SECRET, deliveries } });
        for (let n = 0; n < 2; n += 1)
          expect((await send("r", JSON.stringify({ value, [value]: value }), BEARER)).status).toBe(422);
        const warned = lines.filter((line) => line.includes("mapping_failed"));
        expect(warned).toEqual([expect.stringContaining("deliveries[1]: ")]);
        expect(events.map(({ fault }) => fault?.startsWith("deliveries[1]: "))).toEqual([true, true]);
        const said = [...warned, JSON.stringify(events)].join("\n");
        expect(said.includes("absent")).toBe(member === "absent");
        for (const secret of [value, SESSION, OWN_NAME, SECRET]) expect(said).not.toContain(secret);
      },
    ),
    { numRuns: runs(20) },
  );
  const events = rig({ r: { sessionKey: SESSION, secret: SECRET, deliveries: [rule(lacking("x".repeat(2000)))] } });
  await events.send("r", "{}", BEARER);
  expect(events.events[0]?.fault?.length).toBe(501);
  // the names that a caller sends are not the operator's
  const caller = rig({ r: { sessionKey: SESSION, secret: SECRET } });
  expect((await caller.send("r", '{"action":"list_flows","own_name":1}', BEARER)).body.error).toContain("own_name");
  expect(JSON.stringify([caller.events, caller.lines])).not.toContain("own_name");
});

/** What a redelivery gets once the rule is another one, and how many flows there are then. */
const corrected = async (
  { before, after }: { readonly before: object; readonly after: object },
  body: string,
  again: string,
): Promise<readonly [first: number, second: string, flows: number]> => {
  const flows = memoryFlows();
  const withRule = (rule: object): Rig =>
    rig({ github: { ...GITHUB, deliveries: [rule] }, plain: ROUTES.plain }, { flows });
  const send = (to: Rig, text: string): Promise<Sent> => to.send("github", text, signed("github", text));
  const first = await send(withRule(before), body);
  const to = withRule(after);
  const second = await send(to, again);
  const replayed = second.headers.get("idempotent-replayed") === "true" ? " replayed" : "";
  const listed = await to.send("plain", '{"action":"list_flows"}', BEARER);
  const { length } = (listed.body.result?.["flows"] ?? []) as readonly unknown[];
  return [first.status, `${String(second.status)} ${second.body.code ?? "done"}${replayed}`, length];
};

test("ONCE-2, ONCE-3: after a rule was corrected, a redelivery runs unless it was carried out, as docs/deliveries.md says", async () => {
  const create = (goal: string, more: object = {}): object => ({ ...more, do: { action: "create_flow", goal } });
  const finish = { key: "k", do: { action: "finish_flow" } };
  const good = create("Number {{payload.number}}");
  const body = pull("opened");
  const never = create("g", { when: { "payload.never": true } });
  expect(await corrected({ before: never, after: good }, body, body)).toEqual([200, "200 done", 1]);
  expect(await corrected({ before: create("{{payload.nubmer}}"), after: good }, body, body)).toEqual([
    422,
    "200 done",
    1,
  ]);
  expect(await corrected({ before: create("wrong"), after: good }, body, body)).toEqual([200, "200 done replayed", 1]);
  expect(await corrected({ before: create("wrong"), after: finish }, body, body)).toEqual([
    200,
    "422 idempotency_key_reused",
    1,
  ]);
  expect(await corrected({ before: create("wrong"), after: good }, body, `${body}\n`)).toEqual([200, "200 done", 2]);
});

test("BIND-1: after a change of key, a delivery does not find the flow of the old text", async () => {
  const flows = memoryFlows();
  const create = {
    when: { "payload.action": "opened" },
    key: "old {{payload.number}}",
    do: { action: "create_flow", goal: "g" },
  };
  const finish = (key: string): object => ({
    when: { "payload.action": "closed" },
    key,
    do: { action: "finish_flow" },
  });
  const withKey = (key: string): Rig =>
    rig({ github: { ...GITHUB, deliveries: [create, finish(`${key} {{payload.number}}`)] } }, { flows });
  const send = async (key: string, body: string): Promise<string | undefined> =>
    (await withKey(key).send("github", body, signed("github", body))).body.code;
  expect(await send("old", pull("opened"))).toBeUndefined();
  expect(await send("new", pull("closed"))).toBe("ignored");
  expect(await send("old", pull("closed"))).toBeUndefined();
});
