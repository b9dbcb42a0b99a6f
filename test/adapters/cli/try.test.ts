// `openclaw-webhooks try` beside a real bridge: what it says is what the same request does, and it does nothing.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { createFetchHandler } from "../../../adapters/fetch/index.ts";
import {
  type Delivery,
  err,
  type FlowAction,
  hmacSha256,
  NO_DELIVERY,
  type SchemeName,
  SCHEME_NAMES,
  signatureHeaders,
  signDelivery,
  signingKey,
} from "../../../core/index.ts";
import { cli, type Ran } from "../../support/cli.ts";
import { runs } from "../../support/runs.ts";

const folder = mkdtempSync(join(tmpdir(), "try-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string | Uint8Array): string => {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
};

const KEY = Buffer.alloc(32, "signing key").toString("base64");
const OLD_KEY = Buffer.alloc(32, "previous key").toString("base64");

const deliveries = [
  {
    when: { "payload.kind": ["made", "again"] },
    key: "it {{payload.n}}",
    do: { action: "create_flow", goal: "Make {{payload.n}}" },
  },
  {
    when: { "payload.kind": "done", "headers.x-kind": true },
    key: "it {{payload.n}}",
    do: { action: "finish_flow", stateJson: "{{payload.state}}" },
  },
];

const routes: Readonly<Record<string, object>> = {
  ...Object.fromEntries(
    SCHEME_NAMES.map((scheme) => [
      scheme,
      { sessionKey: "agent:main:a", secret: KEY, previousSecret: OLD_KEY, signature: scheme, deliveries },
    ]),
  ),
  plain: { sessionKey: "agent:main:a", secret: KEY, secretHeader: "x-token", deliveries, allowActions: true },
};
const CONFIG = write("routes.json", JSON.stringify({ routes }));

type Fields = Readonly<Record<string, string>>;

const tried = (route: string, body: string | Uint8Array, headers: Fields, config = CONFIG): Promise<Ran> => {
  const file = write("body.json", body);
  const options = Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]);
  return cli(["try", config, route, "--body", file, ...options]);
};

const signed = (scheme: SchemeName, body: string, now = Date.now(), secret = KEY): Fields =>
  signDelivery(scheme, signingKey(scheme, secret)._unsafeUnwrap(), { id: "msg_1", now }, Buffer.from(body), hmacSha256);

type Asked = { readonly action: FlowAction; readonly delivery: Delivery };
type Sent = { readonly status: number; readonly code: string | undefined; readonly asked: Asked | undefined };

/** What the same request asks of the store of a real bridge. */
const sent = async (route: string, body: string, headers: Fields): Promise<Sent> => {
  const asked: Asked[] = [];
  const handler = createFetchHandler({
    config: { routes },
    logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
    flows: {
      takesDeliveries: true,
      execute: (_owner, action, _report, delivery = NO_DELIVERY) => {
        asked.push({ action, delivery });
        return err("persist_failed");
      },
    },
  });
  const answer = await handler(
    new Request(`http://localhost/plugins/webhooks/${route}`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...headers },
    }),
  );
  const { code } = (await answer.json()) as { readonly code?: string };
  return { status: answer.status, code, asked: asked[0] };
};

const shownAction = (out: string): object =>
  JSON.parse(out.slice(out.indexOf("\n{\n"), out.lastIndexOf("\n}\n") + 2)) as object;

/** The action, less the fields that the flow of a key gives. */
const actionOf = ({ action, delivery: { bind } }: Asked): object => {
  const fields = Object.entries(action).filter(
    ([name]) => bind === undefined || action.action === "create_flow" || !["flowId", "expectedRevision"].includes(name),
  );
  return Object.fromEntries(fields);
};

const expectSame = ({ status, out }: Ran, { status: answered, code, asked }: Sent): void => {
  expect(out.endsWith("Nothing was done.\n")).toBe(true);
  if (asked === undefined && answered === 200) {
    expect([status, out]).toEqual([0, expect.stringContaining("\nignored: ")]);
  } else if (asked === undefined) {
    expect([status, out]).toEqual([1, expect.stringContaining(`refused with ${String(answered)} ${code ?? ""}: `)]);
  } else {
    const { once, bind } = asked.delivery;
    expect(shownAction(out)).toEqual(JSON.parse(JSON.stringify(actionOf(asked))));
    expect(out).toContain(bind === undefined ? "\nkey: none\n" : `\nkey: ${JSON.stringify(bind)}`);
    expect(out).toContain(`\nidempotency key: ${once === undefined ? "none, " : `${once.key}\n`}`);
    expect(status).toBe(0);
  }
};

const payload = fc.record(
  {
    id: fc.constantFrom("evt_1", "evt_2"),
    kind: fc.constantFrom("made", "again", "done", "ping"),
    n: fc.nat(9),
    state: fc.jsonValue({ maxDepth: 2 }),
    action: fc.constantFrom("list_flows", "create_flow", "nothing"),
    goal: fc.constant("as a caller"),
  },
  { requiredKeys: [] },
);
const extra = fc.constantFrom<Fields>({}, { "x-kind": "k" }, { "x-kind": "k", "idempotency-key": "order 7" });

test("MAP-4, MAP-6: try says what the same request does, signed or with a secret", { timeout: 60_000 }, async () => {
  const route = fc.constantFrom(...SCHEME_NAMES, "plain" as const);
  await fc.assert(
    fc.asyncProperty(route, payload, extra, async (name, fields, more) => {
      const now = Date.now();
      const body = JSON.stringify({ ...fields, webhookTimestamp: now });
      const proof = name === "plain" ? { "X-Token": KEY } : signed(name, body, now);
      const headers = { ...proof, ...more };
      const ran = await tried(name, body, headers);
      expectSame(ran, await sent(name, body, headers));
      expect(ran.out).toMatch(/^(?:secret|signature): right\n/u);
      expect(ran.out).not.toContain(KEY);
      // and a credential that is missing changes nothing but its own line
      const bare = await tried(name, body, { ...more, ...(name === "plain" ? {} : idOnly(proof)) });
      expect(bare.out.replace(/^.*\n/u, "")).toBe(ran.out.replace(/^.*\n/u, ""));
      expect([bare.status, bare.out]).toEqual([
        ran.status,
        expect.stringMatching(/^(?:secret|signature): not given \(/u),
      ]);
    }),
    { numRuns: runs(60) },
  );
});

/** The headers of a delivery without its signature. */
const idOnly = (headers: Fields): Fields =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => /-(?:id|delivery|timestamp)$/u.test(name)));

test.each(SCHEME_NAMES)(
  "SIGN-4: %s: a changed body is wrong and a refusal, and the previous secret is right",
  async (scheme) => {
    const now = Date.now();
    const body = JSON.stringify({ id: "evt_1", kind: "made", n: 1, webhookTimestamp: now });
    const wrong = await tried(scheme, `${body} `, signed(scheme, body));
    expect([wrong.status, wrong.out]).toEqual([
      1,
      expect.stringMatching(/^signature: wrong, .*\ndeliveries\[0\] holds\n/u),
    ]);
    const previous = await tried(scheme, body, signed(scheme, body, now, OLD_KEY));
    expect([previous.status, previous.out]).toEqual([
      0,
      expect.stringMatching(/^signature: right, by previousSecret\n/u),
    ]);
  },
);

test.each(SCHEME_NAMES)("SIGN-3: %s: a recorded delivery is tried, and its age is said", async (scheme) => {
  for (const [away, words] of [
    [299, undefined],
    [3 * 86_400 + 5, "3 days behind this clock"],
    [-3700, "1 hour ahead of this clock"],
  ] as const) {
    const at = Date.now() - away * 1000;
    const body = JSON.stringify({ id: "evt_1", kind: "made", n: 1, webhookTimestamp: at });
    const ran = await tried(scheme, body, signed(scheme, body, at));
    const isTimed = !["github", "shopify"].includes(scheme);
    const line =
      words === undefined || !isTimed ? /^signature: right\n/u : new RegExp(`^signature: right, but .*${words}`, "u");
    expect([ran.status, ran.out]).toEqual([0, expect.stringMatching(line)]);
    expect(shownAction(ran.out)).toMatchObject({ action: "create_flow", goal: "Make 1" });
  }
});

test.each([
  ["webhook-timestamp", "time"],
  ["webhook-id", "id"],
])("standard: without %s it is said what is not there", async (name, what) => {
  const body = '{"kind":"made","n":1}';
  const headers = Object.entries(signed("standard", body)).filter(([one]) => one !== name);
  const ran = await tried("standard", body, Object.fromEntries(headers));
  expect([ran.status, ran.out]).toEqual([
    1,
    expect.stringMatching(
      new RegExp(
        `^signature: wrong, .*: the headers do not hold the ${what} that is signed with the body\ndeliveries\\[0\\] holds\n`,
        "u",
      ),
    ),
  ]);
});

test("AUTH-2: a wrong secret is a refusal, and the rules are tried all the same", async () => {
  const wrong = await tried("plain", '{"kind":"made","n":1}', { "X-Token": `${KEY}x` });
  expect([wrong.status, wrong.out]).toEqual([
    1,
    expect.stringMatching(/^secret: wrong, so the delivery would be refused\ndeliveries\[0\] holds\n/u),
  ]);
});

test("SIGN-6: a credential that the route does not take is named, and a refusal", async () => {
  const other = fc.constantFrom<keyof typeof routes>(...SCHEME_NAMES, "plain");
  await fc.assert(
    fc.asyncProperty(other, other, async (route, sender) => {
      fc.pre(route !== sender);
      const body = JSON.stringify({ id: "evt_1", kind: "made", n: 1, webhookTimestamp: Date.now() });
      const scheme = SCHEME_NAMES.find((name) => name === sender);
      const headers = scheme === undefined ? { Authorization: `Bearer ${KEY}` } : signed(scheme, body);
      const given = scheme === undefined ? "authorization" : (signatureHeaders(scheme)[0] ?? "");
      const ran = await tried(route, body, headers);
      const taken = route === "plain" ? "its secret" : `${route} and nothing else`;
      expect([ran.status, ran.out]).toEqual([
        1,
        expect.stringContaining(`: the delivery has ${given}; the route takes ${taken}\ndeliveries[0] holds\n`),
      ]);
      expect(ran.out).not.toContain(KEY);
      expect((await sent(route, body, headers)).status).toBe(401);
    }),
    { numRuns: runs(40) },
  );
});

test("CONFIG-1: a route whose secret is not set is tried, and its credential is not checked", async () => {
  const ref = { source: "env", provider: "default", id: "NOT_SET" };
  const unset = Object.entries(routes).map(([id, route]) => [id, { ...route, secret: ref, previousSecret: ref }]);
  const file = write("unset.json", JSON.stringify({ routes: Object.fromEntries(unset) as unknown }));
  for (const route of [...SCHEME_NAMES, "plain" as const]) {
    const body = JSON.stringify({ id: "evt_1", kind: "made", n: 1, webhookTimestamp: Date.now() });
    const proof = route === "plain" ? { "X-Token": KEY } : signed(route, body);
    const checked = await tried(route, body, proof);
    for (const headers of [proof, route === "plain" ? {} : idOnly(proof)]) {
      const ran = await tried(route, body, headers, file);
      expect(ran.out).toMatch(
        /^(?:secret|signature): cannot be checked, because secret could not be resolved: the environment variable NOT_SET /u,
      );
      expect([ran.status, ran.out.replace(/^.*\n/u, "")]).toEqual([0, checked.out.replace(/^.*\n/u, "")]);
    }
    const lost = await tried(route, "{", proof, file);
    expect([lost.status, lost.out]).toEqual([1, expect.stringContaining("refused with 400 invalid_json: ")]);
  }
  const foreign = await tried("github", "{}", { Authorization: `Bearer ${KEY}` }, file);
  expect([foreign.status, foreign.out]).toEqual([1, expect.stringContaining("the delivery has authorization;")]);
});

test("an id that no signature covers is not made up: a rule that reads it has what the headers give", async () => {
  const rule = { when: { "headers.x-github-delivery": true }, do: { action: "create_flow", goal: "x" } };
  const file = write("ids.json", JSON.stringify({ routes: { a: { ...routes["github"], deliveries: [rule] } } }));
  const bare = await tried("a", "{}", {}, file);
  expect(bare.out.split("\n").slice(1, 3)).toEqual([
    "deliveries[0] does not hold: headers.x-github-delivery is missing",
    "ignored: no rule takes it, and the answer is 200",
  ]);
  expect((await tried("a", "{}", { "X-GitHub-Delivery": "one" }, file)).out).toContain("deliveries[0] holds\n");
});

test("linear: a body without the time of sending is a refusal", async () => {
  const body = '{"kind":"made","n":1}';
  const ran = await tried("linear", body, signed("linear", body));
  expect([ran.status, ran.out]).toEqual([
    1,
    expect.stringMatching(/^signature: right, but the body does not hold the time/u),
  ]);
});

test("each rule down to the one that holds has a line, with what speaks against it", async () => {
  const ran = await tried("github", '{"kind":"done","n":1}', {});
  expect(ran.out.split("\n").slice(1, 4)).toEqual([
    'deliveries[0] does not hold: payload.kind is "done", not "made" or "again"',
    "deliveries[1] does not hold: headers.x-kind is missing",
    "ignored: no rule takes it, and the answer is 200",
  ]);
  const held = await tried("github", '{"kind":"done","n":1}', { "X-Kind": "k" });
  expect(held.out.split("\n").slice(2, 4)).toEqual([
    "deliveries[1] holds",
    "refused with 422 mapping_failed: deliveries[1]: {{payload.state}} is missing, and has no default. Add one with ??, or correct the path",
  ]);
});

test("a body that is not read ends as the request would, and bytes are taken as they are", async () => {
  const form = await tried("github", "payload=1", { "Content-Type": "application/x-www-form-urlencoded" });
  expect([form.status, form.out]).toEqual([1, expect.stringMatching(/^refused with 415 unsupported_media_type: /u)]);
  const json = await tried("github", "{", {});
  expect([json.status, json.out]).toEqual([1, expect.stringContaining("refused with 400 invalid_json: ")]);
  const latin = await tried("github", Uint8Array.of(0x22, 0xe9, 0x22), {});
  expect([latin.status, latin.out]).toEqual([1, expect.stringContaining("refused with 400 invalid_request: ")]);
  const long = await tried("github", " ".repeat(262_145), {});
  expect([long.status, long.out]).toEqual([1, expect.stringContaining("refused with 413 payload_too_large: ")]);
  const body = '{"kind":"made","n":1}';
  const options = Object.entries(signed("github", body)).flatMap(([name, value]) => ["--header", `${name}: ${value}`]);
  const piped = await cli(["try", CONFIG, "github", "--body", "-", ...options], {
    input: () => Promise.resolve(Buffer.from(body)),
  });
  expect([piped.status, piped.out]).toEqual([0, expect.stringMatching(/^signature: right\n/u)]);
});

test("what cannot be tried is said in one sentence, without a header's value", async () => {
  const cold = write("cold.json", '{"routes":{"a":{"sessionKey":"s","secret":"changeme"},"b":{"secret":"x"}}}');
  const body = write("body.json", "{}");
  const say = async (...args: readonly string[]): Promise<readonly [number, string]> => {
    const { status, out, error } = await cli(["try", ...args]);
    expect(out).toBe("");
    return [status, error];
  };
  expect(await say(cold, "a", "--body", body)).toEqual([1, expect.stringMatching(/^route a cold: secret is /u)]);
  expect(await say(cold, "b", "--body", body)).toEqual([
    1,
    expect.stringMatching(/^route b skipped: sessionKey is missing/u),
  ]);
  expect(await say(cold, "c", "--body", body)).toEqual([
    1,
    `There is no route c in ${cold}. No route of it is served.\n`,
  ]);
  expect(await say(CONFIG, "github", "--body", join(folder, "none"))).toEqual([
    1,
    expect.stringContaining("does not exist"),
  ]);
  expect(await say(CONFIG, "github")).toEqual([2, expect.stringContaining("--body")]);
  const [status, error] = await say(CONFIG, "github", "--body", body, "--header", `Authorization ${KEY}`);
  expect([status, error]).toEqual([2, "--header number 1 is not a header. Write 'Name: value'.\n"]);
});

test("check explains the rules of each route, and what it takes", async () => {
  const { out } = await cli(["check", CONFIG]);
  expect(out).toContain("route stripe: takes deliveries that are signed as stripe, by secret or previousSecret\n");
  expect(out).toContain(
    'route plain: deliveries[0]: when payload.kind is "made" or "again": create_flow, bound to key',
  );
});
