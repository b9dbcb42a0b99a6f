// Events of one turn of the event loop go to the file together, before their answers leave.

import fc from "fast-check";
import { expect, test } from "vitest";
import { AuditTurns } from "../../../adapters/audit/audit-turns.ts";
import type { RequestEvent } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

const numbered = (time: number): RequestEvent => ({ time, status: 200, durationMs: 1 });

const range = (from: number, length: number): readonly number[] => Array.from({ length }, (_, n) => from + n);

test("AUDIT-5: once `kept` resolves, all events are written, in their order and each once; those of a turn together", async () => {
  // false: the file is put aside or closed in the middle of a turn
  const step = fc.oneof(fc.integer({ min: 1, max: 600 }), fc.constant(false as const));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 3 }), { maxLength: 5 }), async (turns) => {
      const writes: number[][] = [];
      const audit = new AuditTurns((events) => void writes.push(events.map(({ time }) => time)));
      let count = 0;
      for (const steps of turns) {
        const before = writes.length;
        let most = 1;
        for (const one of steps) {
          if (one === false) {
            audit.flush();
            expect(writes.flat()).toEqual(range(0, count));
            most += 1;
          } else {
            for (const time of range(count, one)) audit.add(numbered(time));
            count += one;
            most += one / 256;
          }
        }
        await audit.kept;
        expect(writes.flat()).toEqual(range(0, count));
        expect(writes.length - before).toBeLessThanOrEqual(most);
        expect(audit.kept).toBeUndefined();
      }
      expect(writes.every((times) => times.length > 0 && times.length <= 256)).toBe(true);
    }),
    { numRuns: runs(50) },
  );
});
