// What any server must do: read the request, parse it, ask the host, serialise an answer. Nothing is checked.

import type { Handler } from "./plugins.ts";
import type { Scenario } from "./scenarios.ts";
import type { FreshAnswers } from "./stand-in-gateway.ts";
import { standInRuntime } from "./stand-in-gateway.ts";

const HEADERS = { "Content-Type": "application/json; charset=utf-8" };

/** Answers each parsed body with what `answer` makes of it, at once or later. */
export const bareServer =
  (status: number, answer: (asked: unknown) => unknown): Handler =>
  (request, response) => {
    const reply = (answered: unknown): void => {
      const body = JSON.stringify(answered);
      response.writeHead(status, { ...HEADERS, "Content-Length": Buffer.byteLength(body) }).end(body);
    };
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const answered = answer(JSON.parse(Buffer.concat(chunks).toString("utf8")));
      if (answered instanceof Promise) void answered.then(reply);
      else reply(answered);
    });
  };

type Bound = { readonly get: (flowId: string) => Promise<unknown>; readonly setWaiting: Bound["get"] };
type Tasks = { readonly async: { readonly managedFlows: { bindSession(owner: { sessionKey: string }): Bound } } };

/** The scenario's own answer, once the host has given its own where a plugin would ask it. */
export const bareHandler = ({ status, answer, host }: Scenario, answers: FreshAnswers): Handler => {
  if (host === undefined) return bareServer(status, () => answer);
  const { tasks } = standInRuntime(answers, {}) as { readonly tasks: Tasks };
  const bound = tasks.async.managedFlows.bindSession({ sessionKey: "bench" });
  const call = host.does === "read" ? bound.get : bound.setWaiting;
  return bareServer(status, async () => {
    await call("");
    return answer;
  });
};
