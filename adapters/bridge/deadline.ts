// A promise with a latest moment: what comes later is ignored. The work itself cannot be ended from here.

import { err, ok, type Result } from "neverthrow";

export type Late = { readonly kind: "late" } | { readonly kind: "threw"; readonly error: unknown };

/** Turns a throw at once into a rejection. */
const begin = async <T>(work: () => T | Promise<T>): Promise<T> => work();

//= SLOT-4
/** Starts `work` and waits at most `deadlineMs` for it. Never rejects; errs when it threw or was late. */
export const withDeadline = <T>(work: () => T | Promise<T>, deadlineMs: number): Promise<Result<T, Late>> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(err({ kind: "late" })), deadlineMs);
    const settle = (result: Result<T, Late>): void => {
      clearTimeout(timer);
      resolve(result);
    };
    begin(work).then(
      (value) => settle(ok(value)),
      (error: unknown) => settle(err({ kind: "threw", error })),
    );
  });
