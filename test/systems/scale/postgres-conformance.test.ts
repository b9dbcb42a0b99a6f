// PG-1, STORE-1: the suite for flow stores on a real PostgreSQL: one replica, and three that take turns with the commands.

import { after, before, describe, test } from "node:test";
import { type FlowStore, flowStoreSuite } from "../../../adapters/conformance/index.ts";
import { openPostgresFlows, type PostgresFlows } from "../../../adapters/flows/postgres/index.ts";
import { PASSWORD, PostgresServer } from "./postgres-server.ts";

let server: PostgresServer;
const open: PostgresFlows[] = [];
before(async () => {
  server = await PostgresServer.start(["max_connections=200"]);
});
after(async () => {
  await Promise.all(open.map((flows) => flows.close()));
  await server.end();
});

const opened = async (url: string): Promise<PostgresFlows> => {
  const flows = (await openPostgresFlows(url, { password: PASSWORD, connections: 2 }))._unsafeUnwrap();
  open.push(flows);
  return flows;
};

const sweep = async (flows: FlowStore): Promise<number> => (await (flows as PostgresFlows).sweep())._unsafeUnwrap();

describe("STORE-1, STORE-5, PG-1, PG-2, TASK-1: one replica", () => {
  let url = "";
  before(async () => {
    url = await server.database();
  });
  flowStoreSuite(test, {
    open: () => opened(url),
    // a crash closes nothing
    reopen: () => opened(url),
    sweep,
    runs: 40,
  });
});

describe("PG-1, PG-5: three replicas that take turns with the commands", () => {
  let url = "";
  before(async () => {
    url = await server.database();
  });
  const alternating = async (): Promise<FlowStore> => {
    const replicas = await Promise.all([opened(url), opened(url), opened(url)]);
    let turn = 0;
    const next = (): PostgresFlows | undefined => replicas[(turn += 1) % replicas.length];
    return {
      takesDeliveries: true,
      execute: (...command) => {
        const replica = next();
        if (replica === undefined) throw new Error("no replica");
        return replica.execute(...command);
      },
    };
  };
  flowStoreSuite(test, { open: alternating, runs: 20, writers: 12 });
});
