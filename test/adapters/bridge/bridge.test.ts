// One request through the bridge: exactly one answer, and the slot is released exactly once, whatever fails.

import fc from "fast-check";
import { err, ok, type Result } from "neverthrow";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type BridgeOptions,
  createBridge,
  isOurs,
  LIMITS_DEADLINE_MS,
  type ReadBody,
} from "../../../adapters/bridge/bridge.ts";
import { STORE_DEADLINE_MS } from "../../../adapters/bridge/execute.ts";
import { Log } from "../../../adapters/bridge/log.ts";
import type { Awaitable } from "../../../adapters/flows/awaitable.ts";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import type { Limits } from "../../../adapters/limits/limits.ts";
import { MemoryLimits } from "../../../adapters/limits/memory.ts";
import { nodePrimitives } from "../../../adapters/node/primitives.ts";
import type {
  Answer,
  AuditEvent,
  BodyFault,
  FlowAction,
  Located,
  Outcome,
  RequestHead,
  Verdict,
} from "../../../core/index.ts";
import {
  bytes,
  decodeUtf8,
  goodBody,
  head,
  load,
  PATH_A,
  PATH_B,
  ROUTE_A,
  ROUTE_B,
  ROUTES,
  wildText,
} from "../../core/arbitraries.ts";
import { later, laterFlows, turn } from "../../support/later.ts";
import { runs } from "../../support/runs.ts";
import { withThen } from "../../support/thenable.ts";

/** The memory table, which counts the slots that each request took and released. */
class CountedLimits implements Limits {
  readonly #table = new MemoryLimits();
  readonly confirmed: string[] = [];
  taken = 0;
  released = 0;

  admit(located: Located, now: number): Awaitable<Verdict> {
    const verdict = this.#table.admit(located, now);
    if (verdict.kind === "admitted") this.taken += 1;
    return verdict;
  }

  confirm(located: Located, now: number): boolean {
    this.confirmed.push(located.clientKey);
    return this.#table.confirm(located, now);
  }

  release(located: Located, isProved: boolean): void {
    this.released += 1;
    this.#table.release(located, isProved);
  }

  get held(): number {
    const { clientSlots, peerSlots } = this.#table.state;
    const [clients, peers] = [clientSlots, peerSlots].map((slots) => [...slots.values()].reduce((a, b) => a + b, 0));
    expect(clients, "SLOT-3").toBe(peers);
    return clients ?? 0;
  }
}

/** The same, answering by promises. */
class LaterLimits extends CountedLimits {
  override async admit(located: Located, now: number): Promise<Verdict> {
    await turn();
    return later(await super.admit(located, now));
  }
}

const LIMITS: Readonly<Record<string, new () => CountedLimits>> = { "at once": CountedLimits, later: LaterLimits };

const ignore = (): void => undefined;
const boom = (): never => {
  throw new Error("boom");
};

const JSON_HEADERS = { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}` };
const NO_FLOWS: Outcome = { kind: "flows", flows: [] };

/** A bridge, and what a test reads of it afterwards. */
const rig = (changes: Partial<BridgeOptions> & { readonly limits?: Limits } = {}) => {
  const limits = new CountedLimits();
  const defects: string[] = [];
  const events: AuditEvent[] = [];
  let now = 0;
  const bridge = createBridge({
    routes: () => ROUTES,
    store: { execute: () => ok(NO_FLOWS) },
    limits,
    primitives: nodePrimitives,
    clock: () => 0,
    // each line comes a minute after the one before
    log: new Log({ info: ignore, warn: ignore, error: (line) => defects.push(line) }, () => (now += 60_000)),
    onEvent: (event) => void events.push(event),
    ...changes,
  });
  return { bridge, defects, events, limits };
};

const text = (body: string): ReadBody => {
  const read: Result<Uint8Array, BodyFault> = ok(bytes(body));
  return () => Promise.resolve(read);
};
const LIST = text('{"action":"list_flows"}');

/** The one answer to a request. */
const answerTo = async (
  { bridge }: Pick<ReturnType<typeof rig>, "bridge">,
  request: RequestHead = head(),
  body: ReadBody = LIST,
): Promise<Answer> => {
  const answers: Answer[] = [];
  await bridge.handle(bridge.locate(request), body, (one) => void answers.push(one));
  const [only, ...more] = answers;
  if (only === undefined || more.length > 0) return expect.fail("REPLY-4: not exactly one answer");
  return only;
};

const store = fc.constantFrom<FlowStore["execute"]>(
  () => ok(NO_FLOWS),
  () => ok({ kind: "flow", flow: null }),
  () => later(ok({ kind: "flow", flow: null })),
  () => Promise.resolve(err("bad_host_answer")),
  () => Promise.resolve(err("outcome_unknown")),
  () => Promise.reject(new Error("boom")),
  boom,
);
const read: fc.Arbitrary<ReadBody> = fc.oneof(
  goodBody.map(
    (body): ReadBody =>
      () =>
        later(ok(bytes(JSON.stringify(body)))),
  ),
  fc.uint8Array().map(
    (data): ReadBody =>
      () =>
        Promise.resolve(ok(data)),
  ),
  fc.constantFrom<BodyFault>("too_large", "timeout", "gone").map(
    (fault): ReadBody =>
      () =>
        later(err(fault)),
  ),
  fc.constant<ReadBody>(() => Promise.reject(new Error("boom"))),
  fc.constant<ReadBody>(boom),
);
const authorization = fc.oneof(fc.constant(JSON_HEADERS.authorization), wildText);
const type = fc.constantFrom("application/json", "application/json", "text/plain");
const target = fc.constantFrom(PATH_A, PATH_A, PATH_A, "/nope");
const isBroken = fc.integer({ min: 0, max: 9 }).map((n) => n === 0);

describe.each(Object.keys(LIMITS))("limits that answer %s", (when) => {
  const newLimits = (): CountedLimits => new (LIMITS[when] ?? CountedLimits)();

  afterEach(() => vi.useRealTimers());

  test("SLOT-2, REPLY-4: every request of any mix gets one answer, and every slot taken is released once", async () => {
    const one = fc.record({ authorization, type, target, read, store, isBroken });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 30 }), async (requests) => {
        const limits = newLimits();
        const rigs = requests.map((request) => rig({ limits, store: { execute: request.store } }));
        const answers = await Promise.all(
          requests.map((request, index) => {
            const headers = { "content-type": request.type, authorization: request.authorization };
            const plain = head({ target: request.target, headers });
            return answerTo(rigs[index] ?? rig(), request.isBroken ? { ...plain, header: boom } : plain, request.read);
          }),
        );
        const bodies = answers.map(({ reply }): { readonly ok?: unknown } => JSON.parse(reply.body));
        expect(bodies.every(({ ok: isOk }) => typeof isOk === "boolean")).toBe(true);
        expect([limits.released, limits.held]).toEqual([limits.taken, 0]);
        const defects = rigs.flatMap((one) => one.defects);
        expect(answers.filter(({ reply }) => reply.code === "internal").length).toBe(defects.length);
        expect(rigs.flatMap(({ events }) => events)).toEqual(
          answers.map(({ event }) => expect.objectContaining(event)),
        );
      }),
      { numRuns: runs(300) },
    );
  });

  const BREAKAGES: Readonly<Record<string, (run: ReturnType<typeof rig>) => Promise<Answer>>> = {
    "a header": (run) => answerTo(run, { ...head(), header: boom }),
    "the body": (run) => answerTo(run, head(), boom),
    "the body later": (run) => answerTo(run, head(), () => Promise.reject(new Error("boom"))),
  };

  test.each(Object.entries(BREAKAGES))(
    "REPLY-4, SLOT-2: if %s fails, the request gets a 500 and its slot is released",
    async (_, ask) => {
      const limits = newLimits();
      const run = rig({ limits });
      const { reply } = await ask(run);
      expect([reply.status, reply.code, reply.body.includes("boom"), run.defects.length]).toEqual([
        500,
        "internal",
        false,
        1,
      ]);
      expect([limits.taken, limits.released, limits.held]).toEqual([1, 1, 0]);
    },
  );

  const PARTS: readonly (readonly [string, Partial<BridgeOptions>])[] = [
    ["sha256", { primitives: { ...nodePrimitives, sha256: boom } }],
    ["decodeUtf8", { primitives: { ...nodePrimitives, decodeUtf8: boom } }],
  ];

  test.each(PARTS)(
    "REPLY-4, SLOT-2: a defect of %s gives internal, without a word of the error, and its slot is released",
    async (_, changes) => {
      const limits = newLimits();
      const run = rig({ limits, ...changes });
      const { reply } = await answerTo(run);
      expect([reply.status, reply.body.includes("boom"), run.defects.length]).toEqual([500, false, 1]);
      expect([limits.taken, limits.released, limits.held]).toEqual([1, 1, 0]);
    },
  );

  test.each([
    ["415", head({ headers: { ...JSON_HEADERS, "content-type": "text/plain" } }), LIST, 415],
    ["401", head({ headers: { ...JSON_HEADERS, authorization: "Bearer no" } }), LIST, 401],
    ["400 of a body that is not JSON", head(), text("{"), 400],
    ["400 of an unknown action", head(), text('{"action":"x"}'), 400],
    ["413", head(), (): ReturnType<ReadBody> => later(err("too_large")), 413],
    ["408", head(), (): ReturnType<ReadBody> => later(err("timeout")), 408],
    ["200", head(), LIST, 200],
  ])("SLOT-2: a %s releases its slot once", async (_, request, body, status) => {
    const limits = newLimits();
    const { reply } = await answerTo(rig({ limits }), request, body);
    expect([reply.status, limits.taken, limits.released, limits.held]).toEqual([status, 1, 1, 0]);
  });

  test("SLOT-2, SLOT-4: if the store is late, the slot is released once, also when the store answers after all", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const limits = newLimits();
    let answerLate: (outcome: Result<Outcome, never>) => void = ignore;
    const execute = vi.fn(() => new Promise<Result<Outcome, never>>((resolve) => (answerLate = resolve)));
    const answered = answerTo(rig({ limits, store: { execute } }));
    while (execute.mock.calls.length === 0) await turn();
    await vi.advanceTimersByTimeAsync(STORE_DEADLINE_MS - 1);
    expect([limits.held, limits.released]).toEqual([1, 0]);
    await vi.advanceTimersByTimeAsync(1);
    const { reply } = await answered;
    answerLate(ok(NO_FLOWS));
    await turn();
    expect([reply.status, reply.code, limits.released, limits.held]).toEqual([504, "outcome_unknown", 1, 0]);
  });

  test("SLOT-2: a slot is held until the answer has been sent or cannot be sent", async () => {
    const limits = newLimits();
    const { bridge, defects } = rig({ limits });
    const send = (deliver: () => Awaitable<void>): Promise<void> => bridge.handle(bridge.locate(head()), LIST, deliver);
    await send(() => expect(limits.held).toBe(1));
    await send(async () => {
      await turn();
      expect(limits.held).toBe(1);
    });
    expect([limits.held, limits.released, defects.length]).toEqual([0, 2, 0]);
    await send(boom);
    await send(() => Promise.reject(new Error("boom")));
    expect([limits.held, limits.released, defects.length]).toEqual([0, 4, 2]);
  });

  test("SLOT-1, SLOT-2: on one route a client holds 8 slots at most and a peer 64, and a request that ends frees its slot", async () => {
    const limits = newLimits();
    const { bridge } = rig({ limits });
    const ends: (() => void)[] = [];
    const ask = async (client: number, peer: number, path = PATH_A): Promise<string> => {
      const secret = path === PATH_A ? ROUTE_A.secret : ROUTE_B.secret;
      const headers = { ...JSON_HEADERS, authorization: `Bearer ${secret}` };
      const request = head({
        target: path,
        headers,
        client: `10.0.0.${String(client)}`,
        peer: `192.0.2.${String(peer)}`,
      });
      return new Promise((resolve) => {
        const body: ReadBody = () => {
          resolve("admitted");
          return new Promise((end) => ends.push(() => end(err("gone"))));
        };
        void bridge.handle(bridge.locate(request), body, ({ reply }) => resolve(reply.code ?? ""));
      });
    };
    for (let client = 0; client < 8; client += 1) {
      for (let slot = 0; slot < 8; slot += 1) expect(await ask(client, 1)).toBe("admitted");
      expect(await ask(client, 1)).toBe("too_many_in_flight");
    }
    expect([await ask(8, 1), await ask(8, 2), await ask(0, 2)]).toEqual([
      "too_many_in_flight",
      "admitted",
      "too_many_in_flight",
    ]);
    expect(await ask(0, 1, PATH_B)).toBe("admitted");
    ends[0]?.();
    await turn();
    expect([await ask(1, 1), await ask(8, 1), await ask(0, 1)]).toEqual([
      "too_many_in_flight",
      "admitted",
      "too_many_in_flight",
    ]);
    for (const end of ends) end();
    await expect.poll(() => limits.held).toBe(0);
    expect(limits.released).toBe(limits.taken);
  });

  test("LIMIT-5: a client is confirmed once it has shown the secret, and not before", async () => {
    const limits = newLimits();
    const run = rig({ limits });
    for (const headers of [
      { ...JSON_HEADERS, authorization: "Bearer no" },
      { ...JSON_HEADERS, "content-type": "text/plain" },
    ]) {
      await answerTo(run, head({ headers }));
    }
    expect(limits.confirmed).toEqual([]);
    await answerTo(run, head(), text("{"));
    expect(limits.confirmed).toEqual([`203.0.113.7 ${ROUTE_A.id}`]);
  });

  test("AUTH-1, BODY-1: the body of a request without the secret is not read", async () => {
    let reads = 0;
    const body: ReadBody = (limits, ticket) => {
      reads += 1;
      return LIST(limits, ticket);
    };
    const { reply } = await answerTo(
      rig({ limits: newLimits(), store: { execute: boom } }),
      head({ headers: { "content-type": "application/json" } }),
      body,
    );
    expect([reply.code, reads]).toEqual(["unauthorized", 0]);
  });
});

test("ORDER-1, FLOW-1: with limits and a store that answer by promises, every answer is the same as in memory", async () => {
  const ids = (): (() => string) => {
    let made = 0;
    return () => `flow-${String((made += 1))}`;
  };
  const flow = fc.constantFrom("flow-1", "flow-2");
  const about = fc
    .record({ body: goodBody, flow })
    .map(({ body, flow: flowId }) => ("flowId" in body ? { ...body, flowId } : body));
  const client = fc.constantFrom("10.0.0.1", "10.0.0.2");
  const one = fc.record({ authorization, type, target, client, body: fc.oneof(about, about, fc.jsonValue()) });
  await fc.assert(
    fc.asyncProperty(fc.array(one, { maxLength: 30 }), async (requests) => {
      const now = (): number => 5;
      const atOnce = rig({ store: memoryFlows({ now, newId: ids() }), limits: new CountedLimits() });
      const byPromises = rig({ store: laterFlows({ now, newId: ids() }), limits: new LaterLimits() });
      for (const { body, client: from, ...request } of requests) {
        const headers = { "content-type": request.type, authorization: request.authorization };
        const sent = head({ target: request.target, headers, client: from });
        const ask = (run: ReturnType<typeof rig>): Promise<Answer> => answerTo(run, sent, text(JSON.stringify(body)));
        expect(await ask(byPromises)).toEqual(await ask(atOnce));
      }
      expect([byPromises.defects, atOnce.defects]).toEqual([[], []]);
    }),
    { numRuns: runs(100) },
  );
});

test("LIMIT-15, LIMIT-11, SLOT-2: limits that cannot be asked refuse with 503 before the head is judged, and hold no slot", async () => {
  for (const said of [UNASKED, Promise.resolve(UNASKED)]) {
    const { counted, limits } = broken({ admit: () => said });
    const execute = vi.fn(() => ok(NO_FLOWS));
    const run = rig({ limits, store: { execute } });
    for (const headers of [
      JSON_HEADERS,
      { ...JSON_HEADERS, "content-type": "text/plain", authorization: "Bearer no" },
    ]) {
      const { reply } = await answerTo(run, head({ headers }));
      const { "Retry-After": retryAfter, RateLimit: left } = reply.headers;
      expect([reply.status, reply.code, retryAfter, left]).toEqual([503, "admission_unavailable", "1", undefined]);
    }
    expect([counted.held, counted.released, run.defects]).toEqual([0, 0, []]);
    expect(execute).not.toHaveBeenCalled();
  }
});

/** The counted limits with some of their functions replaced. */
const broken = (changes: Partial<Limits>): { readonly counted: CountedLimits; readonly limits: Limits } => {
  const counted = new CountedLimits();
  const limits: Limits = {
    admit: (...request) => counted.admit(...request),
    confirm: (...request) => counted.confirm(...request),
    release: (...request) => counted.release(...request),
    ...changes,
  };
  return { counted, limits };
};

test.each<readonly [string, Partial<Limits>]>([
  ["admit throws", { admit: boom }],
  ["admit rejects", { admit: () => Promise.reject(new Error("boom")) }],
])("REPLY-4, SLOT-2: limits whose %s are a defect: one answer, and no slot is held", async (_, changes) => {
  const { counted, limits } = broken(changes);
  const execute = vi.fn(() => ok(NO_FLOWS));
  const run = rig({ limits, store: { execute } });
  const { reply } = await answerTo(run);
  expect([reply.status, reply.code, run.defects.length]).toEqual([500, "internal", 1]);
  expect(run.defects[0]).toContain("boom");
  expect([counted.taken, counted.released, counted.held]).toEqual([0, 0, 0]);
  expect(execute).not.toHaveBeenCalled();
});

const UNASKED: Verdict = { kind: "admission_unavailable", retryAfterMs: 1000 };

test.each<readonly [string, unknown]>([
  ["nothing", undefined],
  ["an empty object", {}],
  ["a kind of their own", { kind: "denied" }],
  ["a limit without a time", { kind: "rate_limited", retryAfterMs: NaN }],
  ["a time that is a text", { kind: "too_many_in_flight", retryAfterMs: "1" }],
  ["an object that cannot be read", Object.defineProperty({}, "kind", { get: boom })],
  ["a promise with a then of its own", withThen(() => undefined, Promise.resolve({ kind: "denied" }))],
])("REPLY-4, AUTH-1: limits that answer %s let nobody in: one answer, and no slot is held", async (_, said) => {
  vi.useFakeTimers();
  const { counted, limits } = broken({ admit: () => said as Verdict });
  const execute = vi.fn(() => ok(NO_FLOWS));
  const run = rig({ limits, store: { execute } });
  const answering = answerTo(run);
  await vi.advanceTimersByTimeAsync(LIMITS_DEADLINE_MS);
  const { reply } = await answering;
  vi.useRealTimers();
  expect([reply.status, reply.code, run.defects.length]).toEqual([500, "internal", 1]);
  expect(run.defects[0]).toContain("mistake in this host: the limits");
  expect([counted.released, counted.confirmed, execute.mock.calls]).toEqual([0, [], []]);
});

test("REPLY-4, SLOT-2: limits that do not answer cost the request a 500 at the deadline; a slot that they give later goes back", async () => {
  vi.useFakeTimers();
  for (const [verdict, released] of [
    [{ kind: "admitted" }, 1],
    [{ kind: "rate_limited", retryAfterMs: 1 }, 0],
    [undefined, 0],
  ] as const) {
    let say: (said: Verdict) => void = ignore;
    const { counted, limits } = broken({ admit: () => new Promise((resolve) => (say = resolve)) });
    const run = rig({ limits });
    let isAnswered = false;
    const answering = answerTo(run).finally(() => (isAnswered = true));
    await vi.advanceTimersByTimeAsync(LIMITS_DEADLINE_MS - 1);
    expect(isAnswered).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect([(await answering).reply.code, counted.released, run.defects.length]).toEqual(["internal", 0, 1]);
    say(verdict as Verdict);
    await vi.advanceTimersByTimeAsync(0);
    expect([counted.released, run.events.length, run.defects.length]).toEqual([released, 1, 1]);
  }
  vi.useRealTimers();
});

test("AUDIT-1: what fails in the limits is told without the route's session key", async () => {
  const admit = (): never => {
    throw new Error(`no room for ${ROUTE_A.sessionKey}!`);
  };
  const run = rig({ limits: broken({ admit }).limits });
  await answerTo(run);
  expect(run.defects).toEqual([
    "[webhooks] defect, please report it: no room for [hidden]!; more of these are not shown for a minute",
  ]);
});

test("AUDIT-3: an error that every request causes is told once a minute for each route, and each mistake of the host", async () => {
  for (const changes of [{ admit: boom }, { release: boom }, { admit: () => ({ kind: "no" }) as never }]) {
    const lines: string[] = [];
    let now = 0;
    const log = new Log({ info: ignore, warn: ignore, error: (line) => lines.push(line) }, () => now);
    const run = rig({ ...broken(changes), log });
    for (let n = 0; n < 4; n += 1) await answerTo(run);
    expect(lines.length).toBe(1);
    now += 60_000;
    for (let n = 0; n < 4; n += 1) await answerTo(run);
    expect(lines.length).toBe(2);
  }
});

const rejects = (): Promise<never> => Promise.reject(new Error("boom"));

test.each<readonly [string, Partial<BridgeOptions>]>([
  ["a logger that rejects", { log: new Log({ info: ignore, warn: rejects, error: rejects, debug: rejects }, () => 0) }],
  ["a clock of the log that throws", { log: new Log({ info: ignore, warn: ignore, error: ignore }, boom) }],
  ["an onEvent that rejects", { onEvent: rejects }],
])("REPLY-4: %s costs no caller an answer", async (_, changes) => {
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  const refused = head({ headers: { ...JSON_HEADERS, authorization: "Bearer no" } });
  const run = rig(changes);
  expect([(await answerTo(run)).reply.status, (await answerTo(run, refused)).reply.status]).toEqual([200, 401]);
  expect((await answerTo(run, refused)).reply.status).toBe(401);
  await turn();
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

test.each<readonly [string, Partial<Limits>]>([
  ["confirm throws", { confirm: boom }],
  ["confirm rejects", { confirm: rejects }],
  ["release throws", { release: boom }],
  ["release rejects", { release: rejects }],
])("REPLY-4: limits whose %s cost no caller an answer, and the operator is told", async (_, changes) => {
  const run = rig({ limits: broken(changes).limits });
  const { reply } = await answerTo(run);
  await vi.waitFor(() => expect(run.defects.length).toBe(1));
  expect([reply.status, run.defects[0]?.includes("boom")]).toEqual([200, true]);
});

test("REPLY-4: if the release of a slot fails, the caller still gets the answer, and the operator is told", async () => {
  let released = 0;
  const release = (): never => {
    released += 1;
    return boom();
  };
  for (const [headers, status] of [
    [JSON_HEADERS, 200],
    [{ ...JSON_HEADERS, authorization: "Bearer no" }, 401],
  ] as const) {
    released = 0;
    const run = rig({ limits: broken({ release }).limits });
    const { reply } = await answerTo(run, head({ headers }));
    expect([reply.status, released, run.defects.length]).toEqual([status, 1, 1]);
  }
});

test.each<readonly [string, Partial<BridgeOptions>, RequestHead]>([
  ["routes", { routes: boom }, head()],
  ["the clock", { clock: boom }, head()],
  ["the client's address", {}, Object.defineProperty({ ...head() }, "client", { get: boom })],
])(
  "REPLY-4: if %s cannot be read, the request gets internal, without a word of the error, and takes no slot",
  async (_, changes, request) => {
    const run = rig(changes);
    const { reply } = await answerTo(run, request);
    expect([reply.status, reply.body.includes("boom"), run.defects.length]).toEqual([500, false, 1]);
    expect([run.limits.taken, run.limits.released]).toEqual([0, 0]);
  },
);

test("ROUTE-2: only a path of a route is ours, with any method; a request that cannot be located is answered too", () => {
  const { bridge } = rig();
  expect(isOurs(bridge.locate(head({ target: "/nope" })))).toBe(false);
  expect(isOurs(bridge.locate(head({ target: PATH_A })))).toBe(true);
  expect(isOurs(bridge.locate(head({ target: PATH_A, method: "GET" })))).toBe(true);
  expect(isOurs(rig({ routes: boom }).bridge.locate(head({ target: "/nope" })))).toBe(true);
});

test("CONFIG-5: the live routes are asked for once with each request", async () => {
  const routes = vi.fn(() => ROUTES);
  const run = rig({ routes });
  for (const sent of [head(), head({ target: "/nope" }), head({ method: "GET" })]) await answerTo(run, sent);
  expect(routes).toHaveBeenCalledTimes(3);
});

test("LIMIT-7, LIMIT-8: a client is attributed once for a POST to a route, and not for any other request", async () => {
  const attribute = vi.fn(() => "10.0.0.1");
  const from = (request: RequestHead): RequestHead =>
    Object.defineProperty({ ...request }, "client", { get: attribute });
  await answerTo(rig(), from(head()));
  expect(attribute).toHaveBeenCalledTimes(1);
  for (const other of [head({ target: "/nope" }), head({ method: "GET" })]) await answerTo(rig(), from(other));
  expect(attribute).toHaveBeenCalledTimes(1);
});

test("SCOPE-1, CONFIG-6: the store gets the session of the route and the action, with the route's controller for a new flow that names none", async () => {
  const controllers = fc.constantFrom(undefined, "of-the-route");
  await fc.assert(
    fc.asyncProperty(goodBody, controllers, async (body, controllerId) => {
      const { sessionKey, secret } = ROUTE_A;
      const { routes } = load({ routes: { [ROUTE_A.id]: { sessionKey, secret, controllerId } } });
      const asked: (readonly [string, FlowAction])[] = [];
      const execute: FlowStore["execute"] = (owner, action) => {
        asked.push([owner, action]);
        return err("persist_failed");
      };
      await answerTo(rig({ routes: () => routes, store: { execute } }), head(), text(JSON.stringify(body)));
      const filled = { controllerId: controllerId ?? `webhooks/${ROUTE_A.id}`, ...body };
      expect(asked).toEqual([[ROUTE_A.sessionKey, body["action"] === "create_flow" ? filled : body]]);
    }),
    { numRuns: runs(200) },
  );
});

test("BODY-5: Node's decoder is the strict one", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (data) => {
      expect(nodePrimitives.decodeUtf8(data)).toBe(decodeUtf8(data));
    }),
  );
});

const FIELDS = ["RateLimit-Policy", "RateLimit"] as const;
const toldOf = ({ reply }: Answer): readonly (string | undefined)[] => FIELDS.map((name) => reply.headers[name]);
const UNTOLD = [undefined, undefined];
const USUAL_POLICY = '"default";q=120;w=60, "in-flight";q=8;qu="concurrent-requests"';

test.each<readonly [string, Parameters<typeof head>[0], ReadBody, number]>([
  ["a success", {}, LIST, 200],
  ["a body that is not JSON", {}, text("{"), 400],
  ["an unknown action", {}, text('{"action":"no"}'), 400],
  ["a body that is too large", {}, () => Promise.resolve(err("too_large")), 413],
  ["a body that does not come", {}, () => Promise.resolve(err("timeout")), 408],
  ["a body without room", {}, () => Promise.resolve(err("no_room")), 503],
])("LIMIT-11: an authenticated client is told its limits with %s", async (_, changes, body, status) => {
  const run = rig();
  const first = await answerTo(run, head(changes), body);
  const second = await answerTo(run, head(changes), body);
  expect([first.reply.status, ...toldOf(first)]).toEqual([status, USUAL_POLICY, '"default";r=119;t=60']);
  expect(toldOf(second)).toEqual([USUAL_POLICY, '"default";r=118;t=60']);
});

test.each<readonly [string, ReturnType<FlowStore["execute"]>, number]>([
  ["a conflict", ok({ kind: "not_applied", refusal: "revision_conflict" }), 409],
  ["a flow that is not there", ok({ kind: "not_applied", refusal: "not_found" }), 404],
  ["a store that fails", err("persist_failed"), 503],
  ["a store that answers nonsense", ok(NO_FLOWS), 502],
])("LIMIT-11: an authenticated client is told its limits with %s", async (_, outcome, status) => {
  const finish = text('{"action":"finish_flow","flowId":"f","expectedRevision":1}');
  const answer = await answerTo(rig({ store: { execute: () => outcome } }), head(), finish);
  expect([answer.reply.status, ...toldOf(answer)]).toEqual([status, USUAL_POLICY, '"default";r=119;t=60']);
});

test("LIMIT-11: a repeated request is told its own limits, and not those of the first", async () => {
  const run = rig({ store: memoryFlows() });
  const repeated = head({ headers: { ...JSON_HEADERS, "idempotency-key": "k-1" } });
  const create = text('{"action":"create_flow","goal":"g"}');
  await answerTo(run, repeated, create);
  const again = await answerTo(run, repeated, create);
  expect([again.reply.headers["Idempotent-Replayed"], ...toldOf(again)]).toEqual([
    "true",
    USUAL_POLICY,
    '"default";r=118;t=60',
  ]);
});

test.each<readonly [string, Parameters<typeof head>[0], number]>([
  ["a wrong secret", { headers: { ...JSON_HEADERS, authorization: "Bearer no" } }, 401],
  ["no secret", { headers: { "content-type": "application/json" } }, 401],
  ["another media type", { headers: { ...JSON_HEADERS, "content-type": "text/plain" } }, 415],
  ["another path", { target: "/nope" }, 404],
  ["another method", { method: "GET" }, 405],
])("LIMIT-11: nobody is told anything before authentication: %s", async (_, changes, status) => {
  const answer = await answerTo(rig(), head(changes));
  expect([answer.reply.status, ...toldOf(answer)]).toEqual([status, ...UNTOLD]);
});

test("LIMIT-11: a client that is limited, or has no slot, is told no more than when to come back", async () => {
  const run = rig();
  for (let n = 0; n < 120; n += 1) await answerTo(run);
  const limited = await answerTo(run);
  expect([limited.reply.status, limited.reply.headers["Retry-After"], ...toldOf(limited)]).toEqual([
    429,
    "60",
    ...UNTOLD,
  ]);
  const busy = await answerTo(
    rig({ limits: broken({ admit: () => ({ kind: "too_many_in_flight", retryAfterMs: 1 }) }).limits }),
  );
  expect([busy.reply.status, ...toldOf(busy)]).toEqual([429, ...UNTOLD]);
});

const told = { limit: 10, windowMs: 10_000, remaining: 3, endsInMs: 2500, inFlight: 2 };

test.each<readonly [string, unknown, readonly (string | undefined)[]]>([
  ["all parts", told, ['"default";q=10;w=10, "in-flight";q=2;qu="concurrent-requests"', '"default";r=3;t=3']],
  ["no slots", { ...told, inFlight: undefined }, ['"default";q=10;w=10', '"default";r=3;t=3']],
  ["slots that are not a number", { ...told, inFlight: "8" }, ['"default";q=10;w=10', '"default";r=3;t=3']],
  ["nothing", undefined, UNTOLD],
  ["null", null, UNTOLD],
  ["no limit", { ...told, limit: undefined }, UNTOLD],
  ["half a request", { ...told, remaining: 1.5 }, UNTOLD],
  ["less than nothing", { ...told, remaining: -1 }, UNTOLD],
  ["a text", { ...told, limit: '1, "x"' }, UNTOLD],
  ["a window without an end", { ...told, endsInMs: Infinity }, UNTOLD],
  ["an end that is not a number", { ...told, endsInMs: NaN }, UNTOLD],
  ["an end that is over", { ...told, endsInMs: -1 }, UNTOLD],
  ["a window that is too long", { ...told, windowMs: 1e15 }, UNTOLD],
])(
  "LIMIT-11: limits of the host's own that say %s let the request in, and are told as far as they can be",
  async (_, allowance, fields) => {
    const verdict = { kind: "admitted", allowance } as Verdict;
    for (const admit of [() => verdict, () => Promise.resolve(verdict)]) {
      const answer = await answerTo(rig({ limits: broken({ admit }).limits }));
      expect([answer.reply.status, ...toldOf(answer)]).toEqual([200, ...fields]);
    }
  },
);

test("LIMIT-11, REPLY-4: an allowance that throws when it is read lets nobody in", async () => {
  const verdict = { kind: "admitted", allowance: Object.defineProperty({}, "limit", { get: boom }) } as Verdict;
  const answer = await answerTo(rig({ limits: broken({ admit: () => verdict }).limits }));
  expect([answer.reply.status, ...toldOf(answer)]).toEqual([500, ...UNTOLD]);
});
