// The recorded traces against the server with an SQLite file.

import { join } from "node:path";
import { after } from "node:test";
import { GOLDEN_CONFIG, goldenSuite } from "./golden-suite.ts";
import { remove, Standalone, tempFolder } from "./harness.ts";

const folder = tempFolder();
goldenSuite("the recorded traces replay against the standalone server", () =>
  Standalone.start(["--config", GOLDEN_CONFIG, "--db", join(folder, "flows.db")]),
);
after(() => remove(folder));
