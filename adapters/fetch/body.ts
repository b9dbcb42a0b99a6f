// Reads a Request's body within the core's limits, holding no more than the limit.

import { err, ok, type Result } from "neverthrow";
import type { BodyFault, BodyLimits } from "../../core/index.ts";
import { turn } from "../flows/awaitable.ts";
import { withDeadline } from "../bridge/deadline.ts";
import type { BodyTicket } from "../bridge/body-budget.ts";
import { BodyBuffer } from "../bridge/body-buffer.ts";
import { bodyWasRead } from "../bridge/misuse.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** Reads between two looks at the clock. */
const MAX_READS = 256;

const readAll = async (
  reader: Reader,
  maxBytes: number,
  ticket: BodyTicket,
): Promise<Result<Uint8Array, BodyFault>> => {
  const buffer = new BodyBuffer(maxBytes, ticket);
  if (!ticket.take(0)) return err("no_room");
  for (let read = 1; ; read += 1) {
    const { done, value } = await reader.read();
    if (done) return ok(buffer.bytes);
    if (!(value instanceof Uint8Array)) return err("gone");
    const fault = buffer.add(value);
    if (fault !== undefined) return err(fault);
    // a stream that always has one more empty chunk would keep the deadline from being noticed
    if (read % MAX_READS === 0) await turn();
  }
};

/** The rest of a refused body is not wanted; a stream that fails while it is cancelled is gone all the same. */
const abandon = (reader: Reader): void => void reader.cancel().catch(() => undefined);

/** Ends when the body gives way to another one. */
const displaced = (ticket: BodyTicket): Promise<Result<Uint8Array, BodyFault>> =>
  new Promise((resolve) => {
    ticket.giveWay = () => resolve(err("timeout"));
  });

//= BODY-2, BODY-3, BODY-8
/** The bytes, or the reason why there are none. Rejects with a Misuse when other code has read the body. */
export const readBody = async (
  request: Request,
  { maxBytes, deadlineMs }: BodyLimits,
  ticket: BodyTicket,
): Promise<Result<Uint8Array, BodyFault>> => {
  if (request.bodyUsed || request.body?.locked === true) throw bodyWasRead();
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) return err("too_large");
  if (request.body === null) return ok(new Uint8Array());
  const reader = request.body.getReader();
  const reading = (): Promise<Result<Uint8Array, BodyFault>> => {
    const all = readAll(reader, maxBytes, ticket);
    // a body whose sender is proved gives way to nobody
    return ticket.isProved ? all : Promise.race([all, displaced(ticket)]);
  };
  const read = await withDeadline(reading, deadlineMs);
  ticket.giveWay = undefined;
  const body = read.isOk() ? read.value : err(read.error.kind === "late" ? ("timeout" as const) : ("gone" as const));
  if (body.isErr()) abandon(reader);
  return body;
};
