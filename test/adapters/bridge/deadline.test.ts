import { expect, test } from "vitest";
import { ok, type Result } from "neverthrow";
import { type CallFailure, withDeadline } from "../../../adapters/bridge/deadline.ts";
import { mapAwaitable } from "../../../adapters/flows/awaitable.ts";
import { thenable, withThen } from "../../support/thenable.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const error = new Error("no");
const refuse = (): never => {
  throw error;
};
const THREW = { kind: "threw", error };

test("SLOT-4: work gives its value, its error, or late; a late result changes nothing", async () => {
  const ended = async (work: () => unknown, deadlineMs = 1000): Promise<Result<unknown, CallFailure>> =>
    withDeadline(work, deadlineMs);
  expect((await ended(() => Promise.resolve(7)))._unsafeUnwrap()).toBe(7);
  expect((await ended(() => thenable(7)))._unsafeUnwrap()).toBe(7);
  expect((await ended(() => thenable(7, () => 0)))._unsafeUnwrap()).toBe(7);
  expect((await ended(() => Promise.reject(error)))._unsafeUnwrapErr()).toEqual(THREW);
  expect((await ended(() => withThen(refuse)))._unsafeUnwrapErr()).toEqual(THREW);
  expect((await ended(() => new Proxy({}, { has: refuse })))._unsafeUnwrapErr()).toEqual(THREW);
  expect((await ended(() => pause(40), 5))._unsafeUnwrapErr()).toEqual({ kind: "late" });
  const silent = withThen(() => undefined, Promise.resolve(7));
  expect((await ended(() => silent, 5))._unsafeUnwrapErr()).toEqual({ kind: "late" });
  const tampered = Object.defineProperty(Promise.resolve(7), "constructor", { get: refuse });
  expect((await ended(() => tampered))._unsafeUnwrapErr()).toEqual(THREW);
});

test("SLOT-4: work that returns or throws synchronously is settled synchronously", () => {
  for (const value of [7, undefined, null, "then", {}, withThen(1), refuse]) {
    expect(withDeadline(() => value, 1000)).toEqual(ok(value));
  }
  const thrown = withDeadline(refuse, 1000);
  expect(thrown instanceof Promise || thrown._unsafeUnwrapErr()).toEqual(THREW);
});

test("SLOT-4: what comes after the deadline is given back, and nothing else is", async () => {
  const undone: unknown[] = [];
  const ended = async (work: () => unknown, deadlineMs: number): Promise<unknown> =>
    withDeadline(work, deadlineMs, (value) => void undone.push(value));
  await ended(() => pause(1).then(() => "in time"), 1000);
  await ended(() => pause(1).then(refuse), 1000);
  await ended(() => "at once", 1000);
  const slow = pause(20).then(() => "late");
  await ended(() => slow, 5);
  expect(undone).toEqual([]);
  await slow;
  await pause(0);
  expect(undone).toEqual(["late"]);
});

test("a value is used at once, a promised one once it resolves", async () => {
  const double = (value: number): number => 2 * value;
  expect(mapAwaitable(7, double)).toBe(14);
  const later = mapAwaitable(Promise.resolve(7), double);
  expect(later).toBeInstanceOf(Promise);
  expect(await later).toBe(14);
});
