// Replays the traces of spec/limits.qnt over the real limits: every step must give the same answer and the same table.

import { expect, test } from "vitest";
import type { LimitsState, Rules } from "../../../adapters/limits/memory.ts";
import type { Bucket, Located } from "../../../core/index.ts";
import {
  clientKeyOf,
  limitedTo,
  locatedOf,
  peerKeyOf,
  type Request,
  type Room,
  SmallLimits,
} from "../../support/small-limits.ts";
import { tracesOf } from "./traces.ts";

/** The scale of spec/limits.qnt. */
const RULES: Rules = { window: { limit: 2, ms: 4 }, slots: { client: 2, peer: 3 } };
const ROOM: Room = { strangers: 2, known: { own: 1, shared: 1, part: 1 } };

type Key = readonly [number, string];
type Entry = { readonly key: Key; readonly bucket: Bucket };
type State = {
  readonly now: number;
  readonly call:
    | { readonly tag: "Ask"; readonly value: Request }
    | { readonly tag: "Release"; readonly value: { readonly client: Key; readonly peer: Key } }
    | { readonly tag: "Begin" | "Clock" | "Reload"; readonly value: unknown };
  readonly rules: ReadonlyMap<string, { readonly perMinute: number; readonly inFlight: number }>;
  readonly outcome: {
    readonly verdict: string;
    readonly place: string;
    readonly bucket: Bucket;
    readonly fields:
      | { readonly tag: "Told"; readonly value: { limit: number; remaining: number; endsAt: number } }
      | { readonly tag: "Untold"; readonly value: unknown };
  };
  readonly limits: {
    readonly strangers: readonly Entry[];
    readonly known: ReadonlyMap<string, readonly Entry[]>;
    readonly turn: readonly string[];
    readonly overflow: ReadonlyMap<string, Bucket>;
    readonly clientSlots: ReadonlyMap<Key, number>;
    readonly peerSlots: ReadonlyMap<Key, number>;
  };
};
type Outcome = Omit<State["outcome"], "fields"> & { readonly told?: object | undefined };
type Seen = { readonly outcome: Outcome; readonly table: LimitsState };

const small = new SmallLimits(RULES, ROOM);
const NOTHING: Outcome = { verdict: "none", place: "none", bucket: { endsAt: 0, count: 0 } };

/** A route whose limits are the usual ones says nothing of them. */
const located = (request: Request, rules: State["rules"]): Located => {
  const { perMinute, inFlight } = rules.get(request.route) ?? { perMinute: 0, inFlight: 0 };
  const isUsual = perMinute === RULES.window.limit && inFlight === RULES.slots.client;
  return isUsual ? locatedOf(request) : limitedTo(locatedOf(request), perMinute, inFlight);
};

const step = (table: LimitsState, { call, now, rules }: State): Seen => {
  if (call.tag === "Ask") {
    const { after, allowance, ...outcome } = small.ask(table, located(call.value, rules), now);
    const told = allowance && {
      limit: allowance.limit,
      remaining: allowance.remaining,
      endsAt: now + allowance.endsInMs,
    };
    return { outcome: { ...outcome, told }, table: after };
  }
  if (call.tag !== "Release") return { outcome: NOTHING, table };
  const [client, route] = call.value.client;
  const [peer] = call.value.peer;
  const ended = locatedOf({ client, route, peer, isJson: true, isGood: true });
  return { outcome: NOTHING, table: small.release(table, ended) };
};

const entries = (kept: readonly Entry[]): readonly (readonly [string, Bucket])[] =>
  kept.map(({ key: [client, route], bucket }) => [clientKeyOf(client, route), bucket]);

/** The model's table in the code's terms; the order of kept buckets counts, that of the rest does not. */
const expected = ({ limits }: State): unknown => ({
  strangers: entries(limits.strangers),
  known: limits.turn.map((route) => [route, entries(limits.known.get(route) ?? [])]),
  overflow: new Map(limits.overflow),
  clientSlots: new Map([...limits.clientSlots].map(([[client, route], held]) => [clientKeyOf(client, route), held])),
  peerSlots: new Map([...limits.peerSlots].map(([[peer, route], held]) => [peerKeyOf(peer, route), held])),
});

const shown = ({ strangers, known, overflow, clientSlots, peerSlots }: LimitsState): unknown => ({
  strangers: [...strangers],
  known: [...known].map(([route, clients]) => [route, [...clients]]),
  overflow,
  clientSlots,
  peerSlots,
});

test("LIMIT-1, LIMIT-2, LIMIT-3, LIMIT-4, LIMIT-5, LIMIT-10, LIMIT-11, SLOT-1, SLOT-3: the limits do the same as the model at every step", () => {
  let steps = 0;
  const traces = tracesOf<State>("limits");
  for (const { name, states } of traces) {
    let table = small.empty;
    for (const [index, state] of states.slice(1).entries()) {
      const seen = step(table, state);
      table = seen.table;
      const at = `${name}, step ${String(index + 1)}`;
      const { fields, ...outcome } = state.outcome;
      expect(seen.outcome, at).toEqual({ ...outcome, told: fields.tag === "Told" ? fields.value : undefined });
      expect(shown(table), at).toEqual(expected(state));
      steps += 1;
    }
  }
  console.log(`limits: ${String(traces.length)} traces, ${String(steps)} steps replayed`);
});
