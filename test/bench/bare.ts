// What any server must do: read the request, parse it, serialise the same answer. Nothing is checked and nobody is asked.

import type { Scenario } from "./scenarios.ts";
import type { Handler } from "./plugins.ts";

const HEADERS = { "Content-Type": "application/json; charset=utf-8" };

export const bareHandler =
  ({ status, answer }: Scenario): Handler =>
  (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      JSON.parse(Buffer.concat(chunks).toString("utf8"));
      const body = JSON.stringify(answer);
      response.writeHead(status, { ...HEADERS, "Content-Length": Buffer.byteLength(body) }).end(body);
    });
  };
