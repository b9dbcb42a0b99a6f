// WAIT-4, WAIT-6, WAIT-7: waiting with servers as processes: two on one file, a stop, and `wait` across a restart.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { remove, runCli, Standalone, tempFolder } from "./harness.ts";

const SECRET = "the-secret-of-the-route-0123";
const folder = tempFolder();
const config = join(folder, "config.json");
writeFileSync(config, JSON.stringify({ routes: { ci: { sessionKey: "agent:main:ci", secret: SECRET } } }));

const start = (...more: readonly string[]): Promise<Standalone> =>
  Standalone.start(["--config", config, "--db", join(folder, "flows.db"), ...more]);

type Flow = { readonly flowId: string; readonly revision: number; readonly status: string };

const ask = async (server: Standalone, body: object): Promise<Flow> => {
  const answer = (await (await server.post("ci", SECRET, body)).json()) as { result: { flow: Flow } };
  return answer.result.flow;
};

let [left, right]: [Standalone | undefined, Standalone | undefined] = [undefined, undefined];
before(async () => {
  [left, right] = await Promise.all([start(), start()]);
});
after(async () => {
  await Promise.all([left, right].map((server) => server?.isRunning && server.end("SIGKILL")));
  remove(folder);
});

const running = (server: Standalone | undefined): Standalone => server ?? assert.fail("no server");

test("WAIT-4: a wait in one process is answered about a second after a write in the other, 5 times", async () => {
  const [here, there] = [running(left), running(right)];
  const { flowId } = await ask(here, { action: "create_flow", goal: "g" });
  for (let revision = 0; revision < 5; revision += 1) {
    const waiting = ask(here, { action: "get_flow", flowId, afterRevision: revision, waitSeconds: 20 });
    // once the wait has begun on the other connection, in the order of the requests of this process
    await ask(here, { action: "get_flow", flowId });
    await ask(there, { action: "set_waiting", flowId, expectedRevision: revision });
    const written = performance.now();
    assert.equal((await waiting).revision, revision + 1);
    assert.ok(performance.now() - written < 2500, `it took ${String(performance.now() - written)} ms`);
  }
});

test("WAIT-6: SIGTERM answers those who wait, and the server ends at once with status 0", async () => {
  const server = running(left);
  const { flowId } = await ask(server, { action: "create_flow", goal: "g" });
  const waits = [1, 2, 3].map(() => ask(server, { action: "get_flow", flowId, afterRevision: 0, waitSeconds: 20 }));
  await ask(server, { action: "get_flow", flowId, afterRevision: 0, waitSeconds: 1 });
  const began = performance.now();
  assert.equal(await server.end("SIGTERM"), 0);
  assert.ok(performance.now() - began < 5000);
  assert.deepEqual(
    (await Promise.all(waits)).map(({ revision }) => revision),
    [0, 0, 0],
  );
});

test("WAIT-7: wait goes on across a restart of its server, and ends as the flow does", async () => {
  const server = running(right);
  const { flowId } = await ask(server, { action: "create_flow", goal: "g", status: "running" });
  const { port } = new URL(server.base);
  const waiting = runCli(["wait", "ci", flowId, "--url", server.base, "--timeout", "60s"], {
    OPENCLAW_WEBHOOK_SECRET: SECRET,
  });
  await ask(server, { action: "get_flow", flowId, afterRevision: 0, waitSeconds: 2 });
  await server.end("SIGKILL");
  right = await start("--port", port);
  await ask(right, { action: "fail_flow", flowId, expectedRevision: 0 });
  const { status, out } = await waiting;
  assert.equal(status, 5);
  assert.equal((JSON.parse(out) as { flow: Flow }).flow.status, "failed");
});
