// The recorded traces against the server with its limits on Redis.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { GOLDEN_CONFIG, goldenSuite } from "../standalone/golden-suite.ts";
import { remove, Standalone, tempFolder } from "../standalone/harness.ts";
import { RedisServer } from "./redis-server.ts";

const folder = tempFolder();
let redis: RedisServer | undefined;
goldenSuite("LIMIT-14: the recorded traces replay against the server with limits on Redis", async () => {
  redis = await RedisServer.start();
  const files = ["--config", GOLDEN_CONFIG, "--db", join(folder, "flows.db")];
  return Standalone.start([...files, "--limits", redis.url]);
});
test("LIMIT-14: what the traces have sent was counted there", async () => {
  assert.ok(Number(await redis?.ask("DBSIZE")) > 0);
});
after(async () => {
  await redis?.end();
  remove(folder);
});
