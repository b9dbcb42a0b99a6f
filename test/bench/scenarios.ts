// What is asked, by how many clients, and what the host gives for it.

import { SECRET } from "./plugins.ts";

export type Asked = { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer<ArrayBuffer> };

/** What is aimed at: ours ÷ bundled in process, ours ÷ a bare server over sockets. */
export type Goals = { readonly toBundled?: number; readonly toBare?: number };

export type Scenario = {
  readonly name: string;
  readonly status: number;
  /** How many clients take turns behind the proxy. */
  readonly clients: number;
  /** Whether the Gateway has attributed the request itself, as it does since 2026.9; else its function reads headers. */
  readonly attributed: boolean;
  /** Asked in turns, each with its client's address on top. */
  readonly turns: readonly Asked[];
  /** What a bare server answers. */
  readonly answer: unknown;
  /** What the host gives, where it is asked at all. */
  readonly host?: { readonly does: "read" | "write"; readonly gives: unknown };
  readonly goals: Goals;
};

const FLOW_ID = "f55b4144-106e-4705-b5a2-da4c69fc6240";

/** What a caller may see of the flow. */
const SHOWN = {
  flowId: FLOW_ID,
  syncMode: "managed",
  controllerId: "webhooks/bench",
  currentStep: "collect",
  revision: 3,
  status: "waiting",
  notifyPolicy: "done_only",
  goal: "Review inbound queue",
  createdAt: 1_795_383_274_908,
  updatedAt: 1_795_383_275_908,
} as const;

/** As the host gives it: the members of the real one, in its order. */
const recordOf = (flowId: string, state: object): object => ({
  flowId,
  syncMode: SHOWN.syncMode,
  ownerKey: "agent:main:bench",
  requesterOrigin: { channel: "telegram", to: "group:4711", accountId: "main" },
  controllerId: SHOWN.controllerId,
  revision: SHOWN.revision,
  status: SHOWN.status,
  notifyPolicy: SHOWN.notifyPolicy,
  goal: SHOWN.goal,
  currentStep: SHOWN.currentStep,
  ...state,
  createdAt: SHOWN.createdAt,
  updatedAt: SHOWN.updatedAt,
  blockedTaskId: undefined,
  blockedSummary: undefined,
  cancelRequestedAt: undefined,
  endedAt: undefined,
});

/** What a flow typically remembers: 20 members on three levels. */
const nestedState = (index: number): object => ({
  ticket: `T-${String(10_000 + index)}`,
  customer: { name: `Customer number ${String(index)}`, email: "customer@example.com", tier: "gold" },
  steps: [
    { name: "collect", done: true, at: SHOWN.createdAt },
    { name: "review", done: false, assignee: { id: 17, team: "billing" } },
  ],
  tags: ["inbox", "billing"],
  totals: { net: 120.5, tax: 22.9, currency: "EUR" },
  retries: 2,
  urgent: false,
});

const item = (index: number): object => ({
  id: `item-${String(index)}`,
  name: `Customer number ${String(index)}`,
  amount: index * 1.5,
  open: index % 2 === 0,
  tags: ["a", "b", "c"],
  address: { street: `Street ${String(index)}`, zip: String(10_000 + index), city: "Town" },
});

/** 200 KB of small objects, and of one text. */
const OBJECTS = { list: Array.from({ length: 1250 }, (_, index) => item(index)) };
const TEXT = "x".repeat(200_000);

const asked = (body: object, headers: Readonly<Record<string, string>> = {}): Asked => ({
  headers: { "content-type": "application/json", authorization: `Bearer ${SECRET}`, ...headers },
  body: Buffer.from(JSON.stringify(body)),
});

const ok = (result: object): object => ({ ok: true, routeId: "bench", result });

const GET = { action: "get_flow", flowId: FLOW_ID };
const CREATE = { action: "create_flow", goal: SHOWN.goal, currentStep: SHOWN.currentStep };
const SET = { action: "set_waiting", flowId: FLOW_ID, expectedRevision: 3, currentStep: "collect" };
const RESUME = { ...SET, action: "resume_flow" };
const WRONG = { authorization: "Bearer wrong-secret-0123456789abcdef" };

const FEW = 64;
const BASE = { status: 200, clients: FEW, attributed: false, goals: {} } as const;

const GET_FLOW: Omit<Scenario, "name"> = {
  ...BASE,
  turns: [asked(GET)],
  answer: ok({ flow: SHOWN }),
  host: { does: "read", gives: recordOf(FLOW_ID, {}) },
};

const CREATE_FLOW: Omit<Scenario, "name"> = {
  ...BASE,
  turns: [asked(CREATE)],
  answer: ok({ created: true, flow: SHOWN }),
  host: { does: "write", gives: recordOf(FLOW_ID, {}) },
};

const UNAUTHORIZED: Omit<Scenario, "name"> = {
  ...BASE,
  status: 401,
  turns: [asked(GET, WRONG)],
  answer: { ok: false, code: "unauthorized", error: "The secret is missing or wrong.", result: {} },
};

/** The same question of few clients and of many. */
const crowds = (name: string, scenario: Omit<Scenario, "name">, few: Goals, most: Goals): readonly Scenario[] => [
  { ...scenario, name: `${name}, ${String(FEW)} clients`, goals: few },
  { ...scenario, name: `${name}, 1,000 clients`, clients: 1000 },
  { ...scenario, name: `${name}, 4,000 clients`, clients: 4000, goals: most },
];

const attributed = (name: string, scenario: Omit<Scenario, "name">): Scenario => ({
  ...scenario,
  name: `${name}, 4,000 clients, Gateway's own IP`,
  clients: 4000,
  attributed: true,
});

const listOf = (count: number): Scenario => {
  const flows = Array.from({ length: count }, (_, index) => ({
    flowId: `flow-${String(index)}`,
    stateJson: nestedState(index),
  }));
  return {
    ...BASE,
    name: `list_flows of ${count.toLocaleString("en")}, nested state`,
    turns: [asked({ action: "list_flows" })],
    answer: ok({ flows: flows.map((flow) => ({ ...SHOWN, ...flow })) }),
    host: { does: "read", gives: flows.map(({ flowId, stateJson }) => recordOf(flowId, { stateJson })) },
    goals: { toBundled: 1.1 },
  };
};

const stateOf = (name: string, stateJson: unknown, toBundled: number): Scenario => ({
  ...BASE,
  name: `set_waiting, 200 KB as ${name}`,
  turns: [asked({ ...SET, stateJson })],
  answer: ok({ applied: true, flow: { ...SHOWN, stateJson } }),
  host: { does: "write", gives: { applied: true, flow: recordOf(FLOW_ID, { stateJson }) } },
  goals: { toBundled },
});

const NESTED = { stateJson: nestedState(1) };
const MOST = { toBundled: 0.6, toBare: 1.4 };
const MOST_REFUSED = { toBundled: 0.45 };
const REFUSED = { toBundled: 0.35 };

export const SCENARIOS: readonly Scenario[] = [
  ...crowds("get_flow", GET_FLOW, { toBundled: 0.5, toBare: 1.4 }, MOST),
  attributed("get_flow", GET_FLOW),
  {
    ...GET_FLOW,
    name: "get_flow, nested state",
    answer: ok({ flow: { ...SHOWN, ...NESTED } }),
    host: { does: "read", gives: recordOf(FLOW_ID, NESTED) },
  },
  ...crowds("create_flow", CREATE_FLOW, { toBundled: 0.5, toBare: 1.4 }, MOST),
  {
    ...BASE,
    name: "set_waiting, resume_flow",
    turns: [asked(SET), asked(RESUME)],
    answer: ok({ applied: true, flow: SHOWN }),
    host: { does: "write", gives: { applied: true, flow: recordOf(FLOW_ID, { waitJson: undefined }) } },
    goals: { toBundled: 0.5 },
  },
  listOf(1000),
  stateOf("objects", OBJECTS, 0.3),
  stateOf("one text", TEXT, 1),
  ...crowds("401", UNAUTHORIZED, REFUSED, MOST_REFUSED),
  attributed("401", UNAUTHORIZED),
  {
    ...BASE,
    name: "415",
    status: 415,
    turns: [asked(GET, { "content-type": "text/plain" })],
    answer: { ok: false, code: "unsupported_media_type", error: "Content-Type must be application/json.", result: {} },
    goals: REFUSED,
  },
  {
    ...BASE,
    name: "400",
    status: 400,
    turns: [asked({ ...GET, more: 1 })],
    answer: { ok: false, code: "invalid_request", error: 'more: Unrecognized key: "more"', result: { field: "more" } },
  },
  {
    // needs a client that has used its window up
    ...BASE,
    name: "429",
    status: 429,
    clients: 1,
    turns: [asked(GET)],
    answer: { ok: false, code: "rate_limited", error: "Too many requests from this client.", result: {} },
  },
];

/** The scenario of this name, or the first of which the name begins so. */
export const scenarioOf = (wanted: string | undefined): Scenario => {
  const found =
    SCENARIOS.find(({ name }) => name === wanted) ?? SCENARIOS.find(({ name }) => name.startsWith(wanted ?? "\n"));
  if (found === undefined) throw new Error(`no scenario ${String(wanted)}`);
  return found;
};
