import fc from "fast-check";
import { expect, test } from "vitest";
import { BodyBuffer } from "../../../adapters/bridge/body-buffer.ts";
import { MAX_BODY_BYTES } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

/** Room for `left` bytes. */
class Room {
  left: number;

  constructor(left = Number.POSITIVE_INFINITY) {
    this.left = left;
  }

  take(bytes: number): boolean {
    if (bytes > this.left) return false;
    this.left -= bytes;
    return true;
  }
}

const announced = fc.oneof(
  fc.nat({ max: 2000 }),
  fc.constantFrom(0, -1, 3.5, Number.NaN, Number.POSITIVE_INFINITY, MAX_BODY_BYTES + 1),
);
const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 60 });

test("BODY-2: chunks of any size become one body, in a buffer of at most twice its size or of the announced size", () => {
  fc.assert(
    fc.property(announced, pieces, (length, parts) => {
      const buffer = new BodyBuffer(MAX_BODY_BYTES, new Room(), length);
      expect(buffer.bytes.buffer.byteLength).toBe(0);
      const before = parts.map((piece) => [...piece]);
      for (const piece of parts) expect(buffer.add(piece)).toBeUndefined();
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
        const buffer = new BodyBuffer(MAX_BODY_BYTES, new Room(), length);
        const empties = (count: number): Uint8Array[] => Array.from({ length: count }, () => new Uint8Array());
        for (const part of [...empties(some), piece, ...empties(more)]) buffer.add(part);
        expect(buffer.bytes.buffer).toBe(piece.buffer);
        expect(buffer.bytes).toEqual(piece);
      },
    ),
  );
});

test("BODY-2: a body of exactly the limit in chunks of one byte is kept in a buffer of that size; one byte more is refused", () => {
  const buffer = new BodyBuffer(MAX_BODY_BYTES, new Room());
  const piece = Uint8Array.of(0x20);
  for (let size = 0; size < MAX_BODY_BYTES; size += 1) buffer.add(piece);
  expect(buffer.add(new Uint8Array())).toBeUndefined();
  expect(buffer.add(piece)).toBe("too_large");
  expect([buffer.bytes.length, buffer.bytes.buffer.byteLength]).toEqual([MAX_BODY_BYTES, MAX_BODY_BYTES]);
  expect(new BodyBuffer(MAX_BODY_BYTES, new Room()).add(new Uint8Array(MAX_BODY_BYTES))).toBeUndefined();
  expect(new BodyBuffer(MAX_BODY_BYTES, new Room()).add(new Uint8Array(MAX_BODY_BYTES + 1))).toBe("too_large");
});

test("BODY-2: a body whose length was announced is copied once", () => {
  const body = new BodyBuffer(MAX_BODY_BYTES, new Room(), 100);
  body.add(new Uint8Array(1));
  body.add(new Uint8Array(1));
  const { buffer } = body.bytes;
  body.add(new Uint8Array(98));
  expect(body.bytes.buffer).toBe(buffer);
  expect(buffer.byteLength).toBe(100);
});

test("BODY-8: the buffer takes room for all that it holds, and keeps nothing for which there is none", () => {
  fc.assert(
    fc.property(announced, pieces, fc.nat({ max: 2000 }), (length, parts, bytes) => {
      const room = new Room(bytes);
      const buffer = new BodyBuffer(1000, room, length);
      let kept = 0;
      for (const piece of parts) {
        const left = room.left;
        const fault = buffer.add(piece);
        if (fault === undefined) kept += piece.length;
        else expect(room.left).toBe(left);
        expect(buffer.bytes.length).toBe(kept);
        expect(bytes - room.left).toBeGreaterThanOrEqual(kept === 0 ? 0 : buffer.bytes.length);
        expect(buffer.bytes.length).toBeLessThanOrEqual(Math.min(1000, bytes));
      }
    }),
    { numRuns: runs(500) },
  );
});

test("BODY-7: a body that announces much gets no buffer of that size before it has come", () => {
  const room = new Room();
  const buffer = new BodyBuffer(26_214_400, room, 26_214_400);
  buffer.add(new Uint8Array(1));
  buffer.add(new Uint8Array(1));
  expect(buffer.bytes.buffer.byteLength).toBe(MAX_BODY_BYTES);
});
