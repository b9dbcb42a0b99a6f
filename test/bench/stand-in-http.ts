// As little of a socket, a request and a response as the handlers need: what is measured is the handlers.

import { EventEmitter } from "node:events";
import { IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Handler, PATH } from "./plugins.ts";
import type { Asked } from "./scenarios.ts";

const SOCKET = Object.assign(new EventEmitter(), { remoteAddress: "127.0.0.1", destroyed: false });

/** A string that was never looked at, as Node's parser makes them: its hash is not known. */
const parsed = (text: string): string => Buffer.from(text, "latin1").toString("latin1");

/** Node's own request, with its body in the stream's buffer as when it came along with the head. */
export class StandInRequest extends IncomingMessage {
  constructor({ headers, body }: Asked, target: string = PATH) {
    super(SOCKET as unknown as Socket);
    this.method = "POST";
    this.url = parsed(target);
    this.httpVersion = "1.1";
    const all: Record<string, string> = { host: "127.0.0.1", "user-agent": "bench", accept: "*/*" };
    for (const [name, value] of Object.entries(headers)) all[name] = parsed(value);
    all["content-length"] = String(body.length);
    this.headers = all;
    this.complete = true;
    this.push(body);
    this.push(null);
  }
}

class StandInResponse extends EventEmitter {
  statusCode = 200;
  headersSent = false;
  writableEnded = false;
  readonly destroyed = false;
  readonly writableLength = 0;
  readonly socket = SOCKET;
  length = 0;
  #hasHead = false;
  readonly #ended: (status: number) => void;

  readonly req: StandInRequest;

  constructor(request: StandInRequest, ended: (status: number) => void) {
    super();
    this.req = request;
    this.#ended = ended;
  }
  setHeader(): this {
    return this;
  }
  getHeader(): undefined {
    return undefined;
  }
  writeHead(status: number): this {
    this.statusCode = status;
    this.#hasHead = true;
    return this;
  }
  write(): boolean {
    return true;
  }
  /** Node's own counts the bytes when nobody has written a head. */
  end(chunk: string = ""): this {
    if (!this.#hasHead) this.length = Buffer.byteLength(chunk);
    this.headersSent = true;
    this.writableEnded = true;
    this.emit("finish");
    this.emit("close");
    this.#ended(this.statusCode);
    return this;
  }
}

/** Resolves to the status. */
export const send = (handler: Handler, request: StandInRequest): Promise<number> =>
  new Promise((resolve) => {
    const response = new StandInResponse(request, resolve);
    void handler(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  });

export const ask = (handler: Handler, asked: Asked): Promise<number> => send(handler, new StandInRequest(asked));
