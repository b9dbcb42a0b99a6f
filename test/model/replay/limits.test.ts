// Replays the traces of spec/limits.qnt over the real limits: every step must give the same answer and the same table.

import { expect, test } from "vitest";
import type { LimitsState, Rules } from "../../../adapters/limits/memory.ts";
import type { Bucket } from "../../../core/index.ts";
import { clientKeyOf, locatedOf, peerKeyOf, type Request, SmallLimits } from "../../support/small-limits.ts";
import { tracesOf } from "./traces.ts";

/** The scale of spec/limits.qnt. */
const RULES: Rules = { window: { limit: 2, ms: 4 }, slots: { client: 2, peer: 3 } };
const CAPACITY = 2;

type Key = readonly [number, string];
type Entry = { readonly key: Key; readonly bucket: Bucket };
type State = {
  readonly now: number;
  readonly call:
    | { readonly tag: "Ask"; readonly value: Request }
    | { readonly tag: "Release"; readonly value: { readonly client: Key; readonly peer: Key } }
    | { readonly tag: "Begin" | "Clock"; readonly value: unknown };
  readonly outcome: { readonly verdict: string; readonly place: string; readonly bucket: Bucket };
  readonly limits: {
    readonly strangers: readonly Entry[];
    readonly known: readonly Entry[];
    readonly overflow: ReadonlyMap<string, Bucket>;
    readonly clientSlots: ReadonlyMap<Key, number>;
    readonly peerSlots: ReadonlyMap<Key, number>;
  };
};
type Seen = { readonly outcome: State["outcome"]; readonly table: LimitsState };

const small = new SmallLimits(RULES, CAPACITY);
const NOTHING: State["outcome"] = { verdict: "none", place: "none", bucket: { endsAt: 0, count: 0 } };

const step = (table: LimitsState, { call, now }: State): Seen => {
  if (call.tag === "Ask") {
    const { after, ...outcome } = small.ask(table, locatedOf(call.value), now);
    return { outcome, table: after };
  }
  if (call.tag !== "Release") return { outcome: NOTHING, table };
  const [client, route] = call.value.client;
  const [peer] = call.value.peer;
  const located = locatedOf({ client, route, peer, isJson: true, isGood: true });
  return { outcome: NOTHING, table: small.release(table, located) };
};

const entries = (kept: readonly Entry[]): readonly (readonly [string, Bucket])[] =>
  kept.map(({ key: [client, route], bucket }) => [clientKeyOf(client, route), bucket]);

/** The model's table in the code's terms; the order of kept buckets counts, that of the rest does not. */
const expected = ({ limits }: State): unknown => ({
  strangers: entries(limits.strangers),
  known: entries(limits.known),
  overflow: new Map(limits.overflow),
  clientSlots: new Map([...limits.clientSlots].map(([[client, route], held]) => [clientKeyOf(client, route), held])),
  peerSlots: new Map([...limits.peerSlots].map(([[peer, route], held]) => [peerKeyOf(peer, route), held])),
});

const shown = ({ strangers, known, overflow, clientSlots, peerSlots }: LimitsState): unknown => ({
  strangers: [...strangers],
  known: [...known],
  overflow,
  clientSlots,
  peerSlots,
});

test("LIMIT-1, LIMIT-2, LIMIT-3, LIMIT-4, LIMIT-5, SLOT-1, SLOT-3: the limits do the same as the model at every step", () => {
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
