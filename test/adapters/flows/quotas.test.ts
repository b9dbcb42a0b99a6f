// Quotas of a route, from the request to the embedded store that counts, and what lists cost a caller in codes.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { createFetchHandler, type FetchHandler } from "../../../adapters/fetch/index.ts";
import { createEmbeddedStore, type EmbeddedFlows } from "../../../adapters/flows/embedded-store.ts";
import type { Decided, FlowEngine } from "../../../adapters/flows/engine.ts";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { MemoryEngine, memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { openSqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import {
  type Delivery,
  type FlowAction,
  type FlowRecord,
  type FlowView,
  isEnded,
  type Needs,
  ok,
  type Result,
  type Stored,
} from "../../../core/index.ts";
import { laterFlows } from "../../support/later.ts";
import { runs } from "../../support/runs.ts";

const folder = mkdtempSync(join(tmpdir(), "quotas-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(folder, `${String((files += 1))}.db`);

const STORES: Readonly<Record<string, () => EmbeddedFlows>> = {
  memory: () => memoryFlows(),
  "a store that answers later": () => laterFlows(),
  sqlite: () => openSqliteFlows(newFile())._unsafeUnwrap(),
};

const OWNER = "agent:main:owner";
const ignore = (): void => undefined;
const CREATE: FlowAction = { action: "create_flow", goal: "g", controllerId: "c" };
let routes = 0;

const STEP = fc.record({
  does: fc.constantFrom("create", "create", "create", "plain", "finish", "reopen", "resume", "wait", "cancel", "task"),
  which: fc.nat({ max: 6 }),
  key: fc.option(fc.constantFrom("a", "b", "c"), { nil: undefined }),
  bind: fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
});

test.each(Object.keys(STORES))(
  "QUOTA-1, QUOTA-3: %s makes no flow and no task above the quota, whatever is asked in any order and at once",
  { timeout: 60_000 },
  async (name) => {
    const store = STORES[name]?.() ?? memoryFlows();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(STEP, { minLength: 1, maxLength: 4 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        async (rounds, quota) => {
          routes += 1;
          const owner = `${OWNER}:${String(routes)}`;
          const routeId = `r${String(routes)}`;
          const flowsOf = async (): Promise<readonly FlowRecord[]> => {
            const listed = (await store.execute(owner, { action: "list_flows" }, ignore))._unsafeUnwrap();
            return listed.kind === "flows" ? listed.flows.map(({ json }) => json as unknown as FlowRecord) : [];
          };
          const open = async (): Promise<number> => (await flowsOf()).filter((one) => !isEnded(one)).length;
          const answered = new Map<string, string>();
          const bound = new Map<string, string>();
          for (const round of rounds) {
            const before = await flowsOf();
            const openBefore = await open();
            const asked = round.map(async ({ does, which, key, bind }) => {
              const target = before[which % Math.max(1, before.length)];
              const about = { flowId: target?.flowId ?? "none", expectedRevision: target?.revision ?? 0 };
              const once = key === undefined ? undefined : { key: `${does} ${key}`, fingerprint: "f" };
              const delivery: Delivery = {
                routeId,
                once,
                bind: does === "create" ? bind : undefined,
                starts: false,
                quota,
              };
              const run = (action: FlowAction, by?: Delivery) => store.execute(owner, action, ignore, by);
              if (does === "create") return { key: once?.key, bind, result: await run(CREATE, delivery) };
              if (does === "task")
                return {
                  result: await run(
                    { action: "run_task", ...about, expectedRevision: undefined, runtime: "acp", task: "t" } as never,
                    { ...delivery, once: undefined },
                  ),
                };
              // of a route with the bound, so that an ended flow opens only where there is room
              const bounded = { ...delivery, once: undefined };
              if (does === "resume") return { result: await run({ action: "resume_flow", ...about }, bounded) };
              if (does === "wait") return { result: await run({ action: "set_waiting", ...about }, bounded) };
              if (does === "plain") return { isPlain: true, result: await run(CREATE) };
              if (does === "finish") return { result: await run({ action: "finish_flow", ...about }) };
              if (does === "cancel") return { result: await run({ action: "cancel_flow", flowId: about.flowId }) };
              return { isReopened: true, result: await run({ action: "resume_flow", ...about }) };
            });
            const answers = await Promise.all(asked);
            let above = 0;
            for (const { key, bind, isPlain, isReopened, result } of answers as readonly {
              readonly key?: string;
              readonly bind?: string;
              readonly isPlain?: boolean;
              readonly isReopened?: boolean;
              readonly result: Awaited<ReturnType<FlowStore["execute"]>>;
            }[]) {
              const outcome = result._unsafeUnwrap();
              if (isPlain === true || (isReopened === true && outcome.kind === "applied")) above += 1;
              if (outcome.kind === "over_quota") expect(outcome.most).toBe(quota);
              const id = "flow" in outcome && outcome.flow ? String(outcome.flow.json["flowId"]) : "";
              // what was carried out under a key is answered again, at the quota too
              if (key !== undefined && answered.has(key))
                expect([outcome.kind, id]).toEqual(
                  ["created", answered.get(key)].map((one, at) =>
                    at === 0 && outcome.kind === "existing" ? "existing" : one,
                  ),
                );
              if (key !== undefined && (outcome.kind === "created" || outcome.kind === "existing"))
                answered.set(key, id);
              if (bind !== undefined && outcome.kind === "created" && outcome.replayed !== true) bound.set(bind, id);
            }
            // plain creates and reopened flows are not bounded, and may have come before or after
            expect(await open()).toBeLessThanOrEqual(Math.max(quota, openBefore) + above);
          }
          for (const { flowId } of await flowsOf()) {
            const summary = (
              await store.execute(owner, { action: "get_task_summary", flowId }, ignore)
            )._unsafeUnwrap();
            expect(summary.kind === "summary" && Number(summary.summary?.json["active"]) <= quota).toBe(true);
          }
        },
      ),
      { numRuns: runs(60) },
    );
  },
);

const SECRET = "a-secret-of-some-length-0123";

const handlerOf = (flows: FlowStore, limits: object, lines: string[] = []): FetchHandler =>
  createFetchHandler({
    config: { routes: { r: { path: "/r", sessionKey: OWNER, secret: SECRET, limits } } },
    flows,
    logger: { info: ignore, warn: (line) => lines.push(line), error: (line) => lines.push(line) },
  });

const ask = async (
  handler: FetchHandler,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: Record<string, never> }> => {
  const response = await handler(
    new Request("http://h/r", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${SECRET}`, ...headers },
      body: JSON.stringify(body),
    }),
    { client: "192.0.2.1", peer: "10.0.0.1" },
  );
  return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, never> };
};

test("QUOTA-1, QUOTA-3: a caller at the quota is told the number, nothing is done, and its key stays free", async () => {
  const handler = handlerOf(memoryFlows(), { maxFlows: 2, maxTasks: 1 });
  const create = { action: "create_flow", goal: "g" };
  const first = await ask(handler, create, { "idempotency-key": "a" });
  await ask(handler, create);
  const refused = await ask(handler, create, { "idempotency-key": "b" });
  expect([refused.status, refused.body]).toEqual([
    429,
    {
      ok: false,
      routeId: "r",
      code: "quota_exceeded",
      error: "The route allows 2 open flows. End one, then try again.",
      result: { created: false, code: "quota_exceeded", limit: 2 },
    },
  ]);
  expect(refused.headers.get("retry-after")).toBe(null);
  const again = await ask(handler, create, { "idempotency-key": "a" });
  expect([again.status, again.body, again.headers.get("idempotent-replayed")]).toEqual([200, first.body, "true"]);
  const { flowId } = (first.body["result"] as unknown as { readonly flow: { readonly flowId: string } }).flow;
  const run = { action: "run_task", flowId, runtime: "acp", task: "t", runId: "one" };
  expect((await ask(handler, run)).status).toBe(200);
  // the same run is the same task, and no further one
  expect((await ask(handler, run)).status).toBe(200);
  const task = await ask(handler, { ...run, runId: "two" });
  expect([task.status, task.body["error"]]).toEqual([
    429,
    "The route allows 1 open tasks of a flow. End one, then try again.",
  ]);
  expect((await ask(handler, { ...run, flowId: "none", runId: "two" })).status).toBe(404);
  const { body } = await ask(handler, { action: "list_flows", limit: 1, status: "queued" });
  const { flows, nextCursor } = body["result"] as unknown as { flows: { flowId: string }[]; nextCursor: string };
  expect([flows.length, nextCursor]).toEqual([1, "2~"]);
  await ask(handler, { action: "finish_flow", flowId: flows[0]?.flowId, expectedRevision: 0 });
  expect((await ask(handler, create, { "idempotency-key": "b" })).status).toBe(200);
});

test("QUOTA-1, QUOTA-3: a flow that has ended is not opened again at the quota, one that is open changes as before", async () => {
  for (const store of Object.values(STORES)) {
    const handler = handlerOf(store(), { maxFlows: 1 });
    const flowIn = async (body: object): Promise<{ readonly flowId: string; readonly revision: number }> =>
      ((await ask(handler, body)).body["result"] as unknown as { flow: { flowId: string; revision: number } }).flow;
    const create = { action: "create_flow", goal: "g" };
    const { flowId } = await flowIn(create);
    await flowIn({ action: "finish_flow", flowId, expectedRevision: 0 });
    const other = await flowIn(create);
    for (const action of ["resume_flow", "set_waiting"]) {
      const reopen = { action, flowId, expectedRevision: 1 };
      const refused = await ask(handler, reopen, { "idempotency-key": action });
      expect([refused.status, refused.body]).toEqual([
        429,
        {
          ok: false,
          routeId: "r",
          code: "quota_exceeded",
          error: "The route allows 1 open flows. End one, then try again.",
          result: { applied: false, code: "quota_exceeded", limit: 1 },
        },
      ]);
      expect((await ask(handler, { ...reopen, expectedRevision: 0 })).status).toBe(409);
      expect((await ask(handler, { ...reopen, flowId: "none" })).status).toBe(404);
    }
    const waiting = await flowIn({ action: "set_waiting", flowId: other.flowId, expectedRevision: 0 });
    await flowIn({ action: "finish_flow", flowId: other.flowId, expectedRevision: waiting.revision });
    const reopen = { action: "resume_flow", flowId, expectedRevision: 1 };
    const opened = await ask(handler, reopen, { "idempotency-key": "resume_flow" });
    expect(opened.status).toBe(200);
    expect((await ask(handler, create)).status).toBe(429);
    // a repeat of what was carried out
    const again = await ask(handler, reopen, { "idempotency-key": "resume_flow" });
    expect([again.status, again.body]).toEqual([200, opened.body]);
  }
});

test("QUOTA-1: a store that takes no deliveries cannot count, and the host is told so at its start", async () => {
  const custom: FlowStore = { execute: (owner, action, report) => store.execute(owner, action, report) };
  const store = memoryFlows();
  const lines: string[] = [];
  const handler = handlerOf(custom, { maxFlows: 1 }, lines);
  expect(lines).toEqual([
    "[webhooks] route r advice: limits has maxFlows or maxTasks, but the store takes no deliveries, so nothing is counted. Use a store that takes them, or remove the two.",
  ]);
  for (const _ of [1, 2]) expect((await ask(handler, { action: "create_flow", goal: "g" })).status).toBe(200);
  handlerOf(custom, { perMinute: 5 }, lines);
  handlerOf(store, { maxFlows: 1 }, lines);
  expect(lines.length).toBe(1);
});

test("QUOTA-1: a store that says over_quota where there is none is not believed", async () => {
  const liar: FlowStore = { execute: () => ok({ kind: "over_quota", of: "flows", most: 3 }), takesDeliveries: true };
  expect((await ask(handlerOf(liar, {}), { action: "create_flow", goal: "g" })).status).toBe(502);
  expect((await ask(handlerOf(liar, { maxFlows: 3 }), { action: "create_flow", goal: "g" })).status).toBe(429);
});

/** An engine that was written before there were quotas. */
class OldEngine implements FlowEngine {
  readonly #rows = new MemoryEngine();

  transact<T extends Decided>({ open: _, ...needs }: Needs, decide: (stored: Stored) => T): Result<T, never> {
    return this.#rows.transact(needs, decide);
  }
}

test("QUOTA-1: an engine of one's own that does not count makes no flow for a route with a quota", async () => {
  const flows = createEmbeddedStore(new OldEngine(), { now: Date.now, newId: () => crypto.randomUUID() });
  expect((await ask(handlerOf(flows, { maxFlows: 1 }), { action: "create_flow", goal: "g" })).status).toBe(502);
  const created = (await flows.execute(OWNER, CREATE, ignore))._unsafeUnwrap() as { readonly flow: FlowView };
  const about = { flowId: created.flow.json["flowId"], expectedRevision: 0 };
  const bounded = handlerOf(flows, { maxFlows: 1 });
  expect((await ask(bounded, { action: "finish_flow", ...about })).status).toBe(200);
  expect((await ask(bounded, { action: "resume_flow", ...about, expectedRevision: 1 })).status).toBe(502);
  expect((await ask(handlerOf(flows, {}), { action: "create_flow", goal: "g" })).status).toBe(200);
});

test("LIST-3, LIST-4, LIST-5: over HTTP a bad cursor is a 400 with its field, a list that is too large a 413 that names limit", async () => {
  const inner = memoryFlows();
  const views: FlowView[] = [];
  const whole: FlowStore = {
    execute: async (owner, action, report) => {
      if (action.action === "list_flows") return ok({ kind: "flows", flows: views.toReversed() });
      const made = await inner.execute(owner, action, report);
      if (made.isOk() && made.value.kind === "created") views.push(made.value.flow);
      return made;
    },
  };
  for (const flows of [memoryFlows(), whole]) {
    const handler = handlerOf(flows, { perMinute: 6000 });
    for (let count = 0; count < 34; count += 1)
      expect((await ask(handler, { action: "create_flow", goal: "g", stateJson: "x".repeat(250_000) })).status).toBe(
        200,
      );
    const bad = await ask(handler, { action: "list_flows", cursor: "bogus" });
    expect([bad.status, bad.body["code"], bad.body["result"]]).toEqual([400, "invalid_request", { field: "cursor" }]);
    const large = await ask(handler, { action: "list_flows" });
    expect([large.status, large.body["code"]]).toEqual([413, "list_too_large"]);
    expect(large.body["error"]).toContain("limit");
    const page = await ask(handler, { action: "list_flows", limit: 500 });
    const { flows: shown, nextCursor } = page.body["result"] as unknown as { flows: unknown[]; nextCursor: string };
    expect([page.status, shown.length, typeof nextCursor]).toEqual([200, 33, "string"]);
    const rest = await ask(handler, { action: "list_flows", cursor: nextCursor });
    const last = rest.body["result"] as unknown as { flows: unknown[]; nextCursor: null };
    expect([last.flows.length, last.nextCursor]).toEqual([1, null]);
  }
});
