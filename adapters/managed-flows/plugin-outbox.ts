// The outbox in the plugin's own file, and how the flows of watched sessions stood when they were last looked at: one transaction
// writes both, so that no change is told twice or lost between two looks.

import { ok, type Result } from "neverthrow";
import { type CallbackEvent, eventsOf, standingOf, type Subscription, type TellableFlow } from "../../core/index.ts";
import type { StoreFault } from "../flows/engine.ts";
import type { Claimed, Outbox, OutboxState, Settlement, Target } from "../flows/outbox.ts";
import { EventRows } from "../flows/sqlite/event-rows.ts";
import { type PluginFile, textIn, type Transaction } from "./plugin-file.ts";

/** Milliseconds for which it is kept how the flows of a session stood that is not watched any more. */
const FORGET_MS = 604_800_000;

const SQL = {
  watch: "INSERT INTO watched (owner, since) VALUES (?1, ?2) ON CONFLICT (owner) DO NOTHING",
  watched: "SELECT since, looked_at FROM watched WHERE owner = ?1",
  looked: "UPDATE watched SET looked_at = ?2 WHERE owner = ?1",
  seen: "SELECT flow_id, standing FROM seen WHERE owner = ?1",
  see: `INSERT INTO seen (owner, flow_id, standing) VALUES (?1, ?2, ?3)
    ON CONFLICT (owner, flow_id) DO UPDATE SET standing = excluded.standing`,
  unsee: "DELETE FROM seen WHERE owner = ?1 AND flow_id = ?2",
  old: "SELECT owner FROM watched WHERE looked_at <= ?1",
  forgetSeen: "DELETE FROM seen WHERE owner = ?1",
  forget: "DELETE FROM watched WHERE owner = ?1",
} as const;

/** What the session's flows are, by id. */
export type Look = ReadonlyMap<string, TellableFlow>;

/** What a list of them has shown. `isWhole`: whether each flow in it could be read. */
export type Listed = { readonly look: Look; readonly isWhole: boolean };

const seenIn = (open: Transaction, owner: string): ReadonlyMap<string, string> =>
  new Map(
    open
      .prepare(SQL.seen)
      .all(owner)
      .map((row) => [textIn(row, "flow_id"), textIn(row, "standing")]),
  );

/** A flow that has ended again meanwhile stands as before, but for the time of its end. */
export const seenAs = (flow: TellableFlow): string => `${standingOf(flow)} ${String(flow.endedAt ?? "")}`;

/** How the flow stood, as far as it is known. */
const beforeOf = (flow: TellableFlow, seen: string | undefined): string | undefined =>
  seen === seenAs(flow) ? standingOf(flow) : flow.endedAt === undefined ? seen?.trimEnd() : undefined;

export class PluginOutbox implements Outbox {
  readonly #file: PluginFile;
  #open: Transaction | undefined;
  readonly #rows = new EventRows((sql) => this.#prepare(sql));

  constructor(file: PluginFile) {
    this.#file = file;
  }

  claim(target: Target, limit: number, now: number): Result<readonly Claimed[], StoreFault> {
    return this.#transact("BEGIN IMMEDIATE", () => this.#rows.claim(target, limit, now));
  }

  settle(event: Pick<CallbackEvent, "routeId" | "eventId">, settlement: Settlement): Result<void, StoreFault> {
    return this.#transact("BEGIN IMMEDIATE", () => this.#rows.settle(event, settlement));
  }

  look(): Result<OutboxState, StoreFault> {
    return this.#transact("BEGIN", () => this.#rows.look());
  }

  tidy(routeId: string, before: number): Result<void, StoreFault> {
    return this.#transact("BEGIN IMMEDIATE", () => this.#rows.tidy(routeId, before));
  }

  takeDropped(): ReadonlyMap<string, number> {
    return this.#rows.takeDropped();
  }

  /** From now on what changes in these sessions is told, unless it is so already. `now`: milliseconds since the epoch. */
  watch(owners: readonly string[], now: number): Result<void, StoreFault> {
    return this.#transact("BEGIN IMMEDIATE", (open) => {
      const watched = new Set(owners);
      for (const owner of owners) open.prepare(SQL.watch).run(owner, now);
      for (const row of open.prepare(SQL.old).all(now - FORGET_MS)) {
        const owner = textIn(row, "owner");
        if (watched.has(owner)) continue;
        open.prepare(SQL.forgetSeen).run(owner);
        open.prepare(SQL.forget).run(owner);
      }
    });
  }

  //= NOTIFY-1, NOTIFY-10
  /**
   * Writes what a look at the session has found: its events, and how each flow stands now. At the first look what has not changed since
   * the session is watched is no event. What was seen of a flow stays while one cannot be read. Says how many events there were.
   */
  found(
    owner: string,
    { look, isWhole }: Listed,
    subscriptions: readonly Subscription[],
    now: number,
  ): Result<number, StoreFault> {
    return this.#transact("BEGIN IMMEDIATE", (open) => {
      const watched = open.prepare(SQL.watched).get(owner);
      const isFirst = typeof watched?.["looked_at"] !== "number";
      const since = Number(watched?.["since"] ?? now);
      const seen = seenIn(open, owner);
      const events = [...look.values()].flatMap((flow) => {
        const isOld = isFirst && flow.updatedAt < since;
        const before = isOld ? standingOf(flow) : beforeOf(flow, seen.get(flow.flowId));
        return eventsOf(before, flow, subscriptions, now);
      });
      for (const event of events) this.#rows.put(event);
      for (const [flowId, flow] of look) {
        const standing = seenAs(flow);
        if (seen.get(flowId) !== standing) open.prepare(SQL.see).run(owner, flowId, standing);
      }
      const gone = isWhole ? [...seen.keys()].filter((flowId) => !look.has(flowId)) : [];
      for (const flowId of gone) open.prepare(SQL.unsee).run(owner, flowId);
      open.prepare(SQL.watch).run(owner, since);
      // what cannot be read yet may be older than the watch
      if (isWhole || !isFirst) open.prepare(SQL.looked).run(owner, now);
      return events.length;
    });
  }

  #prepare(sql: string): ReturnType<Transaction["prepare"]> {
    if (this.#open === undefined) throw new Error("no transaction is open");
    return this.#open.prepare(sql);
  }

  #transact<T>(begin: "BEGIN" | "BEGIN IMMEDIATE", work: (open: Transaction) => T): Result<T, StoreFault> {
    const done = this.#file.transact(begin, (open) => {
      this.#open = open;
      return work(open);
    });
    this.#open = undefined;
    return done.isOk() ? ok(done.value) : done.mapErr(({ advice }) => ({ error: advice }));
  }
}
