import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env["CALLBACK_SECRET"] ?? "");
/** Ids of callbacks that were taken. A real receiver keeps them for a week in its database. */
const taken = new Set<string>();

type Callback = { type: string; data: { flow: { flowId: string; status: string; revision: number } } };

const take = ({ type, data: { flow } }: Callback): void =>
  console.log(`${type}: ${flow.flowId} is ${flow.status}, at revision ${flow.revision}`);

export const server = createServer(async (request, response) => {
  const body = await text(request);
  try {
    const callback = webhook.verify(body, request.headers as Record<string, string>) as Callback;
    const id = String(request.headers["webhook-id"]);
    if (!taken.has(id)) take(callback);
    taken.add(id);
    response.writeHead(204).end();
  } catch {
    response.writeHead(401).end();
  }
}).listen(Number(process.env["RECEIVER_PORT"] ?? 8090), "127.0.0.1");
