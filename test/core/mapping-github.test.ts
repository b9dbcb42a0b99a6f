// All example payloads that GitHub's own package has, signed as GitHub signs them, through ten rules.

import { sign } from "@octokit/webhooks-methods";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type JsonValue, mapDelivery, own, parseAction, parseRules, type Source } from "../../core/index.ts";
import { type GithubDelivery, githubDeliveries } from "../support/github-deliveries.ts";
import { GITHUB_RULES } from "../support/github-rules.ts";
import { bytes } from "./arbitraries.ts";
import { check, keyOf } from "./signing.ts";

const DELIVERIES = githubDeliveries();
const RULES = parseRules(GITHUB_RULES, ["authorization", "x-hub-signature-256"])._unsafeUnwrap();

const sourceOf = (event: string, payload: unknown): Source => ({
  payload: payload as JsonValue,
  header: (name) => (name === "x-github-event" ? event : undefined),
});

const nameOf = ({ event, body }: GithubDelivery): string => {
  const action = own(JSON.parse(body), "action");
  return typeof action === "string" ? `${event}.${action}` : event;
};

/** What each rule takes of the examples, in the order of the rules. A push is taken when it is to the default branch. */
const TAKEN: readonly (readonly string[])[] = [
  ["pull_request.opened", "pull_request.ready_for_review", "pull_request.reopened"],
  ["pull_request.synchronize"],
  ["pull_request.closed"],
  ["check_run.completed"],
  ["issues.opened", "issues.reopened"],
  ["issues.deleted", "issues.transferred"],
  ["issue_comment.created"],
  ["push"],
  ["release.published"],
  ["deployment", "deployment.created"],
];

test("MAP-4: each of GitHub's example payloads is proved, and a valid action or ignored, by what its event and action say", async () => {
  const [secret, key] = ["It's a Secret to Everybody", keyOf("github", "It's a Secret to Everybody")];
  const taken = TAKEN.map(() => new Set<string>());
  const ignored = new Set<string>();
  for (const delivery of DELIVERIES) {
    const headers = { "x-github-delivery": "id", "x-hub-signature-256": await sign(secret, delivery.body) };
    expect(check("github", headers, [key], bytes(delivery.body))).toBe(0);
    const mapped = mapDelivery(RULES, sourceOf(delivery.event, JSON.parse(delivery.body)))?._unsafeUnwrap();
    if (mapped === undefined) {
      ignored.add(nameOf(delivery));
      continue;
    }
    taken[mapped.rule]?.add(nameOf(delivery));
    expect(parseAction(mapped.body)._unsafeUnwrap().action).toBe(GITHUB_RULES[mapped.rule]?.do.action);
    expect(mapped.key).toMatch(/^(?:pr|issue|push|release|deployment) \S/u);
  }
  expect(DELIVERIES.length).toBeGreaterThan(700);
  expect(taken.map((names) => [...names].toSorted())).toEqual(TAKEN);
  // successful checks, and tags that are pushed
  const both = TAKEN.flat().filter((name) => ignored.has(name));
  expect(both).toEqual(["check_run.completed", "push"]);
  for (const name of ["ping", "star.created", "workflow_run.completed"]) expect(ignored).toContain(name);
});

/** Values of each kind, and names that a prototype has. */
const ODD: readonly unknown[] = [
  null,
  true,
  -1.5,
  1e300,
  "",
  "\u0000",
  "{{payload}}",
  "x".repeat(70_000),
  [],
  { length: 3, toString: 1 },
  JSON.parse('{"__proto__":{"login":"x"},"constructor":{"name":"x"}}'),
];

/** The payload with what stands at one place taken out, or replaced by `value`. */
const spoiled = (payload: unknown, place: number, value: unknown): unknown => {
  const owners: (readonly [owner: object, name: string])[] = [];
  const copy: unknown = JSON.parse(JSON.stringify(payload), function (this: object, name, member: unknown) {
    if (name !== "") owners.push([this, name]);
    return member;
  });
  const [owner, name] = owners[place % owners.length] ?? [];
  if (owner !== undefined && name !== undefined) {
    if (value === undefined) Reflect.deleteProperty(owner, name);
    else Reflect.set(owner, name, value);
  }
  return copy;
};

test("MAP-4, TOTAL-1: of a payload of which a part is missing or of another kind comes an action, a fault with its rule, or nothing", () => {
  const takenOnly = DELIVERIES.filter(
    ({ event, body }) => mapDelivery(RULES, sourceOf(event, JSON.parse(body))) !== undefined,
  );
  const odd = fc.constantFrom(undefined, ...ODD);
  const places = fc.array(fc.tuple(fc.nat(), odd), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.constantFrom(...takenOnly), places, ({ event, body }, changes) => {
      const payload = changes.reduce<unknown>((last, [place, value]) => spoiled(last, place, value), JSON.parse(body));
      const mapped = mapDelivery(RULES, sourceOf(event, payload));
      if (mapped === undefined) return;
      if (mapped.isErr()) {
        expect(JSON.stringify(GITHUB_RULES[mapped.error.rule])).toContain(
          JSON.stringify(mapped.error.path).slice(1, -1),
        );
        return;
      }
      const action = parseAction(mapped.value.body);
      if (action.isOk()) expect(action.value.action).toBe(RULES[mapped.value.rule]?.action);
      else expect(Object.keys(mapped.value.body)).toContain(action.error.field);
    }),
  );
});
