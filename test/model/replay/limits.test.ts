// Replays the traces of spec/limits.qnt over the real limits: the same answer, and the same table, at every step.

import { expect, test } from "vitest";
import type { LimitsState } from "../../../adapters/limits/memory.ts";
import type { Bucket, Rules } from "../../../core/index.ts";
import { locatedOf, type Request, slotKeyOf, SmallLimits, windowKeyOf } from "../../support/small-limits.ts";
import { tracesOf } from "./traces.ts";

/** The scale of spec/limits.qnt. */
const RULES: Rules = { window: { limit: 2, ms: 4 }, slots: 2 };
const CAPACITY = 2;

type Key = readonly [number, string];
type Entry = { readonly key: Key; readonly bucket: Bucket };
type State = {
  readonly now: number;
  readonly call:
    | { readonly tag: "Ask"; readonly value: Request }
    | { readonly tag: "Release"; readonly value: Key }
    | { readonly tag: "Begin" | "Clock"; readonly value: unknown };
  readonly outcome: { readonly verdict: string; readonly place: string; readonly bucket: Bucket };
  readonly limits: {
    readonly strangers: readonly Entry[];
    readonly known: readonly Entry[];
    readonly overflow: ReadonlyMap<string, Bucket>;
    readonly slots: ReadonlyMap<Key, number>;
  };
};
type Seen = { readonly outcome: State["outcome"]; readonly table: LimitsState };

const small = new SmallLimits(RULES, CAPACITY);
const NOTHING: State["outcome"] = { verdict: "none", place: "none", bucket: { openedAt: 0, count: 0 } };

const step = (table: LimitsState, { call, now }: State): Seen => {
  if (call.tag === "Ask") {
    const { after, admission } = small.ask(table, locatedOf(call.value), now);
    const verdict = admission.verdict.match(
      () => "admitted",
      ({ code }) => code,
    );
    return { outcome: { verdict, place: admission.window.place, bucket: admission.window.bucket }, table: after };
  }
  if (call.tag !== "Release") return { outcome: NOTHING, table };
  const [peer, route] = call.value;
  const located = locatedOf({ client: 1, route, peer, isJson: true, isGood: true });
  return { outcome: NOTHING, table: small.release(table, located) };
};

const entries = (kept: readonly Entry[]): readonly (readonly [string, Bucket])[] =>
  kept.map(({ key: [client, route], bucket }) => [windowKeyOf(client, route), bucket]);

/** The model's table in the code's terms; the order of kept buckets counts, that of the rest does not. */
const expected = ({ limits }: State): unknown => ({
  strangers: entries(limits.strangers),
  known: entries(limits.known),
  overflow: new Map(limits.overflow),
  slots: new Map([...limits.slots].map(([[peer, route], held]) => [slotKeyOf(peer, route), held])),
});

const shown = ({ strangers, known, overflow, slots }: LimitsState): unknown => ({
  strangers: [...strangers],
  known: [...known],
  overflow,
  slots,
});

test("LIMIT-1, LIMIT-2, LIMIT-3, LIMIT-4, LIMIT-5, SLOT-1, SLOT-3: the limits do what the model does, step by step", () => {
  let steps = 0;
  const traces = tracesOf<State>("limits");
  for (const { name, states } of traces) {
    let table = small.empty;
    for (const [index, state] of states.slice(1).entries()) {
      const seen = step(table, state);
      table = seen.table;
      const at = `${name}, step ${String(index + 1)}`;
      expect(seen.outcome, at).toEqual(state.outcome);
      expect(shown(table), at).toEqual(expected(state));
      steps += 1;
    }
  }
  console.log(`limits: ${String(traces.length)} traces, ${String(steps)} steps replayed`);
});
