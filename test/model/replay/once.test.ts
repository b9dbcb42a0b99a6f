// Replays the model's runs of an embedded store over the real decisions: repeats, other bodies, kills before and after the commit.

import { expect, test } from "vitest";
import { type Delivery, type FlowAction, RECORD_MS } from "../../../core/index.ts";
import { ask, EMPTY, type Kept, nameOf } from "../small-deliveries.ts";
import { tracesOf } from "./traces.ts";

type Who = { readonly route: string; readonly key: string };
type Model = {
  readonly host: "own" | "gateway";
  readonly isUsable: boolean;
  readonly now: number;
  readonly records: ReadonlyMap<Who, { readonly body: string; readonly at: number }>;
  readonly effects: readonly unknown[];
  readonly dropped: { readonly who: Who };
  readonly last: {
    readonly step: string;
    readonly who: Who;
    readonly body: string;
    readonly does: string;
    readonly crash: string;
    readonly code: string;
    readonly effect: number;
  };
};

/** A record lives for 3 ticks of the model. */
const TICK_MS = RECORD_MS / 3;

const MAKE: FlowAction = { action: "create_flow", goal: "g", controllerId: "c" };
/** Refused with a 404, because no flow has this id. */
const REFUSE: FlowAction = { action: "finish_flow", flowId: "none", expectedRevision: 0 };

const OWNER = "ann";
const nameIn = ({ route, key }: Who): string => nameOf({ routeId: route, owner: OWNER, key });

type World = { kept: Kept; readonly asked: Map<string, FlowAction> };

const CODES: Readonly<Record<string, string>> = { created: "made", not_applied: "conflict" };
const flowIn = (body: string): number => Number(/"flowId":"flow (\d+)"/u.exec(body)?.[1] ?? 0);

/** Whether the store decides: what the bridge refuses, and what its engine fails in, never comes to a decision. */
const isDecided = ({ last, isUsable }: Model): boolean =>
  last.code !== "invalid_request" &&
  (isUsable || last.who.key === "") &&
  !["persist_failed", "bad_host_answer"].includes(last.code);

const carryOut = (world: World, { last, now, effects }: Model): object => {
  const { who, body, does, crash } = last;
  const name = nameIn(who);
  const record = world.kept.records.get(name);
  const isRepeat = record?.fingerprint === body && now * TICK_MS < record.at + RECORD_MS;
  const action = (isRepeat ? world.asked.get(name) : undefined) ?? (does === "refuse" ? REFUSE : MAKE);
  const once = who.key === "" ? undefined : { key: who.key, fingerprint: body };
  const delivery: Delivery = { routeId: who.route, once, bind: undefined, starts: false };
  const fresh = `flow ${String(world.kept.flows.size + 1)}`;
  const { kept, said, reply } = ask(world.kept, { owner: OWNER, fresh }, action, delivery, now * TICK_MS);
  if (crash !== "before") {
    if (kept.records.get(name) !== record) world.asked.set(name, action);
    world.kept = kept;
  }
  expect(kept.flows.size).toBeGreaterThanOrEqual(effects.length);
  return { code: CODES[said] ?? said, effect: flowIn(reply.body) };
};

const shown = ({ records, effects }: Model): object => ({
  flows: effects.length,
  records: [...records].map(([who, { body, at }]) => [nameIn(who), body, at * TICK_MS]).toSorted(),
});

const actual = ({ kept: { flows, records } }: World): object => ({
  flows: flows.size,
  records: [...records].map(([name, { fingerprint, at }]) => [name, fingerprint, at]).toSorted(),
});

test("ONCE-1, ONCE-2, ONCE-3, ONCE-8: at every step of an embedded store a request is answered and kept as in the model", () => {
  const traces = tracesOf<Model>("once").filter(({ states }) => states[0]?.host === "own");
  const codes = new Set<string>();
  let steps = 0;
  for (const { name, states } of traces) {
    const world: World = { kept: EMPTY, asked: new Map() };
    for (const [index, state] of states.entries()) {
      const { last, dropped } = state;
      const where = `${name}, step ${String(index)}: ${last.step}`;
      if (last.step === "drop") {
        const records = new Map(world.kept.records);
        records.delete(nameIn(dropped.who));
        world.kept = { ...world.kept, records };
      }
      if (last.step === "ask" && isDecided(state)) {
        expect(carryOut(world, state), where).toEqual({ code: last.code, effect: last.effect });
        codes.add(`${last.code} ${last.crash}`.trim());
      }
      expect(actual(world), where).toEqual(shown(state));
      steps += 1;
    }
  }
  console.log(`once: ${String(traces.length)} traces, ${String(steps)} steps replayed`);
  expect([...codes].toSorted()).toEqual(
    ["made", "conflict", "idempotency_key_reused"]
      .flatMap((code) => [code, `${code} after`, `${code} before`])
      .toSorted(),
  );
});
