// The trace of a sender.

import fc from "fast-check";
import { expect, test } from "vitest";
import { traceparent } from "../../core/index.ts";
import { runs } from "../support/runs.ts";

const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${String(length)}}$`, "u"));
const isZero = (text: string): boolean => /^0+$/u.test(text);

test("AUDIT-6: a well-formed traceparent is taken as it is, and one with an id of zeros is not", () => {
  fc.assert(
    fc.property(hex(32), hex(16), hex(2), (trace, span, flags) => {
      const value = `00-${trace}-${span}-${flags}`;
      expect(traceparent(value)).toBe(isZero(trace) || isZero(span) ? undefined : value);
      expect(traceparent(`00-${"0".repeat(32)}-${span}-${flags}`)).toBe(undefined);
      expect(traceparent(`00-${trace}-${"0".repeat(16)}-${flags}`)).toBe(undefined);
    }),
  );
});

const WELL = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("AUDIT-6: anything else is ignored", () => {
  fc.assert(
    fc.property(fc.nat({ max: WELL.length - 1 }), fc.string({ unit: "binary", maxLength: 2 }), (place, text) => {
      fc.pre(!/^[0-9a-f]$/u.test(text) && !(text === "-" && WELL[place] === "-"));
      expect(traceparent(`${WELL.slice(0, place)}${text}${WELL.slice(place + 1)}`)).toBe(undefined);
    }),
    { numRuns: runs(300) },
  );
  for (const value of [undefined, "", WELL.toUpperCase(), `01${WELL.slice(2)}`, `${WELL}-x`, ` ${WELL}`, `${WELL}\n`])
    expect(traceparent(value)).toBe(undefined);
  expect(traceparent(WELL)).toBe(WELL);
});
