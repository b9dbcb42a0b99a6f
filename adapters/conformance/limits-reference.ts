// Random requests on limits, compared with the reference: the limits in memory.

import fc from "fast-check";
import type { Located } from "../../core/index.ts";
import type { Limits } from "../limits/limits.ts";
import { MemoryLimits } from "../limits/memory.ts";
import { same } from "./check.ts";
import { freshRoute, type TestRoute, toldIn } from "./limits-under-test.ts";

type Command =
  | { readonly kind: "ask"; readonly route: number; readonly client: number; readonly peer: number }
  /** The request that was admitted so many ago shows that it may act for its route, or ends. */
  | { readonly kind: "confirm" | "release"; readonly ago: number };

const number = (most: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: most });

/** Some that a route of few requests refuses, and some that make and end requests in turn. */
export const requests: fc.Arbitrary<readonly Command[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant("ask"), route: number(2), client: number(2), peer: number(1) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("confirm"), ago: number(3) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("release"), ago: number(5) }) },
  ),
  { maxLength: 60 },
);

const routes = (): readonly TestRoute[] => [
  freshRoute({ limits: { perMinute: 7, inFlight: 3 } }),
  freshRoute({ limits: { perMinute: 7, inFlight: 3 }, isSigned: true }),
  freshRoute(),
];

type Held = { readonly located: Located; readonly isProved: boolean; readonly isTold: boolean };

/** Each is told what the reference tells it, whichever of `views` on the same limits it asks. */
export const asInMemory = async (
  commands: readonly Command[],
  views: readonly Limits[],
  now: number,
): Promise<void> => {
  const [places, reference] = [routes(), new MemoryLimits()];
  let held: readonly (Held & { readonly port: Limits })[] = [];
  for (const [index, command] of commands.entries()) {
    const name = `request ${String(index + 1)}, ${command.kind}`;
    if (command.kind === "ask") {
      const port = views[index % views.length];
      const located = places[command.route]?.request(command.client, command.peer);
      if (port === undefined || located === undefined) throw new Error("no limits to test");
      const [verdict, expected] = [await port.admit(located, now), reference.admit(located, 0)];
      same(toldIn(verdict), toldIn(expected), name);
      if (expected.kind === "admitted") held = [...held, { port, located, isProved: false, isTold: true }];
      continue;
    }
    const at = held.length - 1 - command.ago;
    const one = held[at];
    if (one === undefined) continue;
    const { port, located, isProved } = one;
    if (command.kind === "release") {
      await port.release(located, isProved);
      reference.release(located, isProved);
      held = held.toSpliced(at, 1);
    } else if (one.isTold) {
      const [hasSlot, expected] = [await port.confirm(located, now), reference.confirm(located, 0)];
      same(hasSlot, expected, name);
      held = held.with(at, { ...one, isProved: expected, isTold: false });
    }
  }
  for (const { port, located, isProved } of held) await port.release(located, isProved);
};
