// What keeps owners apart: one owner's answers do not depend on another's commands.

import type { FlowAction } from "../../core/index.ts";
import { memoryFlows } from "../flows/memory/store.ts";
import { check, same } from "./check.ts";
import type { Command, Named } from "./commands.ts";
import { create, idsOf, type Owners, type Property } from "./store-under-test.ts";
import { Actor, askAs } from "./transcript.ts";

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

/** A flow of another owner, or with an impossible id, is in every way as one that does not exist. */
export const confined: Property = async (store, [a, b]) => {
  const ask = askAs(store, a);
  const mine = await create(ask);
  const theirs = await create(askAs(store, b));
  const spellings = [mine.flowId.toUpperCase(), `${mine.flowId}0`, mine.flowId.slice(0, -1)];
  for (const about of ABOUT_ONE) {
    const unknown = about({ flowId: "no-such-flow", expectedRevision: 0 });
    const nothing = await ask(unknown);
    for (const flowId of [theirs.flowId, ...ODD_IDS, ...spellings]) {
      const answer = await ask(about({ flowId, expectedRevision: 0 }));
      same(answer, nothing, `${unknown.action} of ${flowId.slice(0, 40)}`);
    }
  }
  same((await ask({ action: "resolve_flow", token: b })).flow, null, "resolve by another owner's key");
  for (const newest of [{ action: "find_latest_flow" }, { action: "resolve_flow", token: a }] as const) {
    const { flow: found } = await ask(newest);
    check(
      found !== null && found !== undefined && !idsOf([found]).includes(theirs.flowId),
      `${newest.action} finds a flow of its own owner, also when another owner has the newest`,
    );
  }
  const { flows: listed = [] } = await ask({ action: "list_flows" });
  check(!idsOf(listed).includes(theirs.flowId), "list has no flow of another owner");
  const { flow } = await askAs(store, b)({ action: "get_flow", flowId: theirs.flowId });
  same(flow, theirs.view, "the other owner's flow is untouched");
};

let ownersMade = 0;

/** Two keys that a store takes for one when it folds case, trims, or cuts keys short. */
export const freshOwners = (): Owners => {
  ownersMade += 1;
  const owner = `agent:main:conformance-${"x".repeat(300)}-${String(ownersMade)}`;
  const twins = [owner.toUpperCase(), `${owner}-b`, `${owner} `] as const;
  return [owner, twins[ownersMade % twins.length] ?? `${owner}-b`];
};
