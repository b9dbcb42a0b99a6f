// What tells callers that wait, at any replica, of flows that have changed: NOTIFY after the commit, because PostgreSQL makes
// transactions that notify commit one by one. A look once a second finds what was not told.

import { turn } from "../awaitable.ts";
import type { FlowChanges } from "../changes.ts";
import { own } from "../../../core/index.ts";
import { BEGIN, type Connections } from "./pool.ts";
import { SCHEMA } from "./schema.ts";
import { statement } from "./statement.ts";

/** The channel; it has flow ids, and nothing of their sessions, because each role of the database may listen. */
export const CHANNEL = `${SCHEMA}_changes`;

/** Milliseconds between two looks, and to the next try to listen. */
const LOOK_MS = 1000;

/** Flow ids that may wait to be told; more are told as "any flow". */
const MAX_WAITING = 500;

/** UTF-8 bytes of one notice; PostgreSQL takes fewer than 8000. */
const MAX_BYTES = 7900;

/** Nothing is lost with a notice that a crash undoes, so it does not wait for the disk. */
const LAZY = statement("SELECT set_config('synchronous_commit', 'off', true)");
const notify = (payload: string) => statement(`SELECT pg_notify('${CHANNEL}', $1)`, payload);
/** Another text after each transaction of anyone that has written. */
const SNAPSHOT = statement("SELECT pg_current_snapshot()::text AS snapshot");

/** A connection of its own that listens. `end` closes it. */
export type Listener = { readonly end: () => void };

/** `listen`: connects, and calls `told` with each payload and `lost` once when the connection has ended. Rejects when it cannot. */
export type NoticesOptions = {
  readonly connections: Connections;
  readonly listen: (told: (payload: string) => void, lost: () => void) => Promise<Listener>;
};

const parsed = (payload: string): unknown => {
  try {
    return JSON.parse(payload);
  } catch {
    return undefined;
  }
};

const ignore = (): void => undefined;

export class Notices {
  readonly #options: NoticesOptions;
  /** Names this process in its notices. */
  readonly #me = crypto.randomUUID();
  #waiting = new Set<string>();
  #isAny = false;
  #telling: Promise<void> | undefined;
  #changes: FlowChanges | undefined;
  #timer: NodeJS.Timeout | undefined;
  #listener: Promise<Listener | undefined> | undefined;
  #snapshot: string | undefined;
  #isLooking = false;

  constructor(options: NoticesOptions) {
    this.#options = options;
  }

  //= PG-7
  /** Tells the other replicas soon, together with what else has changed by then. */
  tell(flowId: string): void {
    if (this.#waiting.size >= MAX_WAITING) this.#isAny = true;
    else this.#waiting.add(flowId);
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = undefined;
    });
  }

  /** Follows what others write while anyone waits: `changes` is told of it. */
  watch(changes: FlowChanges, isWanted: boolean): void {
    clearInterval(this.#timer);
    this.#changes = isWanted ? changes : undefined;
    this.#snapshot = undefined;
    this.#timer = isWanted ? setInterval(() => void this.#look(), LOOK_MS).unref() : undefined;
    if (isWanted) return void this.#look();
    void this.#listener?.then((listener) => listener?.end());
    this.#listener = undefined;
  }

  /** Resolves once nothing is being told any more. */
  settled(): Promise<void> {
    return this.#telling ?? Promise.resolve();
  }

  async #tellAll(): Promise<void> {
    // so that the request whose flow it is gets its answer first, and others may join
    await turn();
    while (this.#waiting.size > 0 || this.#isAny) {
      const payloads = this.#isAny ? [this.#payload([])] : this.#payloads([...this.#waiting]);
      this.#waiting = new Set();
      this.#isAny = false;
      // what is lost is found by the looks
      await this.#options.connections.run([BEGIN, LAZY], payloads.map(notify)).catch(ignore);
    }
  }

  #payload(flowIds: readonly string[]): string {
    return JSON.stringify([this.#me, ...flowIds]);
  }

  /** As few as the size allows. */
  #payloads(flowIds: readonly string[]): readonly string[] {
    const payloads: string[] = [];
    let some: string[] = [];
    for (const flowId of flowIds) {
      if (some.length > 0 && Buffer.byteLength(this.#payload([...some, flowId])) > MAX_BYTES) {
        payloads.push(this.#payload(some));
        some = [];
      }
      some.push(flowId);
    }
    const last = this.#payload(some);
    return [...payloads, Buffer.byteLength(last) > MAX_BYTES ? this.#payload([]) : last];
  }

  #told(payload: string): void {
    const said = parsed(payload);
    if (own(said, "0") === this.#me) return;
    const flowIds = Array.isArray(said) ? said.slice(1) : [];
    if (flowIds.length === 0) this.#changes?.tellAll();
    for (const flowId of flowIds) if (typeof flowId === "string") this.#changes?.tellOne(flowId);
  }

  //= PG-7
  /** Once a second: whether anything was written since, and whether the connection that listens is there. */
  async #look(): Promise<void> {
    this.#listener ??= this.#listen();
    if (this.#isLooking) return;
    this.#isLooking = true;
    const seen = this.#snapshot;
    const found = await this.#options.connections.run([BEGIN], [SNAPSHOT]).catch(() => undefined);
    this.#isLooking = false;
    const snapshot = String(found?.[0]?.rows[0]?.["snapshot"]);
    this.#snapshot = snapshot;
    // a database that cannot be asked is noticed each time, so that those who wait learn of it from the store
    if (found === undefined || (seen !== undefined && snapshot !== seen)) this.#changes?.tellAll();
  }

  /** Resolves to undefined when it cannot listen; then the next look tries again, as after a connection that has ended. */
  #listen(): Promise<Listener | undefined> {
    const forget = (): void => {
      if (this.#listener === listening) this.#listener = undefined;
    };
    const listening: Promise<Listener | undefined> = this.#options
      .listen((payload) => this.#told(payload), forget)
      .then(
        (listener) => {
          // what has changed before it listened was told to nobody here
          this.#changes?.tellAll();
          return listener;
        },
        () => {
          forget();
          return undefined;
        },
      );
    return listening;
  }
}
