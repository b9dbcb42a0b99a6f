// Memory, SQLite and an engine that answers by promises pass the suite for flow stores, SQLite also after a crash.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, test } from "vitest";
import { flowStoreSuite } from "../../../adapters/conformance/flow-store-suite.ts";
import type { EmbeddedFlows } from "../../../adapters/flows/embedded-store.ts";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { openSqliteFlows, type SqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import { laterFlows } from "../../support/later.ts";
import { runs } from "../../support/runs.ts";

const folder = mkdtempSync(join(tmpdir(), "flow-stores-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const newFile = (): string => join(folder, `${String((files += 1))}.db`);
const open = (file: string): SqliteFlows => openSqliteFlows(file)._unsafeUnwrap();

const sweep = async (flows: FlowStore): Promise<number> => (await (flows as EmbeddedFlows).sweep())._unsafeUnwrap();

describe("FLOW-1, FLOW-2, FLOW-3, FLOW-4, FLOW-5, SCOPE-1, STORE-5, TASK-1: memory", () => {
  flowStoreSuite(test, { open: () => memoryFlows(), sweep, runs: runs(50) });
});

describe("STORE-1, FLOW-1, FLOW-3, SCOPE-1, TASK-1: an engine that answers later", () => {
  flowStoreSuite(test, { open: () => laterFlows(), sweep, runs: runs(50) });
});

describe("STORE-1, STORE-2, STORE-5, TASK-1: sqlite", { timeout: 60_000 }, () => {
  const file = newFile();
  flowStoreSuite(test, {
    open: () => open(file),
    // a crash closes nothing: the old handle stays open, like that of a stopped process
    reopen: () => open(file),
    sweep,
    runs: runs(50),
  });
});
