// Transactions on PostgreSQL. One that writes takes two round trips: it begins, locks, loads and asks for the time with the first,
// and saves and commits with the second. A read takes one.

import { err, ok, type Result } from "neverthrow";
import type { Needs, Stored, Write } from "../../../core/index.ts";
import type { Decided, FlowEngine, StoreFault } from "../engine.ts";
import { joinOpen, type OpenFlows, openFlowsOf } from "../open-flows.ts";
import { numberIn } from "../rows.ts";
import { type DatabaseClock, NOW } from "./clock.ts";
import { hasAnswered, mayTryAgain } from "./errors.ts";
import { locksOf } from "./locks.ts";
import type { Notices } from "./notices.ts";
import { PostgresOutbox } from "./outbox.ts";
import type { Places } from "./places.ts";
import { committed, COMMIT, type Connections, ROLLBACK } from "./pool.ts";
import { OWNER_SETTING, UPKEEP_SETTING } from "./schema.ts";
import { type Connection, send, type Statement, statement } from "./statement.ts";
import { COUNT_OPEN, askingOf, writing } from "./tables.ts";
import type { Upkeep } from "./upkeep.ts";

/** Each statement sees what was committed before it, such as what a lock was waited for. */
const BEGIN = statement("BEGIN ISOLATION LEVEL READ COMMITTED");
/** One snapshot for all lookups. */
const BEGIN_READ = statement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
const TIME = statement(`SELECT ${NOW}`);

//= PG-4
/** From now to the end of the transaction only this owner's rows are there; without one, those of all. */
const scopeTo = (owner: string | undefined): Statement =>
  owner === undefined
    ? statement(`SELECT set_config('${UPKEEP_SETTING}', 'on', true)`)
    : statement(`SELECT set_config('${OWNER_SETTING}', $1, true)`, owner);

/** How often a transaction that another one has undone is decided again. */
const MAX_TRIES = 5;

/** Milliseconds within which a connection that had ended shows it. What fails later has waited, and would wait again. */
const PROMPT_MS = 1000;

/** Nothing of it was done, and the next try may go better: another transaction was in the way, or a connection had ended. */
const isWorthwhile = ({ error, isUnknown }: StoreFault, tries: number, ms: number): boolean =>
  isUnknown !== true && (mayTryAgain(error) ? tries < MAX_TRIES : tries === 1 && ms < PROMPT_MS && !hasAnswered(error));

/** Whose rows a transaction is about: a create that needs to know nothing tells it by what it writes. */
const ownerOf = ({ load, saved, open }: Needs, writes: readonly Write[] = []): string | undefined => {
  const [first] = load;
  const [written] = writes;
  if (first !== undefined) return first.kind === "due" ? undefined : first.owner;
  return saved?.owner ?? open?.owner ?? (written?.kind === "insert_flow" ? written.owner : undefined);
};

const needsNothing = ({ load, saved, open }: Needs): boolean =>
  load.length === 0 && saved === undefined && open === undefined;

export type EngineParts = {
  readonly connections: Connections;
  readonly clock: DatabaseClock;
  readonly notices: Notices;
  readonly upkeep: Upkeep;
  readonly places: Places;
};

export class PostgresEngine implements FlowEngine {
  readonly #parts: EngineParts;
  readonly outbox: PostgresOutbox;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.outbox = new PostgresOutbox(parts.connections, parts.upkeep);
  }

  //= STORE-1, PG-1
  async transact<T extends Decided>(needs: Needs, decide: (stored: Stored) => T): Promise<Result<T, StoreFault>> {
    const from = performance.now();
    for (let tries = 1; ; tries += 1) {
      const done = await (needs.writes ? this.#write(needs, decide) : this.#read(needs, decide));
      if (done.isOk() || !isWorthwhile(done.error, tries, performance.now() - from)) return done;
    }
  }

  readonly countOpen = async (owners: readonly string[]): Promise<readonly OpenFlows[]> => {
    const counting = statement(COUNT_OPEN, owners);
    const answers = await this.#parts.connections.run([BEGIN_READ, scopeTo(undefined)], [counting]);
    return joinOpen(answers.flatMap(({ rows }) => rows).flatMap(openFlowsOf));
  };

  async #read<T extends Decided>(needs: Needs, decide: (stored: Stored) => T): Promise<Result<T, StoreFault>> {
    try {
      const { statements, storedOf } = askingOf(needs, this.#parts.places);
      const answers = await this.#parts.connections.run([BEGIN_READ, scopeTo(ownerOf(needs))], statements);
      return ok(decide(storedOf(answers)));
    } catch (error) {
      return err({ error });
    }
  }

  async #write<T extends Decided>(needs: Needs, decide: (stored: Stored) => T): Promise<Result<T, StoreFault>> {
    const progress = { isCommitting: false };
    try {
      const decision = await this.#parts.connections.using((connection) =>
        this.#decideOn(connection, needs, decide, progress),
      );
      this.#tell(decision.writes);
      return ok(decision);
    } catch (error) {
      //= PG-2
      // what was sent and not answered may have been done
      return err({ error, isUnknown: progress.isCommitting && !hasAnswered(error) });
    }
  }

  async #decideOn<T extends Decided>(
    connection: Connection,
    needs: Needs,
    decide: (stored: Stored) => T,
    progress: { isCommitting: boolean },
  ): Promise<T> {
    const stored = await this.#begin(connection, needs);
    const decision = decide(stored);
    const { writes } = decision;
    if (writes.length === 0) {
      await send(connection, [ROLLBACK]);
      return decision;
    }
    const scope = needsNothing(needs) ? [scopeTo(ownerOf(needs, writes))] : [];
    progress.isCommitting = true;
    const answers = await send(connection, [...scope, ...writes.map((write) => writing(write, stored)), COMMIT]);
    committed(answers.at(-1));
    return decision;
  }

  //= PG-9
  /**
   * Locks, then loads: what is found stays so until the end of the transaction. The time is asked for last, so that a write is not
   * dated before one that it has waited for, or that ended before it began, whichever replica has made that.
   */
  async #begin(connection: Connection, needs: Needs): Promise<Stored> {
    const { statements, storedOf } = askingOf(needs, this.#parts.places);
    const scope = needsNothing(needs) ? [] : [scopeTo(ownerOf(needs))];
    const before = [BEGIN, ...scope, ...locksOf(needs)];
    const answers = await send(connection, [...before, ...statements, TIME]);
    const [row] = answers.at(-1)?.rows ?? [];
    if (row !== undefined) this.#parts.clock.set(numberIn(row, "now"));
    return storedOf(answers.slice(before.length, -1));
  }

  /** After the commit: other replicas, and what has grown. */
  #tell(writes: readonly Write[]): void {
    const { notices, upkeep } = this.#parts;
    for (const write of writes) {
      if (write.kind === "insert_flow" || write.kind === "update_flow") notices.tell(write.flow.flowId);
      else if (write.kind === "put_record") upkeep.recorded(write.routeId);
      else if (write.kind === "put_event") upkeep.queued(write.event.routeId);
    }
  }
}
