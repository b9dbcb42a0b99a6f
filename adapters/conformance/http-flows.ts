// A webhook surface as a store of flows: the port, over HTTP. What `result` holds is what a Gateway's flow API answers,
// so its decoder reads it.

import type { FlowStore } from "../flows/flow-store.ts";
import type { Binding } from "../managed-flows/api.ts";
import { gatewayFlows } from "../managed-flows/store.ts";
import { ConformanceError } from "./check.ts";

/** A route under test, from its caller's side. */
export type Endpoint = {
  readonly url: string;
  readonly secret: string;
  /** The session that the route is bound to; never sent, but as a `resolve_flow` token. */
  readonly sessionKey: string;
};

/** `fetch`, or a Fetch handler to test without a server. */
export type Fetch = (request: Request) => Promise<Response>;

/** Header fields that make a request come from another client, for surfaces behind a trusted proxy. */
export type AsClient = (client: number) => Readonly<Record<string, string>>;

export type Envelope = {
  readonly ok?: unknown;
  readonly routeId?: unknown;
  readonly code?: unknown;
  readonly error?: unknown;
  readonly result?: Readonly<Record<string, unknown>>;
};

export const post = (to: Endpoint, body: unknown, headers: Readonly<Record<string, string>>): Request =>
  new Request(to.url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${to.secret}`, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

/** These are answers to a command; every other status is the surface's own refusal. */
const ANSWERED = new Set([200, 202, 404, 409]);

let clients = 0;

/** A client that has not asked before: a property asks more than one client may. */
export const newClient = (): number => (clients += 1);

/** The routes' flows; every request comes from a new client. */
export const httpFlows = (endpoints: readonly Endpoint[], fetchIt: Fetch, asClient: AsClient): FlowStore => {
  const bind = (owner: string): Binding => {
    const to = endpoints.find(({ sessionKey }) => sessionKey === owner);
    if (to === undefined) throw new ConformanceError(`no route is bound to ${owner}`);
    const ask = async (action: string, asked: object): Promise<NonNullable<Envelope["result"]>> => {
      const response = await fetchIt(post(to, { ...asked, action }, asClient(newClient())));
      const text = await response.text();
      if (!ANSWERED.has(response.status)) throw new ConformanceError(`${action}: ${String(response.status)} ${text}`);
      const { result = {} }: Envelope = JSON.parse(text);
      return result;
    };
    const flowIn = async (action: string, asked: object = {}): Promise<unknown> => (await ask(action, asked))["flow"];
    return {
      flows: {
        tryCreateManaged: (asked) => flowIn("create_flow", asked),
        get: (flowId) => flowIn("get_flow", { flowId }),
        list: async () => (await ask("list_flows", {}))["flows"],
        findLatest: () => flowIn("find_latest_flow"),
        resolve: (token) => flowIn("resolve_flow", { token }),
        getTaskSummary: async (flowId) => (await ask("get_task_summary", { flowId }))["summary"],
        setWaiting: (asked) => ask("set_waiting", asked),
        resume: (asked) => ask("resume_flow", asked),
        finish: (asked) => ask("finish_flow", asked),
        fail: (asked) => ask("fail_flow", asked),
        requestCancel: (asked) => ask("request_cancel", asked),
        runTask: (asked) => ask("run_task", asked),
      },
      canceller: () => ({ cancel: ({ flowId }) => ask("cancel_flow", { flowId }) }),
    };
  };
  return gatewayFlows({ bind, hostConfig: () => undefined });
};
