// All lists of three rules over a few conditions, and all deliveries that these conditions can tell apart.

import { expect, test } from "vitest";
import { type JsonValue, mapDelivery, parseRules, type Source } from "../../../core/index.ts";

/** `undefined`: not asked about. */
const EVENTS = [undefined, "push", ["push", "ping"], true] as const;
const KINDS = [undefined, "new", ["new", 1], true] as const;

type When = { readonly [path: string]: unknown };

const WHENS: readonly When[] = EVENTS.flatMap((event) =>
  KINDS.map((kind) => ({
    ...(event === undefined ? {} : { "headers.x-event": event }),
    ...(kind === undefined ? {} : { "payload.kind": kind }),
  })),
);

const ACTIONS = ["create_flow", "finish_flow", "cancel_flow"] as const;

/** A member that could choose something is in every payload, and none may. */
const delivery = (event: string | undefined, kind: unknown): Source => ({
  payload: {
    ...(kind === undefined ? {} : { kind: kind as JsonValue }),
    action: "fail_flow",
    sessionKey: "other",
    controllerId: "other",
    deliveries: [],
  },
  header: (name) => (name === "x-event" ? event : undefined),
});

const WORLD = [undefined, "push", "ping", "other"].flatMap((event) =>
  [undefined, "new", 1, "1", null, true].map((kind) => ({ event, kind, source: delivery(event, kind) })),
);

const isOneOf = (wanted: unknown, value: unknown): boolean =>
  wanted === true ? value !== undefined : Array.isArray(wanted) ? wanted.includes(value) : wanted === value;

/** What `when` says, in other words. */
const holds = (when: When, { event, kind }: { readonly event: unknown; readonly kind: unknown }): boolean =>
  Object.entries(when).every(([path, wanted]) => isOneOf(wanted, path === "payload.kind" ? kind : event));

const FIELDS = {
  create_flow: { goal: "g" },
  finish_flow: { flowId: "f", expectedRevision: 0 },
  cancel_flow: { flowId: "f" },
} as const;

const doOf = (place: number): { readonly action: string } => {
  const action = ACTIONS[place] ?? "create_flow";
  return { action, ...FIELDS[action] };
};

const written = (whens: readonly When[]): readonly object[] => whens.map((when, place) => ({ when, do: doOf(place) }));

test("MAP-4, MAP-7, CONFIG-11: of all lists of rules the first that holds decides all, and a rule that is refused is never reached", () => {
  const counted = { lists: 0, unreached: 0, decided: 0, ignored: 0 };
  for (const first of WHENS) {
    for (const second of WHENS) {
      for (const third of WHENS) {
        counted.lists += 1;
        const whens = [first, second, third];
        const decider = (one: (typeof WORLD)[number]): number => whens.findIndex((when) => holds(when, one));
        const rules = parseRules(written(whens), []);
        const reached = new Set(WORLD.map(decider));
        const where = JSON.stringify(whens);
        if (rules.isErr()) {
          counted.unreached += 1;
          const places = rules.error.map(({ field = "" }) => Number(/^deliveries\[(\d)\]$/u.exec(field)?.[1]));
          expect(
            places.filter((place) => reached.has(place)),
            where,
          ).toEqual([]);
          continue;
        }
        for (const one of WORLD) {
          const mapped = mapDelivery(rules.value, one.source);
          const place = decider(one);
          if (mapped === undefined) {
            counted.ignored += 1;
            if (place >= 0) expect.unreachable(`${where}: rule ${String(place)} holds`);
            continue;
          }
          counted.decided += 1;
          const { rule, body } = mapped._unsafeUnwrap();
          if (rule !== place || JSON.stringify(body) !== JSON.stringify(doOf(place))) {
            expect.unreachable(`${where}: ${JSON.stringify(body)} by rule ${String(rule)}, not ${String(place)}`);
          }
        }
      }
    }
  }
  console.log(`mapping: ${JSON.stringify(counted)}`);
  expect(Math.min(...Object.values(counted))).toBeGreaterThan(0);
});
