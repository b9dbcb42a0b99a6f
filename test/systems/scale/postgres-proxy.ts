// A proxy in front of PostgreSQL that counts what passes: bytes, and round trips, which are the times that a client asks while
// nothing that it has asked before is unanswered. It can hold everything back, and cut all connections.

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

const SYNC = "S";
const READY = "Z";

/** The types of the messages of one side. The first message of a client has none. */
class Frames {
  #rest = Buffer.alloc(0);
  #isTyped: boolean;

  constructor(isTyped: boolean) {
    this.#isTyped = isTyped;
  }

  add(chunk: Buffer): readonly string[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const types: string[] = [];
    for (;;) {
      const at = this.#isTyped ? 1 : 0;
      const end = this.#rest.length < at + 4 ? Number.POSITIVE_INFINITY : at + this.#rest.readUInt32BE(at);
      if (this.#rest.length < end) return types;
      types.push(this.#isTyped ? this.#rest.toString("latin1", 0, 1) : "");
      this.#rest = this.#rest.subarray(end);
      this.#isTyped = true;
    }
  }
}

export class CountingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isHeld = false;
  #unanswered = Number.POSITIVE_INFINITY;
  trips = 0;
  bytes = 0;

  private constructor(port: number) {
    this.#server = createServer((client) => {
      const target = connect(port, "127.0.0.1");
      const [asks, answers] = [new Frames(false), new Frames(true)];
      let waiting = 0;
      for (const socket of [client, target]) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined).on("close", () => this.#sockets.delete(socket));
      }
      client.on("data", (chunk: Buffer) => {
        for (const type of asks.add(chunk)) {
          if (type !== SYNC) continue;
          if (waiting === 0) this.trips += 1;
          waiting += 1;
        }
        this.bytes += chunk.length;
        target.write(chunk);
      });
      target.on("data", (chunk: Buffer) => {
        for (const type of answers.add(chunk)) if (type === READY && waiting > 0) waiting -= 1;
        this.bytes += chunk.length;
        if (this.trips < this.#unanswered) client.write(chunk);
      });
      if (this.#isHeld) for (const socket of [client, target]) socket.pause();
      client.on("close", () => target.destroy());
      target.on("close", () => client.destroy());
    });
  }

  static async to(port: number): Promise<CountingProxy> {
    const proxy = new CountingProxy(port);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (Object(this.#server.address()) as { readonly port: number }).port;
  }

  /** What passes while `work` runs. */
  async during(work: () => Promise<unknown>): Promise<{ readonly trips: number; readonly bytes: number }> {
    const [trips, bytes] = [this.trips, this.bytes];
    await work();
    return { trips: this.trips - trips, bytes: this.bytes - bytes };
  }

  /** Nothing is answered to the request that begins the round trip of this number from now on, and to those after it, until `cut`. */
  loseAnswers(trip: number): void {
    this.#unanswered = this.trips + trip;
  }

  /** From now on nothing passes, until `cut`. */
  hold(): void {
    this.#isHeld = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Ends all connections; new ones pass. */
  cut(): void {
    this.#isHeld = false;
    this.#unanswered = Number.POSITIVE_INFINITY;
    for (const socket of this.#sockets) socket.destroy();
  }

  end(): void {
    this.cut();
    this.#server.close();
  }
}
