// What a store that takes deliveries must do with a quota: it makes and reopens nothing above it, however many ask at once.

import type { Delivery, FlowAction } from "../../core/index.ts";
import { same } from "./check.ts";
import { create, type Property } from "./store-under-test.ts";
import { askAs, type AskDelivery, deliverAs, seenIn } from "./transcript.ts";

const CREATE: FlowAction = { action: "create_flow", goal: "Quota", controllerId: "conformance" };

const within = (quota: number): Delivery => ({
  routeId: "conformance-quota",
  once: undefined,
  bind: undefined,
  starts: false,
  quota,
});

const kindsOf = async (asked: readonly ReturnType<AskDelivery>[]): Promise<readonly string[]> =>
  (await Promise.all(asked)).map((answer) => (typeof answer === "string" ? answer : answer.kind)).toSorted();

/** `count` of `first`, and of `then` as many as are missing. */
const expected = (first: string, count: number, then: string, all: number): readonly string[] =>
  Array.from({ length: all }, (_, index) => (index < count ? first : then)).toSorted();

const ROOM = 2;

/** Of simultaneous creates as many make a flow as there is room for; a flow that ends makes room, and takes it to be open again. */
export const boundsFlows =
  (writers: number): Property =>
  async (store, [a]) => {
    const ask = askAs(store, a);
    const deliver = deliverAs(store, a);
    for (const _ of [1, 2]) await create(ask);
    const open = await countOpen(ask);
    const quota = open + ROOM;
    const atOnce = await kindsOf(Array.from({ length: writers }, () => deliver(CREATE, within(quota))));
    same(
      atOnce,
      expected("created", ROOM, "over_quota", writers),
      `${String(writers)} creates with room for ${String(ROOM)}`,
    );
    same(await countOpen(ask), quota, "what is refused makes no flow");
    const { flowId } = await create(ask);
    same(await kindsOf([deliver(CREATE, within(quota))]), ["over_quota"], "a create above the quota");
    await ask({ action: "cancel_flow", flowId });
    await ask({ action: "cancel_flow", flowId: (await openOf(ask))[0] ?? "none" });
    same(await kindsOf([deliver(CREATE, within(quota))]), ["created"], "a create once flows have ended");
    const { revision } = seenIn((await ask({ action: "get_flow", flowId })).flow);
    const reopen: FlowAction = { action: "resume_flow", flowId, expectedRevision: revision };
    same(await kindsOf([deliver(reopen, within(quota))]), ["over_quota"], "an ended flow that is resumed at the quota");
    same(await kindsOf([deliver(reopen, within(quota + 1))]), ["applied"], "one that is resumed below it");
    const again = { ...reopen, expectedRevision: revision + 1 };
    same(await kindsOf([deliver(again, within(quota + 1))]), ["applied"], "an open flow that is resumed at the quota");
  };

const TASKS = 3;

/** The same of a flow's tasks. */
export const boundsTasks =
  (writers: number): Property =>
  async (store, [a]) => {
    const deliver = deliverAs(store, a);
    const { flowId } = await create(askAs(store, a));
    const run: FlowAction = { action: "run_task", flowId, runtime: "acp", task: "Quota" };
    const atOnce = await kindsOf(Array.from({ length: writers }, () => deliver(run, within(TASKS))));
    const room = Math.min(TASKS, writers);
    same(
      atOnce,
      expected("task_created", room, "over_quota", writers),
      `${String(writers)} tasks with room for ${String(TASKS)}`,
    );
    const more = await kindsOf([deliver(run, within(room)), deliver(run, within(room + 1))]);
    same(more, ["over_quota", "task_created"], "one more task, and one more");
  };

type AskPlain = ReturnType<typeof askAs>;

const isOpen = (status: unknown): boolean => ["queued", "running", "waiting", "blocked"].includes(String(status));

const openOf = async (ask: AskPlain): Promise<readonly string[]> =>
  ((await ask({ action: "list_flows" })).flows ?? [])
    .filter((flow) => isOpen(flow["status"]) && flow["endedAt"] === undefined)
    .map((flow) => String(flow["flowId"]));

const countOpen = async (ask: AskPlain): Promise<number> => (await openOf(ask)).length;
