// The recorded traces against the server with PostgreSQL.

import { after } from "node:test";
import { GOLDEN_CONFIG, goldenSuite } from "../standalone/golden-suite.ts";
import { Standalone } from "../standalone/harness.ts";
import { PASSWORD, PostgresServer } from "./postgres-server.ts";

let postgres: PostgresServer | undefined;
goldenSuite("PG-1: the recorded traces replay against the server with PostgreSQL", async () => {
  postgres = await PostgresServer.start();
  return Standalone.start(["--config", GOLDEN_CONFIG, "--db", await postgres.database()], { PGPASSWORD: PASSWORD });
});
after(() => postgres?.end());
