import fc from "fast-check";
import { expect, test } from "vitest";
import { Deadlines, deadlinesOf, withDeadline } from "../../adapters/bridge/deadline.ts";
import { runs } from "../support/runs.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Begins waits in some rhythm; those with `leaves` are over before their time. Says what ended, and how early. */
const play = async (ms: number, waits: readonly { readonly pauseMs: number; readonly leaves: boolean }[]) => {
  const deadlines = new Deadlines(ms);
  const ended: number[] = [];
  const early: number[] = [];
  for (const [index, { pauseMs, leaves }] of waits.entries()) {
    const began = performance.now();
    const wait = deadlines.begin(() => {
      ended.push(index);
      if (performance.now() - began < ms) early.push(index);
      expect(wait.leave()).toBe(false);
    });
    if (leaves) expect([wait.leave(), wait.leave()]).toEqual([true, false]);
    if (pauseMs > 0) await pause(pauseMs);
  }
  await pause(ms + 15);
  return { ended, early };
};

test("SLOT-4: every wait that has not left ends once, in order and not before its time; no other one ends", async () => {
  const wait = fc.record({ pauseMs: fc.constantFrom(0, 0, 0, 3, 12), leaves: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(wait, { maxLength: 8 }), fc.constantFrom(5, 20), async (waits, ms) => {
      const { ended, early } = await play(ms, waits);
      expect(ended).toEqual(waits.flatMap(({ leaves }, index) => (leaves ? [] : [index])));
      expect(early).toEqual([]);
    }),
    { numRuns: runs(25) },
  );
});

test("SLOT-4: a wait may begin others and take out the next one when it ends", async () => {
  const deadlines = new Deadlines(5);
  const ended: string[] = [];
  deadlines.begin(() => {
    ended.push("first");
    expect(second.leave()).toBe(true);
    deadlines.begin(() => ended.push("third"));
  });
  const second = deadlines.begin(() => ended.push("second"));
  await pause(40);
  expect(ended).toEqual(["first", "third"]);
});

test("SLOT-4: deadlines of one length are the same ones", () => {
  expect(deadlinesOf(777)).toBe(deadlinesOf(777));
  expect(deadlinesOf(777)).not.toBe(deadlinesOf(778));
});

test("SLOT-4: work is what it resolves to, what it throws, or late; what comes later changes nothing", async () => {
  const error = new Error("no");
  const refuse = (): never => {
    throw error;
  };
  expect((await withDeadline(() => 7, 1000))._unsafeUnwrap()).toBe(7);
  expect((await withDeadline(() => Promise.resolve(7), 1000))._unsafeUnwrap()).toBe(7);
  expect((await withDeadline(refuse, 1000))._unsafeUnwrapErr()).toEqual({ kind: "threw", error });
  expect((await withDeadline(() => Promise.reject(error), 1000))._unsafeUnwrapErr()).toEqual({ kind: "threw", error });
  expect((await withDeadline(() => pause(40), 5))._unsafeUnwrapErr()).toEqual({ kind: "late" });
});
