// Reads a request's body within the core's limits. A reader of our own, because the known ones bring a decoder table for
// every charset and have no time limit; this one keeps bytes, counts them as they arrive and holds no more than the limit.

import type { IncomingMessage, ServerResponse } from "node:http";
import { err, ok, type Result } from "neverthrow";
import type { ReadBody } from "../bridge/bridge.ts";
import type { BodyTicket } from "../bridge/body-budget.ts";
import { BodyBuffer } from "../bridge/body-buffer.ts";
import { bodyWasRead } from "../bridge/misuse.ts";
import { type BodyFault, type BodyLimits, own } from "../../core/index.ts";
import { BROKEN, brokenBy } from "./connection.ts";

/** Bytes that the head announces; 0 when it says nothing. */
export const declaredLength = ({ headers }: IncomingMessage): number => Number(headers["content-length"] ?? 0);

/** Other code has read the body, or has made it come as text by `setEncoding`: the bytes are gone either way. */
const isTaken = ({ readableDidRead, readableEncoding }: IncomingMessage): boolean =>
  readableDidRead || typeof readableEncoding === "string";

/**
 * The body when all of it is in the stream's buffer: it needs neither listeners nor a timer. Undefined while some of it has
 * not come, and when other code has made the stream flow, because then it is given to listeners piece by piece.
 */
const readBuffered = (
  request: IncomingMessage,
  maxBytes: number,
  ticket: BodyTicket,
): Result<Uint8Array, BodyFault> | undefined => {
  if (!request.complete || request.readableFlowing === true) return undefined;
  if (request.readableLength > maxBytes) return err("too_large");
  if (!ticket.take(request.readableLength, true)) return err("no_room");
  const bytes: unknown = request.read();
  return ok(bytes instanceof Uint8Array ? bytes : new Uint8Array());
};

const readArriving = (
  request: IncomingMessage,
  announced: number,
  { maxBytes, deadlineMs }: BodyLimits,
  ticket: BodyTicket,
): Promise<Result<Uint8Array, BodyFault>> =>
  new Promise((resolve, reject) => {
    const buffer = new BodyBuffer(maxBytes, ticket, announced);
    const stop = (): void => {
      ticket.giveWay = undefined;
      clearTimeout(timer);
      request.off("data", take).off("end", end).off("close", gone).off(BROKEN, gone);
    };
    const settle = (body: Result<Uint8Array, BodyFault>): void => {
      stop();
      resolve(body);
    };
    const take = (piece: unknown): void => {
      if (piece instanceof Uint8Array) {
        const fault = buffer.add(piece);
        if (fault !== undefined) settle(err(fault));
      } else {
        stop();
        reject(bodyWasRead());
      }
    };
    const end = (): void => settle(ok(buffer.bytes));
    const gone = (): void => settle(err(brokenBy(request) ?? "gone"));
    const late = (): void => settle(err("timeout"));
    const timer = setTimeout(late, deadlineMs);
    if (!ticket.take(0)) return settle(err("no_room"));
    ticket.giveWay = late;
    request.on("data", take).on("end", end).on("close", gone).on(BROKEN, gone);
  });

//= BODY-2, BODY-3, BODY-8
/**
 * Resolves once: with the bytes, or with the reason why there are none. Leaves no listener and no timer behind.
 * Rejects with a Misuse when other code has read the body or decodes it.
 */
export const readBody = async (
  request: IncomingMessage,
  limits: BodyLimits,
  ticket: BodyTicket,
): Promise<Result<Uint8Array, BodyFault>> => {
  const announced = declaredLength(request);
  if (announced > limits.maxBytes) return err("too_large");
  if (isTaken(request)) throw bodyWasRead();
  // a body that came along with its head is in the buffer once the parser has had its turn
  if (!ticket.isProved) await undefined;
  const fault = brokenBy(request);
  if (fault !== undefined) return err(fault);
  if (request.destroyed) return err("gone");
  return readBuffered(request, limits.maxBytes, ticket) ?? readArriving(request, announced, limits, ticket);
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
  (limits, ticket) => {
    if (awaitsContinue(request, response) && declaredLength(request) <= limits.maxBytes) response.writeContinue();
    return readBody(request, limits, ticket);
  };
