// Who is told of changes: by each store of this product, and of what another process writes to its file.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { err, ok, type Result } from "neverthrow";
import { afterEach, expect, test, vi } from "vitest";
import { FlowChanges } from "../../../adapters/flows/changes.ts";
import type { EmbeddedFlows } from "../../../adapters/flows/embedded-store.ts";
import type { StoreFault } from "../../../adapters/flows/engine.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { openSqliteFlows, type SqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import { OtherWriters } from "../../../adapters/flows/sqlite/other-writers.ts";
import { laterFlows } from "../../support/later.ts";
import { runs } from "../../support/runs.ts";

const folders: string[] = [];
const open: SqliteFlows[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const flows of open.splice(0)) flows.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const newFile = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "openclaw-webhooks-"));
  folders.push(folder);
  return join(folder, "flows.db");
};

const sqliteFlows = (file: string): SqliteFlows => {
  const flows = openSqliteFlows(file)._unsafeUnwrap();
  open.push(flows);
  return flows;
};

const ignore = (): void => undefined;
const OWNER = "agent:main:main";

const create = async (flows: EmbeddedFlows, owner = OWNER): Promise<string> => {
  const made = await flows.execute(owner, { action: "create_flow", goal: "g", controllerId: "c" }, ignore);
  const outcome = made._unsafeUnwrap();
  return outcome.kind === "created" ? String(outcome.flow.json["flowId"]) : expect.fail("no flow");
};

test("WAIT-4: each listener is told of exactly the changes of its session, while it listens, and the store of the first and the last one", () => {
  const step = fc.record({
    kind: fc.constantFrom("watch", "leave", "tell", "all"),
    owner: fc.constantFrom("a", "b"),
    which: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const watched: boolean[] = [];
      const changes = new FlowChanges((isWatched) => watched.push(isWatched));
      const listening: { readonly owner: string; readonly heard: unknown[]; readonly end: () => void }[] = [];
      for (const { kind, owner, which } of steps) {
        const before = listening.map(({ heard }) => heard.length);
        if (kind === "watch") {
          const heard: unknown[] = [];
          listening.push({ owner, heard, end: changes.watch(owner, (flowId) => heard.push(flowId)) });
        } else if (kind === "leave") {
          for (const { end } of listening.splice(which % Math.max(1, listening.length), 1)) {
            end();
            end();
          }
        } else {
          if (kind === "tell") changes.tell(owner, "f");
          else changes.tellAll();
          for (const [index, one] of listening.entries()) {
            const isTold = kind === "all" || one.owner === owner;
            expect(one.heard.slice(before[index])).toEqual(isTold ? [kind === "all" ? undefined : "f"] : []);
          }
        }
        expect(changes.isWatched).toBe(listening.length > 0);
        expect(watched.at(-1) ?? false).toBe(listening.length > 0);
        expect(watched.every((one, index) => one === (index % 2 === 0))).toBe(true);
      }
    }),
    { numRuns: runs(200) },
  );
});

const STORES: readonly (readonly [string, () => EmbeddedFlows])[] = [
  ["memory", memoryFlows],
  ["later", laterFlows],
  ["sqlite", () => sqliteFlows(newFile())],
];

test.each(STORES)(
  "WAIT-4: the store %s tells of each flow that it has written, once it can be read, and of nothing else",
  async (_, make) => {
    const flows = make();
    const flowId = await create(flows);
    const heard: unknown[] = [];
    const foreign: unknown[] = [];
    flows.changes.watch(OWNER, (changed) => heard.push(changed));
    flows.changes.watch("agent:main:other", (changed) => foreign.push(changed));
    const act = (action: Parameters<EmbeddedFlows["execute"]>[1]) => flows.execute(OWNER, action, ignore);
    await act({ action: "get_flow", flowId });
    await act({ action: "list_flows" });
    await act({ action: "set_waiting", flowId, expectedRevision: 7 });
    expect(heard).toEqual([]);
    await act({ action: "set_waiting", flowId, expectedRevision: 0 });
    await act({ action: "request_cancel", flowId, expectedRevision: 1 });
    expect(heard).toEqual([flowId, flowId]);
    const made = await create(flows);
    expect([heard.at(-1), foreign]).toEqual([made, []]);
    heard.length = 0;
    await flows.sweep();
    expect([heard, foreign]).toEqual([[undefined], [undefined]]);
  },
);

const ANOTHER_PROCESS = `
const { DatabaseSync } = require("node:sqlite");
const database = new DatabaseSync(process.argv[1]);
database.exec("PRAGMA busy_timeout = 5000; UPDATE flows SET revision = revision + 1");
database.close();
`;

test("WAIT-4: what another process writes to the file is told within about a second, also what came before the first look", async () => {
  const file = newFile();
  const flows = sqliteFlows(file);
  await create(flows);
  for (let round = 0; round < 2; round += 1) {
    const told = Promise.withResolvers<void>();
    const end = flows.changes.watch(OWNER, () => told.resolve());
    const began = performance.now();
    execFileSync(process.execPath, ["-e", ANOTHER_PROCESS, file]);
    const written = performance.now();
    await told.promise;
    expect(performance.now() - written).toBeLessThan(1900);
    expect(performance.now() - began).toBeGreaterThan(500);
    end();
  }
});

test("WAIT-4: the file is looked at once a second while anyone wants to know, and never else; trouble is told each time", () => {
  vi.useFakeTimers();
  let version: Result<number, StoreFault> = ok(1);
  const asked = vi.fn(() => version);
  const notice = vi.fn();
  const others = new OtherWriters({ version: asked, notice });
  vi.advanceTimersByTime(10_000);
  expect(asked).not.toHaveBeenCalled();
  others.watch(true);
  vi.advanceTimersByTime(5000);
  expect([asked.mock.calls.length, notice.mock.calls.length]).toEqual([6, 0]);
  version = ok(2);
  vi.advanceTimersByTime(3000);
  expect(notice).toHaveBeenCalledTimes(1);
  others.watch(false);
  version = ok(3);
  others.watch(true);
  vi.advanceTimersByTime(3000);
  expect(notice).toHaveBeenCalledTimes(1);
  version = err({ error: new Error("lost") });
  vi.advanceTimersByTime(3000);
  expect(notice).toHaveBeenCalledTimes(4);
  others.watch(false);
  asked.mockClear();
  vi.advanceTimersByTime(10_000);
  expect([asked.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0]);
});
