// What is asked, of a host that is as cheap as a host can be: it answers each command with records that are ready made,
// so that a figure is about the bridge and not about the store.

import type { BoundFlows, Canceller } from "../../adapters/managed-flows/api.ts";
import { SECRET } from "./plugins.ts";

export type Asked = { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer<ArrayBuffer> };

export type Scenario = {
  readonly name: string;
  readonly status: number;
  readonly asked: Asked;
  /** What a bare server answers. */
  readonly answer: unknown;
  readonly host?: (stateJson: unknown) => unknown;
};

export const FLOW = {
  flowId: "f55b4144-106e-4705-b5a2-da4c69fc6240",
  ownerKey: "agent:main:bench",
  requesterOrigin: { channel: "agent:main:bench" },
  syncMode: "managed",
  controllerId: "webhooks/bench",
  revision: 3,
  status: "waiting",
  notifyPolicy: "done_only",
  goal: "Review inbound queue",
  currentStep: "collect",
  createdAt: 1_795_383_274_908,
  updatedAt: 1_795_383_275_908,
} as const;

const { ownerKey: _owner, requesterOrigin: _origin, ...SHOWN } = FLOW;

const item = (index: number): object => ({
  id: `item-${String(index)}`,
  name: `Customer number ${String(index)}`,
  amount: index * 1.5,
  open: index % 2 === 0,
  tags: ["a", "b", "c"],
  address: { street: `Street ${String(index)}`, zip: String(10_000 + index), city: "Town" },
});

/** 200 KB of small objects, and of one text. */
export const OBJECTS = { list: Array.from({ length: 1250 }, (_, index) => item(index)) };
export const TEXT = { text: "x".repeat(200_000) };

const asked = (body: object | string, headers: Readonly<Record<string, string>> = {}): Asked => ({
  headers: {
    "content-type": "application/json",
    authorization: `Bearer ${SECRET}`,
    "x-forwarded-for": "203.0.113.7",
    ...headers,
  },
  body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
});

const ok = (result: object): object => ({ ok: true, routeId: "bench", result });

const CREATE = { action: "create_flow", goal: "Review inbound queue", currentStep: "collect" };
const SET = { action: "set_waiting", flowId: FLOW.flowId, expectedRevision: 3, currentStep: "collect" };

const listOf = (count: number): Scenario => {
  const flows = Array.from({ length: count }, (_, index) => ({ ...FLOW, flowId: `flow-${String(index)}` }));
  const shown = flows.map(({ flowId }) => ({ ...SHOWN, flowId }));
  return {
    name: `list_flows of ${String(count)}`,
    status: 200,
    asked: asked({ action: "list_flows" }),
    answer: ok({ flows: shown }),
    host: () => flows,
  };
};

const stateOf = (name: string, stateJson: object): Scenario => ({
  name: `set_waiting with 200 KB as ${name}`,
  status: 200,
  asked: asked({ ...SET, stateJson }),
  answer: ok({ applied: true, flow: { ...SHOWN, stateJson } }),
});

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "get_flow",
    status: 200,
    asked: asked({ action: "get_flow", flowId: FLOW.flowId }),
    answer: ok({ flow: SHOWN }),
  },
  { name: "create_flow", status: 200, asked: asked(CREATE), answer: ok({ created: true, flow: SHOWN }) },
  { name: "set_waiting", status: 200, asked: asked(SET), answer: ok({ applied: true, flow: SHOWN }) },
  {
    name: "resume_flow",
    status: 200,
    asked: asked({ ...SET, action: "resume_flow" }),
    answer: ok({ applied: true, flow: SHOWN }),
  },
  listOf(10),
  listOf(1000),
  listOf(10_000),
  stateOf("objects", OBJECTS),
  stateOf("one text", TEXT),
  {
    name: "401",
    status: 401,
    asked: asked(
      { action: "get_flow", flowId: FLOW.flowId },
      { authorization: "Bearer wrong-secret-0123456789abcdef" },
    ),
    answer: { ok: false, code: "unauthorized", error: "The secret is missing or wrong.", result: {} },
  },
  {
    name: "415",
    status: 415,
    asked: asked({ action: "get_flow", flowId: FLOW.flowId }, { "content-type": "text/plain" }),
    answer: { ok: false, code: "unsupported_media_type", error: "Content-Type must be application/json.", result: {} },
  },
  {
    name: "400",
    status: 400,
    asked: asked({ action: "get_flow", flowId: FLOW.flowId, more: 1 }),
    answer: { ok: false, code: "invalid_request", error: 'more: Unrecognized key: "more"', result: { field: "more" } },
  },
];

/** The 429 is a scenario of its own: it needs a client that has used its window up. */
export const LIMITED: Scenario = {
  name: "429",
  status: 429,
  asked: asked({ action: "get_flow", flowId: FLOW.flowId }),
  answer: { ok: false, code: "rate_limited", error: "Too many requests from this client.", result: {} },
};

export const ALL: readonly Scenario[] = [...SCENARIOS, LIMITED];

export const scenarioOf = (wanted: string | undefined): Scenario => {
  const found = ALL.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`no scenario ${String(wanted)}`);
  return found;
};

/** The scenario's host: the asked stateJson goes into the record, as a store in memory does it. */
export const hostOf = (scenario: Scenario): BoundFlows & Canceller => {
  const list = scenario.host?.(undefined) ?? [FLOW];
  const applied = (asked: object): object => ({
    applied: true,
    flow: "stateJson" in asked ? { ...FLOW, stateJson: asked.stateJson } : FLOW,
  });
  return {
    tryCreateManaged: () => FLOW,
    get: () => FLOW,
    list: () => list,
    findLatest: () => FLOW,
    resolve: () => FLOW,
    getTaskSummary: () => undefined,
    setWaiting: applied,
    resume: applied,
    finish: applied,
    fail: applied,
    requestCancel: applied,
    runTask: () => ({ found: false, created: false }),
    cancel: () => ({ found: false, cancelled: false }),
  };
};
