// Looks at the flows of sessions that have callbacks, because the Gateway tells nobody of changes: every two seconds, and soon after a write
// of the plugin's own. It takes a twentieth of the time at most, however long the Gateway needs for a list.

import type { Ok, Result } from "neverthrow";
import { type Subscriptions, type TellableFlow, tellableFlow } from "../../core/index.ts";
import { errorOf, withDeadline } from "../bridge/deadline.ts";
import type { FlowChanges } from "../flows/changes.ts";
import type { StoreFault } from "../flows/engine.ts";
import type { BoundFlows } from "./api.ts";
import { type Listed, type Look, type PluginOutbox, seenAs } from "./plugin-outbox.ts";

export type WatcherOptions = {
  /** Who wants to know of which session; asked at each turn. */
  readonly subscriptions: () => Subscriptions;
  /** Binds the Gateway's flow API to one session; may throw. */
  readonly bind: (sessionKey: string) => { readonly flows: Pick<BoundFlows, "list"> };
  readonly outbox: PluginOutbox;
  /** Writes that go through the plugin. */
  readonly changes?: FlowChanges | undefined;
  /** Called after a look that found events. */
  readonly onEvents: () => void;
  /** Told of a look that failed; it is tried again. */
  readonly onFault: (what: string, error: unknown) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds from one turn to the next, unless the Gateway is slow. */
  readonly everyMs?: number;
};

const EVERY_MS = 2000;

/** A look that took this long is followed by a pause of so many times that. */
const PAUSES = 20;

/** Milliseconds for one list. The call is not cancelled. */
const LIST_DEADLINE_MS = 15_000;

/** Milliseconds after which it is noted again that a session is watched. */
const NOTE_MS = 3_600_000;

/** What is remembered of a session, so that a look that finds nothing new writes nothing. */
type Known = { readonly standings: ReadonlyMap<string, string>; readonly notedAt: number };

const standingsOf = (look: Look): ReadonlyMap<string, string> =>
  new Map([...look].map(([flowId, flow]) => [flowId, seenAs(flow)]));

const isSame = (one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean =>
  one.size === other.size && [...one].every(([flowId, standing]) => other.get(flowId) === standing);

const LIST_FAILED = "the Gateway did not list the flows of a session that has callbacks; it is asked again";
const FILE_FAILED = "callbacks could not be written down; the session is looked at again";

const UNREADABLE = "a flow of a session that has callbacks cannot be read; the others are told";

/** Undefined when the answer is not a list. Reading a host's list may run its code, and throw. */
const lookIn = (listed: unknown): Listed | undefined => {
  if (!Array.isArray(listed)) return undefined;
  const look = new Map<string, TellableFlow>();
  let isWhole = true;
  for (const record of listed) {
    const flow = tellableFlow(record);
    if (flow === undefined) isWhole = false;
    else look.set(flow.flowId, flow);
  }
  return { look, isWhole };
};

export class FlowWatcher {
  readonly #options: WatcherOptions;
  readonly #known = new Map<string, Known>();
  /** Sessions that were written to since the last look. */
  readonly #written = new Set<string>();
  readonly #unwatch = new Map<string, () => void>();
  #watched: Subscriptions | undefined;
  #turning: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;
  readonly #everyMs: number;
  /** When all sessions were looked at last, and when the next look may be, by the monotonic clock. */
  #wholeAt = 0;
  #pauseUntil = 0;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#everyMs = options.everyMs ?? EVERY_MS;
  }

  /** Looks at all sessions soon, and from then on. */
  start(): void {
    this.#schedule(0);
  }

  /** Resolves once nothing is asked any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const unwatch of this.#unwatch.values()) unwatch();
    this.#unwatch.clear();
    await this.#turning;
  }

  #schedule(waitMs: number): void {
    if (this.#isStopped || this.#turning !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#turning = this.#turn()
          .catch((error: unknown) => this.#options.onFault(LIST_FAILED, error))
          .finally(() => {
            this.#turning = undefined;
            this.#schedule(this.#written.size > 0 ? 0 : this.#everyMs);
          });
      },
      Math.max(waitMs, this.#pauseUntil - performance.now()),
    );
  }

  /** Looks at the sessions that were written to, or at all when it is time. */
  async #turn(): Promise<void> {
    const subscriptions = this.#options.subscriptions();
    if (!this.#follow(subscriptions)) return;
    const begun = performance.now();
    const isWhole = this.#written.size === 0 || begun - this.#wholeAt >= this.#everyMs;
    if (isWhole) this.#wholeAt = begun;
    const owners = isWhole ? [...subscriptions.keys()] : [...this.#written];
    this.#written.clear();
    for (const owner of owners) {
      if (this.#isStopped) return;
      await this.#look(owner, subscriptions).catch((error: unknown) => this.#options.onFault(LIST_FAILED, error));
    }
    const ended = performance.now();
    this.#pauseUntil = ended + (ended - begun) * PAUSES;
  }

  /** Takes over which sessions are watched. False when that cannot be written down. */
  #follow(subscriptions: Subscriptions): boolean {
    if (subscriptions === this.#watched) return true;
    const { outbox, now } = this.#options;
    if (subscriptions.size > 0 && !this.#isKept(outbox.watch([...subscriptions.keys()], now()))) return false;
    for (const [owner, unwatch] of this.#unwatch) {
      if (subscriptions.has(owner)) continue;
      unwatch();
      this.#unwatch.delete(owner);
      this.#known.delete(owner);
      this.#written.delete(owner);
    }
    for (const owner of subscriptions.keys()) if (!this.#unwatch.has(owner)) this.#listen(owner);
    this.#watched = subscriptions;
    return true;
  }

  #listen(owner: string): void {
    const unwatch = this.#options.changes?.watch(owner, () => {
      this.#written.add(owner);
      this.#schedule(0);
    });
    this.#unwatch.set(owner, unwatch ?? ((): void => undefined));
  }

  async #look(owner: string, subscriptions: Subscriptions): Promise<void> {
    const { bind, outbox, onEvents, onFault, now } = this.#options;
    const listed = await withDeadline(() => bind(owner).flows.list(), LIST_DEADLINE_MS);
    if (listed.isErr())
      return onFault(
        LIST_FAILED,
        errorOf(listed.error, () => "no answer in time"),
      );
    const read = lookIn(listed.value);
    if (read === undefined) return onFault(LIST_FAILED, "the answer is not a list of flows");
    const { look, isWhole } = read;
    if (!isWhole) onFault(UNREADABLE, "it is not what this Gateway promises");
    const standings = standingsOf(look);
    const known = this.#known.get(owner);
    if (known !== undefined && now() - known.notedAt < NOTE_MS && isSame(known.standings, standings)) return;
    const wanted = subscriptions.get(owner) ?? [];
    const found = outbox.found(owner, read, wanted, now());
    if (!this.#isKept(found)) return;
    this.#known.set(owner, { standings, notedAt: now() });
    if (found.value > 0) onEvents();
  }

  /** Whether it was written down; the operator is told when it was not. */
  #isKept<T>(done: Result<T, StoreFault>): done is Ok<T, StoreFault> {
    if (done.isErr()) this.#options.onFault(FILE_FAILED, done.error.error);
    return done.isOk();
  }
}
