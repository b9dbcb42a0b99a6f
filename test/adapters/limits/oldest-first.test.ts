// The table in the order of arrival does what a Map does, and says what stands first and last.

import fc from "fast-check";
import { expect, test } from "vitest";
import { OldestFirst } from "../../../adapters/limits/oldest-first.ts";
import { runs } from "../../support/runs.ts";

const step = fc.record({
  act: fc.constantFrom("set", "set", "append", "delete"),
  key: fc.constantFrom("a", "b", "c", "d", "e"),
  value: fc.nat(),
});

const walked = (table: OldestFirst<number>): readonly (readonly [string, number])[] => {
  const seen: [string, number][] = [];
  for (let entry = table.first; entry !== undefined; entry = entry.next) seen.push([entry.key, entry.value]);
  return seen;
};

test("LIMIT-12: entries stand as in a Map, in which the oldest is first, whatever is set, appended and deleted", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const table = new OldestFirst<number>();
      const map = new Map<string, number>();
      for (const { act, key, value } of steps) {
        if (act === "delete") expect(table.delete(key)).toBe(map.delete(key));
        if (act === "append") map.delete(key);
        if (act !== "delete") map.set(key, value);
        if (act === "set") table.set(key, value);
        if (act === "append") table.append(key, value);
        expect(walked(table)).toEqual([...map]);
        expect([...table]).toEqual([...map]);
        expect([...new OldestFirst(table)]).toEqual([...map]);
        expect([table.size, table.has(key), table.get(key)]).toEqual([map.size, map.has(key), map.get(key)]);
        const last = [...map].at(-1);
        expect(table.last && [table.last.key, table.last.value]).toEqual(last);
      }
    }),
    { numRuns: runs(300) },
  );
});
