// A caller on one connection that costs little: what it sends is written out beforehand, and of an answer only the status and
// the length are read.

import { connect, type Socket } from "node:net";
import { stopwatch } from "./clock.ts";

/** Requests of one client, of the 120 that it may send in a minute. */
const REQUESTS_OF_A_CLIENT = 100;

export const CREATE = JSON.stringify({ action: "create_flow", goal: "Review inbound queue", currentStep: "collect" });

/** Milliseconds of each request that was carried out, and how many were not. */
export type Counted = { readonly ms: number[]; refused: number };

export class Caller {
  readonly #socket: Socket;
  readonly #secret: string;
  readonly #number: number;
  #body = CREATE;
  #sent = 0;
  #got = "";
  #answered: (status: string) => void = () => undefined;

  /** `number`: one that no other caller of the server has, below 256. */
  constructor(port: number, secret: string, number: number) {
    this.#secret = secret;
    this.#number = number;
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.setEncoding("latin1").on("data", (text: string) => this.#take(text));
    this.#socket.on("error", () => this.#answered("lost"));
  }

  /** Sends a body, one request after the other, until then. */
  async ask(ends: number, body: string): Promise<Counted> {
    this.#body = body;
    const counted: Counted = { ms: [], refused: 0 };
    for (let began = stopwatch(); began < ends; began = stopwatch()) {
      const status = await this.#send();
      if (status === "200") counted.ms.push(stopwatch() - began);
      else counted.refused += 1;
    }
    return counted;
  }

  end(): void {
    this.#socket.destroy();
  }

  #send(): Promise<string> {
    const client = Math.floor(this.#sent / REQUESTS_OF_A_CLIENT);
    this.#sent += 1;
    const head = [
      "POST /plugins/webhooks/bench HTTP/1.1",
      "Host: bench",
      "Content-Type: application/json",
      `Authorization: Bearer ${this.#secret}`,
      `X-Forwarded-For: 10.${String(this.#number)}.${String(client >> 8)}.${String(client & 255)}`,
      `Content-Length: ${String(this.#body.length)}`,
    ];
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#socket.write(`${head.join("\r\n")}\r\n\r\n${this.#body}`);
    });
  }

  #take(text: string): void {
    this.#got += text;
    const head = this.#got.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/content-length: (\d+)/iu.exec(this.#got)?.[1]);
    if (this.#got.length < head + 4 + length) return;
    const status = this.#got.slice(9, 12);
    this.#got = "";
    this.#answered(status);
  }
}
