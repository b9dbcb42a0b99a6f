import fc from "fast-check";
import { expect, test } from "vitest";
import {
  loadConfig,
  problemLine,
  sha256,
  STRONG_SECRET_LENGTH,
  WEAKNESSES,
  weaknessesOf,
  type WeaknessKind,
  withWeaknesses,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";

const KINDS: readonly WeaknessKind[] = ["inline", "short", "shared", "unresolved", "mainSession", "unsigned"];

const REF = { source: "env", provider: "default", id: "ONE" };
const STRONG = ["a-long-secret-of-one-route-01", "another-long-secret-of-a-route"];
const RULES = [{ do: { action: "create_flow", goal: "g" } }];

/** A route, with the kinds that stand in it by themselves. */
const secrets = fc.constantFrom(
  { secret: STRONG[0], kinds: ["inline"] },
  { secret: STRONG[1], kinds: ["inline"] },
  { secret: ` ${STRONG[0] ?? ""} `, kinds: ["inline"] },
  { secret: "7h1s-1s-sh0rt", kinds: ["inline", "short"] },
  { secret: REF, kinds: [] },
  { secret: { ...REF, id: "TWO" }, kinds: [] },
  { secret: "${NOT_SET_ANYWHERE}", kinds: ["unresolved"] },
  { secret: "changeme", kinds: ["unresolved"] },
  { secret: "", kinds: [] },
  { secret: undefined, kinds: [] },
);
const sessions = fc.constantFrom(
  { part: { sessionKey: "agent:main:main" }, isMain: true },
  { part: { sessionKey: " agent:Ops:MAIN " }, isMain: true },
  { part: { sessionKey: "agent:main:main", actions: ["read"] }, isMain: false },
  { part: { sessionKey: "agent:main:hook:a" }, isMain: false },
  { part: { sessionKey: "agent:main:main:thread" }, isMain: false },
);
const proofs = fc.constantFrom(
  { part: { deliveries: RULES }, isUnsigned: true },
  { part: { deliveries: RULES, signature: "github" }, isUnsigned: false },
  { part: { deliveries: RULES, secretHeader: "X-Gitlab-Token" }, isUnsigned: false },
  { part: { deliveries: [] }, isUnsigned: false },
  { part: {}, isUnsigned: false },
);
const written = fc.record({ secret: secrets, session: sessions, proof: proofs, enabled: fc.constantFrom(true, false) });

const identity = (secret: unknown): string => (typeof secret === "string" ? secret.trim() : JSON.stringify(secret));

test("WEAK-1: a route has just the weaknesses that are written into it, and those of disabled routes do not count", () => {
  fc.assert(
    fc.property(fc.array(written, { maxLength: 4 }), (all) => {
      const routes = Object.fromEntries(
        all.map(({ secret, session, proof, enabled }, n) => [
          `r${String(n)}`,
          { ...session.part, ...proof.part, secret: secret.secret, enabled },
        ]),
      );
      const expected = all.flatMap(({ secret: { secret, kinds }, session, proof, enabled }, n) => {
        if (!enabled) return [];
        const users = all.filter((one) => one.enabled && identity(one.secret.secret) === identity(secret));
        const isShared = secret !== undefined && secret !== "" && users.length > 1;
        const found = new Set([
          ...kinds,
          ...(isShared ? ["shared"] : []),
          ...(session.isMain ? ["mainSession"] : []),
          ...(proof.isUnsigned ? ["unsigned"] : []),
        ]);
        return KINDS.filter((kind) => found.has(kind)).map((kind) => `r${String(n)} ${kind}`);
      });
      expect(weaknessesOf(routes, KINDS).map(({ routeId, kind }) => `${routeId} ${kind}`)).toEqual(expected);
      for (const kind of KINDS) {
        expect(weaknessesOf(routes, [kind])).toEqual(weaknessesOf(routes, KINDS).filter((one) => one.kind === kind));
      }
    }),
    { numRuns: runs(500) },
  );
});

test("WEAK-1, CONFIG-2, CONFIG-3: each live route with a weakness gets one line of advice with its field and the fix, and none of its values", () => {
  const routes = {
    " wide ": { sessionKey: "agent:main:main", secret: STRONG[0], deliveries: RULES },
    cold: { sessionKey: "agent:main:main", secret: REF },
  };
  const config = withWeaknesses(loadConfig({ routes }, sha256), { routes }, KINDS);
  const lines = config.problems.filter(({ effect }) => effect === "advice").map(problemLine);
  expect(lines).toEqual([
    `route wide advice: secret ${WEAKNESSES.inline.sentence}.`,
    `route wide advice: sessionKey ${WEAKNESSES.mainSession.sentence}.`,
    `route wide advice: deliveries ${WEAKNESSES.unsigned.sentence}.`,
  ]);
  for (const value of ["agent:main", STRONG[0] ?? ""]) expect(lines.join("\n")).not.toContain(value);
  const nothing = loadConfig({ routes }, sha256);
  expect(withWeaknesses(nothing, { routes }, [])).toBe(nothing);
});

test("WEAK-1, CONFIG-1: a secret that is short by one character is named by the check and the doctor alike", () => {
  const of = (length: number) => ({
    a: { sessionKey: "agent:main:hook:a", secret: "k9Xw2Qz7Lp4Vb8Nt".slice(0, length) },
  });
  for (const length of [STRONG_SECRET_LENGTH - 1, STRONG_SECRET_LENGTH]) {
    const isShort = length < STRONG_SECRET_LENGTH;
    expect(weaknessesOf(of(length), ["short"]).length).toBe(isShort ? 1 : 0);
    const { problems } = loadConfig({ routes: of(length) }, sha256);
    expect(problems.map(({ sentence }) => sentence)).toEqual(isShort ? [WEAKNESSES.short.sentence] : []);
  }
});

test("TOTAL-1: a configuration of any shape has weaknesses or none", () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true, maxDepth: 4 }), (any) => {
      weaknessesOf(any, KINDS);
      weaknessesOf({ a: any, b: { secret: any, sessionKey: any, deliveries: any } }, KINDS);
    }),
    { numRuns: runs(300) },
  );
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const config = loadConfig({ routes: {} }, sha256);
  expect(withWeaknesses(config, proxy, KINDS)).toBe(config);
});
