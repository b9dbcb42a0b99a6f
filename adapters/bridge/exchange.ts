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
import type { Result } from "neverthrow";
import type { Limits } from "../memory/limits.ts";

/** Who owns the TaskFlows. Always resolves, within the host's own deadline. */
export interface FlowHost {
  execute(command: Command): Promise<Result<Outcome, HostFailure>>;
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

/** Writes the answer; resolves once it has left the process or nobody is there to take it. */
export type Deliver = (answer: Answer) => void | Promise<void>;

type Prepared = { readonly answer: Answer; readonly release: () => void };

/** A defect must not become two. */
const report = ({ onDefect }: Bridge, error: unknown): void => {
  try {
    onDefect(error);
  } catch {
    // the request is answered all the same
  }
};

const nothingHeld = (): void => undefined;

const serve = async (bridge: Bridge, located: Located, admitted: Admitted, readBody: ReadBody): Promise<Answer> => {
  try {
    const command = accept(admitted, await readBody(), bridge.primitives);
    if (command.isErr()) return answerRejection(command.error, located, admitted);
    return answer(command.value, await bridge.host.execute(command.value));
  } catch (error) {
    report(bridge, error);
    return answerRejection({ code: "internal" }, located, admitted);
  }
};

const prepare = async (bridge: Bridge, routes: Routes, head: RequestHead, readBody: ReadBody): Promise<Prepared> => {
  const located = locate(routes, head);
  if (located.isErr()) return { answer: answerRejection(located.error), release: nothingHeld };
  const now = bridge.now();
  const admission = admit(located.value, bridge.limits.look(located.value, now), now, bridge.primitives.sha256);
  bridge.limits.commit(located.value, admission, now);
  const { verdict } = admission;
  if (verdict.isErr()) return { answer: answerRejection(verdict.error, located.value), release: nothingHeld };
  const release = (): void => bridge.limits.release(located.value);
  return { answer: await serve(bridge, located.value, verdict.value, readBody), release };
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
  const { answer: prepared, release } = await prepare(bridge, routes, head, readBody).catch((error: unknown) => {
    report(bridge, error);
    return { answer: answerRejection({ code: "internal" }), release: nothingHeld };
  });
  try {
    await deliver(prepared);
  } catch (error) {
    report(bridge, error);
  } finally {
    release();
  }
};
