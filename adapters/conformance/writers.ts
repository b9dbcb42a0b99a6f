// What simultaneous writers may rely on.

import { same } from "./check.ts";
import { create, type Property } from "./store-under-test.ts";
import { askAs, type Plain, seenIn } from "./transcript.ts";

/** Of two commands at once that cannot both be right, one is refused. */
export const refusesOneOf: Property = async (store, [a]) => {
  const ask = askAs(store, a);
  for (const action of ["set_waiting", "resume_flow", "finish_flow", "fail_flow", "request_cancel"] as const) {
    const { flowId } = await create(ask);
    const write = (): Promise<Plain> => ask({ action, flowId, expectedRevision: 0 });
    const kinds = (await Promise.all([write(), write(), write()])).map(({ kind }) => kind).toSorted();
    same(kinds, ["applied", "not_applied", "not_applied"], `three ${action} of one revision`);
    same(seenIn((await ask({ action: "get_flow", flowId })).flow).revision, 1, `the revision after ${action}`);
  }
};

/** Of several simultaneous updates of one revision exactly one is applied, and the others are told the revision. */
export const oneWins =
  (writers: number): Property =>
  async (store, [a]) => {
    const ask = askAs(store, a);
    const { flowId } = await create(ask);
    for (let revision = 0; revision < 5; revision += 1) {
      const update = (stateJson: number): Promise<Plain> =>
        ask({ action: "set_waiting", flowId, expectedRevision: revision, stateJson });
      const outcomes = await Promise.all(Array.from({ length: writers }, (_, index) => update(index)));
      const kinds = outcomes.map(({ kind, refusal = "" }) => `${kind} ${refusal}`.trim()).toSorted();
      const lost = Array.from({ length: writers - 1 }, () => "not_applied revision_conflict");
      same(kinds, ["applied", ...lost], "one update is applied and the others conflict");
      const winner = outcomes.find(({ kind }) => kind === "applied");
      same((await ask({ action: "get_flow", flowId })).flow, winner?.flow, "what is stored is the winner's");
    }
  };

/** Read, add one, write, until each writer has added its share: nothing is lost and nothing counts twice. */
export const nothingIsLost =
  (writers: number): Property =>
  async (store, [a]) => {
    const SHARE = 4;
    const ask = askAs(store, a);
    const { flowId } = await create(ask, 0);
    const addOne = async (): Promise<void> => {
      for (;;) {
        const { revision, view } = seenIn((await ask({ action: "get_flow", flowId })).flow);
        const stateJson = Number(view["stateJson"]) + 1;
        const { kind } = await ask({ action: "set_waiting", flowId, expectedRevision: revision, stateJson });
        if (kind === "applied") return;
      }
    };
    const work = async (): Promise<void> => {
      for (let done = 0; done < SHARE; done += 1) await addOne();
    };
    await Promise.all(Array.from({ length: writers }, work));
    const { revision, view } = seenIn((await ask({ action: "get_flow", flowId })).flow);
    same([view["stateJson"], revision], [writers * SHARE, writers * SHARE], "each addition counts once");
  };
