// The receiver and the host of docs/callbacks.md and docs/embedding.md, as they are, one beside the other.

import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test, vi } from "vitest";
import { SECRET } from "../support/callbacks.ts";

const OPENING = "example-secret-0123456789";

const portOf = async (server: Server): Promise<number> => {
  if (!server.listening) await once(server, "listening");
  return (server.address() as AddressInfo).port;
};

test("NOTIFY-1, NOTIFY-4: the example's host tells the example's receiver, which takes nothing that is not signed", async () => {
  const told = Promise.withResolvers<string>();
  vi.spyOn(console, "log").mockImplementation((line: string) => told.resolve(line));
  vi.stubEnv("CALLBACK_SECRET", SECRET);
  vi.stubEnv("RECEIVER_PORT", "0");
  const { server: receiver } = await import("./receiver.ts");
  const at = `http://127.0.0.1:${String(await portOf(receiver))}`;
  vi.stubEnv("CALLBACK_URL", at);
  vi.stubEnv("CI_SECRET", OPENING);
  vi.stubEnv("PORT", "0");
  const { server } = await import("./callbacks.ts");
  const answer = await fetch(`http://127.0.0.1:${String(await portOf(server))}/plugins/webhooks/ci`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${OPENING}` },
    body: JSON.stringify({ action: "create_flow", goal: "g", status: "waiting" }),
  });
  const { result } = (await answer.json()) as { result: { flow: { flowId: string } } };
  expect(await told.promise).toBe(`flow.waiting: ${result.flow.flowId} is waiting, at revision 0`);
  expect((await fetch(at, { method: "POST", body: "{}" })).status).toBe(401);
  for (const one of [server, receiver]) {
    one.closeAllConnections();
    one.close();
    await once(one, "close");
  }
});
