// Stores on a PostgreSQL of the tests, which are closed before it ends.

import { openPostgresFlows, type PostgresFlows, type PostgresOptions } from "../../../adapters/flows/postgres/index.ts";
import { PASSWORD } from "./postgres-server.ts";

export class OpenedFlows {
  readonly #opened = new Set<PostgresFlows>();

  readonly open = async (url: string, options: PostgresOptions = {}): Promise<PostgresFlows> => {
    const flows = (await openPostgresFlows(url, { password: PASSWORD, ...options }))._unsafeUnwrap();
    this.#opened.add(flows);
    return flows;
  };

  async close(flows: PostgresFlows): Promise<void> {
    this.#opened.delete(flows);
    await flows.close();
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#opened].map((flows) => this.close(flows)));
  }
}
