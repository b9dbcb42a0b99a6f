// Waiting over real sockets and through a Fetch handler: how a wait ends when its client ends the connection, in whole or in part.

import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createFetchHandler } from "../../adapters/fetch/index.ts";
import { type EmbeddedFlows, memoryFlows } from "../../adapters/flows/memory/index.ts";
import { createNodeListener } from "../../adapters/node/index.ts";
import { PLACES } from "../../core/index.ts";

const OWNER = "agent:main:main";
const SECRET = "a-secret-of-the-route-0123";
const CONFIG = { routes: { r: { sessionKey: OWNER, secret: SECRET } } };
const PATH = "/plugins/webhooks/r";
const HEADERS = { "content-type": "application/json", authorization: `Bearer ${SECRET}` };

let server: Server | undefined;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

/** As `serve` has it, where a client may close its side and still get its answers, or as a server usually is. */
const start = async (flows: EmbeddedFlows, httpAllowHalfOpen: boolean): Promise<number> => {
  const webhooks = createNodeListener({ config: CONFIG, flows });
  server = Object.assign(
    createServer((request, response) => void webhooks(request, response)),
    { httpAllowHalfOpen },
  );
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
};

const create = async (flows: EmbeddedFlows): Promise<string> => {
  const made = await flows.execute(OWNER, { action: "create_flow", goal: "g", controllerId: "c" }, () => undefined);
  const outcome = made._unsafeUnwrap();
  return outcome.kind === "created" ? String(outcome.flow.json["flowId"]) : expect.fail("no flow");
};

const until = async (isSo: () => boolean): Promise<void> => {
  const latest = performance.now() + 4000;
  while (!isSo() && performance.now() < latest) await new Promise(setImmediate);
  expect(isSo()).toBe(true);
};

const bodyOf = (flowId: string, afterRevision = 0, waitSeconds = 20): string =>
  JSON.stringify({ action: "get_flow", flowId, afterRevision, waitSeconds });

const requestText = (body: string): string => {
  const lines = Object.entries({ ...HEADERS, "content-length": String(body.length) }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `POST ${PATH} HTTP/1.1\r\nhost: x\r\n${lines.join("")}\r\n${body}`;
};

const ask = (port: number, ...bodies: readonly string[]): { readonly socket: Socket; readonly seen: () => string } => {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let text = "";
  socket.on("error", () => undefined).on("data", (piece: Buffer) => (text += piece.toString()));
  for (const body of bodies) socket.write(requestText(body));
  return { socket, seen: () => text };
};

const SERVERS = [
  ["that answers half-closed connections", true],
  ["that does not", false],
] as const;

test.each(SERVERS)(
  "WAIT-5: on a server %s, a client that resets, ends or half-closes its connection waits no longer",
  async (_, isHalfOpen) => {
    const flows = memoryFlows();
    const flowId = await create(flows);
    const port = await start(flows, isHalfOpen);
    const leave: readonly ((socket: Socket) => unknown)[] = [
      (socket) => socket.resetAndDestroy(),
      (socket) => socket.destroy(),
      (socket) => socket.end(),
    ];
    for (const go of leave) {
      for (let round = 0; round < 2; round += 1) {
        const clients = Array.from({ length: PLACES.client }, () => ask(port, bodyOf(flowId)));
        await until(() => flows.changes.isWatched);
        for (const { socket } of clients) go(socket);
        await until(() => !flows.changes.isWatched);
      }
    }
  },
);

test("WAIT-5: a client that has closed its side, and listens yet, is answered at once with the flow as it is", async () => {
  const flows = memoryFlows();
  const flowId = await create(flows);
  const { socket, seen } = ask(await start(flows, true), bodyOf(flowId));
  await until(() => flows.changes.isWatched);
  socket.end();
  await until(() => seen().includes('"revision":0'));
});

test("WAIT-5: requests that wait one behind another on a connection all end with it", async () => {
  const flows = memoryFlows();
  const ids = await Promise.all([create(flows), create(flows), create(flows)]);
  const port = await start(flows, true);
  const { socket, seen } = ask(port, ...ids.map((flowId) => bodyOf(flowId)));
  await until(() => flows.changes.isWatched);
  await flows.execute(OWNER, { action: "finish_flow", flowId: ids[0] ?? "", expectedRevision: 0 }, () => undefined);
  await until(() => seen().includes('"revision":1'));
  socket.resetAndDestroy();
  await until(() => !flows.changes.isWatched);
});

test("WAIT-1: a wait over HTTP is answered by the write of another request", async () => {
  const flows = memoryFlows();
  const flowId = await create(flows);
  const url = `http://127.0.0.1:${String(await start(flows, false))}${PATH}`;
  const post = (body: string): Promise<Response> => fetch(url, { method: "POST", headers: HEADERS, body });
  const waiting = post(bodyOf(flowId));
  await until(() => flows.changes.isWatched);
  await post(JSON.stringify({ action: "finish_flow", flowId, expectedRevision: 0 }));
  expect(await (await waiting).json()).toMatchObject({
    ok: true,
    result: { flow: { revision: 1, status: "succeeded" } },
  });
});

test("WAIT-1, WAIT-5: through a Fetch handler a wait ends with a write, or when its request is aborted", async () => {
  const flows = memoryFlows();
  const flowId = await create(flows);
  const handler = createFetchHandler({ config: CONFIG, flows });
  const ending = new AbortController();
  const asked = (signal?: AbortSignal): Promise<Response> => {
    const rest = signal === undefined ? {} : { signal };
    return handler(new Request(`http://x${PATH}`, { method: "POST", headers: HEADERS, body: bodyOf(flowId), ...rest }));
  };
  const gone = asked(ending.signal);
  await until(() => flows.changes.isWatched);
  ending.abort();
  expect(await (await gone).json()).toMatchObject({ result: { flow: { revision: 0 } } });
  expect(flows.changes.isWatched).toBe(false);
  const waiting = asked();
  await until(() => flows.changes.isWatched);
  await flows.execute(OWNER, { action: "finish_flow", flowId, expectedRevision: 0 }, () => undefined);
  expect(await (await waiting).json()).toMatchObject({ result: { flow: { revision: 1 } } });
});
