// Every recorded trace of the Gateway's bundled plugin, replayed against a standalone server with the Gateway's own
// configuration file.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runTrace } from "../../golden/replay.mjs";
import { unexpected } from "../../support/golden.ts";
import type { Standalone } from "./harness.ts";

const GOLDEN = join(import.meta.dirname, "..", "..", "golden");
const names = readdirSync(join(GOLDEN, "traces")).map((file) => file.replace(".json", ""));

/**
 * Steps that a Gateway alone answers as recorded, with the answer here. Its own auth refuses broken percent-encoding, and it
 * takes what follows a second slash for a host name (ROUTE-1). Its bundled plugin looks at the first of two headers (AUTH-7,
 * BODY-1), and neither at a charset nor at compression (BODY-6).
 */
const ONLY_A_GATEWAY = [
  "auth-repeated-authorization: step 1 (right, wrong): status: expected 200, got 401",
  "body-encoding: step 6 (says gzip, is not): status: expected 200, got 415",
  "body-encoding: step 7 (really gzip): status: expected 400, got 415",
  "content-type-accepted: step 4 (application/json ; charset=iso-8859-1): status: expected 200, got 415",
  "content-type-refused: step 16 (twice: the first counts): status: expected 200, got 415",
  "path-unknown: step 5 (leading double slash): status: expected 404, got 200",
  "path-unknown: step 8 (broken percent-encoding): status: expected 401, got 404",
  "path-unknown: step 9 (broken percent-encoding): status: expected 401, got 404",
  "path-unknown: step 10 (broken percent-encoding): status: expected 401, got 404",
];

const stepOf = (line: string): string => line.slice(0, line.indexOf("): ") + 1);

/** Whether a line is of such a step: its status, or what goes with the status. */
const isSpared = (line: string): boolean => ONLY_A_GATEWAY.some((spared) => stepOf(spared) === stepOf(line));

/** These traces take long on purpose. No other trace uses their routes and flows, so they run beside the others. */
const SLOW = new Set(["rate-limit-window", "sweep-ends-cancelled-flows", "slow-body"]);

export const GOLDEN_CONFIG = join(GOLDEN, "config.json");

/** Registers the test. `start`: a server with GOLDEN_CONFIG, on a store of its own. */
export const goldenSuite = (name: string, start: () => Promise<Standalone>): void => {
  let server: Standalone | undefined;
  before(async () => {
    server = await start();
  });
  after(async () => {
    await server?.end("SIGKILL");
  });

  const replay = async (name: string): Promise<readonly string[]> => {
    const trace: unknown = JSON.parse(readFileSync(join(GOLDEN, "traces", `${name}.json`), "utf8"));
    const { mismatches } = await runTrace(trace, { base: server?.base ?? "" });
    return unexpected(mismatches).map((line) => `${name}: ${line}`);
  };

  /** The server sweeps once a minute. A trace with cancel intents that a sweep disturbed is run once more. */
  const replayPastSweeps = async (name: string): Promise<readonly string[]> => {
    const mismatches = await replay(name);
    return mismatches.length > 0 && name.startsWith("intent-") ? replay(name) : mismatches;
  };

  test(name, { timeout: 300_000 }, async () => {
    const slow = Promise.all(names.filter((name) => SLOW.has(name)).map(replay));
    const found: (readonly string[])[] = [];
    for (const name of names.filter((one) => !SLOW.has(one))) found.push(await replayPastSweeps(name));
    found.push(...(await slow));
    const failed = found.map((lines) => lines.filter((line) => !isSpared(line)));
    const passed = failed.filter((lines) => lines.length === 0).length;
    const spared = found.flat().filter((line) => isSpared(line) && line.includes(": status: "));
    console.log(`# traces: ${String(passed)} of ${String(names.length)} pass, ${String(names.length - passed)} failed`);
    for (const line of spared) console.log(`# answered so by a Gateway alone: ${line}`);
    assert.deepEqual(spared.toSorted(), ONLY_A_GATEWAY.toSorted());
    assert.deepEqual(failed.flat(), []);
  });
};
