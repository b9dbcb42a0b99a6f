// Real replies of every kind, made by the core: the examples of the document and the source of its statuses and codes.

import {
  type ActionName,
  ACTIONS,
  allowanceOf,
  CANCEL_REFUSALS,
  MUTATION_REFUSALS,
  type Outcome,
  parseAction,
  parseJson,
  type Rejection,
  refusalBy,
  REJECTIONS,
  replyToOutcome,
  replyToRejection,
  type Reply,
  SLOTS,
  TASK_REFUSALS,
  WINDOW,
  writeCursor,
} from "../../core/index.ts";
import { RESULT_OF, type ResultName } from "./results.ts";
import { namesOf } from "./schema.ts";
import { ROUTE_ID, type Views, viewsAfter } from "./sample-views.ts";

/** `result` names the schema of the answer's `result`. */
export type Sample = {
  readonly name: string;
  readonly status: number;
  readonly code: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly result: ResultName;
  readonly body: unknown;
};

const sampleOf = (name: string, result: ResultName, { status, code, headers, body }: Reply): Sample => ({
  name,
  status,
  code,
  headers,
  result,
  body: parseJson(body).unwrapOr(null),
});

/** What an authenticated client is told after 83 requests, 12 seconds before its window ends. */
const ALLOWANCE = allowanceOf({ endsAt: 12_000, count: 83 }, WINDOW, SLOTS, 0);

const answered = (name: string, outcome: Outcome): Sample =>
  sampleOf(name, RESULT_OF[outcome.kind], replyToOutcome(outcome, ROUTE_ID, ALLOWANCE));

/** Named by its code. */
const refused = (outcome: Outcome): Sample => {
  const reply = replyToOutcome(outcome, ROUTE_ID, ALLOWANCE);
  return sampleOf(reply.code ?? outcome.kind, RESULT_OF[outcome.kind], reply);
};

const applied = ({ flow }: Views): Outcome => ({ kind: "applied", flow });
const read = ({ flow }: Views): Outcome => ({ kind: "flow", flow });

const OUTCOMES: Readonly<Record<ActionName, (views: Views) => Outcome>> = {
  create_flow: ({ flow }) => ({ kind: "created", flow }),
  get_flow: read,
  list_flows: ({ flow }) => ({ kind: "flows", flows: [flow] }),
  find_latest_flow: read,
  resolve_flow: read,
  get_task_summary: ({ summary }) => ({ kind: "summary", summary }),
  set_waiting: applied,
  resume_flow: applied,
  finish_flow: applied,
  fail_flow: applied,
  request_cancel: applied,
  cancel_flow: ({ flow }) => ({ kind: "cancelled", flow, tasks: [] }),
  run_task: ({ flow, task }) => ({ kind: "task_created", flow, task }),
};

const successes = namesOf(ACTIONS).map((name) =>
  viewsAfter(name).map((views) => answered(name, OUTCOMES[name](views))),
);

const pending = viewsAfter("cancel_flow", 1).map(({ flow, task }) =>
  refused({ kind: "not_cancelled", refusal: "cancel_pending", flow, tasks: [task] }),
);

const bound = viewsAfter("create_flow").map(({ flow }) => answered("existing", { kind: "existing", flow }));
const replayed = viewsAfter("create_flow").map(({ flow }) =>
  answered("replayed", { kind: "created", flow, replayed: true }),
);
const page = viewsAfter("create_flow").map(({ flow }) =>
  answered("page", { kind: "flows", flows: [flow], next: writeCursor({ at: 4711, id: "" }) }),
);
const ignored = refused({ kind: "ignored" });

const conflict = viewsAfter("finish_flow").map(({ flow }) =>
  refused({ kind: "not_applied", refusal: "revision_conflict", current: flow }),
);

const REJECTED = namesOf(REJECTIONS);

/** What a route of readers says to a caller that would write. */
const forbidden: Omit<Rejection, "code"> =
  refusalBy(
    { actions: new Set(["get_flow", "list_flows"] as const), controllerIds: undefined, childSessions: undefined },
    { action: "cancel_flow", flowId: "" },
    "",
  ) ?? {};

/** What the core adds to some rejections. */
const details = (code: Rejection["code"]): Omit<Rejection, "code"> => {
  if (REJECTIONS[code].status === 429) return { retryAfterMs: 42_000 };
  if (code === "action_not_allowed") return forbidden;
  if (code !== "invalid_request") return {};
  return parseAction({ action: "create_flow" }).match(
    () => ({}),
    (fault) => ({ fault }),
  );
};

/** Whether the secret is verified by then, so that the reply names the route: the table has the order of the checks. */
const isAdmitted = (code: Rejection["code"]): boolean => REJECTED.indexOf(code) > REJECTED.indexOf("unauthorized");

const rejections = REJECTED.map((code) => {
  const rejection = { code, ...details(code) };
  const reply = isAdmitted(code) ? replyToRejection(rejection, ROUTE_ID, ALLOWANCE) : replyToRejection(rejection);
  return sampleOf(code, "TurnedAway", reply);
});

const refusals: readonly Outcome[] = [
  ...namesOf(MUTATION_REFUSALS).map((refusal) => ({ kind: "not_applied", refusal }) as const),
  { kind: "over_quota", of: "flows", most: 100 },
  { kind: "not_created", refusal: "create_rejected" },
  { kind: "not_created", refusal: "persist_failed" },
  ...namesOf(CANCEL_REFUSALS).map((refusal) => ({ kind: "not_cancelled", refusal }) as const),
  ...namesOf(TASK_REFUSALS).map((refusal) => ({ kind: "task_not_created", refusal }) as const),
];

/** Every status with each of its codes and kinds of result. The best example of a code comes first. */
export const SAMPLES: readonly Sample[] = [
  ...[...successes, bound, replayed, page, pending, conflict].flatMap((example) =>
    example.match(
      (sample) => [sample],
      () => [],
    ),
  ),
  ignored,
  ...rejections,
  ...refusals.map(refused),
];
