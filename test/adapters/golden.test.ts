// Replays the Gateway's recorded traces against the bridge on the model host, without a Gateway.
// `npm run test:gateway` replays all of them against the installed plugin.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runTrace } from "../golden/replay.mjs";
import { unexpected } from "../support/golden.ts";
import { ModelHost } from "../support/model-host.ts";
import { modelFlows, startServer, type TestServer } from "../support/server.ts";

const GOLDEN = join(import.meta.dirname, "..", "golden");
const read = (file: string): unknown => JSON.parse(readFileSync(join(GOLDEN, file), "utf8"));

/** Traces that the model host cannot answer, or that take long on purpose. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "run-task-reuse": "the model host does not reuse task records",
  "run-task-silent-policy": "the model host does not reuse task records",
  "revision-race": "the model host does not reuse task records",
  "trim-strings": "the model host does not reuse task records",
  "path-unknown": "the Gateway itself answers broken percent-encoding",
  "sweep-ends-cancelled-flows": "waits for the Gateway's sweep, 66 s",
  "rate-limit-window": "waits for the window's end, 62 s",
  "slow-body": "waits for the body's deadline, 15 s",
};

type Config = { readonly plugins: { readonly entries: { readonly webhooks: { readonly config: unknown } } } };

let server: TestServer;
beforeAll(async () => {
  server = await startServer(
    (read("config.json") as Config).plugins.entries.webhooks.config,
    modelFlows(new ModelHost()),
  );
});
afterAll(() => server.close());

const names = readdirSync(join(GOLDEN, "traces")).map((file) => file.replace(".json", ""));

test.each(names.filter((name) => !(name in ELSEWHERE)))("trace %s", { timeout: 30_000 }, async (name) => {
  const { mismatches } = await runTrace(read(join("traces", `${name}.json`)), { base: server.base });
  expect(unexpected(mismatches)).toEqual([]);
  expect(server.defects).toEqual([]);
});

test("every trace that is left out here still exists", () => {
  expect(Object.keys(ELSEWHERE).filter((name) => !names.includes(name))).toEqual([]);
});
