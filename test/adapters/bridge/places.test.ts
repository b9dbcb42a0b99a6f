// The places of waiting requests: each bound holds, and a place is given back once.

import fc from "fast-check";
import { expect, test } from "vitest";
import { Places } from "../../../adapters/bridge/places.ts";
import { locate, type Located } from "../../../core/index.ts";
import { head, PATH_A, PATH_B, ROUTES } from "../../core/arbitraries.ts";
import { runs } from "../../support/runs.ts";

const located = (client: string, target: string): Located => locate(ROUTES, head({ client, target }))._unsafeUnwrap();

test("WAIT-2: a place is taken exactly while all three bounds allow it, and given back once, however often that is said", () => {
  const most = { all: 5, route: 4, client: 2 };
  const step = fc.record({
    isTake: fc.boolean(),
    client: fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3"),
    path: fc.constantFrom(PATH_A, PATH_B),
    which: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const places = new Places(most);
      const held: { readonly client: string; readonly path: string; readonly leave: () => void }[] = [];
      const left: (() => void)[] = [];
      for (const { isTake, client, path, which } of steps) {
        if (isTake) {
          const onRoute = held.filter((one) => one.path === path);
          const isFree =
            held.length < most.all &&
            onRoute.length < most.route &&
            onRoute.filter((one) => one.client === client).length < most.client;
          const leave = places.take(located(client, path));
          expect(leave !== undefined).toBe(isFree);
          if (leave !== undefined) held.push({ client, path, leave });
        } else if (held.length > 0) {
          for (const { leave } of held.splice(which % held.length, 1)) left.push(leave);
          for (const leave of left) leave();
        }
        expect(places.taken).toBe(held.length);
      }
    }),
    { numRuns: runs(200) },
  );
});
