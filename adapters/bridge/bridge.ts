// One request, from its head to its answer: the only place that joins the core to limits, a store, a clock and a log.
// locate ▶ limits.admit ▶ admit ▶ body ▶ prove ▶ accept ▶ store (▶ wait) ▶ answer ▶ deliver ▶ limits.release

import { err, ok, type Result } from "neverthrow";
import {
  accept,
  admit,
  type Admitted,
  type Answer,
  answer,
  answerIgnored,
  answerRejection,
  type AuthenticatedRoute,
  type BodyFault,
  type BodyLimits,
  bodyLimits,
  locate,
  type Located,
  type Primitives,
  prove,
  type Rejection,
  requestEvent,
  type RequestEvent,
  type RequestHead,
  routeName,
  type Routes,
  SLOT_RETRY_MS,
  type Timing,
  type Verdict,
} from "../../core/index.ts";
import { adopt, type Awaitable, isPromiseLike, mapAwaitable } from "../flows/awaitable.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import type { Limits } from "../limits/limits.ts";
import { BodyBudget, type BodyTicket } from "./body-budget.ts";
import { readConfirmed, readVerdict } from "./check-verdict.ts";
import { type CallFailure, errorOf, withDeadline } from "./deadline.ts";
import { createExecute } from "./execute.ts";
import type { Log } from "./log.ts";
import { badVerdict, lateLimits, Misuse } from "./misuse.ts";
import { scrub } from "./scrub.ts";
import { type ListenToGone, type Waiting, Waits } from "./waiting.ts";

export type BridgeOptions = {
  /** The live routes, asked for with each request. */
  readonly routes: () => Routes;
  readonly store: FlowStore;
  readonly limits: Limits;
  readonly primitives: Primitives;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  /** Milliseconds since the epoch, for the times that signatures hold. Default: the system's. */
  readonly time?: () => number;
  readonly log: Log;
  /** Gets one event for each answer, before the answer leaves. Read anew for each request, so that it may be a getter. */
  readonly onEvent?: ((event: RequestEvent) => void) | undefined;
  /** Asked when `onEvent` has been told; the answer leaves once this resolves. Default, and undefined: at once. */
  readonly whenKept?: (() => PromiseLike<void> | undefined) | undefined;
};

/** Where a request goes: a POST to a route, or why it goes nowhere. */
export type Location = Result<Located, Rejection>;

/** Reads the body within its limits and its room; resolves when it is complete, refused or gone. Rejects with a Misuse. */
export type ReadBody = (limits: BodyLimits, ticket: BodyTicket) => Promise<Result<Uint8Array, BodyFault>>;

/** Calls `listener` once `caller` can get no answer any more, maybe at once. The function that comes back ends that. */
export type OnGone<Caller> = (caller: Caller, listener: () => void) => () => void;

/** Writes the answer; returns, or resolves, once it has left the process or nobody takes it any more. */
export type Deliver = (answer: Answer) => Awaitable<void>;

export type Bridge = {
  readonly locate: (head: RequestHead) => Location;
  /**
   * Answers the request: exactly one delivery, whatever fails. Never rejects. `onGone` is used only while the request waits for
   * a flow; `caller` stands apart from it, so that other requests need no function of their own.
   */
  readonly handle: <Caller>(
    location: Location,
    readBody: ReadBody,
    deliver: Deliver,
    caller?: Caller,
    onGone?: OnGone<Caller>,
  ) => Promise<void>;
  /** Answers all requests that wait for a flow, with the flow as it is. Until `resumeWaits` none waits. */
  readonly endWaits: () => void;
  readonly resumeWaits: () => void;
};

/** Whether the path is a route's; all other paths may belong to other handlers. */
export const isOurs = (location: Location): boolean => location.isOk() || location.error.code !== "route_not_found";

//= REPLY-4
/** Milliseconds that limits which answer by a promise may take for one request. */
export const LIMITS_DEADLINE_MS = 5000;

const INTERNAL: Rejection = { code: "internal" };
const NO_SLOT: Rejection = { code: "too_many_in_flight", retryAfterMs: SLOT_RETRY_MS };
const NO_PLACE: Rejection = { code: "too_many_waiting" };

/**
 * What a request holds of the limits. `hasPeerSlot`: also a slot of its peer, which a signed one gets with its proof. `isGivenBack`:
 * the slots went back when it began to wait, or do so once the limits say, too late, what they gave.
 */
type Held = { hasPeerSlot: boolean; isGivenBack: boolean };

/** Limits or a handler that fail must not lose the caller's answer. What they return may be a promise that rejects. */
const attempt = (call: () => unknown, failed: (error: unknown) => void): void => {
  try {
    const result = call();
    if (isPromiseLike(result)) adopt(result).catch(failed);
  } catch (error) {
    failed(error);
  }
};

/** A clock of the host's that fails must not lose the event. */
const readClock = (clock: () => number): number => {
  try {
    return clock();
  } catch {
    return Number.NaN;
  }
};

/** Rounded to a millisecond and a microsecond; 0 where a clock failed. */
const timingOf = (now: number, durationMs: number): Timing => ({
  time: Math.round(now - durationMs) || 0,
  durationMs: Math.round(durationMs * 1000) / 1000 || 0,
});

const listenTo =
  <Caller>(caller: Caller, onGone: OnGone<Caller>): ListenToGone =>
  (listener) =>
    onGone(caller, listener);

export const createBridge = (options: BridgeOptions): Bridge => {
  const { routes, store, limits, primitives, clock, time = Date.now, log } = options;
  const bodies = new BodyBudget();
  const execute = createExecute(store, log);
  const waits = new Waits({ store, execute, clock, onError: (error) => report(error) });

  const report = (error: unknown, located?: Located): void => {
    const [whose, what] =
      error instanceof Misuse ? ["mistake in this host", error.sentence] : ["defect, please report it", error];
    const [route, hidden] = located === undefined ? ["", []] : [routeName(located.route), [located.route.sessionKey]];
    const said = error instanceof Misuse ? error.sentence.text : "";
    const line = `${whose}: ${scrub(what, hidden)}`;
    const tellAlways = (): void => log.write("error", line);
    attempt(() => log.errorSometimes(line, `${whose} ${route} ${said}`), tellAlways);
  };

  const defect = (error: unknown, located: Located, authenticated?: AuthenticatedRoute): Answer => {
    report(error, located);
    return answerRejection(INTERNAL, located, authenticated);
  };

  /** The request goes on, whatever the limits make of the call. */
  const tell = (located: Located, call: () => unknown): void => attempt(call, (error) => report(error, located));

  const confirm = (located: Located): void => tell(located, () => limits.confirm(located, clock()));

  //= SIGN-5, SLOT-3
  /**
   * Takes the slot that a signed request gets with its proof, or says why it gets none. Throws when the limits fail; what they
   * give too late goes back.
   */
  const takeSlot = async (located: Located, held: Held): Promise<Rejection | undefined> => {
    const said = await withDeadline<unknown>(
      () => limits.confirm(located, clock()),
      LIMITS_DEADLINE_MS,
      (late) => release(located, readConfirmed(late) === true),
    );
    if (said.isErr()) {
      held.isGivenBack = said.error.kind === "late";
      throw errorOf(said.error, lateLimits);
    }
    const confirmed = readConfirmed(said.value);
    held.hasPeerSlot = confirmed === true;
    if (typeof confirmed === "boolean") return confirmed ? undefined : NO_SLOT;
    return { code: confirmed.kind, retryAfterMs: confirmed.retryAfterMs };
  };

  const release = (located: Located, isProved: boolean): void => tell(located, () => limits.release(located, isProved));

  //= STORE-11
  /** A command must not hold the last slot for the sake of others that may share its transaction. */
  const hurryIfFull = (located: Located): void => {
    if (store.hurry === undefined) return;
    tell(located, () => limits.isFull?.(located) === true && store.hurry?.());
  };

  const tryAdmit = (located: Located, verdict: Verdict): Result<Admitted, Answer> => {
    try {
      const admitted = admit(located, verdict, primitives.sha256, time());
      if (admitted.isErr()) return err(answerRejection(admitted.error, located));
      if (admitted.value.proof.kind === "authenticated") confirm(located);
      return ok(admitted.value);
    } catch (error) {
      return err(defect(error, located));
    }
  };

  /** Only an admitted request keeps the slot that the limits gave it. */
  const judge = (located: Located, verdict: Verdict): Result<Admitted, Answer> => {
    const entered = tryAdmit(located, verdict);
    if (entered.isErr() && verdict.kind === "admitted") release(located, false);
    return entered;
  };

  const heard = (located: Located, said: Result<unknown, CallFailure>): Result<Admitted, Answer> => {
    if (said.isErr()) return err(defect(errorOf(said.error, lateLimits), located));
    const verdict = readVerdict(said.value);
    return verdict === undefined ? err(defect(badVerdict(), located)) : judge(located, verdict);
  };

  /** Everything before the body; at once when the limits answer at once. A slot that they give too late goes back. */
  const enter = (located: Located): Awaitable<Result<Admitted, Answer>> =>
    mapAwaitable(
      withDeadline<unknown>(
        () => limits.admit(located, clock()),
        LIMITS_DEADLINE_MS,
        (late) => {
          if (readVerdict(late)?.kind === "admitted") release(located, false);
        },
      ),
      (said) => heard(located, said),
    );

  const carryOut = async (
    admitted: Admitted,
    readBody: ReadBody,
    ticket: BodyTicket,
    held: Held,
  ): Promise<Answer | Waiting> => {
    const { located, proof } = admitted;
    let authenticated = proof.kind === "authenticated" ? proof.authenticated : undefined;
    try {
      const proved = prove(admitted, await readBody(bodyLimits(admitted), ticket), primitives.hmacSha256);
      if (proved.isErr()) return answerRejection(proved.error, located, authenticated);
      const isDue = authenticated === undefined;
      authenticated = proved.value.authenticated;
      ticket.prove();
      const command = accept(proved.value, primitives, time());
      // a time inside the body belongs to the proof
      const isProved = command.isOk() || command.error.code !== "unauthorized";
      const unslotted = isDue && isProved ? await takeSlot(located, held) : undefined;
      if (unslotted !== undefined) return answerRejection(unslotted, located, authenticated);
      if (command.isErr()) return answerRejection(command.error, located, authenticated);
      if (command.value === undefined) return answerIgnored(proved.value);
      const asked = execute(command.value);
      if (isPromiseLike(asked)) hurryIfFull(located);
      const outcome = isPromiseLike(asked) ? await asked : asked;
      return waits.isDue(command.value, outcome) ?? answer(command.value, outcome);
    } catch (error) {
      return defect(error, located, authenticated);
    }
  };

  /** Gives back what the request holds, once. */
  const end = (located: Located, ticket: BodyTicket, held: Held): void => {
    ticket.end();
    if (held.isGivenBack) return;
    held.isGivenBack = true;
    release(located, held.hasPeerSlot);
  };

  /** A host's getter that throws must not lose the caller's answer. */
  const listener = (): BridgeOptions["onEvent"] => {
    try {
      return options.onEvent;
    } catch (error) {
      log.warnSometimes(`onEvent failed: ${scrub(error, [])}`, "onEvent");
      return undefined;
    }
  };

  //= AUDIT-5
  /** Tells of the request before its answer leaves. `begunAt`: by `clock`; undefined when nobody listened then. */
  const emit = (prepared: Answer, located: Located | undefined, begunAt: number | undefined): void => {
    log.audit(prepared.event);
    const onEvent = listener();
    if (onEvent === undefined || begunAt === undefined) return;
    const failed = (error: unknown): void => log.warnSometimes(`onEvent failed: ${scrub(error, [])}`, "onEvent");
    const timing = timingOf(readClock(time), readClock(clock) - begunAt);
    attempt(() => onEvent(requestEvent(prepared, located?.head, timing)), failed);
  };

  const send = async (
    prepared: Answer,
    deliver: Deliver,
    begunAt: number | undefined,
    located?: Located,
  ): Promise<void> => {
    attempt(() => emit(prepared, located, begunAt), report);
    try {
      const kept = begunAt === undefined ? undefined : options.whenKept?.();
      if (kept !== undefined) await kept;
    } catch (error) {
      report(error);
    }
    try {
      await deliver(prepared);
    } catch (error) {
      report(error);
    }
  };

  const waitFor = async (
    waiting: Waiting,
    located: Located,
    onGone: ListenToGone | undefined,
    leave: () => void,
  ): Promise<Answer> => {
    const { command } = waiting;
    try {
      return answer(command, await waits.until(waiting, onGone, leave));
    } catch (error) {
      return defect(error, located, command.authenticated);
    }
  };

  //= SLOT-2, WAIT-2
  /** With a place the request needs its slots no longer. The place is held until the answer has left, or the client has gone. */
  const sendOnceDue = async (
    waiting: Waiting,
    located: Located,
    giveBack: () => void,
    onGone: ListenToGone | undefined,
    sendIt: (prepared: Answer) => Promise<void>,
  ): Promise<void> => {
    const leave = waits.takePlace(located);
    if (leave === undefined) return sendIt(answerRejection(NO_PLACE, located, waiting.command.authenticated));
    try {
      giveBack();
      await sendIt(await waitFor(waiting, located, onGone, leave));
    } finally {
      leave();
    }
  };

  //= REPLY-4, SLOT-2
  /** A slot is held until the answer has left, so that answers which no client takes cannot pile up. */
  const handle: Bridge["handle"] = async (location, readBody, deliver, caller, onGone) => {
    const begunAt = listener() === undefined ? undefined : readClock(clock);
    if (location.isErr()) return send(answerRejection(location.error), deliver, begunAt);
    const entering = enter(location.value);
    const entered = isPromiseLike(entering) ? await entering : entering;
    if (entered.isErr()) return send(entered.error, deliver, begunAt, location.value);
    const ticket = bodies.ticket(entered.value);
    const held: Held = { hasPeerSlot: ticket.isProved, isGivenBack: false };
    try {
      const carried = await carryOut(entered.value, readBody, ticket, held);
      if ("reply" in carried) {
        await send(carried, deliver, begunAt, location.value);
      } else {
        const giveBack = (): void => end(location.value, ticket, held);
        const gone = caller === undefined || onGone === undefined ? undefined : listenTo(caller, onGone);
        const sendIt = (prepared: Answer): Promise<void> => send(prepared, deliver, begunAt, location.value);
        await sendOnceDue(carried, location.value, giveBack, gone, sendIt);
      }
    } finally {
      end(location.value, ticket, held);
    }
  };

  return {
    locate: (head) => {
      try {
        return locate(routes(), head);
      } catch (error) {
        report(error);
        return err(INTERNAL);
      }
    },
    handle,
    endWaits: () => waits.end(),
    resumeWaits: () => waits.resume(),
  };
};
