import { expect, test } from "vitest";
import { withDeadline } from "../../adapters/bridge/deadline.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

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
