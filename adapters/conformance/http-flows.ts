// A webhook surface as a store of flows: the port, over HTTP. What `result` holds is what a Gateway's flow API answers,
// so its decoder reads it.

import type { FlowAction } from "../../core/index.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import { decode } from "../managed-flows/decode.ts";
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

/** The part of `result` that a Gateway's flow API answers itself. */
const answerIn = ({ action }: FlowAction, result: NonNullable<Envelope["result"]>): unknown => {
  if (action === "list_flows") return result["flows"];
  if (action === "get_task_summary") return result["summary"];
  return ["create_flow", "get_flow", "find_latest_flow", "resolve_flow"].includes(action) ? result["flow"] : result;
};

const nextIn = ({ nextCursor }: NonNullable<Envelope["result"]>): { readonly next?: string | null } =>
  typeof nextCursor === "string" || nextCursor === null ? { next: nextCursor } : {};

/** The routes' flows; every request comes from a new client. */
export const httpFlows = (endpoints: readonly Endpoint[], fetchIt: Fetch, asClient: AsClient): FlowStore => ({
  execute: async (owner, action, report) => {
    const to = endpoints.find(({ sessionKey }) => sessionKey === owner);
    if (to === undefined) throw new ConformanceError(`no route is bound to ${owner}`);
    const response = await fetchIt(post(to, action, asClient(newClient())));
    const text = await response.text();
    if (!ANSWERED.has(response.status)) {
      throw new ConformanceError(`${action.action}: ${String(response.status)} ${text}`);
    }
    const { result = {} }: Envelope = JSON.parse(text);
    const outcome = decode(action, answerIn(action, result), (prose) => report("the host said", prose));
    const listed = outcome.map((one) => (one.kind === "flows" ? { ...one, ...nextIn(result) } : one));
    return listed.mapErr(({ field }) => {
      throw new ConformanceError(`${action.action}: the answer's ${field || "whole"} is not what it must be: ${text}`);
    });
  },
});
