// Routes with callbacks over a store, with a clock that the test moves.

import { runCallbacks, type Callbacks } from "../../adapters/notify/callbacks.ts";
import { Log } from "../../adapters/bridge/log.ts";
import type { EmbeddedFlows } from "../../adapters/flows/embedded-store.ts";
import type { FlowEvents, OutboxState } from "../../adapters/flows/outbox.ts";
import { type FlowAction, loadConfig, type Routes, sha256 } from "../../core/index.ts";

export const SECRET = `whsec_${Buffer.from("a key of callbacks, 32 bytes long").toString("base64")}`;
export const OTHER_SECRET = `whsec_${Buffer.from("another key of callbacks, as long").toString("base64")}`;

export const SESSION = "agent:main:callbacks";

export type Notified = { readonly url: string; readonly secret?: string; readonly on?: readonly string[] };

/** Routes by id, each of its own session unless one is named. */
export const routesOf = (routes: Readonly<Record<string, Notified & { readonly sessionKey?: string }>>): Routes => {
  const written = Object.entries(routes).map(([id, { sessionKey = SESSION, secret = SECRET, ...notify }]) => [
    id,
    { sessionKey, secret: `a secret of route ${id}, long`, notify: { ...notify, secret } },
  ]);
  const config = loadConfig({ routes: Object.fromEntries(written) }, sha256);
  if (config.problems.length > 0) throw new Error(JSON.stringify(config.problems));
  return config.routes;
};

/** The present, because receivers refuse what was signed long ago. */
export const START = Date.now();

export class Clock {
  time = START;
  readonly now = (): number => this.time;
}

export type Sending = { readonly callbacks: Callbacks; readonly lines: readonly string[]; routes: Routes };

/** Begins to send, with tries that fail after `timeoutMs`, and keeps what is logged. */
export const send = (
  events: FlowEvents | undefined,
  routes: Routes,
  clock: Clock,
  { timeoutMs = 2000 }: { readonly timeoutMs?: number } = {},
): Sending => {
  if (events === undefined) throw new Error("the store has no events");
  const lines: string[] = [];
  const say = (level: string) => (line: string) => void lines.push(`${level} ${line.replace("[webhooks] ", "")}`);
  const log = new Log({ info: say("info"), warn: say("warn"), error: say("error") }, clock.now);
  const sending = { lines, routes };
  const callbacks = runCallbacks(events, {
    routes: () => sending.routes,
    log,
    now: clock.now,
    chance: () => 0.5,
    timeoutMs,
  });
  return Object.assign(sending, { callbacks });
};

const refuse = (what: string, detail: unknown): never => {
  throw new Error(`${what}: ${String(detail)}`);
};

/** Carries an action out; the flow that it shows. */
export const act = async (
  flows: EmbeddedFlows,
  action: FlowAction,
  owner = SESSION,
): Promise<{ readonly flowId: string; readonly revision: number }> => {
  const outcome = (await flows.execute(owner, action, refuse))._unsafeUnwrap();
  if (!("flow" in outcome) || !outcome.flow) throw new Error(`no flow, but ${outcome.kind}`);
  return outcome.flow.json as { flowId: string; revision: number };
};

/** Makes a flow and ends it: one event for who wants "ended". */
export const endOne = async (flows: EmbeddedFlows, owner = SESSION, goal = "g"): Promise<string> => {
  const { flowId, revision } = await act(flows, { action: "create_flow", goal, controllerId: "c" }, owner);
  await act(flows, { action: "finish_flow", flowId, expectedRevision: revision }, owner);
  return flowId;
};

/** Resolves once the store's events are as `isSo` says. Nothing tells of it, so it is asked again and again. */
export const untilOutbox = async (
  events: FlowEvents | undefined,
  isSo: (waiting: OutboxState["routes"]) => boolean,
): Promise<void> => {
  for (;;) {
    const state = (await events?.look())?._unsafeUnwrap();
    if (state !== undefined && isSo(state.routes)) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
};

export const isEmpty = (waiting: OutboxState["routes"]): boolean => waiting.size === 0;
