// The connections of a process: a transaction has one for itself, and gives it back whole or not at all.

import type { Pool, PoolClient } from "pg";
import { hasAnswered } from "./errors.ts";
import { type Answered, type Connection, send, type Statement, statement } from "./statement.ts";

export const BEGIN = statement("BEGIN");
export const ROLLBACK = statement("ROLLBACK");

/** Of a transaction that has ended, so that the connection may be used again; else it is closed. */
const giveBack = async (client: PoolClient, failed: unknown): Promise<void> => {
  if (failed !== undefined && !hasAnswered(failed)) return client.release(true);
  try {
    if (failed !== undefined) await send(client, [ROLLBACK]);
    client.release();
  } catch {
    client.release(true);
  }
};

/** Milliseconds in which a connection must end by itself. */
const CLOSE_MS = 2000;

export class Connections {
  readonly #pool: Pool;
  readonly #open = new Set<Connection>();

  constructor(pool: Pool) {
    this.#pool = pool;
    pool.on("connect", (client) => void this.#open.add(client));
    pool.on("remove", (client) => void this.#open.delete(client));
  }

  /** `work` ends its transaction. What it throws undoes that. Rejects also when there is no connection. */
  async using<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let failed: unknown;
    try {
      return await work(client);
    } catch (error) {
      failed = error ?? new Error("it failed");
      throw error;
    } finally {
      await giveBack(client, failed);
    }
  }

  /** One transaction of one round trip. */
  run(begin: readonly Statement[], statements: readonly Statement[]): Promise<readonly Answered[]> {
    return this.using(async (connection) => {
      const answers = await send(connection, [...begin, ...statements, COMMIT]);
      committed(answers.at(-1));
      return answers.slice(begin.length, -1);
    });
  }

  /** Ends all connections; those on which nothing comes back are cut. */
  async close(): Promise<void> {
    const cut = setTimeout(() => {
      for (const client of this.#open) client.connection?.stream?.destroy?.();
    }, CLOSE_MS);
    await this.#pool.end();
    clearTimeout(cut);
  }
}

export const COMMIT = statement("COMMIT");

/** SQLSTATE's word for a transaction that was undone. */
const UNDONE = { code: "40000" };

/** PostgreSQL answers the COMMIT of a transaction that has failed with ROLLBACK. */
export const committed = (last: Answered | undefined): void => {
  if (last?.command !== "COMMIT") throw Object.assign(new Error("PostgreSQL has undone the transaction"), UNDONE);
};
