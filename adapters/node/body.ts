// Reads a request's body within the core's limits. An own reader, for the known ones bring a decoder table for every
// charset and have no time limit; this one keeps bytes, counts them as they arrive and holds no more than the limit.

import type { IncomingMessage } from "node:http";
import { err, ok, type Result } from "neverthrow";
import { Gathered } from "../bridge/body-buffer.ts";
import { bodyWasRead } from "../bridge/misuse.ts";
import { BODY_DEADLINE_MS, type BodyFault, MAX_BODY_BYTES } from "../../core/index.ts";

const declaredLength = (request: IncomingMessage): number => Number(request.headers["content-length"] ?? 0);

/** Read by somebody else, or made to come as text by `setEncoding`: the bytes are gone either way. */
const isTaken = ({ readableDidRead, readableEncoding }: IncomingMessage): boolean =>
  readableDidRead || typeof readableEncoding === "string";

//= BODY-2, BODY-3
/**
 * Resolves once: with the bytes, or with the reason why there are none. Leaves no listener and no timer behind.
 * Rejects when somebody else has read the body or decodes it: a mistake of the host.
 */
export const readBody = (
  request: IncomingMessage,
  deadlineMs: number = BODY_DEADLINE_MS,
): Promise<Result<Uint8Array, BodyFault>> => {
  const announced = declaredLength(request);
  if (announced > MAX_BODY_BYTES) return Promise.resolve(err("too_large"));
  if (isTaken(request)) return Promise.reject(bodyWasRead());
  if (request.destroyed) return Promise.resolve(err("gone"));
  return new Promise((resolve) => {
    const gathered = new Gathered(announced);
    const settle = (body: Result<Uint8Array, BodyFault>): void => {
      clearTimeout(timer);
      request.off("data", take).off("end", end).off("close", gone);
      resolve(body);
    };
    const take = (piece: Buffer): void => {
      if (!gathered.add(piece)) settle(err("too_large"));
    };
    const end = (): void => settle(ok(gathered.bytes));
    const gone = (): void => settle(err("gone"));
    const timer = setTimeout(() => settle(err("timeout")), deadlineMs);
    request.on("data", take).on("end", end).on("close", gone);
  });
};
