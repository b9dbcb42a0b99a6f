// STORE-2, STORE-10: the server is killed repeatedly under load, also between a commit of many and their answers, and all
// acknowledged writes are in the file afterwards.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { remove, Standalone, tempFolder } from "./harness.ts";

const KILLS = Number(process.env["KILLS"] ?? 200);

/** So many that their writes share transactions. */
const WRITERS = 48;

const SECRET = "crash-secret-0123456789";

const folder = tempFolder();
after(() => remove(folder));
const file = join(folder, "flows.db");
const config = join(folder, "config.json5");
writeFileSync(
  config,
  `{ trustedProxies: ["127.0.0.1"], routes: { crash: { sessionKey: "agent:main:crash", secret: "${SECRET}" } } }`,
);

type Flow = { readonly flowId: string; readonly revision: number; readonly stateJson?: unknown };
/** A writer's flow at the last acknowledged revision, and whether one more write may have happened. */
type Told = { flow: Flow | undefined; acknowledged: number; isUnanswered: boolean };

let clients = 0;
const send = async (server: Standalone, body: object): Promise<Flow> => {
  clients += 1;
  const client = `10.${String(clients >> 16)}.${String((clients >> 8) & 255)}.${String(clients & 255)}`;
  const headers = { "content-type": "application/json", authorization: `Bearer ${SECRET}`, "x-forwarded-for": client };
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(`${server.base}/plugins/webhooks/crash`, init);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return (JSON.parse(text) as { result: { flow: Flow } }).result.flow;
};

/** Writes until the server is killed. `stateJson` is always the new revision. */
const write = async (server: Standalone, told: Told): Promise<void> => {
  try {
    told.isUnanswered = true;
    told.flow = await send(server, { action: "create_flow", goal: "Survive", stateJson: 0 });
    for (;;) {
      told.isUnanswered = false;
      const { flowId, revision } = told.flow;
      told.isUnanswered = true;
      told.flow = await send(server, {
        action: "set_waiting",
        flowId,
        expectedRevision: revision,
        stateJson: revision + 1,
      });
      told.acknowledged += 1;
    }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
  }
};

const checkFlow = async (server: Standalone, { flow, isUnanswered }: Told): Promise<void> => {
  if (flow === undefined) return;
  const found = await send(server, { action: "get_flow", flowId: flow.flowId });
  const latest = flow.revision + (isUnanswered ? 1 : 0);
  assert.ok(found.revision >= flow.revision && found.revision <= latest, `${JSON.stringify([flow, found])}`);
  assert.equal(found.stateJson, found.revision, "a revision is missing or doubled");
};

test(
  `STORE-2, STORE-10: ${String(KILLS)} kills under load lose no acknowledged write`,
  { timeout: 1_200_000 },
  async () => {
    let [acknowledged, created] = [0, 0];
    let told: readonly Told[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const server = await Standalone.start(["--config", config, "--db", file]);
      for (const one of told) await checkFlow(server, one);
      told = Array.from({ length: WRITERS }, () => ({ flow: undefined, acknowledged: 0, isUnanswered: false }));
      const load = Promise.all(told.map((one) => write(server, one)));
      await delay(20 + ((kill * 37) % 130));
      await server.end("SIGKILL");
      await load;
      acknowledged += told.reduce((sum, one) => sum + one.acknowledged, 0);
      created += told.filter((one) => one.flow !== undefined).length;
    }
    const server = await Standalone.start(["--config", config, "--db", file]);
    for (const one of told) await checkFlow(server, one);
    assert.equal(await server.end("SIGTERM"), 0);
    const database = new DatabaseSync(file);
    assert.equal(database.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
    const stored = database
      .prepare("SELECT count(*) AS n, sum(revision <> CAST(state_json AS INTEGER)) AS bad FROM flows")
      .get();
    database.close();
    console.log(
      `# ${String(KILLS)} kills, ${String(created)} flows and ${String(acknowledged)} updates acknowledged, ${String(stored?.["n"])} flows stored`,
    );
    assert.equal(stored?.["bad"], 0);
    assert.ok(Number(stored?.["n"]) >= created);
  },
);
