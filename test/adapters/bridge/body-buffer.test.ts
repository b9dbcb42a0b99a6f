import fc from "fast-check";
import { expect, test } from "vitest";
import { Gathered } from "../../../adapters/bridge/body-buffer.ts";
import { MAX_BODY_BYTES } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

const announced = fc.oneof(
  fc.nat({ max: 2000 }),
  fc.constantFrom(0, -1, 3.5, Number.NaN, Number.POSITIVE_INFINITY, MAX_BODY_BYTES + 1),
);

test("BODY-2: pieces of any size are one body, in a buffer of at most twice its size or as large as announced", () => {
  fc.assert(
    fc.property(announced, fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 60 }), (length, pieces) => {
      const gathered = new Gathered(length);
      expect(gathered.bytes.buffer.byteLength).toBe(0);
      for (const piece of pieces) expect(gathered.add(piece)).toBe(true);
      const body = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
      expect(gathered.bytes).toEqual(body);
      const room = gathered.bytes.buffer.byteLength;
      const most = Number.isNaN(length) ? 0 : Math.min(length, MAX_BODY_BYTES);
      expect(room).toBeLessThanOrEqual(body.length === 0 ? 0 : Math.max(2 * body.length, most));
    }),
    { numRuns: runs(500) },
  );
});

test("BODY-2: a body of the limit in pieces of one byte is kept in a buffer of the limit, and one byte more is not", () => {
  const gathered = new Gathered();
  const piece = Uint8Array.of(0x20);
  for (let size = 0; size < MAX_BODY_BYTES; size += 1) gathered.add(piece);
  expect(gathered.add(new Uint8Array())).toBe(true);
  expect(gathered.add(piece)).toBe(false);
  expect([gathered.bytes.length, gathered.bytes.buffer.byteLength]).toEqual([MAX_BODY_BYTES, MAX_BODY_BYTES]);
});

test("BODY-2: a body whose length was announced is copied once", () => {
  const gathered = new Gathered(100);
  gathered.add(new Uint8Array(1));
  const { buffer } = gathered.bytes;
  gathered.add(new Uint8Array(99));
  expect(gathered.bytes.buffer).toBe(buffer);
  expect(buffer.byteLength).toBe(100);
});
