// STORE-1: two servers on one database file are one store: the whole suite for stores, each command by the other one.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Endpoint, type FlowStore, flowStoreSuite, httpFlows } from "../../../adapters/conformance/index.ts";
import { remove, Standalone, tempFolder } from "./harness.ts";

const OWNERS = ["agent:main:left", "agent:main:right"] as const;
const SECRETS = ["left-secret-0123456789", "right-secret-0123456789"] as const;

const folder = tempFolder();
const config = join(folder, "config.json");
writeFileSync(
  config,
  JSON.stringify({
    trustedProxies: ["127.0.0.1"],
    routes: {
      left: { sessionKey: OWNERS[0], secret: SECRETS[0] },
      right: { sessionKey: OWNERS[1], secret: SECRETS[1] },
    },
  }),
);

let servers: readonly Standalone[] = [];
before(async () => {
  const args = ["--config", config, "--db", join(folder, "flows.db")];
  servers = await Promise.all([Standalone.start(args), Standalone.start(args)]);
});
after(async () => {
  await Promise.all(servers.map((server) => server.end("SIGKILL")));
  remove(folder);
});

const endpoints = (base: string): readonly Endpoint[] => [
  { url: `${base}/plugins/webhooks/left`, secret: SECRETS[0], sessionKey: OWNERS[0] },
  { url: `${base}/plugins/webhooks/right`, secret: SECRETS[1], sessionKey: OWNERS[1] },
];

/** The processes take turns with the commands. */
const alternating = (): FlowStore => {
  const stores = servers.map(({ base }, at) =>
    httpFlows(endpoints(base), fetch, (client) => ({
      "x-forwarded-for": `10.${String(at)}.${String(client >> 8)}.${String(client & 255)}`,
    })),
  );
  let turn = 0;
  return {
    execute: (...command) => {
      const store = stores[(turn += 1) % stores.length];
      if (store === undefined) throw new Error("no server");
      return store.execute(...command);
    },
  };
};

describe("STORE-1: two processes on one file", () => {
  flowStoreSuite(test, { open: alternating, owners: OWNERS, runs: 40, writers: 12 });
});

test("STORE-1: two servers that make the same new file at once both serve from it", async () => {
  for (let pair = 0; pair < 10; pair += 1) {
    const fresh = tempFolder();
    const args = ["--db", join(fresh, "flows.db")];
    const both = await Promise.allSettled([Standalone.start(args), Standalone.start(args)]);
    for (const one of both) if (one.status === "fulfilled") await one.value.end("SIGKILL");
    remove(fresh);
    assert.deepEqual(
      both.map((one) => (one.status === "rejected" ? String(one.reason) : "")),
      ["", ""],
    );
  }
});
