import fc from "fast-check";
import { expect, test } from "vitest";
import { BodyBuffer } from "../../../adapters/bridge/body-buffer.ts";
import { MAX_BODY_BYTES } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

const announced = fc.oneof(
  fc.nat({ max: 2000 }),
  fc.constantFrom(0, -1, 3.5, Number.NaN, Number.POSITIVE_INFINITY, MAX_BODY_BYTES + 1),
);
const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 60 });

test("BODY-2: chunks of any size become one body, in a buffer of at most twice its size or of the announced size", () => {
  fc.assert(
    fc.property(announced, pieces, (length, parts) => {
      const buffer = new BodyBuffer(length);
      expect(buffer.bytes.buffer.byteLength).toBe(0);
      const before = parts.map((piece) => [...piece]);
      for (const piece of parts) expect(buffer.add(piece)).toBe(true);
      const body = Uint8Array.from(before.flat());
      expect(buffer.bytes).toEqual(body);
      const room = buffer.bytes.buffer.byteLength;
      const most = Number.isNaN(length) ? 0 : Math.min(length, MAX_BODY_BYTES);
      expect(room).toBeLessThanOrEqual(body.length === 0 ? 0 : Math.max(2 * body.length, most));
      expect(parts.map((piece) => [...piece])).toEqual(before);
    }),
    { numRuns: runs(500) },
  );
});

test("BODY-2: a body that comes in one chunk is that chunk and not a copy, whatever was announced, also among empty chunks", () => {
  const empty = fc.nat({ max: 3 });
  fc.assert(
    fc.property(
      announced,
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      empty,
      empty,
      (length, piece, some, more) => {
        const buffer = new BodyBuffer(length);
        const empties = (count: number): Uint8Array[] => Array.from({ length: count }, () => new Uint8Array());
        for (const part of [...empties(some), piece, ...empties(more)]) buffer.add(part);
        expect(buffer.bytes.buffer).toBe(piece.buffer);
        expect(buffer.bytes).toEqual(piece);
      },
    ),
  );
});

test("BODY-2: a body of exactly the limit in chunks of one byte is kept in a buffer of that size; one byte more is refused", () => {
  const buffer = new BodyBuffer();
  const piece = Uint8Array.of(0x20);
  for (let size = 0; size < MAX_BODY_BYTES; size += 1) buffer.add(piece);
  expect(buffer.add(new Uint8Array())).toBe(true);
  expect(buffer.add(piece)).toBe(false);
  expect([buffer.bytes.length, buffer.bytes.buffer.byteLength]).toEqual([MAX_BODY_BYTES, MAX_BODY_BYTES]);
  expect(new BodyBuffer().add(new Uint8Array(MAX_BODY_BYTES))).toBe(true);
  expect(new BodyBuffer().add(new Uint8Array(MAX_BODY_BYTES + 1))).toBe(false);
});

test("BODY-2: a body whose length was announced is copied once", () => {
  const body = new BodyBuffer(100);
  body.add(new Uint8Array(1));
  body.add(new Uint8Array(1));
  const { buffer } = body.bytes;
  body.add(new Uint8Array(98));
  expect(body.bytes.buffer).toBe(buffer);
  expect(buffer.byteLength).toBe(100);
});
