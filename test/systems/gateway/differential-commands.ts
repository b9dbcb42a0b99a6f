// Random requests for fast-check's model-based runs: one at a time or several at once, each followed by list_flows, so
// that after every step all flows of the session are compared, also those that the request did not name.

import assert from "node:assert/strict";
import fc from "fast-check";
import { goodBodies } from "../../core/arbitraries.ts";
import type { Json, Owner, State } from "./lifecycle-model.ts";
import { explain, type Seen } from "./linearize.ts";

/** A separate session on the Gateway, the expected flows in it, and their number before this run. */
export type Session = { readonly owner: Owner; readonly route: string; state: State; before: number };

/** The connection to the Gateway, and the answers that were seen. */
export type Real = {
  readonly ask: (body: Json) => Promise<Seen>;
  readonly foreignFlow: string;
  readonly count: (what: string, by?: number) => void;
};

/** The flow that a request names: one of this run by number (modulo), a missing one, or one of another session. */
type Target = number | "unknown" | "foreign";

/** A body without `flowId` and `expectedRevision`, which are known only when it is sent. */
type Template = {
  readonly body: Json;
  readonly target?: Target;
  /** Added to the revision that the flow has when the step begins. */
  readonly offset?: number;
  readonly token?: Target | "session" | "nonsense";
};

const ownIds = ({ state, before }: Session): readonly string[] => [...state.keys()].slice(before);

const idOf = (target: Target, session: Session, { foreignFlow }: Real): string => {
  if (target === "foreign") return foreignFlow;
  if (target === "unknown") return "00000000-0000-4000-8000-000000000000";
  const ids = ownIds(session);
  return ids[target % ids.length] ?? "";
};

const tokenOf = (token: NonNullable<Template["token"]>, session: Session, real: Real): string => {
  if (token === "session") return session.owner.sessionKey;
  return token === "nonsense" ? token : idOf(token, session, real);
};

const bodyOf = ({ body, target, offset, token }: Template, session: Session, real: Real): Json => {
  const flowId = target === undefined ? undefined : idOf(target, session, real);
  const revision = session.state.get(flowId ?? "")?.flow.revision ?? 0;
  return {
    ...body,
    ...(flowId === undefined ? {} : { flowId }),
    ...(offset === undefined ? {} : { expectedRevision: Math.max(0, revision + offset) }),
    ...(token === undefined ? {} : { token: tokenOf(token, session, real) }),
  };
};

const shownTemplate = ({ body, target, offset, token }: Template): string => {
  const { action, ...fields } = body;
  const at = target === undefined ? "" : ` #${String(target)}`;
  const revision = offset === undefined ? "" : ` revision${offset < 0 ? "" : "+"}${String(offset)}`;
  const asked = token === undefined ? "" : ` ${String(token)}`;
  return `${String(action)}${at}${revision}${asked} ${JSON.stringify(fields)}`;
};

const namesOwn = ({ target, token }: Template): boolean => typeof target === "number" || typeof token === "number";

/** One request, or several sent at the same time. */
class Step implements fc.AsyncCommand<Session, Real> {
  readonly #templates: readonly Template[];

  constructor(templates: readonly Template[]) {
    this.#templates = templates;
  }

  check(session: Readonly<Session>): boolean {
    return ownIds(session).length > 0 || !this.#templates.some(namesOwn);
  }

  async run(session: Session, real: Real): Promise<void> {
    const bodies = this.#templates.map((template) => bodyOf(template, session, real));
    const seen = await Promise.all(bodies.map(real.ask));
    const last = await real.ask({ action: "list_flows" });
    real.count(seen.length > 1 ? "bursts" : "single requests");
    settle(session, real, seen, last);
  }

  toString(): string {
    return this.#templates.map(shownTemplate).join(" || ");
  }
}

/** The answers and the flows before them, without the flows that an earlier run left in the session. */
const report = (session: Session, seen: readonly Seen[]): string => {
  const mine = [...session.state].slice(session.before);
  const old = new Set([...session.state.keys()].slice(0, session.before));
  const hide = (_: string, value: unknown): unknown =>
    Array.isArray(value) ? value.filter((one: { flowId?: string } | null) => !old.has(one?.flowId ?? "")) : value;
  const answers = seen.map(
    ({ sent, received, ...one }) => `${String(sent)}-${String(received)} ${JSON.stringify(one, hide)}`,
  );
  const flows = mine.map(([, { flow, tasks }]) => JSON.stringify({ ...flow, tasks: [...tasks] }));
  const kept = `(and ${String(session.before)} flows of earlier runs)`;
  return ["the lifecycle cannot have answered:", ...answers, "when the flows were:", ...flows, kept].join("\n");
};

const isOvertaken = ({ action, code }: Seen): boolean =>
  action.action === "cancel_flow" && code === "revision_conflict";

/** Takes the state that explains the answers, or fails. */
export const settle = (session: Session, real: Real, seen: readonly Seen[], last: Seen): void => {
  const found = explain(session.state, session.owner, seen, last);
  assert.ok(found !== undefined, report(session, [...seen, last]));
  session.state = found.state;
  real.count("sweeps", found.sweeps);
  real.count("cancels seen half done", found.marks);
  real.count("cancels overtaken", seen.filter(isOvertaken).length);
  for (const { action, status, code } of seen) real.count(`${action.action} ${code ?? String(status)}`);
};

/** Flows by number, mostly the first ones, so that several commands name the same flow. */
const target: fc.Arbitrary<Target> = fc.oneof(
  { arbitrary: fc.nat({ max: 3 }), weight: 14 },
  { arbitrary: fc.constantFrom<Target>("unknown", "foreign"), weight: 1 },
);
/** The flow's revision mostly; the one before; one that a request sent at the same time may bring about. */
const offset = fc.constantFrom(0, 0, 0, 0, 0, -1, 1, 2);

const bare = (action: keyof typeof goodBodies): fc.Arbitrary<Json> =>
  goodBodies[action].map(({ flowId: _flow, expectedRevision: _revision, token: _token, ...body }) => body);

const REVISED = ["set_waiting", "resume_flow", "finish_flow", "fail_flow", "request_cancel"] as const;

/** Without a child session, which nothing backs here; `running` tasks with their times and progress. */
const taskBody = fc
  .tuple(
    bare("run_task"),
    fc.oneof(
      fc.record({ status: fc.constant("queued") }, { requiredKeys: [] }),
      fc.record({
        status: fc.constant("running"),
        startedAt: fc.nat(),
        progressSummary: fc.constantFrom("half", null),
      }),
    ),
  )
  .map(([{ childSessionKey: _, ...body }, more]): Json => ({ ...body, ...more }));

const create = bare("create_flow").map((body): Template => ({ body }));
const revisedAt = (at: fc.Arbitrary<Target>, by: fc.Arbitrary<number>): fc.Arbitrary<Template> =>
  fc.record({ body: fc.oneof(...REVISED.map(bare)), target: at, offset: by });
const taskAt = (at: fc.Arbitrary<Target>): fc.Arbitrary<Template> => fc.record({ body: taskBody, target: at });
const cancelAt = (at: fc.Arbitrary<Target>): fc.Arbitrary<Template> =>
  fc.record({ body: bare("cancel_flow"), target: at });
const readAt = (at: fc.Arbitrary<Target>): fc.Arbitrary<Template> =>
  fc.oneof(
    fc.record({ body: bare("get_flow"), target: at }),
    fc.record({ body: bare("get_task_summary"), target: at }),
    fc.record({
      body: bare("resolve_flow"),
      token: fc.oneof(at, fc.constantFrom("session", "session", "session", "nonsense")),
    }),
    fc.oneof(bare("list_flows"), bare("find_latest_flow")).map((body): Template => ({ body })),
  );

const anyAt = (at: fc.Arbitrary<Target>): fc.Arbitrary<Template> =>
  fc.oneof(
    { arbitrary: revisedAt(at, offset), weight: 7 },
    { arbitrary: cancelAt(at), weight: 2 },
    { arbitrary: taskAt(at), weight: 2 },
    { arbitrary: readAt(at), weight: 5 },
  );

const of = (templates: readonly Template[]): Step => new Step(templates);
const one = (template: fc.Arbitrary<Template>): fc.Arbitrary<Step> => template.map((only) => of([only]));

/** Equal-revision updates of one flow at once: exactly one may win. (As few as one, so that shrinking gets there.) */
const race = target.chain((at) =>
  fc.array(revisedAt(fc.constant(at), fc.constant(0)), { minLength: 1, maxLength: 6, size: "max" }).map(of),
);
/** Different requests at once, most of them for the same flow. */
const mixed = target.chain((at) => {
  const any = fc.oneof(
    { arbitrary: anyAt(fc.constant(at)), weight: 8 },
    { arbitrary: anyAt(target), weight: 1 },
    { arbitrary: create, weight: 1 },
  );
  return fc.array(any, { minLength: 1, maxLength: 4, size: "max" }).map(of);
});
/** New flows at once, some in the same millisecond. */
const births = fc.array(create, { minLength: 1, maxLength: 4, size: "max" }).map(of);

/** The steps of one run. */
export const steps = fc.commands<Session, Real, false>(
  [
    fc.oneof(
      { arbitrary: one(create), weight: 4 },
      { arbitrary: one(anyAt(target)), weight: 12 },
      { arbitrary: race, weight: 2 },
      { arbitrary: mixed, weight: 4 },
      { arbitrary: births, weight: 1 },
    ),
  ],
  { maxCommands: 30, size: "max" },
);
