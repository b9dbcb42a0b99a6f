// Every recorded trace of the Gateway's bundled plugin, replayed against the standalone server with the Gateway's own
// configuration file.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runTrace } from "../../golden/replay.mjs";
import { remove, Standalone, tempFolder } from "./harness.ts";

const GOLDEN = join(import.meta.dirname, "..", "..", "golden");
const names = readdirSync(join(GOLDEN, "traces")).map((file) => file.replace(".json", ""));

/** A trace that only a Gateway answers: its own auth refuses broken percent-encoding; here no route has the path. */
const ONLY_A_GATEWAY = /^path-unknown: step \d+ \(broken percent-encoding\): status: expected 401, got 404$/u;

/** These traces take long on purpose. No other trace uses their routes and flows, so they run beside the others. */
const SLOW = new Set(["rate-limit-window", "sweep-ends-cancelled-flows", "slow-body"]);

const folder = tempFolder();
let server: Standalone;
before(async () => {
  server = await Standalone.start(["--config", join(GOLDEN, "config.json"), "--db", join(folder, "flows.db")]);
});
after(async () => {
  await server.end("SIGKILL");
  remove(folder);
});

const replay = async (name: string): Promise<readonly string[]> => {
  const trace: unknown = JSON.parse(readFileSync(join(GOLDEN, "traces", `${name}.json`), "utf8"));
  const { mismatches } = await runTrace(trace, { base: server.base });
  return mismatches.map((line) => `${name}: ${line}`);
};

/** The server sweeps once a minute. A trace with cancel intents that a sweep disturbed is run once more. */
const replayPastSweeps = async (name: string): Promise<readonly string[]> => {
  const mismatches = await replay(name);
  return mismatches.length > 0 && name.startsWith("intent-") ? replay(name) : mismatches;
};

test("the recorded traces replay against the standalone server", { timeout: 300_000 }, async () => {
  const slow = Promise.all(names.filter((name) => SLOW.has(name)).map(replay));
  const found: (readonly string[])[] = [];
  for (const name of names.filter((one) => !SLOW.has(one))) found.push(await replayPastSweeps(name));
  found.push(...(await slow));
  const failed = found.map((lines) => lines.filter((line) => !ONLY_A_GATEWAY.test(line)));
  const passed = failed.filter((lines) => lines.length === 0).length;
  const spared = found.flat().filter((line) => ONLY_A_GATEWAY.test(line));
  console.log(`# traces: ${String(passed)} of ${String(names.length)} pass, ${String(names.length - passed)} failed`);
  for (const line of spared) console.log(`# a Gateway's own answer, not compared: ${line}`);
  assert.equal(spared.length, 3);
  assert.deepEqual(failed.flat(), []);
});
