// A receiver of callbacks on loopback: it takes what verifies as Standard Webhooks, by the scheme's own library.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

const SECRET = `whsec_${Buffer.from("a callback key of 32 bytes or so").toString("base64")}`;

/** A callback that was taken. */
export type Told = {
  readonly id: string;
  readonly type: string;
  readonly data: {
    readonly routeId: string;
    readonly flow: { readonly flowId: string; readonly status: string; readonly stateJson?: unknown };
  };
};

export class Receiver {
  readonly told: Told[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        const headers = Object.fromEntries(
          Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
        );
        try {
          const event = new Webhook(SECRET).verify(body, headers) as Omit<Told, "id">;
          this.told.push({ ...event, id: String(request.headers["webhook-id"]) });
          response.writeHead(204).end();
        } catch {
          response.writeHead(401).end();
        }
      });
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  /** For a route. */
  get notify(): { readonly url: string; readonly secret: string } {
    return { url: `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}/told`, secret: SECRET };
  }

  /** The ends of a flow that were told. */
  endsOf(flowId: string): readonly Told[] {
    return this.told.filter(({ type, data }) => type === "flow.ended" && data.flow.flowId === flowId);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
