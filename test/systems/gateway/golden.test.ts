// Every recorded trace of the bundled plugin, replayed against the installed tarball in a real Gateway.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runTrace } from "../../golden/replay.mjs";
import { unexpected } from "../../support/golden.ts";
import { type Config, Gateway, type HostName, PACKED, ROOT } from "./harness.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;
const GOLDEN = join(ROOT, "test", "golden");
const read = (file: string): Config => JSON.parse(readFileSync(join(GOLDEN, file), "utf8")) as Config;
const names = readdirSync(join(GOLDEN, "traces")).map((file) => file.replace(".json", ""));

/** These traces take long on purpose. No other trace uses their routes and flows, so they run beside the others. */
const SLOW = new Set(["rate-limit-window", "sweep-ends-cancelled-flows", "slow-body"]);

let gateway: Gateway;
before(async () => {
  gateway = await Gateway.start(HOST, read("config.json"), [PACKED]);
});
after(() => gateway.discard());

const replay = async (name: string): Promise<readonly string[]> => {
  const { mismatches } = await runTrace(read(join("traces", `${name}.json`)), { base: gateway.base });
  return unexpected(mismatches).map((line) => `${name}: ${line}`);
};

/** The Gateway sweeps once a minute. A trace with cancel intents that a sweep disturbed is run once more. */
const replayPastSweeps = async (name: string): Promise<readonly string[]> => {
  const mismatches = await replay(name);
  const isSweep =
    mismatches.length > 0 &&
    name.startsWith("intent-") &&
    mismatches.every((line) => /revision|updated|status|ended/iu.test(line));
  if (isSweep) console.log(`# ${name}: a sweep fell into it, run again`);
  return isSweep ? replay(name) : mismatches;
};

test(
  `all ${String(names.length)} golden traces replay against the installed plugin on ${HOST}`,
  { timeout: 900_000 },
  async () => {
    const slow = Promise.all(names.filter((name) => SLOW.has(name)).map(replay));
    const failed: string[] = [];
    let passed = 0;
    for (const name of names.filter((one) => !SLOW.has(one))) {
      const mismatches = await replayPastSweeps(name);
      if (mismatches.length === 0) passed += 1;
      failed.push(...mismatches);
    }
    for (const mismatches of await slow) {
      if (mismatches.length === 0) passed += 1;
      failed.push(...mismatches);
    }
    console.log(`# traces: ${String(passed)} of ${String(names.length)} pass`);
    assert.deepEqual(failed, []);
  },
);
