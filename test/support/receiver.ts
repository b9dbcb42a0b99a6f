// A receiver of callbacks: a real HTTP server whose answers the test chooses, and which keeps what it got.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

export type Got = {
  readonly id: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly path: string;
};

/** Answers one callback, or keeps it waiting. */
export type Answering = (response: ServerResponse, got: Got, number: number) => void;

export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Answering =>
  (response) =>
    void response.writeHead(code, headers).end();

const read = async (request: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
};

export class Receiver {
  readonly got: Got[] = [];
  answering: Answering = status(200);
  readonly #waiting = new Set<() => void>();
  readonly #server = createServer((request, response) => void this.#take(request, response));

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    return this;
  }

  get origin(): string {
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  get ids(): readonly string[] {
    return this.got.map(({ id }) => id);
  }

  /** Resolves once it has got so many. */
  async has(count: number): Promise<void> {
    while (this.got.length < count) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await read(request);
    const got = { id: String(request.headers["webhook-id"]), headers: request.headers, body, path: request.url ?? "" };
    this.got.push(got);
    this.answering(response, got, this.got.length);
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** What a receiver does with a callback by the library of Standard Webhooks. Throws when it is not signed with `secret`. */
export const verify = (secret: string, { headers, body }: Got): unknown =>
  new Webhook(secret).verify(body, headers as Record<string, string>);
