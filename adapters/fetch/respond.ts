// Makes the Response of a reply and tells when it has been taken. A long answer is given in pieces and holds its request's
// slot until then, so that answers that nobody reads cannot pile up.

import type { Reply } from "../../core/index.ts";
import type { Awaitable } from "../flows/awaitable.ts";

/** Bytes of a piece. An answer of at most as many characters is handed over whole, and counts as sent. */
const PIECE = 65_536;

//= SLOT-5
/** Milliseconds in which an answer must have been taken; then its body ends with an error. */
const SEND_DEADLINE_MS = 20_000;

const encoder = new TextEncoder();

type Sending = {
  readonly response: Response;
  /** Settles once the body has been read to its end, was cancelled, or was given up. */
  readonly sent: Awaitable<void>;
};

const inPieces = (bytes: Uint8Array, deadlineMs: number, done: () => void): ReadableStream<Uint8Array> => {
  let rest = bytes;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = (): void => {
    clearTimeout(timer);
    rest = new Uint8Array();
    done();
  };
  const start = (controller: ReadableStreamDefaultController): void => {
    timer = setTimeout(() => {
      controller.error(new Error("the answer was not taken in time"));
      end();
    }, deadlineMs);
  };
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    // a copy, because a reader may transfer its buffer
    controller.enqueue(rest.slice(0, PIECE));
    rest = rest.subarray(PIECE);
    if (rest.length > 0) return;
    controller.close();
    end();
  };
  // nothing is made ready before it is asked for
  return new ReadableStream({ start, pull, cancel: end }, { highWaterMark: 0 });
};

//= SLOT-2, SLOT-5
/** The Response, and when the host has taken its body. */
export const responseOf = ({ status, headers, body }: Reply, deadlineMs: number = SEND_DEADLINE_MS): Sending => {
  if (body.length <= PIECE) return { response: new Response(body, { status, headers }), sent: undefined };
  const bytes = encoder.encode(body);
  const length = { "Content-Length": String(bytes.length) };
  const { promise: sent, resolve } = Promise.withResolvers<void>();
  const stream = inPieces(bytes, deadlineMs, resolve);
  return { response: new Response(stream, { status, headers: { ...headers, ...length } }), sent };
};
