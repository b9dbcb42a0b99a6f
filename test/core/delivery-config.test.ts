// What a route's configuration may say of signatures, deliveries and bodies, and what is said of it when it is wrong.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Config,
  loadConfig,
  MAX_BODY_BYTES,
  MOST_BODY_BYTES,
  problemLine,
  type Route,
  SCHEME_NAMES,
  sha256,
} from "../../core/index.ts";
import { SECRETS } from "../support/deliveries.ts";

const GOOD = { sessionKey: "agent:main:main", secret: "secret-of-a-route-0123456789" };
const RULE = { do: { action: "create_flow", goal: "g" } };

const load = (more: object): Config => loadConfig({ routes: { r: { ...GOOD, ...more } } }, sha256);
const linesOf = (more: object): readonly string[] => load(more).problems.map(problemLine);
const routeOf = (more: object): Route | undefined => [...load(more).routes.values()][0];

test("BODY-7: a route allows 262,144 bytes unless it says another number from 1 to 26,214,400", () => {
  expect(routeOf({})?.maxBodyBytes).toBe(MAX_BODY_BYTES);
  for (const maxBodyBytes of [1, MAX_BODY_BYTES, MOST_BODY_BYTES])
    expect(routeOf({ maxBodyBytes })?.maxBodyBytes).toBe(maxBodyBytes);
  for (const maxBodyBytes of [0, -1, 1.5, MOST_BODY_BYTES + 1, "1000", null, Number.NaN]) {
    expect(linesOf({ maxBodyBytes })).toEqual([
      "route r skipped: maxBodyBytes must be a whole number of bytes from 1 to 26214400.",
    ]);
  }
});

test("SIGN-2, SIGN-6: a signed route has one key for each secret, in the form of its scheme", () => {
  for (const signature of SCHEME_NAMES) {
    const { credential } = routeOf({ signature, secret: SECRETS[signature] }) ?? {};
    expect(credential).toMatchObject({ kind: "signature", scheme: signature });
    expect(credential?.kind === "signature" && credential.keys.length).toBe(1);
    expect(JSON.stringify(credential)).not.toContain(SECRETS[signature]);
    const short = signature === "standard" ? `whsec_${btoa("short")}` : "too-short-12345";
    expect(linesOf({ signature, secret: short })[0]).toMatch(
      /^route r cold: secret is (?:shorter than 16|not a key of 24)/u,
    );
  }
  expect(linesOf({ signature: "standard", secret: "whsec_*" })[0]).toMatch(
    /^route r cold: secret is not whsec_ followed/u,
  );
  for (const signature of ["hmac", "GitHub", "", 7, null]) {
    expect(linesOf({ signature })).toEqual([
      "route r skipped: signature must be one of standard, github, stripe, shopify, linear, slack.",
    ]);
  }
});

test("AUTH-9: a previous secret opens the route beside the new one; one that cannot is advised against, and the route lives", () => {
  const count = (more: object): number => {
    const { credential } = routeOf(more) ?? {};
    return credential?.kind === "secret" ? credential.secrets.length : (credential?.keys.length ?? 0);
  };
  const advice = (more: object, sentence: string): void => {
    expect([count(more), linesOf(more)]).toEqual([1, [`route r advice: previousSecret ${sentence}.`]]);
  };
  const previousSecret = "the-secret-before-0123456789";
  expect([count({ previousSecret }), linesOf({ previousSecret })]).toEqual([2, []]);
  expect(count({ previousSecret, signature: "github" })).toBe(2);
  const unresolved =
    "is empty or could not be resolved, so it opens nothing. Set it, or repair its reference or provider";
  advice({ previousSecret: " " }, unresolved);
  advice({ previousSecret: { source: "env", provider: "default", id: "UNSET" } }, unresolved);
  advice({ previousSecret: GOOD.secret }, "is the same as secret. Remove it");
  advice(
    { previousSecret: "short", signature: "github" },
    "is shorter than 16 bytes, too short to sign with. Set a longer one here and at the provider",
  );
  expect(linesOf({ previousSecret: "__OPENCLAW_REDACTED__" })[0]).toMatch(
    /^route r advice: previousSecret .*opens nothing/u,
  );
  expect(linesOf({ previousSecret: 7 })[0]).toMatch(/^route r skipped: previousSecret is neither a string nor/u);
  expect(linesOf({ previousSecret: { source: "env" } })[0]).toMatch(
    /^route r skipped: previousSecret is not a SecretRef: provider is missing, id is missing/u,
  );
});

test("AUTH-8: a secret header is the name of a header, in any case, on a route that is not signed", () => {
  for (const taken of ["Content-Type", "Idempotency-Key", "X-OpenClaw-Webhook-Secret", "Host"])
    expect(linesOf({ secretHeader: taken })[0]).toMatch(
      /^route r skipped: secretHeader is a header with a meaning of its own/u,
    );
  const { credential } = routeOf({ secretHeader: " X-Gitlab-Token " }) ?? {};
  expect(credential).toMatchObject({ kind: "secret", header: "x-gitlab-token" });
  for (const secretHeader of ["x y", "x:y", "\u00e9"])
    expect(linesOf({ secretHeader })).toEqual([
      "route r skipped: secretHeader is not the name of a header. Write it like X-Gitlab-Token.",
    ]);
  expect(linesOf({ secretHeader: "x-token", signature: "github" })[0]).toMatch(
    /^route r skipped: secretHeader has no effect/u,
  );
  expect(linesOf({ secretHeader: "x-token", secret: `${GOOD.secret},x` })[0]).toMatch(
    /^route r cold: secret contains a comma/u,
  );
  expect(linesOf({ secret: `${GOOD.secret},x` })).toEqual([]);
});

test("CONFIG-11: rules are checked when the configuration is loaded, and each fault is named with its rule", () => {
  const cases: readonly (readonly [deliveries: unknown, line: RegExp])[] = [
    [[], /deliveries is empty/u],
    ["x", /deliveries must be a list of rules/u],
    [[7], /deliveries must be a list of rules/u],
    [[{}], /deliveries\[0\] do must be an object with an action/u],
    [[RULE, RULE], /deliveries\[1\] is never reached, because deliveries\[0\] holds whenever it does/u],
    [[{ do: { action: "drop_flow" } }], /deliveries\[0\] do must be an object with an action/u],
    [[{ do: { action: "list_flows" } }], /deliveries\[0\] do must be an object with an action/u],
    [
      [{ do: { action: "create_flow", goal: "g", flowid: "x" } }],
      /deliveries\[0\] do\.flowid is not a field of create_flow/u,
    ],
    [[{ do: { action: "finish_flow" } }], /deliveries\[0\] needs key, or do\.flowId/u],
    [[{ key: "k", do: { action: "finish_flow", flowId: "x" } }], /deliveries\[0\] do\.flowId is given by key/u],
    [[{ when: { "payload..a": 1 }, ...RULE }], /deliveries\[0\] when\.payload\.\.a is not a path/u],
    [
      [{ do: { action: "create_flow", goal: "{{payload.a" } }],
      /deliveries\[0\] do\.goal has a placeholder that cannot be read at character 1/u,
    ],
    [[{ key: "{{a}}", ...RULE }], /deliveries\[0\] key has a placeholder that cannot be read/u],
    [[{ do: { action: "create_flow", goal: "{{headers.authorization}}" } }], /which holds a credential/u],
    [[{ when: { "headers.Cookie": "x" }, ...RULE }], /which holds a credential/u],
  ];
  for (const [deliveries, line] of cases) {
    const lines = linesOf({ deliveries });
    expect([lines.length, lines[0]]).toEqual([
      1,
      expect.stringMatching(new RegExp(`^route r skipped: .*${line.source}`, "u")),
    ]);
    expect(routeOf({ deliveries })).toBeUndefined();
  }
  expect(linesOf({ deliveries: [RULE] })).toEqual([]);
});

test("CONFIG-3, CONFIG-11: no text of a rule is in what is said of it", () => {
  for (const text of ["{{env.API}} hunter2", "{{agent:main:telegram:12345}}"]) {
    for (const rule of [{ do: { action: "create_flow", goal: text } }, { key: text, ...RULE }]) {
      const [line = ""] = linesOf({ deliveries: [rule] });
      expect(line).toContain("cannot be read at character 1");
      for (const part of ["env", "hunter2", "telegram"]) expect(line).not.toContain(part);
    }
  }
});

test("CONFIG-2, CONFIG-11: of several bad rules each is named", () => {
  const deliveries = [{ do: 1 }, RULE, { do: { action: "create_flow" } }];
  expect(linesOf({ deliveries }).map((line) => /deliveries\[\d\]/u.exec(line)?.[0])).toEqual([
    "deliveries[0]",
    "deliveries[2]",
  ]);
});

test("MAP-3: no rule reads a header that holds the route's own credential", () => {
  const reads = (name: string): object => ({
    deliveries: [{ do: { action: "create_flow", goal: `{{headers.${name}}}` } }],
  });
  expect(linesOf({ ...reads("x-token"), secretHeader: "X-Token" })[0]).toMatch(/which holds a credential/u);
  expect(linesOf(reads("x-token"))).toEqual([]);
  expect(linesOf({ ...reads("X-Hub-Signature-256"), signature: "github" })[0]).toMatch(/which holds a credential/u);
  expect(linesOf({ ...reads("X-GitHub-Event"), signature: "github" })).toEqual([]);
});

test("MAP-5: callers' actions are allowed beside rules only by a word of the operator", () => {
  expect(routeOf({})?.deliveries).toBeUndefined();
  expect(routeOf({ deliveries: [RULE] })?.deliveries?.allowActions).toBe(false);
  expect(routeOf({ deliveries: [RULE], allowActions: true })?.deliveries?.allowActions).toBe(true);
  expect(linesOf({ allowActions: true })[0]).toMatch(/^route r skipped: allowActions has no effect/u);
  expect(linesOf({ deliveries: [RULE], allowActions: "yes" })).toEqual([
    "route r skipped: allowActions must be true or false.",
  ]);
});

test("CONFIG-2: all faults of deliveries and of other fields are named at once", () => {
  const lines = linesOf({ sessionKey: "", deliveries: [], secretHeader: "a b", maxBodyBytes: 0 });
  expect(lines.map((line) => /skipped: (\w+)/u.exec(line)?.[1]).toSorted()).toEqual([
    "deliveries",
    "maxBodyBytes",
    "secretHeader",
    "sessionKey",
  ]);
});

test("TOTAL-1, CONFIG-3: any JSON in the new fields gives a route or problems, and no problem shows a secret", () => {
  const secret = "do-not-show-this-0123456789";
  fc.assert(
    fc.property(
      fc.constantFrom("signature", "secretHeader", "previousSecret", "deliveries", "allowActions", "maxBodyBytes"),
      fc.oneof(fc.jsonValue(), fc.array(fc.record({ when: fc.jsonValue(), key: fc.jsonValue(), do: fc.jsonValue() }))),
      (field, value) => {
        const { routes, problems } = load({ secret, previousSecret: `${secret}-before`, [field]: value });
        expect(routes.size === 1 || problems.length > 0).toBe(true);
        for (const problem of problems) expect(problemLine(problem)).not.toContain(secret);
      },
    ),
  );
});
