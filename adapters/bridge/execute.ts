// Carries a command out: one call of the store, under a deadline. What the store throws or says ends here.

import { err, type Result } from "neverthrow";
import { type Command, needsRecord, type Outcome, printable, routeName, type StoreFailure } from "../../core/index.ts";
import { type Awaitable, mapAwaitable } from "../flows/awaitable.ts";
import { type FlowStore, type Report, REPORTS, Sentence } from "../flows/flow-store.ts";
import { checkOutcome } from "./check-outcome.ts";
import { type CallFailure, withDeadline } from "./deadline.ts";
import type { Log } from "./log.ts";
import { scrub } from "./scrub.ts";

//= SLOT-4
/** Milliseconds for which the store may keep a command before the caller is told `outcome_unknown`. */
export const STORE_DEADLINE_MS = 20_000;

const STORE_TROUBLE = /sqlite|database is (?:locked|busy)|persist/iu;

/** Some calls of a Gateway throw when its database is locked or full, where others answer `persist_failed`. */
const isStoreTrouble = (error: unknown): boolean => {
  try {
    if (!(error instanceof Error)) return false;
    return STORE_TROUBLE.test(`${"code" in error ? String(error.code) : ""} ${error.name} ${error.message}`);
  } catch {
    return false;
  }
};

const failureOf = (failure: CallFailure, deadlineMs: number, report: Report): StoreFailure => {
  if (failure.kind === "late") {
    report(REPORTS.late, new Sentence(`${String(deadlineMs)} ms`));
    return "outcome_unknown";
  }
  report(REPORTS.threw, failure.error);
  return isStoreTrouble(failure.error) ? "persist_failed" : "bad_host_answer";
};

const OWN: ReadonlySet<string> = new Set(Object.values(REPORTS));

/** Answers within the deadline; never throws or rejects. */
export type Execute = (command: Command) => Awaitable<Result<Outcome, StoreFailure>>;

//= SCOPE-1, SLOT-4
export const createExecute =
  (store: FlowStore, log: Log, deadlineMs: number = STORE_DEADLINE_MS): Execute =>
  ({ route, action, delivery }) => {
    if (needsRecord(delivery) && store.takesDeliveries !== true) return err("idempotency_unavailable");
    const report: Report = (what, detail) => {
      const said = OWN.has(what) ? what : scrub(what, [route.sessionKey]);
      const topic = `route ${printable(routeName(route))} ${action.action}: ${said}`;
      log.warnSometimes(`${topic}: ${scrub(detail, [route.sessionKey])}`, topic);
    };
    const check = (result: Result<Result<Outcome, StoreFailure>, CallFailure>): Result<Outcome, StoreFailure> => {
      if (result.isErr()) return err(failureOf(result.error, deadlineMs, report));
      const answer = checkOutcome(action, result.value, delivery);
      if (answer === undefined) report(REPORTS.nonsense, new Sentence("the whole answer"));
      return answer ?? err("bad_host_answer");
    };
    return mapAwaitable(
      withDeadline(() => store.execute(route.sessionKey, action, report, delivery), deadlineMs),
      check,
    );
  };
