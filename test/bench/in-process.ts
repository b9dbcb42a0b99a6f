// The handlers without sockets: what a request costs the process besides Node's own HTTP. `floor` reads the same bytes,
// parses them where the answer needs it, and serialises the same answer.

import { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { skewClocks, tick } from "./clock.ts";
import { type Handler, loadPlugin, PATH } from "./plugins.ts";
import { ratioOf, type Ratio, takeTurns } from "./paired.ts";
import { type Asked, hostOf, LIMITED, type Scenario, SCENARIOS } from "./scenarios.ts";

class FakeSocket extends EventEmitter {
  readonly remoteAddress = "127.0.0.1";
  readonly destroyed = false;
  destroy(): this {
    return this;
  }
}

const requestOf = ({ headers, body }: Asked): IncomingMessage => {
  const stream = new Readable({ read() {} });
  stream.push(body);
  stream.push(null);
  const parts = {
    method: "POST",
    url: PATH,
    headers: { ...headers, "content-length": String(body.length) },
    socket: new FakeSocket(),
    httpVersion: "1.1",
    complete: true,
  };
  return Object.assign(stream, parts) as unknown as IncomingMessage;
};

/** Takes an answer as a ServerResponse does, and resolves once it has ended. */
class FakeResponse extends EventEmitter {
  statusCode = 200;
  headersSent = false;
  writableEnded = false;
  readonly destroyed = false;
  readonly socket = new FakeSocket();
  size = 0;
  readonly #headers = new Map<string, unknown>();
  readonly ended: Promise<void>;
  #end: () => void = () => undefined;

  constructor() {
    super();
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }
  setHeader(name: string, value: unknown): this {
    this.#headers.set(name.toLowerCase(), value);
    return this;
  }
  getHeader(name: string): unknown {
    return this.#headers.get(name.toLowerCase());
  }
  writeHead(status: number, headers: Readonly<Record<string, unknown>> = {}): this {
    this.statusCode = status;
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
    return this;
  }
  write(chunk: string): boolean {
    this.size += Buffer.byteLength(chunk);
    return true;
  }
  end(chunk?: string): this {
    if (chunk !== undefined) this.write(chunk);
    this.headersSent = true;
    this.writableEnded = true;
    this.emit("finish");
    this.emit("close");
    this.#end();
    return this;
  }
}

export const ask = async (handler: Handler, asked: Asked): Promise<FakeResponse> => {
  const response = new FakeResponse();
  void handler(requestOf(asked), response as unknown as ServerResponse);
  await response.ended;
  return response;
};

const isEarly = ({ status }: Scenario): boolean => [401, 415, 429].includes(status);

/** The same bytes in and out, and nothing in between. */
const floorOf = (scenario: Scenario): Handler => {
  const answered = JSON.stringify(scenario.answer);
  return async (request, response) => {
    if (isEarly(scenario)) {
      request.resume();
      response.writeHead(scenario.status, { "Content-Type": "application/json; charset=utf-8" }).end(answered);
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    JSON.parse(Buffer.concat(chunks).toString("utf8"));
    response
      .writeHead(scenario.status, { "Content-Type": "application/json; charset=utf-8" })
      .end(JSON.stringify(scenario.answer));
  };
};

export type Measured = {
  readonly name: string;
  readonly toBundled: Ratio;
  readonly toFloor: Ratio;
  readonly bundledToFloor: Ratio;
  readonly microseconds: number;
};

const exhaust = async (handler: Handler, scenario: Scenario): Promise<void> => {
  for (let sent = 0; sent < 130; sent += 1) await ask(handler, scenario.asked);
};

const measure = async (scenario: Scenario, rounds: number): Promise<Measured> => {
  const isLimited = scenario.status === 429;
  const contestants = [];
  for (const name of ["ours", "bundled", "floor"] as const) {
    const handler = name === "floor" ? floorOf(scenario) : await loadPlugin(name, hostOf(scenario));
    if (isLimited && name !== "floor") await exhaust(handler, scenario);
    const { statusCode } = await ask(handler, scenario.asked);
    if (statusCode !== scenario.status) throw new Error(`${name}: ${scenario.name} answered ${String(statusCode)}`);
    const run = async (): Promise<void> => {
      if (!isLimited) tick();
      const answered = await ask(handler, scenario.asked);
      if (answered.statusCode !== scenario.status) throw new Error(`${name}: ${String(answered.statusCode)}`);
    };
    contestants.push({ name, run });
  }
  const taken = await takeTurns(contestants, rounds);
  const pick = (a: number, b: number) => ratioOf(taken.map((times) => [times[a] ?? 0, times[b] ?? 0] as const));
  const ours = taken.map((times) => times[0] ?? 0).toSorted((a, b) => a - b);
  return {
    name: scenario.name,
    toBundled: pick(0, 1),
    toFloor: pick(0, 2),
    bundledToFloor: pick(1, 2),
    microseconds: (ours[Math.floor(ours.length / 2)] ?? 0) * 1000,
  };
};

export const measureInProcess = async (rounds: number, only?: RegExp): Promise<readonly Measured[]> => {
  skewClocks();
  const measured: Measured[] = [];
  for (const scenario of [...SCENARIOS, LIMITED]) {
    if (only?.test(scenario.name) === false) continue;
    measured.push(await measure(scenario, rounds));
  }
  return measured;
};
