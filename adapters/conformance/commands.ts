// Random commands: what one owner asks of his flows, by the flow's number and not by its id, so that the same commands
// can be run against two stores.

import fc from "fast-check";
import type { JsonValue } from "../../core/index.ts";
import type { ManagedFlows } from "../flows/flow-store.ts";

export type Named = { readonly flowId: string; readonly expectedRevision: number };

/** One call of the port, once it is known which flow it is about. */
export type Command = {
  readonly name: string;
  /** The flow's number among the owner's, 0 for the first; a number that no flow has names an unknown one. */
  readonly flow: number;
  /** Added to the flow's revision: 0 is right, all others are stale or of the future. */
  readonly drift: number;
  /** What is asked besides the flow, to be read in a counterexample. */
  readonly asked?: unknown;
  readonly call: (flows: ManagedFlows, named: Named) => ReturnType<ManagedFlows[keyof ManagedFlows]>;
};

/** Times that requests name; all others are the store's own. */
export const NAMED_TIMES: readonly number[] = [0, 1_700_000_000_000, 1_700_000_005_000];

const text = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).map((value) => value.trim() || "x"),
  fc.constantFrom("'; DROP TABLE flows; --", "constructor", "%_", "null", "\u0000", "agent:main:main"),
);
const nullable = fc.option(fc.option(text, { nil: null }), { nil: undefined });
const optionalText = fc.option(text, { nil: undefined });

/** As JSON.parse gives it; a member `__proto__` is refused before a store sees it. */
const json: fc.Arbitrary<JsonValue | undefined> = fc.option(
  fc
    .jsonValue({ maxDepth: 3, stringUnit: "grapheme" })
    .map((value): JsonValue => JSON.parse(JSON.stringify(value).replaceAll("__proto__", "proto"))),
  { nil: undefined },
);
const policy = fc.option(fc.constantFrom("done_only", "state_changes", "silent"), { nil: undefined });
const time = fc.option(fc.constantFrom(...NAMED_TIMES), { nil: undefined });

const about = fc.record({
  flow: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.constant(1) },
    fc.nat({ max: 3 }),
  ),
  drift: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.constantFrom(-1, 1, 7)),
});

const made = fc
  .record({
    goal: text,
    controllerId: text,
    status: fc.option(fc.constantFrom("queued", "running", "waiting", "blocked"), { nil: undefined }),
    notifyPolicy: policy,
    currentStep: nullable,
    stateJson: json,
    waitJson: json,
  })
  .map((asked): Command => ({ name: "create", flow: -1, drift: 0, asked, call: (flows) => flows.create(asked) }));

const waiting = fc
  .record({ currentStep: nullable, stateJson: json, waitJson: json, blockedTaskId: nullable, blockedSummary: nullable })
  .chain((asked) =>
    about.map((at): Command => ({
      ...at,
      name: "setWaiting",
      asked,
      call: (flows, named) => flows.setWaiting({ ...asked, ...named }),
    })),
  );

const resumed = fc
  .record({
    status: fc.option(fc.constantFrom("queued", "running"), { nil: undefined }),
    currentStep: nullable,
    stateJson: json,
  })
  .chain((asked) =>
    about.map((at): Command => ({
      ...at,
      name: "resume",
      asked,
      call: (flows, named) => flows.resume({ ...asked, ...named }),
    })),
  );

const finished = json.chain((stateJson) =>
  about.map((at): Command => ({
    ...at,
    name: "finish",
    call: (flows, named) => flows.finish({ stateJson, ...named }),
  })),
);

const failed = fc.record({ stateJson: json, blockedTaskId: nullable, blockedSummary: nullable }).chain((asked) =>
  about.map((at): Command => ({
    ...at,
    name: "fail",
    asked,
    call: (flows, named) => flows.fail({ ...asked, ...named }),
  })),
);

const simple = about.chain((at) =>
  fc.constantFrom<Command>(
    { ...at, name: "get", call: (flows, { flowId }) => flows.get(flowId) },
    { ...at, name: "resolve", call: (flows, { flowId }) => flows.resolve(flowId) },
    { ...at, name: "summary", call: (flows, { flowId }) => flows.summary(flowId) },
    { ...at, name: "requestCancel", call: (flows, named) => flows.requestCancel(named) },
    { ...at, name: "cancel", call: (flows, { flowId }) => flows.cancel(flowId) },
  ),
);

const tasked = fc
  .record({
    runtime: fc.constantFrom("subagent", "acp"),
    task: fc.constantFrom("Inspect", "Draft a reply"),
    label: fc.option(fc.constantFrom("one", "two"), { nil: undefined }),
    runId: fc.option(fc.constantFrom("run-1", "run-1", "run-2"), { nil: undefined, freq: 4 }),
    sourceId: optionalText,
    parentTaskId: optionalText,
    agentId: fc.option(fc.constantFrom("main", "research"), { nil: undefined }),
    childSessionKey: fc.option(fc.constant("agent:main:no-such-child"), { nil: undefined, freq: 9 }),
    preferMetadata: fc.option(fc.boolean(), { nil: undefined }),
    notifyPolicy: policy,
  })
  .chain((asked) =>
    fc.record({ startedAt: time, lastEventAt: time, progressSummary: nullable }).chain((running) =>
      about.map((at): Command => {
        const isRunning = Object.values(running).some((value) => value !== undefined);
        const status = isRunning ? ({ status: "running", ...running } as const) : {};
        return {
          ...at,
          name: "runTask",
          asked: { ...asked, ...status },
          call: (flows, { flowId }) => flows.runTask({ ...asked, ...status, flowId }),
        };
      }),
    ),
  );

/** Any command of the port about one flow; a first one makes a flow, so that the others have something to act on. */
export const commands: fc.Arbitrary<readonly Command[]> = fc
  .tuple(made, fc.array(fc.oneof(made, waiting, resumed, finished, failed, simple, tasked), { maxLength: 12 }))
  .map(([first, rest]) => [first, ...rest]);
