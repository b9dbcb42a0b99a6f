// Callbacks as an embedding host starts them, and as the command line serves them.

import { afterEach, expect, test } from "vitest";
import { createFetchHandler, startCallbacks } from "../../../adapters/fetch/index.ts";
import { EventWriter } from "../../../adapters/flows/flow-events.ts";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { MemoryEngine, memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { createNodeListener } from "../../../adapters/node/index.ts";
import { isEmpty, SECRET, SESSION, endOne, untilOutbox } from "../../support/callbacks.ts";
import { laterFlows } from "../../support/later.ts";
import { Receiver } from "../../support/receiver.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

const OPENING = "a secret that opens, long enough";

const begin = async (given?: FlowStore) => {
  const hook = await new Receiver().start();
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line.replace("[webhooks] ", ""));
  const notify = { url: hook.origin, secret: SECRET };
  const flows = given ?? memoryFlows();
  const options = {
    config: { routes: { a: { sessionKey: SESSION, secret: OPENING, notify } } },
    flows,
    logger: { info: say, warn: say, error: say },
  };
  ends.push(() => hook.close());
  return { hook, lines, options, flows };
};

const ask = (handler: ReturnType<typeof createFetchHandler>, body: object): Promise<Response> =>
  handler(
    new Request("http://host.test/plugins/webhooks/a", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${OPENING}` },
      body: JSON.stringify(body),
    }),
  );

test("NOTIFY-1: a host that starts callbacks beside its handler has what its requests change told, until it stops them", async () => {
  const { hook, options, lines, flows } = await begin();
  const handler = createFetchHandler(options);
  const callbacks = startCallbacks(options);
  expect((await ask(handler, { action: "create_flow", goal: "g", status: "waiting" })).status).toBe(200);
  await hook.has(1);
  await untilOutbox(flows.events, isEmpty);
  await callbacks.stop();
  expect((await ask(handler, { action: "create_flow", goal: "g", status: "waiting" })).status).toBe(200);
  expect((await flows.events?.look())?._unsafeUnwrap().routes.size).toBe(0);
  expect([lines, hook.got.length]).toEqual([[], 1]);
});

test("NOTIFY-1: a store whose engine has no outbox lives without callbacks, and says so when the host starts", async () => {
  const { options, lines, hook } = await begin(laterFlows());
  const line =
    "route a advice: notify is there, but the store keeps no events, so no callback is sent. Use a store that has events, or remove it.";
  const handler = createFetchHandler(options);
  createNodeListener(options);
  const callbacks = startCallbacks(options);
  expect(lines).toEqual([line, line, line]);
  expect((await ask(handler, { action: "create_flow", goal: "g", status: "waiting" })).status).toBe(200);
  expect(callbacks.problems()).toEqual([]);
  callbacks.wake();
  await callbacks.stop();
  expect(hook.got).toEqual([]);
});

test("NOTIFY-1: options that are wrong are said at once", async () => {
  expect(() => startCallbacks({} as never)).toThrow(/The option flows must be a store/u);
  expect(() => startCallbacks(undefined as never)).toThrow(/must be an object with config and flows/u);
  const { options, lines } = await begin();
  expect(() => startCallbacks({ ...options, now: 5 } as never)).toThrow(/The option now must be a function/u);
  await startCallbacks({ ...options, retries: 5 } as never).stop();
  expect(lines).toEqual([expect.stringContaining("retries is not an option")]);
});

test("NOTIFY-2: several configurations on one store each get the events of their own routes, until they end", async () => {
  const [one, other] = [await begin(), await begin()];
  const second = { ...other.options, flows: one.flows };
  const [first, last] = [startCallbacks(one.options), startCallbacks(second)];
  ends.push(first.stop, last.stop);
  await endOne(one.flows as never);
  // both call their route "a": who claims first sends, to its own address
  await untilOutbox(one.flows.events, isEmpty);
  expect(one.hook.got.length + other.hook.got.length).toBe(1);
});

test("NOTIFY-1: a store with nobody who wants events writes the very same rows as before", () => {
  const writer = new EventWriter();
  const writes = [{ kind: "remove_flow", flowId: "f" }] as const;
  expect(writer.withEvents(writes, { flows: [], tasks: [] }, "s", 1)).toBe(writes);
  const end = writer.over(new MemoryEngine().outbox).subscribe(() => new Map());
  expect(writer.withEvents(writes, { flows: [], tasks: [] }, "s", 1)).toBe(writes);
  end();
});
