// A deadline for calls into other code. The call is not cancelled; what comes too late may still be undone.

import { err, ok, type Result } from "neverthrow";
import { adopt, type Awaitable, isPromiseLike } from "../flows/awaitable.ts";

export type CallFailure = { readonly kind: "late" } | { readonly kind: "threw"; readonly error: unknown };

const threw = (error: unknown): CallFailure => ({ kind: "threw", error });

const race = <T>(
  later: PromiseLike<T>,
  deadlineMs: number,
  undo: (value: T) => void,
): Promise<Result<T, CallFailure>> =>
  new Promise((resolve) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      resolve(err({ kind: "late" }));
    }, deadlineMs);
    const settle = (result: Result<T, CallFailure>): void => {
      clearTimeout(timer);
      resolve(result);
    };
    adopt(later).then(
      (value) => (isLate ? undo(value) : settle(ok(value))),
      (error: unknown) => settle(err(threw(error))),
    );
  });

const nothing = (): void => undefined;

//= SLOT-4
/**
 * Calls `work` and waits at most `deadlineMs` for a promise of it. Never throws or rejects; errs when it threw or was late.
 * `undo` gets a value that came too late, and must not throw.
 */
export const withDeadline = <T>(
  work: () => T | PromiseLike<T>,
  deadlineMs: number,
  undo: (value: T) => void = nothing,
): Awaitable<Result<T, CallFailure>> => {
  try {
    const result = work();
    return isPromiseLike(result) ? race(result, deadlineMs, undo) : ok(result);
  } catch (error) {
    return err(threw(error));
  }
};

/** What a call that failed has failed with. `late`: makes what stands for an answer that came too late. */
export const errorOf = (failure: CallFailure, late: () => unknown): unknown =>
  failure.kind === "late" ? late() : failure.error;

/** The same as `withDeadline`, for callers that let a failure through: rejects with `errorOf` it. */
export const inTime = async <T>(
  work: () => T | PromiseLike<T>,
  deadlineMs: number,
  late: () => unknown,
): Promise<T> => {
  const said = await withDeadline(work, deadlineMs);
  if (said.isErr()) throw errorOf(said.error, late);
  return said.value;
};
