// Limits in memory, and ones that answer by promises, pass the suite for limits; limits that break a rule do not.

import { describe, expect, test } from "vitest";
import { limitsSuite } from "../../../adapters/conformance/limits-suite.ts";
import { MemoryLimits } from "../../../adapters/limits/memory.ts";
import type { Limits } from "../../../adapters/limits/limits.ts";
import { runs } from "../../support/runs.ts";

/** The suite's clock is handed over with each call. */
const elapse = (): void => undefined;

describe("LIMIT-1, LIMIT-3, LIMIT-5, LIMIT-10, LIMIT-11, SLOT-1, SLOT-3, SIGN-5: memory", () => {
  limitsSuite(test, { open: () => new MemoryLimits(64), elapse, runs: runs(50) });
});

const later = (limits: MemoryLimits): Limits => ({
  admit: (located, now) => Promise.resolve(limits.admit(located, now)),
  confirm: (located, now) => Promise.resolve(limits.confirm(located, now)),
  release: (located, isProved) => Promise.resolve(limits.release(located, isProved)),
});

describe("LIMIT-1, SLOT-1: limits that answer later, by two views", () => {
  let table = new MemoryLimits(64);
  limitsSuite(test, {
    open: () => later((table = new MemoryLimits(64))),
    another: () => later(table),
    elapse,
    runs: runs(50),
  });
});

/** How many tests of the suite the limits fail. */
const failures = async (open: () => Limits): Promise<number> => {
  const tests: (() => Promise<void>)[] = [];
  limitsSuite((_, run) => tests.push(run), { open, elapse, runs: runs(50) });
  const results = await Promise.allSettled(tests.map((run) => run()));
  return results.filter(({ status }) => status === "rejected").length;
};

test("LIMIT-1, LIMIT-3, SLOT-1, SLOT-3, LIMIT-11: the suite sees limits that let too many in, keep slots, or tell wrong numbers", async () => {
  const wrong: Readonly<Record<string, (limits: MemoryLimits) => Partial<Limits>>> = {
    "no limit": () => ({ admit: () => ({ kind: "admitted" }) }),
    "slots are not given back": () => ({ release: () => undefined }),
    "windows end early": (limits) => ({ admit: (located, now) => limits.admit(located, now * 3) }),
    "strangers hold slots of the peer": (limits) => ({
      confirm: (located, now) => (limits.confirm(located, now), true),
    }),
    "no allowance": (limits) => ({
      admit: (located, now) => {
        const verdict = limits.admit(located, now);
        return verdict.kind === "admitted" ? { kind: "admitted" } : verdict;
      },
    }),
  };
  for (const [name, change] of Object.entries(wrong)) {
    const open = (): Limits => {
      const limits = new MemoryLimits(64);
      return {
        admit: (located, now) => limits.admit(located, now),
        confirm: (located, now) => limits.confirm(located, now),
        release: (located, isProved) => limits.release(located, isProved),
        ...change(limits),
      };
    };
    expect([name, await failures(open)]).toEqual([name, expect.toSatisfy((count: number) => count > 0)]);
  }
});

test("the suite closes limits that fail, so that their connections keep no process alive", async () => {
  const closed: Limits[] = [];
  const opened: Limits[] = [];
  const open = (): Limits => {
    const limits: Limits = { admit: () => ({ kind: "admitted" }), confirm: () => true, release: () => undefined };
    opened.push(limits);
    return limits;
  };
  const tests: (() => Promise<void>)[] = [];
  const close = (limits: Limits): void => void closed.push(limits);
  limitsSuite((_, run) => tests.push(run), { open, another: open, close, elapse, runs: 1 });
  const results = await Promise.allSettled(tests.map((run) => run()));
  expect(results.some(({ status }) => status === "rejected")).toBe(true);
  expect(new Set(closed)).toEqual(new Set(opened));
  expect(closed).toHaveLength(opened.length);
});
