// Edits of the configuration of a running Gateway, and what callers must not notice meanwhile.

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Config, Gateway, gatewayConfig, type HostName, PACKED, withRoutes } from "./harness.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;

const secretOf = (route: string): string => `edits-${route}-secret-0123456789`;
const LIST = JSON.stringify({ action: "list_flows" });
const CREATE = JSON.stringify({ action: "create_flow", goal: "Outlive an edit" });

const secrets = join(mkdtempSync(join(tmpdir(), "secrets-")), "secrets.json");
writeFileSync(secrets, JSON.stringify({ filed: secretOf("filed") }), { mode: 0o600 });

const route = (id: string, more: Config = {}): Config => ({
  sessionKey: `agent:main:hook:${id}`,
  secret: secretOf(id),
  ...more,
});

const ROUTES = {
  steady: route("steady"),
  elsewhere: route("elsewhere", { path: "/hooks/elsewhere" }),
};

let gateway: Gateway;
before(async () => {
  const providers = { files: { source: "file", path: secrets, mode: "json" } };
  gateway = await Gateway.start(HOST, gatewayConfig(ROUTES, { secrets: { providers } }), [PACKED]);
});
after(() => gateway.discard());

let nextClient = 0;
/** A new client for every call, so that the limits of one test never meet those of another. */
const client = (): string =>
  `10.${String(nextClient >> 16)}.${String((nextClient >> 8) & 255)}.${String(nextClient++ & 255)}`;

/** The status of one request on a connection of its own, because the Gateway closes idle ones. */
const ask = (to: string, secret: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/json",
      authorization: `Bearer ${secret}`,
      "x-forwarded-for": client(),
    };
    const sent = request(gateway.base + to, { method: "POST", headers, agent: false }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
    });
    sent.once("error", reject).end(LIST);
  });

/** Waits until a request to `to` is answered with `status`; gives the milliseconds. */
const answers = async (status: number, to: string, secret: string): Promise<number> => {
  const begun = performance.now();
  await gateway.until(`${to} answers ${String(status)}`, async () => (await ask(to, secret)) === status);
  return Math.round(performance.now() - begun);
};

const editRoutes = (change: (routes: Config) => Config): void => gateway.edit(withRoutes(change));

/** Sends requests to the steady route one after the other while `work` runs. Gives their number, and the statuses other than 200. */
const watched = async (work: () => Promise<void>): Promise<{ readonly count: number; readonly odd: number[] }> => {
  const seen = { count: 0, odd: [] as number[] };
  const over = new AbortController();
  const watch = (async () => {
    while (!over.signal.aborted) {
      const status = await ask("/plugins/webhooks/steady", secretOf("steady"));
      seen.count += 1;
      if (status !== 200) seen.odd.push(status);
      await sleep(5);
    }
  })();
  await work().finally(async () => {
    over.abort();
    await watch;
    console.log(`# ${String(seen.count)} requests meanwhile, ${String(seen.odd.length)} of them not answered with 200`);
  });
  return seen;
};

/** A request whose body is not there yet. `finish` sends it, and gives the status. */
const unfinished = (): { readonly finish: () => Promise<number> } => {
  const socket = connect(gateway.port, "127.0.0.1");
  let answer = "";
  const ended = new Promise<void>((resolve, reject) => {
    socket.on("data", (chunk) => (answer += chunk.toString()));
    socket.once("close", () => resolve());
    socket.once("error", reject);
  });
  const head = [
    "POST /plugins/webhooks/steady HTTP/1.1",
    `host: 127.0.0.1:${String(gateway.port)}`,
    `authorization: Bearer ${secretOf("steady")}`,
    `x-forwarded-for: ${client()}`,
    "content-type: application/json",
    `content-length: ${String(CREATE.length)}`,
    "connection: close",
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n${CREATE.slice(0, 5)}`);
  return {
    finish: async () => {
      socket.write(CREATE.slice(5));
      await ended;
      return Number(answer.split(" ")[1]);
    },
  };
};

test(
  "RELOAD-1, RELOAD-2: routes are added, changed, moved and removed while requests go on, one of them for seconds: none is refused",
  { timeout: 180_000 },
  async () => {
    const took: Record<string, number> = {};
    const { count, odd } = await watched(async () => {
      const slow = unfinished();
      await sleep(200);
      editRoutes((routes) => ({ ...routes, added: route("added") }));
      took["a new route"] = await answers(200, "/plugins/webhooks/added", secretOf("added"));
      editRoutes((routes) => ({ ...routes, outside: route("outside", { path: "/hooks/outside" }) }));
      took["a new route with a path elsewhere"] = await answers(200, "/hooks/outside", secretOf("outside"));
      editRoutes((routes) => ({ ...routes, added: route("added", { secret: secretOf("other") }) }));
      assert.equal(await slow.finish(), 200);
      took["another secret"] = await answers(200, "/plugins/webhooks/added", secretOf("other"));
      assert.equal(await ask("/plugins/webhooks/added", secretOf("added")), 401);
      editRoutes((routes) => ({ ...routes, outside: route("outside", { path: "/hooks/moved" }) }));
      took["a moved route"] = await answers(200, "/hooks/moved", secretOf("outside"));
      assert.equal(await ask("/hooks/outside", secretOf("outside")), 404);
      editRoutes((routes) => ({ ...routes, elsewhere: route("elsewhere") }));
      took["a route moved below the prefix"] = await answers(200, "/plugins/webhooks/elsewhere", secretOf("elsewhere"));
      assert.equal(await ask("/hooks/elsewhere", secretOf("elsewhere")), 404);
      const filed = route("filed", { secret: { source: "file", provider: "files", id: "/filed" } });
      editRoutes((routes) => ({ ...routes, filed }));
      took["a route with a SecretRef"] = await answers(200, "/plugins/webhooks/filed", secretOf("filed"));
      editRoutes(({ added: _, outside: __, ...routes }) => routes);
      took["a removed route"] = await answers(404, "/plugins/webhooks/added", secretOf("other"));
      took["a removed path elsewhere"] = await answers(404, "/hooks/moved", secretOf("outside"));
    });
    console.log(`# milliseconds after each edit: ${JSON.stringify(took)}`);
    assert.deepEqual(odd, []);
    assert.ok(count > 50, String(count));
  },
);

test(
  "RELOAD-1: an edit that fails the schema keeps what runs, and the next good one is followed",
  { timeout: 120_000 },
  async () => {
    const { odd } = await watched(async () => {
      editRoutes((routes) => ({ ...routes, broken: { ...route("broken"), colour: "red" } }));
      await gateway.until("the edit is refused", () => gateway.log.includes("invalid config"));
      assert.equal(await ask("/plugins/webhooks/broken", secretOf("broken")), 404);
      assert.equal(await ask("/plugins/webhooks/elsewhere", secretOf("elsewhere")), 200);
      editRoutes(({ broken: _, ...routes }) => ({ ...routes, mended: route("mended") }));
      await answers(200, "/plugins/webhooks/mended", secretOf("mended"));
    });
    assert.deepEqual(odd, []);
  },
);

test(
  "RELOAD-1: without any request, the log and the health tell of a wrong route, and of its repair",
  { timeout: 120_000 },
  async () => {
    editRoutes((routes) => ({ ...routes, wrong: route("wrong", { path: "/settings" }) }));
    await gateway.until("the log tells of it", () => gateway.log.includes("route wrong skipped: path "));
    editRoutes(({ wrong: _, ...routes }) => routes);
    await gateway.until("the log tells of the repair", () => gateway.log.includes("solved: route wrong skipped"));
  },
);

test("RELOAD-1: enabled: false ends the plugin, and enabled: true begins it again", { timeout: 120_000 }, async () => {
  const enable = (enabled: boolean): void =>
    gateway.edit((config) => {
      const copy = structuredClone(config) as unknown as { plugins: { entries: { webhooks: { enabled: boolean } } } };
      copy.plugins.entries.webhooks.enabled = enabled;
      return copy as unknown as Config;
    });
  enable(false);
  await answers(404, "/plugins/webhooks/steady", secretOf("steady"));
  enable(true);
  await answers(200, "/plugins/webhooks/steady", secretOf("steady"));
  editRoutes((routes) => ({ ...routes, later: route("later", { path: "/hooks/later" }) }));
  await answers(200, "/hooks/later", secretOf("later"));
});
