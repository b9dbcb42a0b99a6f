// The contract of limits, by two processes' views on one redis-server.

import { after, before, describe, test } from "node:test";
import { limitsSuite } from "../../../adapters/conformance/index.ts";
import { openRedisLimits, type RedisLimits } from "../../../adapters/limits/redis/index.ts";
import { RedisServer } from "./redis-server.ts";

const CLIENTS = 64;

let server: RedisServer;
before(async () => {
  server = await RedisServer.start();
});
after(() => server.end());

const open = async (): Promise<RedisLimits> => {
  const limits = await openRedisLimits({ url: server.url, maxClients: CLIENTS });
  await limits.answered(5000);
  return limits;
};

/** A real minute, for the one test that waits for the end of a window. Timers of Node may be a millisecond early. */
const elapse = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms + 5));

describe("LIMIT-1, LIMIT-3, LIMIT-5, LIMIT-10, LIMIT-11, LIMIT-14, SLOT-1, SLOT-3, SIGN-5: redis", () => {
  limitsSuite(test, {
    open,
    another: open,
    close: (limits) => (limits as RedisLimits).close(),
    elapse,
    maxClients: CLIENTS,
    runs: Number(process.env["FC_RUNS"] ?? 100),
  });
});
