// The events of a PostgreSQL store behind the port: each call is one transaction of one round trip.

import { err, ok, type Result } from "neverthrow";
import type { CallbackEvent } from "../../../core/index.ts";
import type { StoreFault } from "../engine.ts";
import type { Claimed, Outbox, OutboxState, Settlement, Target } from "../outbox.ts";
import { claimedOf, claiming, later, LOOKS, outboxState, remove, setGone, tidying } from "./event-rows.ts";
import { BEGIN, type Connections } from "./pool.ts";
import type { Answered, Statement } from "./statement.ts";
import type { Upkeep } from "./upkeep.ts";

type Named = Pick<CallbackEvent, "routeId" | "eventId">;

const settling = (event: Named, settled: Settlement): readonly Statement[] => {
  switch (settled.kind) {
    case "remove":
      return [remove(event)];
    case "later":
      return [later(event, settled.dueAt)];
    case "gone":
      return setGone(event.routeId, settled.address);
  }
};

export class PostgresOutbox implements Outbox {
  readonly #connections: Connections;
  readonly #upkeep: Upkeep;

  constructor(connections: Connections, upkeep: Upkeep) {
    this.#connections = connections;
    this.#upkeep = upkeep;
  }

  claim(target: Target, limit: number, now: number): Promise<Result<readonly Claimed[], StoreFault>> {
    return this.#run(claiming(target, limit, now), (answers) => (answers.at(-1)?.rows ?? []).map(claimedOf));
  }

  settle(event: Named, settlement: Settlement): Promise<Result<void, StoreFault>> {
    return this.#run(settling(event, settlement), () => undefined);
  }

  look(): Promise<Result<OutboxState, StoreFault>> {
    return this.#run(LOOKS, ([routes, gone]) => outboxState(routes?.rows ?? [], gone?.rows ?? []));
  }

  tidy(routeId: string, before: number): Promise<Result<void, StoreFault>> {
    return this.#run([tidying(routeId, before)], () => undefined);
  }

  takeDropped(): ReadonlyMap<string, number> {
    return this.#upkeep.takeDropped();
  }

  async #run<T>(
    statements: readonly Statement[],
    read: (answers: readonly Answered[]) => T,
  ): Promise<Result<T, StoreFault>> {
    try {
      return ok(read(await this.#connections.run([BEGIN], statements)));
    } catch (error) {
      return err({ error });
    }
  }
}
