// Runs one request through the core: the only place where the steps are joined to a clock, a body and a host.

import {
  accept,
  admit,
  type Admitted,
  type Answer,
  answer,
  answerRejection,
  type BodyFault,
  type Command,
  type HostFailure,
  locate,
  type Located,
  type Outcome,
  type Primitives,
  type RequestHead,
  type Routes,
} from "../../core/index.ts";
import { err, ok, type Result } from "neverthrow";
import type { Limits } from "../limits/memory.ts";
import type { Soon } from "../flows/awaitable.ts";

/** Who owns the TaskFlows. Answers at once or resolves within the host's own deadline; never throws or rejects. */
export interface FlowHost {
  execute(command: Command): Soon<Result<Outcome, HostFailure>>;
}

export type Bridge = {
  readonly limits: Limits;
  readonly host: FlowHost;
  readonly primitives: Primitives;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Told of a defect of ours: the request that met it got `internal`. */
  readonly onDefect: (error: unknown) => void;
};

/** Reads the body, at most the core's limits; resolves when it is complete, refused or gone. */
export type ReadBody = () => Promise<Result<Uint8Array, BodyFault>>;

/** Writes the answer; returns, or resolves, once it has left the process or nobody is there to take it. */
export type Deliver = (answer: Answer) => void | Promise<void>;

/** A defect must not become two. */
const report = ({ onDefect }: Bridge, error: unknown): void => {
  try {
    onDefect(error);
  } catch {
    // the request is answered all the same
  }
};

/** A request that may go on: it holds a slot until it is released. */
type Entered = { readonly located: Located; readonly admitted: Admitted };

/** Everything before the body; nothing here waits, so that a refused request costs no more than its refusal. */
const enter = (bridge: Bridge, routes: Routes, head: RequestHead): Result<Entered, Answer> => {
  try {
    const found = locate(routes, head);
    if (found.isErr()) return err(answerRejection(found.error));
    const located = found.value;
    const now = bridge.now();
    const admission = admit(located, bridge.limits.look(located, now), now, bridge.primitives.sha256);
    bridge.limits.commit(located, admission, now);
    const { verdict } = admission;
    return verdict.isErr() ? err(answerRejection(verdict.error, located)) : ok({ located, admitted: verdict.value });
  } catch (error) {
    report(bridge, error);
    return err(answerRejection({ code: "internal" }));
  }
};

const serve = async (bridge: Bridge, { located, admitted }: Entered, readBody: ReadBody): Promise<Answer> => {
  try {
    const command = accept(admitted, await readBody(), bridge.primitives);
    if (command.isErr()) return answerRejection(command.error, located, admitted);
    return answer(command.value, await bridge.host.execute(command.value));
  } catch (error) {
    report(bridge, error);
    return answerRejection({ code: "internal" }, located, admitted);
  }
};

//= REPLY-4, SLOT-2
/**
 * Answers one request: exactly one delivery, whatever fails. A slot is held until the answer has left, so
 * that answers nobody reads cannot pile up. Never rejects.
 */
export const exchange = async (
  bridge: Bridge,
  routes: Routes,
  head: RequestHead,
  readBody: ReadBody,
  deliver: Deliver,
): Promise<void> => {
  const entered = enter(bridge, routes, head);
  const prepared = entered.isOk() ? await serve(bridge, entered.value, readBody) : entered.error;
  try {
    await deliver(prepared);
  } catch (error) {
    report(bridge, error);
  } finally {
    if (entered.isOk()) bridge.limits.release(entered.value.located);
  }
};
