// What any server must do: read the request, parse it, serialise an answer. Nothing is checked.

import type { Handler } from "./plugins.ts";
import type { Scenario } from "./scenarios.ts";

const HEADERS = { "Content-Type": "application/json; charset=utf-8" };

/** Answers each parsed body with what `answer` makes of it. */
export const bareServer =
  (status: number, answer: (asked: unknown) => unknown): Handler =>
  (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.stringify(answer(JSON.parse(Buffer.concat(chunks).toString("utf8"))));
      response.writeHead(status, { ...HEADERS, "Content-Length": Buffer.byteLength(body) }).end(body);
    });
  };

/** The scenario's own answer; nobody is asked. */
export const bareHandler = ({ status, answer }: Scenario): Handler => bareServer(status, () => answer);
