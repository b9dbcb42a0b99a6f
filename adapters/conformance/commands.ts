// Random commands of one owner. They name a flow by its number and not by its id, so that the same commands can be run
// against two stores.

import fc from "fast-check";
import {
  ACTIVE_STATUSES,
  CHILD_RUNTIMES,
  type FlowAction,
  type JsonValue,
  NOTIFY_POLICIES,
  OPEN_STATUSES,
} from "../../core/index.ts";

/** The flow that a command is about, and a revision of it. */
export type Named = { readonly flowId: string; readonly expectedRevision: number };

/** One action, once it is known which flow it is about. */
export type Command = {
  readonly name: FlowAction["action"];
  /** The flow's number among the owner's, 0 for the first; a number that no flow has names an unknown one. */
  readonly flow: number;
  /** Added to the flow's revision: 0 is right, all others are stale or of the future. */
  readonly drift: number;
  /** The fields besides the flow, to be read in a counterexample. */
  readonly fields?: unknown;
  readonly action: (named: Named) => FlowAction;
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
const policy = fc.option(fc.constantFrom(...NOTIFY_POLICIES), { nil: undefined });
const time = fc.option(fc.constantFrom(...NAMED_TIMES), { nil: undefined });

const about = fc.record({
  flow: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.constant(1) },
    fc.nat({ max: 3 }),
  ),
  drift: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.constantFrom(-1, 1, 7)),
});

/** A command about one flow, with generated fields. */
const command = <Fields>(
  name: Command["name"],
  fields: fc.Arbitrary<Fields>,
  action: (named: Named, fields: Fields) => FlowAction,
): fc.Arbitrary<Command> =>
  fc
    .tuple(about, fields)
    .map(([at, values]) => ({ ...at, name, fields: values, action: (named) => action(named, values) }));

const created = fc
  .record({
    goal: text,
    controllerId: text,
    status: fc.option(fc.constantFrom(...OPEN_STATUSES), { nil: undefined }),
    notifyPolicy: policy,
    currentStep: nullable,
    stateJson: json,
    waitJson: json,
  })
  .map((fields): Command => ({
    name: "create_flow",
    flow: -1,
    drift: 0,
    fields,
    action: () => ({ action: "create_flow", ...fields }),
  }));

const waiting = command(
  "set_waiting",
  fc.record({
    currentStep: nullable,
    stateJson: json,
    waitJson: json,
    blockedTaskId: nullable,
    blockedSummary: nullable,
  }),
  (named, fields) => ({ action: "set_waiting", ...named, ...fields }),
);

const resumed = command(
  "resume_flow",
  fc.record({
    status: fc.option(fc.constantFrom(...ACTIVE_STATUSES), { nil: undefined }),
    currentStep: nullable,
    stateJson: json,
  }),
  (named, fields) => ({ action: "resume_flow", ...named, ...fields }),
);

const finished = command("finish_flow", fc.record({ stateJson: json }), (named, fields) => ({
  action: "finish_flow",
  ...named,
  ...fields,
}));

const failed = command(
  "fail_flow",
  fc.record({ stateJson: json, blockedTaskId: nullable, blockedSummary: nullable }),
  (named, fields) => ({ action: "fail_flow", ...named, ...fields }),
);

const NO_FIELDS = fc.constant(undefined);

const simple = fc.oneof(
  command("get_flow", NO_FIELDS, ({ flowId }) => ({ action: "get_flow", flowId })),
  command("resolve_flow", NO_FIELDS, ({ flowId }) => ({ action: "resolve_flow", token: flowId })),
  command("get_task_summary", NO_FIELDS, ({ flowId }) => ({ action: "get_task_summary", flowId })),
  command("request_cancel", NO_FIELDS, (named) => ({ action: "request_cancel", ...named })),
  command("cancel_flow", NO_FIELDS, ({ flowId }) => ({ action: "cancel_flow", flowId })),
);

/** Times and progress belong to a running task alone. */
const running = fc
  .record({ startedAt: time, lastEventAt: time, progressSummary: nullable })
  .map((fields) =>
    Object.values(fields).some((value) => value !== undefined) ? { status: "running" as const, ...fields } : {},
  );

const tasked = command(
  "run_task",
  fc.tuple(
    fc.record({
      runtime: fc.constantFrom(...CHILD_RUNTIMES),
      task: fc.constantFrom("Inspect", "Draft a reply"),
      label: fc.option(fc.constantFrom("one", "two"), { nil: undefined }),
      runId: fc.option(fc.constantFrom("run-1", "run-1", "run-2"), { nil: undefined, freq: 4 }),
      sourceId: optionalText,
      parentTaskId: optionalText,
      agentId: fc.option(fc.constantFrom("main", "research"), { nil: undefined }),
      childSessionKey: fc.option(fc.constant("agent:main:no-such-child"), { nil: undefined, freq: 9 }),
      preferMetadata: fc.option(fc.boolean(), { nil: undefined }),
      notifyPolicy: policy,
    }),
    running,
  ),
  ({ flowId }, [fields, progress]) => ({ action: "run_task", flowId, ...fields, ...progress }),
);

/** Any command of the port about one flow; a first one makes a flow, so that the others have something to act on. */
export const commands: fc.Arbitrary<readonly Command[]> = fc
  .tuple(created, fc.array(fc.oneof(created, waiting, resumed, finished, failed, simple, tasked), { maxLength: 12 }))
  .map(([first, rest]) => [first, ...rest]);
