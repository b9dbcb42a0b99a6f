// The flows of a Gateway as they are watched: a model of the host, a real file of the plugin's own, real receivers.

import { DatabaseSync } from "node:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, expect, test } from "vitest";
import { Log } from "../../../adapters/bridge/log.ts";
import { FlowChanges } from "../../../adapters/flows/changes.ts";
import { GatewayCallbacks } from "../../../adapters/gateway/callbacks.ts";
import { PluginFile } from "../../../adapters/managed-flows/plugin-file.ts";
import { type Look, PluginOutbox } from "../../../adapters/managed-flows/plugin-outbox.ts";
import { type Config, EVENT_KINDS, loadConfig, sha256, tellableFlow } from "../../../core/index.ts";
import { SECRET } from "../../support/callbacks.ts";
import { ModelHost } from "../../support/model-host.ts";
import { Receiver, status, verify } from "../../support/receiver.ts";
import { runs } from "../../support/runs.ts";

const folder = mkdtempSync(join(tmpdir(), "watcher-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(folder, String((files += 1)), "below", "deliveries.sqlite");

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

const SESSION = "agent:main:watched";

const configOf = (notify: object | undefined): Config =>
  loadConfig(
    { routes: { a: { sessionKey: SESSION, secret: "a secret that opens, long enough", ...(notify && { notify }) } } },
    sha256,
  );

type Told = {
  readonly type: string;
  readonly data: { readonly flow: { readonly flowId: string; readonly revision: number } };
};

const begin = async () => {
  const hook = await new Receiver().start();
  ends.push(() => hook.close());
  const path = newFile();
  const lab = {
    hook,
    path,
    host: new ModelHost(),
    lists: 0,
    refresh: (): void => undefined,
    trouble: undefined as undefined | ((owner: string) => unknown),
    config: configOf({ url: hook.origin, secret: SECRET }),
    problems: [] as readonly string[],
    lines: [] as string[],
    changes: new FlowChanges(),
    bind: () => lab.host.bind(SESSION),
    told: () => hook.got.map(({ body }) => JSON.parse(body) as Told),
    start: (everyMs = 5) => {
      const say = (line: string): void => void lab.lines.push(line);
      const callbacks = new GatewayCallbacks({
        config: () => lab.config,
        refresh: () => lab.refresh(),
        bind: (owner) => {
          const { flows, canceller } = lab.host.bind(owner);
          const list = (): unknown => {
            lab.lists += 1;
            return lab.trouble === undefined ? Promise.resolve(flows.list()) : lab.trouble(owner);
          };
          return { flows: { ...flows, list }, canceller };
        },
        file: new PluginFile({ file: () => path }),
        changes: lab.changes,
        log: new Log({ info: say, warn: say, error: say }, () => 0),
        onProblems: (lines) => (lab.problems = lines),
        everyMs,
      });
      callbacks.start();
      ends.push(() => callbacks.stop());
      return callbacks;
    },
    /** Resolves once the host has been asked for so many more lists. */
    looks: async (count = 2) => {
      const wanted = lab.lists + count;
      while (lab.lists < wanted) await new Promise((resolve) => setTimeout(resolve, 1));
    },
  };
  return lab;
};

const idOf = (made: unknown): string => (made as { flowId: string }).flowId;

test("NOTIFY-10, NOTIFY-2: what anybody changes in the Gateway is told to the route of the session, once, signed", async () => {
  const lab = await begin();
  lab.start();
  await lab.looks();
  const { flows } = lab.bind();
  const flowId = idOf(flows.tryCreateManaged({ goal: "g", controllerId: "c" }));
  idOf(lab.host.bind("agent:main:other").flows.tryCreateManaged({ goal: "g", controllerId: "c", status: "waiting" }));
  await lab.looks();
  expect(lab.hook.got).toEqual([]);
  flows.finish({ flowId, expectedRevision: 0 });
  await lab.hook.has(1);
  await lab.looks();
  const [got] = lab.hook.got;
  expect(lab.told().map(({ type, data }) => [type, data.flow.flowId])).toEqual([["flow.ended", flowId]]);
  expect(got && verify(SECRET, got)).toMatchObject({ data: { routeId: "a", flow: { flowId, revision: 1 } } });
  expect(got?.body).not.toContain(SESSION);
});

test("NOTIFY-10: what was there at the first look is not told, and what changes later is, also over a restart", async () => {
  const lab = await begin();
  const { flows } = lab.bind();
  const old = idOf(flows.tryCreateManaged({ goal: "old", controllerId: "c", status: "waiting" }));
  await new Promise((resolve) => setTimeout(resolve, 2));
  const first = lab.start();
  await lab.looks();
  await first.stop();
  expect(lab.hook.got).toEqual([]);
  flows.resume({ flowId: old, expectedRevision: 0 });
  flows.finish({ flowId: old, expectedRevision: 1 });
  const fresh = idOf(flows.tryCreateManaged({ goal: "new", controllerId: "c", status: "blocked" }));
  lab.start();
  await lab.hook.has(2);
  await lab.looks();
  expect(
    lab
      .told()
      .map(({ type, data }) => [type, data.flow.flowId])
      .toSorted(),
  ).toEqual(
    [
      ["flow.blocked", fresh],
      ["flow.ended", old],
    ].toSorted(),
  );
});

test("NOTIFY-10: nothing is asked and no file is made while no route has notify; one that gets it is followed", async () => {
  const lab = await begin();
  const { config } = lab;
  lab.config = configOf(undefined);
  const callbacks = lab.start();
  callbacks.follow();
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect([lab.lists, new PluginFile({ file: () => lab.path }).exists()]).toEqual([0, false]);
  lab.config = config;
  callbacks.follow();
  await lab.looks();
  lab.bind().flows.tryCreateManaged({ goal: "g", controllerId: "c", status: "waiting" });
  await lab.hook.has(1);
});

test("NOTIFY-10: a configuration that changes while no request comes is followed", async () => {
  const lab = await begin();
  const { config } = lab;
  const refreshed: number[] = [];
  lab.refresh = () => {
    refreshed.push(lab.lists);
    lab.config = refreshed.length < 3 ? configOf(undefined) : config;
  };
  lab.start();
  while (refreshed.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
  await lab.looks();
  expect(refreshed.slice(0, 3)).toEqual([0, 0, 0]);
});

test.each([
  [
    "throws",
    () => {
      throw new Error("down");
    },
  ],
  ["rejects", () => Promise.reject(new Error("down"))],
  ["answers nonsense", () => Promise.resolve({ flows: [] })],
  ["answers a bad record", () => Promise.resolve([{ flowId: 5 }])],
  [
    "answers a record that throws",
    () =>
      Promise.resolve([
        Object.defineProperty({}, "flowId", {
          get: () => {
            throw new Error("no");
          },
        }),
      ]),
  ],
])("NOTIFY-10: a host that %s is asked again, and nothing is lost", async (_, trouble) => {
  const lab = await begin();
  lab.start();
  await lab.looks();
  lab.trouble = trouble;
  lab.bind().flows.tryCreateManaged({ goal: "g", controllerId: "c", status: "waiting" });
  await lab.looks();
  expect(lab.hook.got).toEqual([]);
  expect(lab.lines).toEqual([expect.stringMatching(/did not list the flows|cannot be read/u)]);
  lab.trouble = undefined;
  await lab.hook.has(1);
  expect(lab.told()[0]?.type).toBe("flow.waiting");
});

test("NOTIFY-10: a write of the plugin's own is looked at without waiting for the next turn", async () => {
  const lab = await begin();
  lab.start(3_600_000);
  await lab.looks(1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const flowId = idOf(lab.bind().flows.tryCreateManaged({ goal: "g", controllerId: "c", status: "waiting" }));
  lab.changes.tell(SESSION, flowId);
  await lab.hook.has(1);
});

const poisoned = (): unknown => expect.fail("read");

test.each([
  ["has a status that nobody knows", { status: "paused" }],
  ["has no revision", { revision: undefined }],
  ["runs the host's code when it is read", Object.defineProperty({}, "status", { get: poisoned, enumerable: true })],
])("NOTIFY-10: a flow that %s keeps no other flow of its session from being told", async (_, wrong) => {
  const lab = await begin();
  const { flows } = lab.bind();
  const told = idOf(flows.tryCreateManaged({ goal: "told", controllerId: "c" }));
  const spoilt = idOf(flows.tryCreateManaged({ goal: "spoilt", controllerId: "c", status: "waiting" }));
  await new Promise((resolve) => setTimeout(resolve, 2));
  lab.start();
  await lab.looks();
  const listed = (): readonly object[] => flows.list() as readonly object[];
  const copy = (flow: object): object => Object.defineProperties({ ...flow }, Object.getOwnPropertyDescriptors(wrong));
  lab.trouble = () => listed().map((flow) => (idOf(flow) === spoilt ? copy(flow) : flow));
  await lab.looks();
  flows.finish({ flowId: told, expectedRevision: 0 });
  await lab.hook.has(1);
  expect(lab.lines[0]).toContain("a flow of a session that has callbacks cannot be read");
  lab.trouble = undefined;
  await lab.looks(3);
  expect(lab.told().map(({ data }) => data.flow.flowId)).toEqual([told]);
});

test("NOTIFY-10: a flow that could not be read at the first look, and has not changed since, is not told", async () => {
  const lab = await begin();
  const { flows } = lab.bind();
  const old = idOf(flows.tryCreateManaged({ goal: "old", controllerId: "c", status: "waiting" }));
  await new Promise((resolve) => setTimeout(resolve, 2));
  lab.trouble = () => (flows.list() as readonly object[]).map((flow) => ({ ...flow, revision: "one" }));
  lab.start();
  await lab.looks(3);
  lab.trouble = undefined;
  await lab.looks(3);
  expect(lab.hook.got).toEqual([]);
  flows.finish({ flowId: old, expectedRevision: 0 });
  await lab.hook.has(1);
});

test("NOTIFY-10: a list that runs the host's code when it is read keeps no other session from being told", async () => {
  const lab = await begin();
  const notify = { url: lab.hook.origin, secret: SECRET };
  const secret = "a secret that opens, long enough";
  const routes = {
    b: { sessionKey: "agent:main:bad", secret: `${secret}!`, notify },
    a: { sessionKey: SESSION, secret, notify },
  };
  lab.config = loadConfig({ routes }, sha256);
  const { flows } = lab.bind();
  const flowId = idOf(flows.tryCreateManaged({ goal: "g", controllerId: "c" }));
  const trap = new Proxy([], { get: poisoned });
  lab.trouble = (owner) => (owner === SESSION ? flows.list() : trap);
  lab.start();
  await lab.looks(4);
  flows.finish({ flowId, expectedRevision: 0 });
  await lab.hook.has(1);
  expect(lab.told().map(({ data }) => data.flow.flowId)).toEqual([flowId]);
});

test("NOTIFY-10: a slow host is asked for at most a twentieth of the time", async () => {
  const lab = await begin();
  const answer = lab.host.bind(SESSION).flows;
  lab.trouble = () => new Promise((resolve) => setTimeout(() => resolve(answer.list()), 20));
  const begun = performance.now();
  lab.start(1);
  await lab.looks(2);
  expect(performance.now() - begun).toBeGreaterThan(20 * 20);
});

test("NOTIFY-9, NOTIFY-10: a receiver that wants nothing more is a problem of the Gateway's health", async () => {
  const lab = await begin();
  lab.hook.answering = status(410);
  lab.start();
  await lab.looks();
  lab.bind().flows.tryCreateManaged({ goal: "g", controllerId: "c", status: "waiting" });
  while (lab.problems.length === 0) await lab.looks();
  expect(lab.problems).toEqual([expect.stringContaining("which answered 410")]);
});

test("NOTIFY-10: flows that the Gateway has removed are forgotten", async () => {
  const lab = await begin();
  lab.bind().flows.tryCreateManaged({ goal: "g", controllerId: "c" });
  const callbacks = lab.start();
  await lab.looks(3);
  lab.trouble = () => [];
  await lab.looks(3);
  await callbacks.stop();
  const database = new DatabaseSync(lab.path, { readOnly: true });
  expect(database.prepare("SELECT count(*) AS seen FROM seen").get()?.["seen"]).toBe(0);
  database.close();
});

const flow = fc.record({
  flowId: fc.constantFrom("x", "y"),
  revision: fc.nat({ max: 9 }),
  status: fc.constantFrom("queued", "running", "waiting", "succeeded", "failed"),
});

const NOW = 1_700_000_000_000;

const lookOf = (found: readonly { flowId: string; revision: number; status: string }[], at: number): Look =>
  new Map(
    found.map((one) => {
      const isEnd = one.status === "succeeded" || one.status === "failed";
      const record = { ...one, syncMode: "managed", notifyPolicy: "silent", goal: "g", createdAt: 1, updatedAt: at };
      const told = tellableFlow({ ...record, ...(isEnd && { endedAt: at }) });
      if (told === undefined) throw new Error("not a flow");
      return [one.flowId, told];
    }),
  );

test("NOTIFY-10: after each look every flow's last state has been told, and a look that is repeated tells nothing", () => {
  fc.assert(
    fc.property(fc.array(fc.array(flow, { maxLength: 2 }), { maxLength: 6 }), (looks) => {
      const file = new PluginFile({ file: newFile });
      const outbox = new PluginOutbox(file);
      const subscriptions = [{ routeId: "r", name: "r", on: new Set(EVENT_KINDS) }];
      outbox.watch(["s"], NOW)._unsafeUnwrap();
      outbox.found("s", { look: new Map(), isWhole: true }, subscriptions, NOW)._unsafeUnwrap();
      const before = new Map<string, string>();
      for (const [number, found] of looks.entries()) {
        const look = lookOf(found, NOW + number + 1);
        const due = [...look.values()].filter(
          ({ flowId, status: now }) =>
            now !== "queued" && now !== "running" && (now !== "waiting" || before.get(flowId) !== "waiting"),
        );
        expect(outbox.found("s", { look, isWhole: true }, subscriptions, NOW)._unsafeUnwrap()).toBe(due.length);
        expect(outbox.found("s", { look, isWhole: true }, subscriptions, NOW)._unsafeUnwrap()).toBe(0);
        before.clear();
        for (const { flowId, status: now } of look.values()) before.set(flowId, now);
      }
      file.close();
    }),
    { numRuns: runs(30) },
  );
});
