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

/** Who owns the TaskFlows. Always resolves, within the host's own deadline (SLOT-4). */
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

const serve = async (bridge: Bridge, located: Located, admitted: Admitted, readBody: ReadBody): Promise<Answer> => {
  const command = accept(admitted, await readBody(), bridge.primitives);
  if (command.isErr()) return answerRejection(command.error, located, admitted);
  return answer(command.value, await bridge.host.execute(command.value));
};

const serveOnce = async (bridge: Bridge, located: Located, readBody: ReadBody): Promise<Answer> => {
  const now = bridge.now();
  const admission = admit(located, bridge.limits.look(located, now), now, bridge.primitives.sha256);
  bridge.limits.commit(located, admission, now);
  if (admission.verdict.isErr()) return answerRejection(admission.verdict.error, located);
  try {
    return await serve(bridge, located, admission.verdict.value, readBody);
  } finally {
    bridge.limits.release(located);
  }
};

/** The answer to one request: exactly one, whatever fails (REPLY-4). Never rejects. */
export const exchange = async (
  bridge: Bridge,
  routes: Routes,
  head: RequestHead,
  readBody: ReadBody,
): Promise<Answer> => {
  try {
    const located = locate(routes, head);
    return located.isErr() ? answerRejection(located.error) : await serveOnce(bridge, located.value, readBody);
  } catch (error) {
    bridge.onDefect(error);
    return answerRejection({ code: "internal" });
  }
};
