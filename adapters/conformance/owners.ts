// What keeps owners apart: one owner's answers do not depend on another's commands.

import type { FlowAction } from "../../core/index.ts";
import { memoryFlows } from "../flows/memory/store.ts";
import { check, same } from "./check.ts";
import type { Command, Named } from "./commands.ts";
import { create, idsOf, type Owners, type Property } from "./store-under-test.ts";
import { Actor, type Ask, askAs, type Plain, type Seen } from "./transcript.ts";

/** What A is answered beside B on `store` is what A is answered alone on the reference store. */
export const asTheReference =
  (mine: readonly Command[], theirs: readonly Command[]): Property =>
  async (store, [a, b]) => {
    const [subject, neighbour, reference] = [new Actor(store, a), new Actor(store, b), new Actor(memoryFlows(), a)];
    for (const [index, command] of mine.entries()) {
      const other = theirs[index];
      if (other !== undefined) await neighbour.run(other);
      same(await subject.run(command), await reference.run(command), `command ${String(index + 1)}, ${command.name}`);
    }
  };

/** Every action that takes a flow's id. */
const ABOUT_ONE: readonly ((named: Named) => FlowAction)[] = [
  ({ flowId }) => ({ action: "get_flow", flowId }),
  ({ flowId }) => ({ action: "resolve_flow", token: flowId }),
  ({ flowId }) => ({ action: "get_task_summary", flowId }),
  (named) => ({ action: "set_waiting", ...named }),
  (named) => ({ action: "resume_flow", ...named }),
  (named) => ({ action: "finish_flow", ...named }),
  (named) => ({ action: "fail_flow", ...named }),
  (named) => ({ action: "request_cancel", ...named }),
  ({ flowId }) => ({ action: "cancel_flow", flowId }),
  ({ flowId }) => ({ action: "run_task", flowId, runtime: "acp", task: "Look" }),
];

const ODD_IDS: readonly string[] = [
  "'; DROP TABLE flows; --",
  "%",
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "\u0000",
  "x".repeat(10_000),
  "\u{1f600}",
];

/** Flows of `b`: open, ended and with a task, so that a store that shows any of them is seen. */
const makeTheirs = async (ask: Ask): Promise<readonly Seen[]> => {
  const [open, ended, worked] = [await create(ask), await create(ask), await create(ask)];
  await ask({ action: "finish_flow", flowId: ended.flowId, expectedRevision: 0 });
  await ask({ action: "run_task", flowId: worked.flowId, runtime: "acp", task: "Theirs" });
  return [open, ended, worked];
};

/** None of `a`'s answers that name no flow has one of `theirs`. */
const seesNoneOf = async (ask: Ask, a: string, theirs: readonly string[], when: string): Promise<void> => {
  for (const action of [
    { action: "list_flows" },
    { action: "find_latest_flow" },
    { action: "resolve_flow", token: a },
  ] as const) {
    const { flow, flows = [] } = await ask(action);
    const ids = idsOf([...flows, ...(flow === null || flow === undefined ? [] : [flow])]);
    check(!ids.some((flowId) => theirs.includes(flowId)), `${action.action} shows no flow of another owner, ${when}`);
  }
};

/** A flow of another owner, or with an impossible id, is in every way as one that does not exist. */
export const confined: Property = async (store, [a, b]) => {
  const ask = askAs(store, a);
  const theirs = await makeTheirs(askAs(store, b));
  const foreign = theirs.map(({ flowId }) => flowId);
  const look = (): Promise<readonly Plain[]> =>
    Promise.all(
      foreign.flatMap((flowId) => [
        askAs(store, b)({ action: "get_flow", flowId }),
        askAs(store, b)({ action: "get_task_summary", flowId }),
      ]),
    );
  const before = await look();
  await seesNoneOf(ask, a, foreign, "before it has one itself");
  const mine = await create(ask);
  await seesNoneOf(ask, a, foreign, "when it has an open one");
  const spellings = [mine.flowId.toUpperCase(), `${mine.flowId}0`, mine.flowId.slice(0, -1)];
  for (const about of ABOUT_ONE) {
    const unknown = about({ flowId: "no-such-flow", expectedRevision: 0 });
    const nothing = await ask(unknown);
    check((nothing.flow ?? nothing.summary ?? nothing.task ?? null) === null, `${unknown.action} of no flow is empty`);
    for (const flowId of [...foreign, ...ODD_IDS, ...spellings]) {
      const answer = await ask(about({ flowId, expectedRevision: 0 }));
      same(answer, nothing, `${unknown.action} of ${flowId.slice(0, 40)}`);
    }
  }
  same((await ask({ action: "resolve_flow", token: b })).flow, null, "resolve by another owner's key");
  for (const newest of [{ action: "find_latest_flow" }, { action: "resolve_flow", token: a }] as const) {
    const { flow: found } = await ask(newest);
    same(found?.["flowId"], mine.flowId, `${newest.action} finds the owner's own newest flow`);
  }
  await ask({ action: "finish_flow", flowId: mine.flowId, expectedRevision: 0 });
  await seesNoneOf(ask, a, foreign, "when its own have ended");
  same(await look(), before, "the other owner's flows are untouched");
};

/** What a store may take for the same key: folding case, trimming, cutting, normalising, or matching a pattern. */
const TWINS: readonly ((owner: string) => string)[] = [
  (owner) => owner.toUpperCase(),
  (owner) => `${owner}-b`,
  (owner) => `${owner} `,
  (owner) => ` ${owner}`,
  (owner) => owner.replace("_", "-"),
  (owner) => owner.replace("%", "-any-"),
  (owner) => owner.normalize("NFD"),
  (owner) => owner.replace("\u00e9", "e"),
];

let ownersMade = 0;

const ownersWith = (twin: (owner: string) => string): Owners => {
  ownersMade += 1;
  const owner = `agent:main:conformance_%\u00e9-${"x".repeat(300)}-${String(ownersMade)}`;
  return [owner, twin(owner)];
};

/** Two keys that a careless store takes for one, another kind of them each time. */
export const freshOwners = (): Owners => ownersWith(TWINS[ownersMade % TWINS.length] ?? ((owner) => `${owner}-b`));

/** Two pairs of each kind, one in each order. */
export const allOwners = (): readonly Owners[] =>
  TWINS.flatMap((twin) => {
    const [[a, b], [c, d]] = [ownersWith(twin), ownersWith(twin)];
    return [
      [a, b],
      [d, c],
    ] satisfies readonly Owners[];
  });
