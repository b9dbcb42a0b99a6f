import { expect, test } from "vitest";
import { ok, type Result } from "neverthrow";
import { type Late, withDeadline } from "../../../adapters/bridge/deadline.ts";
import { whenThere } from "../../../adapters/flows/awaitable.ts";
import { thenable, withThen } from "../../support/thenable.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const error = new Error("no");
const refuse = (): never => {
  throw error;
};
const THREW = { kind: "threw", error };

test("SLOT-4: work is what it resolves to, what it throws, or late; what comes later changes nothing", async () => {
  const ended = async (work: () => unknown, deadlineMs = 1000): Promise<Result<unknown, Late>> =>
    withDeadline(work, deadlineMs);
  expect((await ended(() => Promise.resolve(7)))._unsafeUnwrap()).toBe(7);
  expect((await ended(() => thenable(7)))._unsafeUnwrap()).toBe(7);
  expect((await ended(() => thenable(7, () => 0)))._unsafeUnwrap()).toBe(7);
  expect((await ended(() => Promise.reject(error)))._unsafeUnwrapErr()).toEqual(THREW);
  expect((await ended(() => withThen(refuse)))._unsafeUnwrapErr()).toEqual(THREW);
  expect((await ended(() => new Proxy({}, { has: refuse })))._unsafeUnwrapErr()).toEqual(THREW);
  expect((await ended(() => pause(40), 5))._unsafeUnwrapErr()).toEqual({ kind: "late" });
});

test("SLOT-4: work that answers or throws at once is settled at once", () => {
  for (const value of [7, undefined, null, "then", {}, withThen(1), refuse]) {
    expect(withDeadline(() => value, 1000)).toEqual(ok(value));
  }
  const thrown = withDeadline(refuse, 1000);
  expect(thrown instanceof Promise || thrown._unsafeUnwrapErr()).toEqual(THREW);
});

test("what is there is used at once, what is promised once it is there", async () => {
  const double = (value: number): number => 2 * value;
  expect(whenThere(7, double)).toBe(14);
  const later = whenThere(Promise.resolve(7), double);
  expect(later).toBeInstanceOf(Promise);
  expect(await later).toBe(14);
});
