// The handlers without sockets: what a request costs the process besides Node's own HTTP.

import { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { skewClocks, tick } from "./clock.ts";
import { bareHandler } from "./bare.ts";
import { type Handler, loadPlugin, PATH } from "./plugins.ts";
import { ratioOf, type Ratio, takeTurns } from "./paired.ts";
import { type Asked, ALL, hostOf, type Scenario } from "./scenarios.ts";

/** As little of a socket, a request and a response as the handlers need: what is measured is the handlers. */
const SOCKET = Object.assign(new EventEmitter(), { remoteAddress: "127.0.0.1", destroyed: false });

class StandInRequest extends EventEmitter {
  readonly method = "POST";
  readonly url = PATH;
  readonly httpVersion = "1.1";
  readonly socket = SOCKET;
  readonly complete = true;
  readonly destroyed = false;
  readonly readableDidRead = false;
  readonly headers: Asked["headers"];
  readonly #body: Buffer;

  constructor({ headers, body }: Asked) {
    super();
    this.headers = headers;
    this.#body = body;
  }
  override on(name: string, listener: (...values: never[]) => void): this {
    super.on(name, listener as (...values: unknown[]) => void);
    if (name === "data") queueMicrotask(() => this.#flow());
    return this;
  }
  resume(): this {
    return this;
  }
  #flow(): void {
    this.emit("data", this.#body);
    this.emit("end");
  }
}

class StandInResponse extends EventEmitter {
  statusCode = 200;
  headersSent = false;
  writableEnded = false;
  readonly destroyed = false;
  readonly writableLength = 0;
  readonly socket = SOCKET;
  size = 0;
  readonly #ended: (response: StandInResponse) => void;

  constructor(ended: (response: StandInResponse) => void) {
    super();
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
    return this;
  }
  write(chunk: string | Uint8Array): boolean {
    this.size += Buffer.byteLength(chunk);
    return true;
  }
  end(chunk?: string | Uint8Array): this {
    if (chunk !== undefined) this.write(chunk);
    this.headersSent = true;
    this.writableEnded = true;
    this.emit("finish");
    this.emit("close");
    this.#ended(this);
    return this;
  }
}

export const withLength = ({ headers, body }: Asked): Asked => ({
  headers: { ...headers, "content-length": String(body.length) },
  body,
});

export const ask = (handler: Handler, asked: Asked): Promise<{ readonly statusCode: number; readonly size: number }> =>
  new Promise((resolve) => {
    const request = new StandInRequest(asked) as unknown as IncomingMessage;
    void handler(request, new StandInResponse(resolve) as unknown as ServerResponse);
  });

export type Measured = {
  readonly name: string;
  readonly toBundled: Ratio;
  readonly toFloor: Ratio;
  readonly bundledToFloor: Ratio;
};

/** Uses a client's window up. */
export const exhaust = async (handler: Handler, asked: Asked): Promise<void> => {
  for (let sent = 0; sent < 130; sent += 1) await ask(handler, asked);
};

const measure = async (scenario: Scenario, rounds: number): Promise<Measured> => {
  const isLimited = scenario.status === 429;
  const asked = withLength(scenario.asked);
  const contestants = [];
  for (const name of ["ours", "bundled", "floor"] as const) {
    const handler = name === "floor" ? bareHandler(scenario) : await loadPlugin(name, hostOf(scenario));
    if (isLimited && name !== "floor") await exhaust(handler, asked);
    const { statusCode } = await ask(handler, asked);
    if (statusCode !== scenario.status) throw new Error(`${name}: ${scenario.name} answered ${String(statusCode)}`);
    const run = async (): Promise<void> => {
      if (!isLimited) tick();
      const answered = await ask(handler, asked);
      if (answered.statusCode !== scenario.status) throw new Error(`${name}: ${String(answered.statusCode)}`);
    };
    contestants.push({ name, run });
  }
  const taken = await takeTurns(contestants, rounds);
  const pick = (a: number, b: number) => ratioOf(taken.map((times) => [times[a] ?? 0, times[b] ?? 0] as const));
  return {
    name: scenario.name,
    toBundled: pick(0, 1),
    toFloor: pick(0, 2),
    bundledToFloor: pick(1, 2),
  };
};

export const measureInProcess = async (rounds: number): Promise<readonly Measured[]> => {
  skewClocks();
  const measured: Measured[] = [];
  for (const scenario of ALL) measured.push(await measure(scenario, rounds));
  return measured;
};
