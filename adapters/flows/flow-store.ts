// The port to the store of the TaskFlows: one function. The Gateway, memory and SQLite are behind it, and so can be a store of
// your own; `openclaw-webhooks/conformance` tests one.

import type { Result } from "neverthrow";
import type { Delivery, FlowAction, Outcome, StoreFailure } from "../../core/index.ts";
import type { Awaitable } from "./awaitable.ts";
import type { ChangeSource } from "./changes.ts";
import type { CountOpen } from "./open-flows.ts";
import type { FlowEvents } from "./outbox.ts";

/** A sentence of the product's own, or a part of one. The log shows it as it is. */
export class Sentence {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What the product itself reports. The log shows these as they are. */
export const REPORTS = {
  late: "the host did not answer in time",
  threw: "the host failed",
  nonsense: "the host answered nonsense in",
  said: "the host said",
  failed: "the store failed",
  unkept: "no record of a request can be kept",
} as const;

/** Tells the operator what went wrong behind a failure; it is scrubbed and rationed before it is written. */
export type Report = (what: string, detail: unknown) => void;

export interface FlowStore {
  /**
   * Carries an action out for the session `owner`: a flow of another owner is as one that does not exist. The outcome is of
   * a kind that OUTCOME_KINDS names for the action, built from views (`viewFlow`, `viewTask`, `viewSummary`). A refusal
   * changes nothing; of several simultaneous updates of one revision exactly one is applied (FLOW-1, FLOW-3). May throw.
   * `delivery` comes only to a store that takes deliveries.
   */
  execute(
    owner: string,
    action: FlowAction,
    report: Report,
    delivery?: Delivery,
  ): Awaitable<Result<Outcome, StoreFailure>>;

  /** Whether the store keeps records of requests and bindings of keys itself, in the transaction of the flow (ONCE-1, BIND-1). */
  readonly takesDeliveries?: boolean;

  /** Carries out at once what it has put off. It is called after a request of a client that has no further slot (STORE-11). */
  readonly hurry?: (() => void) | undefined;

  //= WAIT-4
  /**
   * Tells of flows that have changed, so that requests that wait for one need not ask for it again and again. Without it the
   * flows that are waited for are asked for at least once a second while they are few, and at most 10 times a second in all.
   */
  readonly changes?: ChangeSource | undefined;

  /** Whether flows also change without `changes` telling of it, because others write to the host. Then they are asked for too. */
  readonly changesElsewhere?: boolean;

  /** Counts the open flows of sessions, for an operator's page. Without it their flows are not counted. May throw or reject. */
  readonly countOpen?: CountOpen;

  /** The events of flows that wait to be sent. Without it no callback is sent: routes with `notify` live without. */
  readonly events?: FlowEvents;
}
