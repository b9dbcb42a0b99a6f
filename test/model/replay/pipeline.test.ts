// Replays the traces of spec/pipeline.qnt over the real bridge: requests that arrive, stall, hang up, fail and end
// among each other. The same replies, host calls and slots, at every step.

import { err, ok, type Result } from "neverthrow";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Bridge, createBridge } from "../../../adapters/bridge/bridge.ts";
import { Log } from "../../../adapters/bridge/log.ts";
import { MemoryLimits } from "../../../adapters/limits/memory.ts";
import { nodePrimitives } from "../../../adapters/node/index.ts";
import {
  type BodyFault,
  type Outcome,
  type Policy,
  type RequestHead,
  type Routes,
  SLOTS as SLOT_RULE,
  type StoreFailure,
  createFlow,
  type FlowView,
  viewFlow,
  WINDOW,
} from "../../../core/index.ts";
import { bytes, head, PATH_A, ROUTE_A, ROUTES } from "../../core/arbitraries.ts";
import { tracesOf } from "./traces.ts";

/** The scale of spec/pipeline.qnt: all slots but these are taken before a trace begins. */
const SLOTS = 2;
const MAX_LENGTH = 3;
const PEER_SLOTS = `127.0.0.1 ${ROUTE_A.id}`;
const TAKEN = SLOT_RULE.peer - SLOTS;

type Request = {
  readonly isRoute: boolean;
  readonly isPost: boolean;
  readonly isLimited: boolean;
  readonly isJson: boolean;
  readonly isUtf8: boolean;
  readonly isPlain: boolean;
  readonly isSecret: boolean;
  readonly length: number;
  readonly text: string;
  readonly host: string;
};
type Progress = { readonly stage: string; readonly holdsSlot: boolean; readonly read: number };
type Said = { readonly code: string; readonly names: boolean };
type State = {
  readonly requests: ReadonlyMap<number, Request>;
  readonly progress: ReadonlyMap<number, Progress>;
  readonly replies: ReadonlyMap<number, readonly Said[]>;
  readonly asked: readonly number[];
  readonly call: { readonly tag: string; readonly value: unknown };
};

const POLICY: Policy = {
  actions: new Set(["finish_flow"] as const),
  controllerIds: undefined,
  childSessions: undefined,
};
const CONFINED: Routes = new Map([...ROUTES].map(([path, route]) => [path, { ...route, policy: POLICY }]));

/** A command names its request as the flow, so that the store can tell the requests apart. */
const BODIES: Readonly<Record<string, (id: number) => Uint8Array>> = {
  command: (id) => bytes(JSON.stringify({ action: "finish_flow", flowId: String(id), expectedRevision: 0 })),
  not_utf8: () => Uint8Array.from([0xff]),
  not_json: () => bytes("{"),
  not_an_action: () => bytes("{}"),
  not_allowed: () => bytes(JSON.stringify({ action: "list_flows" })),
};

const flowOf = (id: number): FlowView =>
  viewFlow(createFlow(String(id), { action: "create_flow", goal: "g", controllerId: "c" }, 0))._unsafeUnwrap();

/** What the store answers; `throws` is a promise that rejects. */
const OUTCOMES: Readonly<Record<string, (id: number) => Result<Outcome, StoreFailure>>> = {
  done: (id) => ok({ kind: "applied", flow: flowOf(id) }),
  refused: (id) => ok({ kind: "not_applied", refusal: "revision_conflict", current: flowOf(id) }),
  locked: () => err("persist_failed"),
  nonsense: (id) => ok({ kind: "flow", flow: flowOf(id) }),
  other_flow: (id) => ok({ kind: "applied", flow: flowOf(id + 100) }),
};
/** The model's name of an answer that the host made. */
const NAMES: Readonly<Record<string, string>> = { "": "done", revision_conflict: "refused" };

const clientOf = (id: number): string => `10.0.0.${String(id)}`;

const headOf = (id: number, request: Request): RequestHead => ({
  ...head({
    method: request.isPost ? "POST" : "GET",
    target: request.isRoute ? PATH_A + (request.length > MAX_LENGTH ? "/x".repeat(2000) : "") : "/nope",
    headers: {
      "content-type": `${request.isJson ? "application/json" : "text/plain"}${request.isUtf8 ? "" : "; charset=utf-16"}`,
      ...(request.isPlain ? {} : { "content-encoding": "gzip" }),
      authorization: request.isSecret ? `Bearer ${ROUTE_A.secret}` : "Bearer wrong",
    },
    client: clientOf(id),
  }),
});

/** One request on its way, with the ends that the trace pulls. */
class Flight {
  readonly body = Promise.withResolvers<Result<Uint8Array, BodyFault>>();
  readonly host = Promise.withResolvers<Result<Outcome, StoreFailure>>();
  readonly sent = Promise.withResolvers<void>();
  readonly said: Said[] = [];
  reads = 0;
}

class World {
  readonly limits = new MemoryLimits();
  readonly flights = new Map<number, Flight>();
  readonly asked: number[] = [];
  readonly #requests: ReadonlyMap<number, Request>;
  readonly #bridge: Bridge;

  constructor(requests: ReadonlyMap<number, Request>) {
    this.#requests = requests;
    this.limits.state.peerSlots.set(PEER_SLOTS, TAKEN);
    for (const [id, { isLimited }] of requests) {
      this.flights.set(id, new Flight());
      if (isLimited)
        this.limits.state.strangers.set(`${clientOf(id)} ${ROUTE_A.id}`, { endsAt: WINDOW.ms, count: WINDOW.limit });
    }
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    this.#bridge = createBridge({
      routes: () => CONFINED,
      limits: this.limits,
      primitives: nodePrimitives,
      clock: () => 0,
      log: new Log(quiet, () => 0),
      store: {
        execute: (_owner, action) => {
          const id = Number("flowId" in action ? action.flowId : 0);
          this.asked.push(id);
          return this.flight(id).host.promise;
        },
      },
    });
  }

  get held(): number {
    return (this.limits.state.peerSlots.get(PEER_SLOTS) ?? 0) - TAKEN;
  }

  flight(id: number): Flight {
    return this.flights.get(id) ?? new Flight();
  }

  request(id: number): Request {
    const request = this.#requests.get(id);
    if (request === undefined) throw new Error(`no request ${String(id)}`);
    return request;
  }

  arrive(id: number): void {
    const flight = this.flight(id);
    const read = (): Promise<Result<Uint8Array, BodyFault>> => {
      flight.reads += 1;
      return flight.body.promise;
    };
    void this.#bridge.handle(this.#bridge.locate(headOf(id, this.request(id))), read, ({ reply }) => {
      const code = reply.code ?? "";
      flight.said.push({ code: NAMES[code] ?? code, names: "routeId" in (JSON.parse(reply.body) as object) });
      return flight.sent.promise;
    });
  }
}

/** What each kind of step does to one request of the world. */
const pull = (world: World, { tag }: State["call"], id: number, is: Progress, said: readonly Said[]): void => {
  const flight = world.flight(id);
  const { text, host } = world.request(id);
  if (tag === "Arrive") world.arrive(id);
  else if (tag === "Sent") flight.sent.resolve();
  else if (tag === "HangUp") flight.body.resolve(err("gone"));
  else if (tag === "HostEnds" && host === "throws") flight.host.reject(new Error("thrown by the store"));
  else if (tag === "HostEnds") flight.host.resolve(OUTCOMES[host]?.(id) ?? err("outcome_unknown"));
  else if (tag === "Defect") flight.body.reject(new Error("defect"));
  else if (tag === "Piece" && said.at(-1)?.code === "payload_too_large") flight.body.resolve(err("too_large"));
  else if (tag === "Piece" && is.stage !== "reading") flight.body.resolve(ok(BODIES[text]?.(id) ?? bytes("")));
};

/** Time has passed: the requests that the model ended have reached their deadlines. */
const expire = (world: World, id: number, was: Progress, is: Progress): void => {
  if (was.stage === is.stage) return;
  const flight = world.flight(id);
  if (was.stage === "reading") flight.body.resolve(err("timeout"));
  else if (was.stage === "asking") flight.host.resolve(err("outcome_unknown"));
  else flight.sent.resolve();
};

const step = (world: World, before: State, after: State): void => {
  for (const [id, is] of after.progress) {
    const was = before.progress.get(id) ?? is;
    if (after.call.tag === "Tick") expire(world, id, was, is);
    else if (after.call.value === id) pull(world, after.call, id, is, after.replies.get(id) ?? []);
  }
};

const shown = (world: World): unknown => ({
  replies: [...world.flights].map(([id, { said }]) => [id, said]),
  reads: [...world.flights].map(([id, { reads }]) => [id, reads]),
  asked: world.asked,
  held: world.held,
});

const expected = ({ replies, progress, asked }: State): unknown => ({
  replies: [...replies],
  reads: [...progress].map(([id, { read }]) => [id, read]),
  asked,
  held: [...progress.values()].filter(({ holdsSlot }) => holdsSlot).length,
});

test("ORDER-1, SLOT-2, SLOT-4, AUTH-1, BODY-1, BODY-2, BODY-3, REPLY-2, REPLY-4: the bridge does what the model does", async () => {
  const traces = tracesOf<State>("pipeline");
  let steps = 0;
  for (const { name, states } of traces) {
    const [first, ...rest] = states;
    if (first === undefined) continue;
    const world = new World(first.requests);
    let before = first;
    for (const after of rest) {
      step(world, before, after);
      await turn();
      steps += 1;
      expect(shown(world), `${name}, after ${after.call.tag}, step ${String(steps)}`).toEqual(expected(after));
      before = after;
    }
  }
  console.log(`pipeline: ${String(traces.length)} traces, ${String(steps)} steps replayed`);
});
