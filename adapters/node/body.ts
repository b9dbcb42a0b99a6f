// Reads a request's body within the core's limits. A reader of our own, because the known ones bring a decoder table for
// every charset and have no time limit; this one keeps bytes, counts them as they arrive and holds no more than the limit.

import type { IncomingMessage, ServerResponse } from "node:http";
import { err, ok, type Result } from "neverthrow";
import type { ReadBody } from "../bridge/bridge.ts";
import { BodyBuffer } from "../bridge/body-buffer.ts";
import { bodyWasRead } from "../bridge/misuse.ts";
import { BODY_DEADLINE_MS, type BodyFault, MAX_BODY_BYTES, own } from "../../core/index.ts";

/** Bytes that the head announces; 0 when it says nothing. */
export const declaredLength = ({ headers }: IncomingMessage): number => Number(headers["content-length"] ?? 0);

/** Other code has read the body, or has made it come as text by `setEncoding`: the bytes are gone either way. */
const isTaken = ({ readableDidRead, readableEncoding }: IncomingMessage): boolean =>
  readableDidRead || typeof readableEncoding === "string";

/**
 * The body when all of it is in the stream's buffer: it needs neither listeners nor a timer. Undefined while some of it has
 * not come, and when other code has made the stream flow, because then it is given to listeners piece by piece.
 */
const readBuffered = (request: IncomingMessage): Result<Uint8Array, BodyFault> | undefined => {
  if (!request.complete || request.readableFlowing === true) return undefined;
  if (request.readableLength > MAX_BODY_BYTES) return err("too_large");
  const bytes: unknown = request.read();
  return ok(bytes instanceof Uint8Array ? bytes : new Uint8Array());
};

const readArriving = (
  request: IncomingMessage,
  announced: number,
  deadlineMs: number,
): Promise<Result<Uint8Array, BodyFault>> =>
  new Promise((resolve, reject) => {
    const buffer = new BodyBuffer(announced);
    const stop = (): void => {
      clearTimeout(timer);
      request.off("data", take).off("end", end).off("close", gone);
    };
    const settle = (body: Result<Uint8Array, BodyFault>): void => {
      stop();
      resolve(body);
    };
    const take = (piece: unknown): void => {
      if (piece instanceof Uint8Array) {
        if (!buffer.add(piece)) settle(err("too_large"));
      } else {
        stop();
        reject(bodyWasRead());
      }
    };
    const end = (): void => settle(ok(buffer.bytes));
    const gone = (): void => settle(err("gone"));
    const timer = setTimeout(() => settle(err("timeout")), deadlineMs);
    request.on("data", take).on("end", end).on("close", gone);
  });

//= BODY-2, BODY-3
/**
 * Resolves once: with the bytes, or with the reason why there are none. Leaves no listener and no timer behind.
 * Rejects with a Misuse when other code has read the body or decodes it.
 */
export const readBody = async (
  request: IncomingMessage,
  deadlineMs: number = BODY_DEADLINE_MS,
): Promise<Result<Uint8Array, BodyFault>> => {
  const announced = declaredLength(request);
  if (announced > MAX_BODY_BYTES) return err("too_large");
  if (isTaken(request)) throw bodyWasRead();
  if (request.destroyed) return err("gone");
  return readBuffered(request) ?? readArriving(request, announced, deadlineMs);
};

/** Whether the client waits for `100 Continue`. Node has no public field for it. */
export const awaitsContinue = (request: IncomingMessage, response: ServerResponse): boolean =>
  request.headers.expect !== undefined &&
  own(response, "_expect_continue") === true &&
  own(response, "_sent100") === false;

//= REPLY-6
/** Reads the body of an admitted request. A client that waits is told to send it, unless it announces too much. */
export const bodyReader =
  (request: IncomingMessage, response: ServerResponse): ReadBody =>
  () => {
    if (awaitsContinue(request, response) && declaredLength(request) <= MAX_BODY_BYTES) response.writeContinue();
    return readBody(request);
  };
