// Reads a Request's body within the core's limits, holding no more than the limit.

import { err, ok, type Result } from "neverthrow";
import { BODY_DEADLINE_MS, type BodyFault, MAX_BODY_BYTES } from "../../core/index.ts";
import { turn } from "../flows/awaitable.ts";
import { withDeadline } from "../bridge/deadline.ts";
import { BodyBuffer } from "../bridge/body-buffer.ts";
import { bodyWasRead } from "../bridge/misuse.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** Reads between two looks at the clock. */
const MAX_READS = 256;

const readAll = async (reader: Reader): Promise<Result<Uint8Array, BodyFault>> => {
  const buffer = new BodyBuffer();
  for (let read = 1; ; read += 1) {
    const { done, value } = await reader.read();
    if (done) return ok(buffer.bytes);
    if (!(value instanceof Uint8Array)) return err("gone");
    if (!buffer.add(value)) return err("too_large");
    // a stream that always has one more empty chunk would keep the deadline from being noticed
    if (read % MAX_READS === 0) await turn();
  }
};

/** The rest of a refused body is not wanted; a stream that fails while it is cancelled is gone all the same. */
const abandon = (reader: Reader): void => void reader.cancel().catch(() => undefined);

//= BODY-2, BODY-3
/** The bytes, or the reason why there are none. Rejects with a Misuse when other code has read the body. */
export const readBody = async (
  request: Request,
  deadlineMs: number = BODY_DEADLINE_MS,
): Promise<Result<Uint8Array, BodyFault>> => {
  if (request.bodyUsed || request.body?.locked === true) throw bodyWasRead();
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) return err("too_large");
  if (request.body === null) return ok(new Uint8Array());
  const reader = request.body.getReader();
  const read = await withDeadline(() => readAll(reader), deadlineMs);
  const body = read.isOk() ? read.value : err(read.error.kind === "late" ? ("timeout" as const) : ("gone" as const));
  if (body.isErr()) abandon(reader);
  return body;
};
