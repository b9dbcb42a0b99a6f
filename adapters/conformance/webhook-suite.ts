// What every HTTP surface of the bridge must do, seen from a caller; then the store's suite through it.

import type { FlowStore } from "../flows/flow-store.ts";
import { check, same } from "./check.ts";
import { flowStoreSuite } from "./flow-store-suite.ts";
import { type AsClient, type Endpoint, type Envelope, type Fetch, httpFlows, newClient, post } from "./http-flows.ts";
import type { TestFunction, Ties } from "./store-under-test.ts";

export type Surface = {
  /** Two routes of different sessions and secrets. */
  readonly routes: readonly [Endpoint, Endpoint];
  /** Default: the platform's `fetch`. */
  readonly fetch?: Fetch;
};

export type SurfaceUnderTest = {
  /** Called for each test. */
  readonly open: () => Surface | Promise<Surface>;
  readonly close?: (surface: Surface) => void | Promise<void>;
  /**
   * Headers by which a request counts as another client's. The suite sends more requests than a client may: without it,
   * the surface must have limits that let them pass, and the rate limit is not tested.
   */
  readonly asClient?: AsClient;
  /** As for `flowStoreSuite`. */
  readonly ties?: Ties;
  /** How often each property of the store's suite is tried. Default 20. */
  readonly runs?: number;
};

type Answered = { readonly status: number; readonly headers: Headers; readonly text: string; readonly body: Envelope };

/** Characters that a text has at least that does not stand in an answer by chance. */
const SEARCHED = 8;

class Caller {
  readonly #fetch: Fetch;
  readonly #asClient: AsClient;
  readonly #hidden: readonly (readonly [what: string, text: string])[];
  readonly to: Endpoint;
  readonly other: Endpoint;

  constructor({ routes, fetch: fetchIt = (request) => fetch(request) }: Surface, asClient: AsClient) {
    this.#fetch = fetchIt;
    this.#asClient = asClient;
    this.#hidden = routes.flatMap(({ secret, sessionKey }) => [
      ["secret", secret],
      ["session key", sessionKey],
    ]);
    for (const [what, text] of this.#hidden)
      check(
        text.length >= SEARCHED,
        `a ${what} has ${String(SEARCHED)} characters or more, so that answers can be searched for it`,
      );
    this.to = routes[0];
    this.other = routes[1];
  }

  /** Each from a new client, unless told from which. */
  async send(
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
    client: number = newClient(),
  ): Promise<Answered> {
    return this.raw(post(this.to, body, { ...this.#asClient(client), ...headers }));
  }

  //= REPLY-1, VIEW-1
  /** Every answer is the envelope, is not cached, and names neither secret nor session. */
  async raw(request: Request): Promise<Answered> {
    const response = await this.#fetch(request);
    const text = await response.text();
    check(response.headers.get("content-type") === "application/json; charset=utf-8", `content type of ${text}`);
    check(response.headers.get("cache-control") === "no-store", `cache-control of ${text}`);
    for (const [what, hidden] of this.#hidden) check(!text.includes(hidden), `an answer holds a ${what}: ${text}`);
    return { status: response.status, headers: response.headers, text, body: JSON.parse(text) };
  }

  async refused(answered: Answered, status: number, code: string): Promise<void> {
    same([answered.status, answered.body.ok, answered.body.code], [status, false, code], `refusal ${code}`);
    check(typeof answered.body.error === "string" && answered.body.error !== "", `${code} has a sentence`);
  }
}

const LIST = { action: "list_flows" };

const swapCase = (text: string): string =>
  [...text].map((one) => (one === one.toLowerCase() ? one.toUpperCase() : one.toLowerCase())).join("");

const refusesStrangers = async (caller: Caller): Promise<void> => {
  const wrong = [
    { authorization: "Bearer wrong" },
    { authorization: "Bearer " },
    { authorization: `Basic ${caller.to.secret}` },
    { authorization: "", "x-openclaw-webhook-secret": "wrong" },
    { authorization: "Bearer wrong", "x-openclaw-webhook-secret": caller.to.secret },
  ];
  const texts = new Set<string>();
  for (const headers of wrong) {
    const answered = await caller.send(LIST, headers);
    await caller.refused(answered, 401, "unauthorized");
    check(answered.headers.get("www-authenticate") === "Bearer", "401 says Bearer");
    texts.add(answered.text);
  }
  same(texts.size, 1, "all 401 are the same bytes");
  check(![...texts].join("").includes("routeId"), "a 401 names no route");
  const own = await caller.send(LIST, { authorization: "", "x-openclaw-webhook-secret": caller.to.secret });
  same(own.status, 200, "the own header opens the route");
};

/** Nothing but the whole secret of the route itself opens it. */
const wantsTheWholeSecret = async (caller: Caller): Promise<void> => {
  const { secret } = caller.to;
  const near = [
    secret.slice(0, -1),
    secret.slice(1),
    `${secret}x`,
    secret.slice(0, 8),
    swapCase(secret),
    caller.other.secret,
  ];
  for (const wrong of near) {
    await caller.refused(await caller.send(LIST, { authorization: `Bearer ${wrong}` }), 401, "unauthorized");
  }
};

const refusesBadRequests = async (caller: Caller): Promise<void> => {
  const get = await caller.raw(new Request(caller.to.url, { method: "GET" }));
  await caller.refused(get, 405, "method_not_allowed");
  same(get.headers.get("allow"), "POST", "405 says POST");
  await caller.refused(await caller.send(LIST, { "content-type": "text/plain" }), 415, "unsupported_media_type");
  for (const body of ["", "{", "nope", '{"action":"list_flows"}}']) {
    await caller.refused(await caller.send(body), 400, "invalid_json");
  }
  for (const body of [
    [],
    null,
    1,
    {},
    { action: "nope" },
    { ...LIST, more: 1 },
    { action: "create_flow", goal: " " },
  ]) {
    await caller.refused(await caller.send(body), 400, "invalid_request");
  }
  const named = await caller.send({ action: "get_flow", flowId: 7 });
  same(named.body.result?.["field"], "flowId", "a refusal names the field");
  const padded = (size: number): string => JSON.stringify(LIST).padEnd(size);
  same((await caller.send(padded(262_144))).status, 200, "262,144 bytes pass");
  await caller.refused(await caller.send(padded(262_145)), 413, "payload_too_large");
  await caller.refused(await caller.send({ action: "create_flow", goal: "\ud800" }), 400, "invalid_request");
};

const acceptsMediaTypes = async (caller: Caller): Promise<void> => {
  for (const type of ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"]) {
    same((await caller.send(LIST, { "content-type": type })).status, 200, type);
  }
};

const createsAndReads = async (caller: Caller): Promise<void> => {
  const made = await caller.send({ action: "create_flow", goal: " Review inbound queue " });
  same([made.status, made.body.ok, made.body.result?.["created"]], [200, true, true], "create_flow");
  check(typeof made.body.routeId === "string", "an answer names its route");
  const flow: { readonly flowId?: unknown; readonly goal?: unknown } = Object(made.body.result?.["flow"]);
  same(flow.goal, "Review inbound queue", "texts are trimmed");
  const read = await caller.send({ action: "get_flow", flowId: flow.flowId });
  same(read.body, { ok: true, routeId: made.body.routeId, result: { flow } }, "get_flow");
};

const limitsTheRate = async (caller: Caller): Promise<void> => {
  const [client, other] = [newClient(), newClient()];
  const statuses: number[] = [];
  for (let sent = 0; sent < 121; sent += 1) statuses.push((await caller.send(LIST, {}, client)).status);
  same(statuses, [...Array.from({ length: 120 }, () => 200), 429], "120 requests of a client pass");
  const limited = await caller.send(LIST, {}, client);
  await caller.refused(limited, 429, "rate_limited");
  check(Number(limited.headers.get("retry-after")) >= 1, "429 says when to come back");
  same((await caller.send(LIST, {}, other)).status, 200, "another client passes");
};

/** Registers the suite's tests with `test`. */
export const webhookSuite = (test: TestFunction, subject: SurfaceUnderTest): void => {
  const { open, close, asClient = () => ({}), runs = 20, ties = "by_creation" } = subject;
  const withSurface = (name: string, run: (caller: Caller) => Promise<void>): unknown =>
    test(name, async () => {
      const surface = await open();
      await run(new Caller(surface, asClient));
      await close?.(surface);
    });

  withSurface("creates a flow and reads it back", createsAndReads);
  withSurface("refuses strangers, all alike", refusesStrangers);
  withSurface("wants the whole secret of the route itself", wantsTheWholeSecret);
  withSurface("refuses bad requests with a code, a sentence and the field", refusesBadRequests);
  withSurface("takes every spelling of JSON's media type", acceptsMediaTypes);
  if (subject.asClient !== undefined) withSurface("lets 120 requests of a client pass in a minute", limitsTheRate);
  test("its flows are those of a store", async () => {
    const surface = await open();
    const { routes, fetch: fetchIt = (request: Request) => fetch(request) } = surface;
    const owners = [routes[0].sessionKey, routes[1].sessionKey] as const;
    const tests: (() => Promise<void>)[] = [];
    const collect: TestFunction = (_, run) => tests.push(run);
    const openStore = (): FlowStore => httpFlows(routes, fetchIt, asClient);
    flowStoreSuite(collect, { open: openStore, owners, runs, ties, writers: 6, many: 120 });
    for (const run of tests) await run();
    await close?.(surface);
  });
};
