// What a store's lists must have when a part of them is asked for. A store may know no filters and no pages: then it gives the whole
// list, and the bridge takes from it what is asked for, as is done here.

import { type ActionOf, listViews, type OutcomeOf, type Shown } from "../../core/index.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import { check, same } from "./check.ts";
import type { Command } from "./commands.ts";
import { create, idsOf, type Property } from "./store-under-test.ts";
import { Actor, askAs, outcomeAs } from "./transcript.ts";

type ListFlows = Omit<ActionOf<"list_flows">, "action">;

/** One answer of list_flows, as a caller gets it. */
const listAs =
  (store: FlowStore, owner: string) =>
  async (fields: ListFlows): Promise<OutcomeOf<"flows">> => {
    const action = { action: "list_flows", ...fields } as const;
    const outcome = await outcomeAs(store, owner)(action);
    const listed = outcome.kind === "flows" ? listViews(outcome, action).unwrapOr(undefined) : undefined;
    check(
      listed !== undefined,
      `list_flows with ${JSON.stringify(fields)} answers with a part of the list or all of it`,
    );
    return listed ?? { kind: "flows", flows: [] };
  };

type Between = (page: number) => Promise<void>;

/** All pages, one after the other. `between`: called after each page that is not the last. */
const pagesOf = async (
  list: ReturnType<typeof listAs>,
  fields: ListFlows,
  between: Between = () => Promise.resolve(),
): Promise<readonly Shown[]> => {
  const flows: Shown[] = [];
  for (let cursor: string | undefined, page = 1; ; page += 1) {
    const answer = await list(cursor === undefined ? fields : { ...fields, cursor });
    check(answer.flows.length <= (fields.limit ?? 0), "a page has at most as many flows as were asked for");
    check(answer.next !== undefined, "a page says where the next one begins");
    flows.push(...answer.flows.map(({ json }) => json));
    if (answer.next === null || answer.next === undefined) return flows;
    check(page < MOST_PAGES, "pages come to an end");
    cursor = answer.next;
    await between(page);
  }
};

/** More than any property here needs. */
const MOST_PAGES = 1000;

/** `limit`, or more where flows of earlier tests would make too many pages. */
const sizeFor = (limit: number, flows: readonly unknown[]): number => Math.max(limit, Math.ceil(flows.length / 10));

const sorted = (flows: readonly Shown[]): readonly string[] => idsOf(flows).toSorted();

const timesOf = (flows: readonly Shown[]): readonly number[] => flows.map((flow) => Number(flow["createdAt"]));

/** Pages have the flows of the whole list, younger ones first, whatever the filters. */
export const pagesAreTheList =
  (mine: readonly Command[], limit: number): Property =>
  async (store, [a]) => {
    const actor = new Actor(store, a);
    for (const command of mine) await actor.run(command);
    const list = listAs(store, a);
    const whole = (await list({})).flows.map(({ json }) => json);
    const { status, controllerId, updatedAt } = (whole[Math.floor(whole.length / 2)] ?? {}) as Partial<
      Record<string, never>
    >;
    const filters: readonly [ListFlows, (flow: Shown) => boolean][] = [
      [{}, () => true],
      [{ status: status ?? "queued" }, (flow) => flow["status"] === (status ?? "queued")],
      [{ status: "lost" }, (flow) => flow["status"] === "lost"],
      [{ controllerId: controllerId ?? "none" }, (flow) => flow["controllerId"] === (controllerId ?? "none")],
      [{ updatedAfter: updatedAt ?? 0 }, (flow) => Number(flow["updatedAt"]) > Number(updatedAt ?? 0)],
      [
        { status: status ?? "queued", updatedAfter: Math.max(0, Number(updatedAt ?? 0) - 1) },
        (flow) => flow["status"] === (status ?? "queued") && Number(flow["updatedAt"]) > Number(updatedAt ?? 0) - 1,
      ],
    ];
    for (const [filter, isListed] of filters) {
      const said = JSON.stringify(filter);
      const wanted = whole.filter(isListed);
      same(
        (await list(filter)).flows.map(({ json }) => json),
        wanted,
        `the list with the filter ${said}`,
      );
      const paged = await pagesOf(list, { ...filter, limit: sizeFor(limit, wanted) });
      same(sorted(paged), sorted(wanted), `the flows of all pages with the filter ${said}`);
      same(timesOf(paged), timesOf(wanted), `the order of all pages with the filter ${said}`);
    }
  };

const MADE = 12;

/** No flow that is there all the time is skipped or repeated while others are made and changed. */
export const pagesAreStable =
  (limit: number): Property =>
  async (store, [a]) => {
    const ask = askAs(store, a);
    for (let count = 0; count < MADE; count += 1) await create(ask);
    const list = listAs(store, a);
    const before = (await list({})).flows.map(({ json }) => json);
    const seen = await pagesOf(list, { limit: sizeFor(limit, before) }, async (page) => {
      if (page > MADE) return;
      await create(ask);
      const flow = before[(page * 7) % before.length];
      await ask({ action: "cancel_flow", flowId: String(flow?.["flowId"]) });
    });
    const ids = idsOf(seen);
    same(ids.length, new Set(ids).size, "a flow is on one page only");
    const missing = idsOf(before).filter((id) => !ids.includes(id));
    same(missing, [], "a flow that was there before is on a page");
  };

/** Whatever cursor is sent, the flows are the owner's own. */
export const pagesAreTheOwners: Property = async (store, [a, b]) => {
  for (const owner of [a, b, a, b]) await create(askAs(store, owner));
  const [mine, theirs] = [listAs(store, a), listAs(store, b)];
  const own = new Set(idsOf((await mine({})).flows.map(({ json }) => json)));
  const { next } = await theirs({ limit: 1 });
  for (const cursor of [next ?? "0~", "0~", "999999999999999~", "1~' OR 1=1 --", `1~${a}`]) {
    const { flows } = await mine({ cursor });
    const others = idsOf(flows.map(({ json }) => json)).filter((id) => !own.has(id));
    same(others, [], `the flows of others at the cursor ${cursor}`);
  }
};
