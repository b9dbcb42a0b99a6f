// NOTIFY-1, NOTIFY-3: a server is killed again and again while flows are ended and callbacks are sent. Each end that was answered is
// told, under one id, and nothing else is.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { SECRET } from "../../support/callbacks.ts";
import { Receiver, verify } from "../../support/receiver.ts";
import { remove, Standalone, tempFolder, until } from "./harness.ts";

const KILLS = Number(process.env["CALLBACK_KILLS"] ?? 5);
const OPENING = "callbacks-secret-0123456789";

const folder = tempFolder();
const receiver = new Receiver();
after(async () => {
  remove(folder);
  await receiver.close();
});

type Told = { readonly type: string; readonly data: { readonly flow: { readonly flowId: string } } };

test(`NOTIFY-1, NOTIFY-3: each end that was answered is told under one id, over ${String(KILLS)} kills`, async () => {
  await receiver.start();
  const config = join(folder, "config.json5");
  const notify = { url: `${receiver.origin}/hook`, secret: SECRET, on: ["ended"] };
  writeFileSync(config, JSON.stringify({ routes: { a: { sessionKey: "s", secret: OPENING, notify } } }), {
    mode: 0o600,
  });
  const args = ["--config", config, "--db", join(folder, "flows.db")];
  // every third one is answered with a failure or never, so that some wait for another try when the server dies
  receiver.answering = (response, _, number) => {
    if (number % 3 === 0) return;
    response.writeHead(number % 3 === 1 ? 200 : 503, { "retry-after": "1" }).end();
  };
  const ended = new Set<string>();
  const endSome = async (server: Standalone): Promise<void> => {
    while (server.isRunning) {
      try {
        const made = await server.post("a", OPENING, { action: "create_flow", goal: "g" });
        const { result } = (await made.json()) as { result: { flow: { flowId: string } } };
        const { flowId } = result.flow;
        const done = await server.post("a", OPENING, { action: "finish_flow", flowId, expectedRevision: 0 });
        if (done.status === 200) ended.add(flowId);
      } catch {
        // the server was killed
      }
      await delay(20);
    }
  };
  for (let kill = 0; kill < KILLS; kill += 1) {
    const server = await Standalone.start(args);
    const work = endSome(server);
    await delay(150 + 100 * kill);
    await server.end("SIGKILL");
    await work;
  }
  receiver.answering = (response) => void response.writeHead(200).end();
  const told = (): Map<string, Set<string>> => {
    const ids = new Map<string, Set<string>>();
    for (const { id, body } of receiver.got) {
      const { flowId } = (JSON.parse(body) as Told).data.flow;
      ids.set(flowId, (ids.get(flowId) ?? new Set()).add(id));
    }
    return ids;
  };
  const server = await Standalone.start(args);
  const isTold = (): boolean => [...ended].every((flowId) => told().has(flowId));
  // a lease of a sender that was killed lasts 30 seconds
  const latest = performance.now() + 120_000;
  while (!isTold() && performance.now() < latest) await delay(200);
  assert.ok(ended.size > KILLS, `${String(ended.size)} ended`);
  assert.deepEqual(
    [...ended].filter((flowId) => !told().has(flowId)),
    [],
  );
  for (const [flowId, ids] of told()) assert.equal(ids.size, 1, flowId);
  assert.equal(new Set(receiver.ids).size, told().size);
  const last = receiver.got.at(-1);
  assert.equal((verify(SECRET, last ?? assert.fail()) as Told).type, "flow.ended");
  assert.equal(await server.end("SIGTERM"), 0);
  assert.ok(!server.log.join("\n").includes("/hook"));
});

test("NOTIFY-8: a receiver that hangs delays neither requests nor the stop of the server", async () => {
  receiver.answering = () => undefined;
  const config = join(folder, "hang.json5");
  const notify = { url: receiver.origin, secret: SECRET };
  writeFileSync(config, JSON.stringify({ routes: { a: { sessionKey: "s", secret: OPENING, notify } } }), {
    mode: 0o600,
  });
  const server = await Standalone.start(["--config", config, "--db", join(folder, "hang.db")]);
  const before = receiver.got.length;
  await server.post("a", OPENING, { action: "create_flow", goal: "g", status: "waiting" });
  await until(() => receiver.got.length > before);
  const begun = performance.now();
  assert.equal((await server.post("a", OPENING, { action: "list_flows" })).status, 200);
  assert.equal(await server.end("SIGTERM"), 0);
  assert.ok(performance.now() - begun < 5000);
});
