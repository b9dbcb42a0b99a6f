// How long the Fetch handler's answers hold their slots, as the clock of the tests says.

import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { ok } from "neverthrow";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createFetchHandler, type FetchHandler } from "../../../adapters/fetch/index.ts";
import { responseOf } from "../../../adapters/fetch/respond.ts";
import { createFlow, replyToOutcome, SLOTS, viewFlow } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

const SECRET = "a-secret-of-some-length-0123";
const CONFIG = { routes: { r: { sessionKey: "agent:main:r", secret: SECRET } } };
const SEND_MS = 20_000;
const LONG = 8_000_000;
const RATHER_LONG = 500_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const outcome = (goal: string) => ({
  kind: "flows" as const,
  flows: [viewFlow(createFlow("f", { action: "create_flow", goal, controllerId: "c" }, 0))._unsafeUnwrap()],
});

const handlerOf = (goal: string): FetchHandler => {
  const listed = ok(outcome(goal));
  return createFetchHandler({ config: CONFIG, flows: { execute: () => listed } });
};

const ask = (handler: FetchHandler, client = "192.0.2.1"): Promise<Response> => {
  const headers = { "content-type": "application/json", authorization: `Bearer ${SECRET}` };
  const request = { method: "POST", headers, body: '{"action":"list_flows"}' };
  return handler(new Request("http://h/plugins/webhooks/r", request), { client, peer: "10.0.0.1" });
};

const statuses = async (handler: FetchHandler, count: number): Promise<readonly number[]> => {
  const answers = await Promise.all(Array.from({ length: count }, () => ask(handler)));
  return answers.map(({ status }) => status);
};

const free = async (handler: FetchHandler): Promise<number> =>
  (await statuses(handler, 20)).filter((status) => status === 200).length;

test("SLOT-1, SLOT-5: of 40 long answers that nobody reads, 8 exist at once, for 20 seconds", async () => {
  const handler = handlerOf("x".repeat(LONG));
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(handler)));
  const given = answers.filter(({ status }) => status === 200);
  expect(given.length).toBe(SLOTS.client);
  expect(answers.filter(({ status }) => status === 429).length).toBe(40 - SLOTS.client);
  vi.advanceTimersByTime(SEND_MS - 1);
  expect(await free(handler)).toBe(0);
  vi.advanceTimersByTime(1);
  for (const answer of given) await expect(answer.text()).rejects.toThrow("the answer was not taken in time");
  expect(await free(handler)).toBe(SLOTS.client);
  expect(vi.getTimerCount()).toBe(SLOTS.client);
});

const ENDS: Readonly<Record<string, (response: Response) => unknown>> = {
  "is read as text": (response) => response.text(),
  "is read as bytes": (response) => response.arrayBuffer(),
  "is read from a clone and itself": async (response) => Promise.all([response.clone().text(), response.text()]),
  "is wrapped by a framework": (response) => new Response(response.body, response).text(),
  "is cancelled": (response) => response.body?.cancel(),
  "is cancelled half way": async (response) => {
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
  },
};

test.each(Object.entries(ENDS))("SLOT-2: a slot is given back once, when its answer %s", async (_, end) => {
  const handler = handlerOf("x".repeat(RATHER_LONG));
  const held = await Promise.all(Array.from({ length: SLOTS.client }, () => ask(handler)));
  expect(await free(handler)).toBe(0);
  for (const answer of held.slice(0, 3)) await end(answer);
  expect(await free(handler)).toBe(3);
  vi.advanceTimersByTime(SEND_MS);
  await turn();
  expect(await free(handler)).toBe(SLOTS.client);
});

test("SLOT-2, SLOT-5: an answer that is read too slowly keeps its slot to the deadline, and then ends with an error", async () => {
  const handler = handlerOf("x".repeat(4 * RATHER_LONG));
  const [first] = await Promise.all(Array.from({ length: SLOTS.client }, () => ask(handler)));
  const reader = first?.body?.getReader();
  for (let second = 1; second < SEND_MS / 1000; second += 1) {
    expect((await reader?.read())?.done).toBe(false);
    vi.advanceTimersByTime(1000);
  }
  expect(await free(handler)).toBe(0);
  vi.advanceTimersByTime(1000);
  await expect(reader?.read()).rejects.toThrow("not taken in time");
  expect(await free(handler)).toBe(SLOTS.client);
});

test("SLOT-2: a short answer is handed over whole, and holds no slot", async () => {
  const handler = handlerOf("x".repeat(60_000));
  for (let sent = 0; sent < 100; sent += 1) expect((await ask(handler)).status).toBe(200);
  expect(vi.getTimerCount()).toBe(0);
});

test("REPLY-1: an answer in pieces is the same bytes, with its length, and each piece has at most 64 KiB", async () => {
  const unit = fc.constantFrom("x", "é", "漢", "🚀", "\u2028", '"');
  await fc.assert(
    fc.asyncProperty(unit, fc.integer({ min: 21_000, max: 150_000 }), fc.nat({ max: 3 }), async (text, count, pad) => {
      const reply = replyToOutcome(outcome(`${"y".repeat(pad)}${text.repeat(count)}`), "r");
      const { response } = responseOf(reply);
      const copy = response.clone();
      expect(await copy.text()).toBe(reply.body);
      expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
      const pieces: Uint8Array[] = [];
      for await (const piece of response.body ?? []) pieces.push(piece);
      const sizes = pieces.map(({ length }) => length);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      expect(total).toBe(Buffer.byteLength(reply.body));
      if (reply.body.length > 65_536) {
        expect(response.headers.get("content-length")).toBe(String(total));
        expect(Math.max(...sizes)).toBe(65_536);
      }
    }),
    { numRuns: runs(20) },
  );
  expect(vi.getTimerCount()).toBe(0);
});
