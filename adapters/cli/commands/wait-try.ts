// One request of `wait`: an answer, what may pass when it is tried again, or what will not.

import { err, ok, type Result } from "neverthrow";
import { type CliFault, fault } from "../fault.ts";
import { EXIT } from "../io.ts";
import { type Answer, deliveryLine, readAnswer, refusalLine } from "./call-answer.ts";
import { explainSend } from "./call-fault.ts";
import type { Call } from "./call-request.ts";
import { post, type SendFault } from "./call-send.ts";

/** Trouble that may pass. `afterMs`: what the server says of when. */
export type Passing = { readonly fault: CliFault; readonly afterMs: number | undefined };

/** A busy server, or one behind a proxy that is being restarted. */
const STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** A Gateway answers 500 in plain text while it replaces the plugin. A 500 of the plugin itself is a defect, which stays. */
const isPassing = (status: number, isOfRoute: boolean): boolean =>
  STATUSES.has(status) || (status === 500 && !isOfRoute);

const CODES: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
]);

/** A server that is being restarted, or a network that is. A connection that closes without a word has no error. */
const mayPass = ({ kind, error }: SendFault): boolean =>
  kind === "late" ||
  (kind === "failed" && (error === undefined || (error instanceof Error && "code" in error && CODES.has(error.code))));

/** Longest pause that a server can ask for, ms. */
const MAX_PAUSE_MS = 60_000;

/** Undefined also of 0 seconds, because a server that is in trouble would be asked without a pause. */
const msOf = (retryAfter: string | undefined): number | undefined =>
  retryAfter !== undefined && /^0*[1-9]\d{0,5}$/u.test(retryAfter)
    ? Math.min(MAX_PAUSE_MS, Number(retryAfter) * 1000)
    : undefined;

/** Reading changes nothing, so that there is nothing to be unsure of. */
const plain = (given: CliFault): CliFault =>
  given.status === EXIT.unsure ? { ...given, status: EXIT.unreachable } : given;

const refused = (answer: Answer, sent: Call): CliFault => ({
  sentence: refusalLine(answer, sent).trimEnd(),
  status: EXIT.refused,
});

//= CALL-5
/** Errs when a delivery was made of the request. */
const asAction = (answer: Answer, sent: Call): Result<Answer, CliFault> => {
  if (!answer.body.ok) return err(refused(answer, sent));
  const taken = deliveryLine(answer, sent);
  return taken === undefined ? ok(answer) : err({ sentence: taken.trimEnd(), status: EXIT.refused });
};

//= WAIT-7
/** Errs with what trying again would not change. */
export const tryOnce = async (sent: Call, deadlineMs: number): Promise<Result<Answer | Passing, CliFault>> => {
  const received = await post(sent, deadlineMs);
  if (received.isErr()) {
    const why = plain(explainSend(sent, received.error));
    return mayPass(received.error) ? ok({ fault: why, afterMs: undefined }) : err(why);
  }
  const { status, retryAfter } = received.value;
  const read = readAnswer(received.value, sent);
  const isOver = !isPassing(status, read.isOk());
  const answer = read.andThen((one) => asAction(one, sent)).mapErr(plain);
  return isOver || answer.isOk() ? answer : ok({ fault: answer.error, afterMs: msOf(retryAfter) });
};

/** Milliseconds before the next try, after so many that failed one after another. */
export const pauseAfter = ({ afterMs }: Passing, failures: number): number =>
  afterMs ?? Math.min(30_000, 500 * 2 ** Math.min(failures, 10));

export const notAFlow = (): CliFault => ({
  ...fault("The answer is not that of get_flow. Check that it is the URL of a webhook route"),
  status: EXIT.unreachable,
});
