// `wait` against a real server: how it ends, what it tries again, and what it tells a person.

import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { wait, type WaitOptions } from "../../../adapters/cli/commands/wait.ts";
import { EXIT } from "../../../adapters/cli/io.ts";
import type { EmbeddedFlows } from "../../../adapters/flows/embedded-store.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { createNodeListener } from "../../../adapters/node/index.ts";
import type { FlowAction, Outcome } from "../../../core/index.ts";
import { cli, type Ran } from "../../support/cli.ts";

const SECRET = "the-secret-of-the-route";
const OWNER = "agent:main:ci";
const CONFIG = { routes: { ci: { sessionKey: OWNER, secret: SECRET } } };
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

const listen = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
};

const serve = (flows: EmbeddedFlows): Promise<string> => {
  const webhooks = createNodeListener({ config: CONFIG, flows, logger: SILENT });
  return listen((request, response) => void webhooks(request, response));
};

const act = async (flows: EmbeddedFlows, action: FlowAction): Promise<Outcome> =>
  (await flows.execute(OWNER, action, () => undefined))._unsafeUnwrap();

const create = async (flows: EmbeddedFlows): Promise<string> => {
  const made = await act(flows, { action: "create_flow", goal: "g", controllerId: "c", status: "running" });
  return made.kind === "created" ? String(made.flow.json["flowId"]) : expect.fail("no flow");
};

/** Once a request waits for a flow of the store. */
const untilWatched = async (flows: EmbeddedFlows): Promise<void> => {
  while (!flows.changes.isWatched) await new Promise(setImmediate);
};

const run = (url: string, flowId: string, ...args: readonly string[]): Promise<Ran> =>
  cli(["wait", "ci", flowId, "--url", url, ...args], { env: { OPENCLAW_WEBHOOK_SECRET: SECRET } });

const ENDS: readonly (readonly [string, (flowId: string) => FlowAction, number])[] = [
  ["succeeded", (flowId) => ({ action: "finish_flow", flowId, expectedRevision: 0 }), EXIT.ok],
  ["failed", (flowId) => ({ action: "fail_flow", flowId, expectedRevision: 0 }), EXIT.failed],
  ["cancelled", (flowId) => ({ action: "cancel_flow", flowId }), EXIT.cancelled],
];

test.each(ENDS)(
  "WAIT-7: a flow that ends as %s while it is waited for ends the command with its status",
  async (status, end, exit) => {
    const flows = memoryFlows();
    const url = await serve(flows);
    const flowId = await create(flows);
    const running = run(url, flowId);
    await untilWatched(flows);
    await act(flows, end(flowId));
    const ran = await running;
    expect([ran.status, ran.error, JSON.parse(ran.out)]).toEqual([
      exit,
      "",
      { flow: expect.objectContaining({ flowId, status }) },
    ]);
    const again = await run(url, flowId, "--json", "--until", "waiting");
    expect([again.status, JSON.parse(again.out)]).toMatchObject([exit, { ok: true, result: { flow: { status } } }]);
    expect(again.out.trimEnd()).not.toContain("\n");
  },
);

test("WAIT-7: a state that is waited for ends the command with 0, at once when the flow is in it", async () => {
  const flows = memoryFlows();
  const url = await serve(flows);
  const flowId = await create(flows);
  const running = run(url, flowId, "--until", "waiting, blocked");
  await untilWatched(flows);
  await act(flows, { action: "set_waiting", flowId, expectedRevision: 0 });
  expect((await running).status).toBe(EXIT.ok);
  expect((await run(url, flowId, "--until", "waiting")).status).toBe(EXIT.ok);
});

test("WAIT-7: no such flow, a wrong secret and a wrong route end it at once", async () => {
  const flows = memoryFlows();
  const url = await serve(flows);
  const flowId = await create(flows);
  const none = await run(url, "no\u0007such");
  expect([none.status, none.out, none.error]).toEqual([
    EXIT.lost,
    "",
    "There is no flow no\\u{7}such for the session of this route.\n",
  ]);
  const secret = await cli(["wait", "ci", flowId, "--url", url], {
    env: { OPENCLAW_WEBHOOK_SECRET: "wrong-secret-0123" },
  });
  expect([secret.status, secret.error]).toEqual([EXIT.refused, expect.stringContaining("401 unauthorized: ")]);
  const route = await cli(["wait", "nope", flowId, "--url", url], { env: { OPENCLAW_WEBHOOK_SECRET: SECRET } });
  expect([route.status, route.error]).toEqual([EXIT.refused, expect.stringContaining("404 route_not_found: ")]);
});

test.each(["", " "])("WAIT-7: without the id of a flow (%j) nothing is sent", async (flowId) => {
  const ran = await run("http://127.0.0.1:9", flowId);
  expect([ran.status, ran.out, ran.error]).toEqual([
    EXIT.usage,
    "",
    "FLOW is empty. Give the id that create_flow has answered.\n",
  ]);
});

test("WAIT-7: when its time is over the command says so, and prints the flow as it is", async () => {
  const flows = memoryFlows();
  const url = await serve(flows);
  const flowId = await create(flows);
  const { status, out, error } = await run(url, flowId, "--timeout", "1s");
  expect([status, error]).toEqual([EXIT.timeout, "The flow is running after 1s, not ended.\n"]);
  expect(JSON.parse(out)).toMatchObject({ flow: { flowId, status: "running" } });
});

test.each([
  ["--timeout", "0"],
  ["--timeout", "10x"],
  ["--timeout", "169h"],
  ["--timeout", "-1"],
  ["--until", "done"],
  ["--until", "waiting,"],
])("%s %s is wrong usage", async (option, value) => {
  const { status, error } = await cli(["wait", "ci", "f", option, value]);
  expect([status, error]).toEqual([EXIT.usage, expect.stringContaining(`option '${option} `)]);
});

/** A clock that only pauses move. */
const paused = () => {
  let time = 0;
  const pauses: number[] = [];
  const sleep = async (ms: number): Promise<void> => {
    pauses.push(ms);
    time += ms;
  };
  return { timing: { now: () => time, sleep }, pauses };
};

const OPTIONS: WaitOptions = {
  url: "",
  secretEnv: "OPENCLAW_WEBHOOK_SECRET",
  until: ["ended"],
  timeout: { text: "10m", ms: 600_000 },
  json: false,
};

const command = async (url: string, options: Partial<WaitOptions> = {}, isTerminal = true) => {
  const { timing, pauses } = paused();
  let [out, error] = ["", ""];
  const io = {
    out: (text: string) => (out += text),
    error: (text: string) => (error += text),
    env: { OPENCLAW_WEBHOOK_SECRET: SECRET },
    input: () => Promise.resolve(new Uint8Array()),
    isTerminal,
    onStop: () => () => undefined,
  };
  const result = await wait("ci", "f", { ...OPTIONS, url, ...options }, io, timing);
  const fault = result.isErr() ? result.error : undefined;
  return { status: result.isOk() ? result.value : fault?.status, sentence: fault?.sentence, pauses, out, error };
};

const flowJson = (status: string, revision: number, more: object = {}): string =>
  JSON.stringify({ ok: true, routeId: "ci", result: { flow: { flowId: "f", status, revision, ...more } } });

const refusal = (code: string): string => JSON.stringify({ ok: false, code, error: "No.", result: {} });

/** A server with one answer for each request; the last one again and again. `null` closes the connection without one. */
const scripted = async (answers: readonly (readonly [number, string, (string | undefined)?] | null)[]) => {
  const bodies: { readonly waitSeconds?: number; readonly afterRevision?: number }[] = [];
  const url = await listen((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const answer = answers[Math.min(bodies.length, answers.length - 1)];
      bodies.push(JSON.parse(body));
      if (answer === null || answer === undefined) return void request.socket.destroy();
      const [status, text, retryAfter] = answer;
      response.writeHead(status, retryAfter === undefined ? {} : { "retry-after": retryAfter }).end(text);
    });
  });
  return { url, bodies };
};

test("WAIT-7: what may pass is tried again, after the seconds that the server names or ever longer pauses", async () => {
  const { url, bodies } = await scripted([
    [503, refusal("persist_failed"), "3"],
    null,
    [500, "Internal Server Error"],
    [502, "<html>bad gateway</html>"],
    [200, flowJson("running", 4)],
    [429, refusal("too_many_waiting"), "5"],
    [504, refusal("outcome_unknown"), "Fri, 27 Nov 2026 00:00:00 GMT"],
    [200, flowJson("succeeded", 5)],
  ]);
  const { status, pauses, out } = await command(url);
  expect([status, pauses]).toEqual([EXIT.ok, [3000, 2000, 4000, 8000, 5000, 2000]]);
  expect(JSON.parse(out)).toEqual({ flow: { flowId: "f", status: "succeeded", revision: 5 } });
  expect(bodies.map(({ afterRevision, waitSeconds }) => [afterRevision, waitSeconds])).toEqual([
    ...[undefined, undefined, undefined, undefined, undefined].map((none) => [none, none]),
    [4, 20],
    [4, 20],
    [4, 20],
  ]);
});

test.each(["0", "000000"])(
  "WAIT-7: a server that asks to be tried again after %s seconds is asked after ever longer pauses",
  async (retryAfter) => {
    const { url, bodies } = await scripted([[503, refusal("persist_failed"), retryAfter]]);
    const { status, pauses } = await command(url, { timeout: { text: "90s", ms: 90_000 } });
    expect([status, pauses.slice(0, 3)]).toEqual([EXIT.unreachable, [1000, 2000, 4000]]);
    expect(bodies.length).toBeLessThan(10);
  },
);

test("WAIT-7: a server that never answers is tried until the time is over, and named then", async () => {
  const { url } = await scripted([null]);
  const { status, sentence, pauses } = await command(url, { timeout: { text: "90s", ms: 90_000 } });
  expect([status, sentence]).toEqual([
    EXIT.unreachable,
    expect.stringMatching(/^No answer within 90s\. http:.* closed the connection /u),
  ]);
  expect(pauses.reduce((sum, pause) => sum + pause)).toBe(90_000);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
});

test.each([
  [400, refusal("invalid_request"), EXIT.refused],
  [413, refusal("payload_too_large"), EXIT.refused],
  [500, refusal("internal"), EXIT.refused],
  [501, "<html>no</html>", EXIT.unreachable],
  [200, "<html>a page</html>", EXIT.unreachable],
  [200, JSON.stringify({ ok: true, result: {} }), EXIT.unreachable],
  [200, JSON.stringify({ ok: true, result: { flow: { status: 7, revision: 1 } } }), EXIT.unreachable],
])("WAIT-7: a %i that is not of a flow (%s) ends the command, and is not tried again", async (code, text, exit) => {
  const { url, bodies } = await scripted([[code, text]]);
  const { status, pauses } = await command(url);
  expect([status, bodies.length, pauses]).toEqual([exit, 1, []]);
});

test("WAIT-7: a flow that changes all the time costs at most one request a second", async () => {
  const { url, bodies } = await scripted([
    ...Array.from({ length: 20 }, (_, revision) => [200, flowJson("running", revision)] as const),
    [200, flowJson("lost", 20)],
  ]);
  const { status, pauses } = await command(url);
  expect([status, bodies.length, pauses]).toEqual([EXIT.lost, 21, Array.from({ length: 19 }, () => 1000)]);
});

test("WAIT-7: a flow that has ended as blocked has failed; one that is blocked goes on", async () => {
  const { url } = await scripted([
    [200, flowJson("blocked", 1)],
    [200, flowJson("blocked", 2, { endedAt: 7 })],
  ]);
  expect((await command(url)).status).toBe(EXIT.failed);
  const ended = await scripted([[200, flowJson("blocked", 2, { endedAt: 7 })]]);
  expect((await command(ended.url, { until: ["blocked"] })).status).toBe(EXIT.failed);
});

test("CALL-1: on a terminal each state has a line, without the secret or what steers the terminal; elsewhere there is none", async () => {
  const step = `approve \u001b[2J ${SECRET}`;
  const answers = [
    [200, flowJson("running", 1)],
    [200, flowJson("running", 1)],
    [200, flowJson("waiting", 2, { currentStep: step })],
    [200, flowJson("succeeded", 3)],
  ] as const;
  const { error } = await command((await scripted(answers)).url);
  expect(error.split("\n")).toEqual([
    "0 s: running, revision 1",
    expect.stringMatching(/^1 s: waiting, revision 2, approve /u),
    "2 s: succeeded, revision 3",
    "",
  ]);
  expect(error).not.toContain(SECRET);
  expect(error).not.toContain("\u001b");
  expect((await command((await scripted(answers)).url, {}, false)).error).toBe("");
});
