// Generators for the properties. They are rich, because a property is only as good as its inputs.

import fc from "fast-check";
import { type Config, hmacSha256, loadConfig, type RequestHead, type Routes, sha256 } from "../../core/index.ts";

export const ROUTE_A = { id: "zapier", sessionKey: "agent:main:owner-a", secret: "secret-of-route-a-0123456789" };
export const ROUTE_B = { id: "ci", sessionKey: "agent:main:owner-b", secret: "secret-of-route-b-0123456789" };

export const CONFIG = {
  routes: {
    [ROUTE_A.id]: { sessionKey: ROUTE_A.sessionKey, secret: ROUTE_A.secret },
    [ROUTE_B.id]: { sessionKey: ROUTE_B.sessionKey, secret: ROUTE_B.secret, path: "/hooks/ci" },
    cold: { sessionKey: "agent:main:cold", secret: { source: "env", provider: "default", id: "UNSET" } },
  },
};

export const load = (config: unknown): Config => loadConfig(config, sha256);

export const ROUTES: Routes = load(CONFIG).routes;

export const PATH_A = "/plugins/webhooks/zapier";
export const PATH_B = "/hooks/ci";

/** A strict decoder for tests on any platform. The adapters use the native one. */
export const decodeUtf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
};

export const primitives = { sha256, hmacSha256, decodeUtf8 };

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export const head = (
  changes: Partial<Omit<RequestHead, "header">> & { readonly headers?: Readonly<Record<string, string>> } = {},
): RequestHead => {
  const { headers = { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}` }, ...rest } =
    changes;
  return {
    method: "POST",
    target: PATH_A,
    client: "203.0.113.7",
    peer: "127.0.0.1",
    header: (name) => headers[name],
    ...rest,
  };
};

/** Any text, with lone surrogates, NUL and names of prototype members. */
export const wildText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom("__proto__", "constructor", "toString", "hasOwnProperty", "", " ", "\u0000", "\ufeff"),
);

/** Text that can be stored and is not blank. */
export const goodText = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((text) => text.isWellFormed() && text.trim() === text && text !== "");

/** A JSON value, without negative zero. */
export const goodJson = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.stringify(value))
  .filter((text) => !text.includes("__proto__"))
  .map((text): unknown => JSON.parse(text));

const nullable = (text: fc.Arbitrary<string>): fc.Arbitrary<string | null> => fc.option(text, { nil: null });
const revision = fc.nat({ max: 5 });
const policy = fc.constantFrom("done_only", "state_changes", "silent");

type Fields = Readonly<Record<string, fc.Arbitrary<unknown>>>;
export type Json = { readonly [field: string]: unknown };

const record = (required: Fields, optional: Fields): fc.Arbitrary<Json> =>
  fc.tuple(fc.record(required), fc.record(optional, { requiredKeys: [] })).map(([a, b]) => ({ ...a, ...b }));

const asked = (action: string, required: Fields, optional: Fields = {}): fc.Arbitrary<Json> =>
  record({ action: fc.constant(action), ...required }, optional);

const JSON_FIELDS = { stateJson: goodJson, waitJson: goodJson };
const BLOCKED = { blockedTaskId: nullable(goodText), blockedSummary: nullable(goodText) };
const FLOW_ID = { flowId: goodText };
const REVISED = { flowId: goodText, expectedRevision: revision };

/** A body of each action that the Gateway accepts. */
export const goodBodies = {
  create_flow: asked(
    "create_flow",
    { goal: goodText },
    {
      controllerId: goodText,
      status: fc.constantFrom("queued", "running", "waiting", "blocked"),
      notifyPolicy: policy,
      currentStep: nullable(goodText),
      ...JSON_FIELDS,
    },
  ),
  get_flow: asked("get_flow", FLOW_ID),
  list_flows: asked(
    "list_flows",
    {},
    {
      limit: fc.integer({ min: 1, max: 500 }),
      cursor: fc.tuple(fc.nat(), fc.constantFrom("", "f", "a~b")).map(([at, id]) => `${String(at)}~${id}`),
      status: fc.constantFrom("queued", "running", "waiting", "blocked", "succeeded", "failed", "cancelled", "lost"),
      controllerId: goodText,
      updatedAfter: fc.nat(),
    },
  ),
  find_latest_flow: asked("find_latest_flow", {}),
  resolve_flow: asked("resolve_flow", { token: goodText }),
  get_task_summary: asked("get_task_summary", FLOW_ID),
  set_waiting: asked("set_waiting", REVISED, { currentStep: nullable(goodText), ...JSON_FIELDS, ...BLOCKED }),
  resume_flow: asked("resume_flow", REVISED, {
    status: fc.constantFrom("queued", "running"),
    currentStep: nullable(goodText),
    stateJson: goodJson,
  }),
  finish_flow: asked("finish_flow", REVISED, { stateJson: goodJson }),
  fail_flow: asked("fail_flow", REVISED, { stateJson: goodJson, ...BLOCKED }),
  request_cancel: asked("request_cancel", REVISED),
  cancel_flow: asked("cancel_flow", FLOW_ID),
  run_task: asked(
    "run_task",
    { ...FLOW_ID, runtime: fc.constantFrom("subagent", "acp"), task: goodText },
    {
      sourceId: goodText,
      childSessionKey: goodText,
      parentTaskId: goodText,
      agentId: goodText,
      runId: goodText,
      label: goodText,
      preferMetadata: fc.boolean(),
      notifyPolicy: policy,
    },
  ),
};

export const goodBody: fc.Arbitrary<Json> = fc.oneof(...Object.values(goodBodies));

export const flowStatus = fc.constantFrom(
  "queued" as const,
  "running" as const,
  "waiting" as const,
  "blocked" as const,
  "succeeded" as const,
  "failed" as const,
  "cancelled" as const,
  "lost" as const,
);

const time = fc.nat({ max: 2_000_000_000_000 });

/** The visible part of a flow record. */
export const flowFields = record(
  {
    flowId: goodText,
    syncMode: fc.constantFrom("managed" as const, "task_mirrored" as const),
    revision: fc.nat(),
    status: flowStatus,
    notifyPolicy: fc.constantFrom("done_only" as const, "state_changes" as const, "silent" as const),
    goal: goodText,
    createdAt: time,
    updatedAt: time,
  },
  {
    controllerId: goodText,
    currentStep: goodText,
    blockedTaskId: goodText,
    blockedSummary: goodText,
    stateJson: goodJson,
    waitJson: goodJson,
    cancelRequestedAt: time,
    endedAt: time,
  },
);

/** The visible part of a task record. */
export const taskFields = record(
  {
    taskId: goodText,
    runtime: fc.constantFrom("subagent", "acp", "cli", "cron"),
    scopeKind: fc.constantFrom("session", "system"),
    task: goodText,
    status: fc.constantFrom("queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"),
    deliveryStatus: fc.constantFrom("pending", "delivered", "session_queued", "failed", "dismissed"),
    notifyPolicy: policy,
    createdAt: time,
  },
  {
    sourceId: goodText,
    parentFlowId: goodText,
    parentTaskId: goodText,
    agentId: goodText,
    runId: goodText,
    label: goodText,
    error: goodText,
    progressSummary: goodText,
    terminalSummary: goodText,
    terminalOutcome: fc.constantFrom("succeeded", "blocked"),
    startedAt: time,
    endedAt: time,
    lastEventAt: time,
    cleanupAfter: time,
  },
);

const STATUSES = ["queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"];
const RUNTIMES = ["subagent", "acp", "cli", "cron"];
const countsOf = (names: readonly string[]) => fc.record(Object.fromEntries(names.map((name) => [name, fc.nat()])));

export const summaryFields = fc.record({
  total: fc.nat(),
  active: fc.nat(),
  terminal: fc.nat(),
  failures: fc.nat(),
  byStatus: countsOf(STATUSES),
  byRuntime: countsOf(RUNTIMES),
});

/** Fields of a record that no caller may see, and unknown members. */
export const hiddenFields = fc.record(
  {
    ownerKey: wildText,
    requesterSessionKey: wildText,
    requesterAgentId: wildText,
    requesterOrigin: fc.anything({ maxDepth: 2 }),
    childSessionKey: wildText,
    sessionKey: wildText,
    executionOwner: fc.record({ host: wildText, pid: fc.nat(), startIdentity: fc.nat() }),
    taskKind: wildText,
    toolUseCount: fc.nat(),
    lastToolName: wildText,
    detail: fc.anything({ maxDepth: 2 }),
    warning: wildText,
    [Symbol.for("owner")]: wildText,
    extra: fc.anything({ maxDepth: 2, withNullPrototype: true }),
  },
  { requiredKeys: [] },
);

type Dress = (visible: object, hidden: object) => object;

/** Shapes that a record may have. Getters, prototypes and `toJSON` try to show hidden values. */
export const dress: fc.Arbitrary<Dress> = fc.constantFrom<Dress>(
  (visible, hidden) => ({ ...hidden, ...visible }),
  (visible, hidden) => ({ ...visible, ...hidden, ...visible }),
  (visible, hidden) => Object.assign(Object.create(hidden) as object, visible),
  (visible, hidden) => Object.assign(Object.create(null) as object, hidden, visible),
  (visible, hidden) => ({ ...hidden, ...visible, toJSON: () => hidden }),
  (visible, hidden) =>
    Object.defineProperty({ ...hidden, ...visible }, "currentStepOfOwner", {
      get: () => JSON.stringify(hidden),
      enumerable: true,
    }),
  (visible, hidden) => new Proxy({ ...hidden, ...visible }, { ownKeys: () => [] }),
);
