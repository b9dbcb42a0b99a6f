// A latest moment for work of somebody else's: what comes later is ignored. The work itself cannot be ended from here.

import { err, ok, type Result } from "neverthrow";
import { isLater, awaited, type Soon } from "../flows/awaitable.ts";

export type Late = { readonly kind: "late" } | { readonly kind: "threw"; readonly error: unknown };

const threw = (error: unknown): Late => ({ kind: "threw", error });

const race = <T>(later: PromiseLike<T>, deadlineMs: number): Promise<Result<T, Late>> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(err({ kind: "late" })), deadlineMs);
    const settle = (result: Result<T, Late>): void => {
      clearTimeout(timer);
      resolve(result);
    };
    awaited(later).then(
      (value) => settle(ok(value)),
      (error: unknown) => settle(err(threw(error))),
    );
  });

//= SLOT-4
/**
 * Starts `work` and waits at most `deadlineMs` for it; what is there at once needs no waiting. Never throws or rejects;
 * errs when the work threw or was late.
 */
export const withDeadline = <T>(work: () => T | PromiseLike<T>, deadlineMs: number): Soon<Result<T, Late>> => {
  try {
    const begun = work();
    return isLater(begun) ? race(begun, deadlineMs) : ok(begun);
  } catch (error) {
    return err(threw(error));
  }
};
