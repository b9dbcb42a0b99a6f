// `openclaw-webhooks wait`: waits until a flow has ended or has come so far, and says by its exit status how.

import { setTimeout as delay } from "node:timers/promises";
import { err, ok, type Result } from "neverthrow";
import { MAX_WAIT_SECONDS, printable } from "../../../core/index.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { type Answer, resultText, wordOf } from "./call-answer.ts";
import { type Call, openSender, requestOf, type Sender, type SenderOptions } from "./call-request.ts";
import { DEADLINE_MS } from "./call-send.ts";
import { exitOf, type FlowState, stateIn, type WaitState } from "./wait-state.ts";
import { notAFlow, type Passing, pauseAfter, tryOnce } from "./wait-try.ts";

/** `timeout`: as it was written, and in milliseconds. */
export type WaitOptions = SenderOptions & {
  readonly until: readonly WaitState[];
  readonly timeout: { readonly text: string; readonly ms: number };
  readonly json: boolean;
};

/** The clock and the pauses, in milliseconds. A test passes its own. */
export type Timing = { readonly now: () => number; readonly sleep: (ms: number) => Promise<void> };

const TIMING: Timing = { now: () => performance.now(), sleep: (ms) => delay(ms) };

/** Milliseconds between the beginnings of two requests that wait, however often the flow changes: half of what the limits allow. */
const GAP_MS = 1000;

/** Milliseconds beyond the timeout in which the last answer may come. */
const GRACE_MS = 5000;

/** What is known of the flow. */
type Seen = { readonly answer: Answer; readonly sent: Call; readonly state: FlowState };

const shown = (ms: number): string => `${String(Math.round(ms / 1000))} s`;

/** Tells a person at a terminal how it goes. */
class Progress {
  readonly #io: Io;
  readonly #now: () => number;
  readonly #began: number;
  #last = "";

  constructor(io: Io, now: () => number) {
    this.#io = io;
    this.#now = now;
    this.#began = now();
  }

  tell(text: string): void {
    if (!this.#io.isTerminal || text === this.#last) return;
    this.#last = text;
    this.#io.error(`${shown(this.#now() - this.#began)}: ${text}\n`);
  }
}

const stateLine = ({ status, revision, step }: FlowState, secret: string): string =>
  [wordOf(status, secret), `revision ${String(revision)}`, ...(step === undefined ? [] : [wordOf(step, secret)])].join(
    ", ",
  );

/** The first request does not wait, because it must learn the revision. */
const nextRequest = (sender: Sender, flowId: string, seen: Seen | undefined, leftMs: number): Call => {
  const waitSeconds = Math.min(MAX_WAIT_SECONDS, Math.max(0, Math.ceil(leftMs / 1000)));
  const waiting = seen === undefined ? {} : { afterRevision: seen.state.revision, waitSeconds };
  return requestOf(sender, "get_flow", { flowId, ...waiting });
};

const lost = (flowId: string): CliFault => ({
  ...fault(`There is no flow ${printable(flowId)} for the session of this route`),
  status: EXIT.lost,
});

const finish = ({ answer, sent }: Seen, status: number, { json }: WaitOptions, io: Io): Result<number, CliFault> =>
  resultText(answer, sent, json).map((text) => {
    io.out(text);
    return status;
  });

/** The time is over: the last answer was the flow's, or there was none. */
const late = (
  seen: Seen | undefined,
  trouble: Passing | undefined,
  options: WaitOptions,
  io: Io,
): Result<number, CliFault> => {
  const { until, timeout } = options;
  if (seen === undefined || trouble !== undefined) {
    const why = trouble === undefined ? "" : ` ${trouble.fault.sentence}`;
    return err({ sentence: `No answer within ${timeout.text}.${why}`, status: EXIT.unreachable });
  }
  io.error(
    `The flow is ${wordOf(seen.state.status, seen.sent.secret)} after ${timeout.text}, not ${until.join(" or ")}.\n`,
  );
  return finish(seen, EXIT.timeout, options, io);
};

const readState = (answer: Answer, sent: Call, flowId: string): Result<Seen, CliFault> => {
  const state = stateIn(answer.body.result);
  if (state === undefined) return err(notAFlow());
  return state === null ? err(lost(flowId)) : ok({ answer, sent, state });
};

//= WAIT-7
const loop = async (
  sender: Sender,
  flowId: string,
  options: WaitOptions,
  io: Io,
  { now, sleep }: Timing,
): Promise<Result<number, CliFault>> => {
  const until: ReadonlySet<string> = new Set(options.until);
  const progress = new Progress(io, now);
  const latest = now() + options.timeout.ms;
  let seen: Seen | undefined;
  let trouble: Passing | undefined;
  for (let failures = 0; ;) {
    const began = now();
    const left = Math.max(0, latest - began);
    const isFirst = seen === undefined;
    const sent = nextRequest(sender, flowId, seen, left);
    const tried = await tryOnce(sent, Math.min(DEADLINE_MS, left + GRACE_MS));
    if (tried.isErr()) return err(tried.error);
    if ("fault" in tried.value) {
      trouble = tried.value;
      failures += 1;
    } else {
      const read = readState(tried.value, sent, flowId);
      if (read.isErr()) return err(read.error);
      seen = read.value;
      trouble = undefined;
      failures = 0;
      progress.tell(stateLine(seen.state, sender.secret));
      const status = exitOf(seen.state, until);
      if (status !== undefined) return finish(seen, status, options, io);
    }
    const gap = isFirst ? 0 : began + GAP_MS - now();
    const pause = trouble === undefined ? gap : pauseAfter(trouble, failures);
    if (trouble !== undefined) progress.tell(`${trouble.fault.sentence} Trying again.`);
    if (pause > 0) await sleep(Math.min(pause, Math.max(0, latest - now())));
    if (now() >= latest) return late(seen, trouble, options, io);
  }
};

/** Waits, prints the flow, and resolves to the exit status. Errs when there is nothing to wait for, or no answer. */
export const wait = async (
  route: string,
  flowId: string,
  options: WaitOptions,
  io: Io,
  timing: Timing = TIMING,
): Promise<Result<number, CliFault>> => {
  // a job that has found no flow passes an empty id
  if (flowId.trim() === "") return err(fault("FLOW is empty. Give the id that create_flow has answered"));
  const sender = await openSender(route, options, io.env);
  return sender.isErr() ? err(sender.error) : loop(sender.value, flowId, options, io, timing);
};
