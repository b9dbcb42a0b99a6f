// The 13 actions: one table of strict schemas, and their parser (M-18).

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import { CURSOR } from "./cursor.ts";
import { ACTIVE_STATUSES, CHILD_RUNTIMES, FLOW_STATUSES, NOTIFY_POLICIES, OPEN_STATUSES } from "./flow.ts";
import type { JsonValue } from "./json.ts";
import { isObject, own } from "./own.ts";
import type { Fault } from "./rejection.ts";
import { clip } from "./text.ts";

const text = z.string().trim().min(1);
const nullableText = text.nullable().optional();
const revision = z.int().nonnegative();
const time = z.int().nonnegative().optional();
/** Any JSON. The whole body is checked once in `accept`, not by a recursive schema. */
const json = z.custom<JsonValue>(() => true).optional();
const notifyPolicy = z.enum(NOTIFY_POLICIES).optional();

const RUNNING_ONLY = "status must be running when startedAt, lastEventAt, or progressSummary is provided";

const createFlow = z.strictObject({
  action: z.literal("create_flow"),
  controllerId: text.optional(),
  goal: text,
  status: z.enum(OPEN_STATUSES).optional(),
  notifyPolicy,
  currentStep: nullableText,
  stateJson: json,
  waitJson: json,
});

/** Seconds for which get_flow may wait. */
export const MAX_WAIT_SECONDS = 20;

const WAITS_FOR_NOTHING = "afterRevision must be there when waitSeconds is";

const getFlow = z
  .strictObject({
    action: z.literal("get_flow"),
    flowId: text,
    afterRevision: revision.optional(),
    waitSeconds: z.int().min(0).max(MAX_WAIT_SECONDS).optional(),
  })
  .refine(({ afterRevision, waitSeconds }) => waitSeconds === undefined || afterRevision !== undefined, {
    path: ["afterRevision"],
    error: WAITS_FOR_NOTHING,
  });

/** Flows that one page may have. */
export const MAX_PAGE = 500;

const NO_LIMIT = `must be a whole number from 1 to ${String(MAX_PAGE)}`;
const NO_STATUS = `must be one of ${FLOW_STATUSES.join(", ")}`;
const NO_TEXT = "must be a text that is not empty";
const NO_TIME = "must be a whole number of milliseconds since 1970";
const NO_CURSOR = "must be a nextCursor of an earlier answer";

const listFlows = z.strictObject({
  action: z.literal("list_flows"),
  limit: z.int({ error: NO_LIMIT }).min(1, { error: NO_LIMIT }).max(MAX_PAGE, { error: NO_LIMIT }).optional(),
  cursor: z.string({ error: NO_CURSOR }).regex(CURSOR, { error: NO_CURSOR }).optional(),
  status: z.enum(FLOW_STATUSES, { error: NO_STATUS }).optional(),
  controllerId: z.string({ error: NO_TEXT }).trim().min(1, { error: NO_TEXT }).optional(),
  updatedAfter: z.int({ error: NO_TIME }).nonnegative({ error: NO_TIME }).optional(),
});

const setWaiting = z.strictObject({
  action: z.literal("set_waiting"),
  flowId: text,
  expectedRevision: revision,
  currentStep: nullableText,
  stateJson: json,
  waitJson: json,
  blockedTaskId: nullableText,
  blockedSummary: nullableText,
});

const resumeFlow = z.strictObject({
  action: z.literal("resume_flow"),
  flowId: text,
  expectedRevision: revision,
  status: z.enum(ACTIVE_STATUSES).optional(),
  currentStep: nullableText,
  stateJson: json,
});

const failFlow = z.strictObject({
  action: z.literal("fail_flow"),
  flowId: text,
  expectedRevision: revision,
  stateJson: json,
  blockedTaskId: nullableText,
  blockedSummary: nullableText,
});

const runTask = z
  .strictObject({
    action: z.literal("run_task"),
    flowId: text,
    runtime: z.enum(CHILD_RUNTIMES),
    sourceId: text.optional(),
    childSessionKey: text.optional(),
    parentTaskId: text.optional(),
    agentId: text.optional(),
    runId: text.optional(),
    label: text.optional(),
    task: text,
    preferMetadata: z.boolean().optional(),
    notifyPolicy,
    status: z.enum(ACTIVE_STATUSES).optional(),
    startedAt: time,
    lastEventAt: time,
    progressSummary: nullableText,
  })
  .refine(
    (task) =>
      task.status === "running" ||
      [task.startedAt, task.lastEventAt, task.progressSummary].every((value) => value === undefined),
    { path: ["status"], error: RUNNING_ONLY },
  );

//= ACTION-1
/** The schema of each action, in the order of the documentation. */
export const ACTIONS = {
  create_flow: createFlow,
  get_flow: getFlow,
  list_flows: listFlows,
  find_latest_flow: z.strictObject({ action: z.literal("find_latest_flow") }),
  resolve_flow: z.strictObject({ action: z.literal("resolve_flow"), token: text }),
  get_task_summary: z.strictObject({ action: z.literal("get_task_summary"), flowId: text }),
  set_waiting: setWaiting,
  resume_flow: resumeFlow,
  finish_flow: z.strictObject({
    action: z.literal("finish_flow"),
    flowId: text,
    expectedRevision: revision,
    stateJson: json,
  }),
  fail_flow: failFlow,
  request_cancel: z.strictObject({ action: z.literal("request_cancel"), flowId: text, expectedRevision: revision }),
  cancel_flow: z.strictObject({ action: z.literal("cancel_flow"), flowId: text }),
  run_task: runTask,
};

export type ActionName = keyof typeof ACTIONS;
export type Action = z.infer<(typeof ACTIONS)[ActionName]>;
export type ActionOf<Name extends ActionName> = Extract<Action, { readonly action: Name }>;

/** A create_flow with the route's controller filled in (M-7). */
export type CreateFlow = ActionOf<"create_flow"> & { readonly controllerId: string };

/** An action as a store gets it. */
export type FlowAction = Exclude<Action, ActionOf<"create_flow">> | CreateFlow;

const PARSERS: Readonly<Record<ActionName, z.ZodType<Action>>> = ACTIONS;
const NAMES = Object.keys(ACTIONS).join(", ");
const MAX_SENTENCE = 300;
/** Characters of a field's name that a refusal repeats. */
export const MAX_FIELD = 60;

const isActionName = (name: unknown): name is ActionName => typeof name === "string" && Object.hasOwn(ACTIONS, name);

//= ACTION-2
const faultOf = (issue: z.core.$ZodIssue | undefined): Fault => {
  const sentence = clip(issue?.message ?? "Invalid input", MAX_SENTENCE);
  const key = issue?.code === "unrecognized_keys" ? issue.keys[0] : issue?.path[0];
  return key === undefined ? { sentence } : { sentence, field: clip(String(key), MAX_FIELD) };
};

/**
 * The action that a parsed body asks for. Errs with the first faulty field in the action's own order, unknown fields
 * last (gateway-semantics §2). Strings come out trimmed, numbers and enums as sent.
 */
export const parseAction = (body: unknown): Result<Action, Fault> => {
  if (!isObject(body)) return err({ sentence: "Invalid input: expected object" });
  const name = own(body, "action");
  if (!isActionName(name)) return err({ field: "action", sentence: `Invalid action, expected one of ${NAMES}` });
  const parsed = PARSERS[name].safeParse(body);
  return parsed.success ? ok(parsed.data) : err(faultOf(parsed.error.issues[0]));
};
