// Operations on a running Gateway, and what callers must not notice meanwhile.

import assert from "node:assert/strict";
import { globSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, Gateway, gatewayConfig, type HostName, pack, PACKED, ROOT, withRoutes } from "./harness.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;

/** Each route has its own secret, derived from its name. */
const secretOf = (route: string): string => `operation-${route}-secret-0123456789`;
const FILED = "filed-secret-0123456789";
const LIST = { action: "list_flows" };
const CREATE = { action: "create_flow", goal: "Survive" };

const secrets = join(mkdtempSync(join(tmpdir(), "secrets-")), "secrets.json");
const fileSecrets = (values: Readonly<Record<string, string>>): void =>
  writeFileSync(secrets, JSON.stringify(values), { mode: 0o600 });

const ROUTES = {
  steady: { sessionKey: "agent:main:hook:steady", secret: secretOf("steady") },
  custom: { sessionKey: "agent:main:hook:custom", secret: secretOf("custom"), path: "/hooks/custom" },
  guessed: { sessionKey: "agent:main:hook:guessed", secret: secretOf("guessed") },
  burst: { sessionKey: "agent:main:hook:burst", secret: secretOf("burst") },
  locked: { sessionKey: "agent:main:hook:locked", secret: secretOf("locked") },
  blank: { sessionKey: "agent:main:hook:blank", secret: "${WEBHOOK_SECRET_THAT_IS_NOT_SET}" },
  filed: { sessionKey: "agent:main:hook:filed", secret: { source: "file", provider: "files", id: "/webhooks/filed" } },
  taken: { sessionKey: "agent:main:hook:taken", secret: secretOf("taken"), path: "/Hooks/Custom/" },
  greedy: { sessionKey: "agent:main:hook:greedy", secret: secretOf("greedy"), path: "/settings" },
};

let gateway: Gateway;
before(async () => {
  fileSecrets({});
  const providers = { files: { source: "file", path: secrets, mode: "json" } };
  const tarballs = [PACKED, await pack(join(ROOT, "test", "systems", "gateway", "neighbour"))];
  const config = gatewayConfig(ROUTES, { secrets: { providers } });
  gateway = await Gateway.start(HOST, config, tarballs);
});
after(() => gateway.discard());

const path = (route: keyof typeof ROUTES): string => `/plugins/webhooks/${route}`;
let nextClient = 0;
/** A new client for every call, so that the requests of one test never limit those of another. */
const client = (): string =>
  `10.${String(nextClient >> 16)}.${String((nextClient >> 8) & 255)}.${String(nextClient++ & 255)}`;
const routeIn = (to: string): string => to.toLowerCase().replace(/\/$/u, "").split("/").at(-1) ?? "";
const ask = (to: string, body: unknown = LIST, secret: string = secretOf(routeIn(to))): Promise<Answer> =>
  gateway.post(to, secret, body, client());

/** Calls `to` repeatedly while `work` runs; returns every status other than 200. */
const watched = async (to: string, work: () => Promise<void>): Promise<readonly number[]> => {
  const odd: number[] = [];
  const over = new AbortController();
  const watch = (async () => {
    while (!over.signal.aborted) {
      const { status } = await ask(to);
      if (status !== 200) odd.push(status);
      await sleep(20);
    }
  })();
  await work().finally(() => over.abort());
  await watch;
  return odd;
};

test("the operator's commands report no problem of the plugin", { timeout: 300_000 }, async () => {
  assert.match(await gateway.cli("config", "validate"), /Config valid/u);
  const inspected = JSON.parse(
    (await gateway.cli("plugins", "inspect", "webhooks", "--runtime", "--json")).replace(/^[^{]*/u, ""),
  ) as {
    plugin: { status: string; origin: string; packageName?: string };
    diagnostics: unknown[];
  };
  assert.deepEqual([inspected.plugin.status, inspected.plugin.origin, inspected.diagnostics], ["loaded", "global", []]);
  const doctor = await gateway.cli("doctor", "--non-interactive");
  assert.doesNotMatch(doctor, /webhooks(?!\.config\.routes)[^\n]*(?:error|fail|invalid|unknown)/iu);
});

test("the install needs no registry, and brings the plugin alone into the Gateway", () => {
  const folders = globSync("**/node_modules/{[!.@]*,@*/*}", { cwd: gateway.state }).map((folder) => basename(folder));
  assert.deepEqual([...new Set(folders)].toSorted(), ["neighbour", "openclaw", "openclaw-webhooks"]);
  const native = globSync("**/*.node", { cwd: gateway.state, exclude: ["**/node_modules/openclaw/**"] });
  assert.deepEqual(native, []);
});

test("CONFIG-2: each wrong route gives one warning with its name, field and remedy; CONFIG-1: the others live", async () => {
  const warnings = gateway.log.split("\n").filter((line) => line.includes("[webhooks] route"));
  for (const [route, word, field] of [
    ["blank", "cold", "secret"],
    ["filed", "cold", "secret"],
    ["taken", "skipped", "path"],
    ["greedy", "skipped", "path"],
  ]) {
    const own = warnings.filter((line) => line.includes(`route ${route} ${word}: ${field} `));
    assert.equal(own.length, 1, `${route}\n${warnings.join("\n")}`);
  }
  assert.equal(warnings.length, 4);
  assert.ok(!Object.keys(ROUTES).some((route) => gateway.log.includes(secretOf(route))), "AUDIT-1");
  for (const live of [path("steady"), "/hooks/custom", "/HOOKS/custom/"]) assert.equal((await ask(live)).status, 200);
});

test("ROUTE-2, ROUTE-3: an unresolved route, a placeholder and an unknown path get the same bytes as any unknown path", async () => {
  const shown = async (to: string, secret?: string): Promise<unknown> => {
    const { status, headers, text } = await ask(to, LIST, secret);
    return [status, text, [...headers].filter(([name]) => name !== "date")];
  };
  const elsewhere = await shown("/nowhere");
  const paths = [
    path("filed"),
    path("blank"),
    "/plugins/webhooks/nope",
    "/plugins/webhooks",
    "/plugins/webhooks/steady/x",
  ];
  for (const to of paths) assert.deepEqual(await shown(to), elsewhere);
  assert.deepEqual(await shown(path("blank"), "${WEBHOOK_SECRET_THAT_IS_NOT_SET}"), elsewhere);
});

test("LIMIT-1, ROUTE-1: of 320 wrong secrets on 64 spellings of one path, at most 120 are checked", async () => {
  const letters = [...path("guessed")];
  const spell = (n: number): string =>
    letters.map((letter, at) => ((n >> (at % 6)) & 1 ? letter.toUpperCase() : letter)).join("");
  const spellings = Array.from(
    { length: 64 },
    (_, n) => (n % 3 === 0 ? spell(n).replace("webhooks", "%77ebhooks") : spell(n)) + (n % 2 ? "/" : ""),
  );
  const from = client();
  const statuses: number[] = [];
  for (let n = 0; n < 320; n += 1)
    statuses.push((await gateway.post(spellings[n % 64] ?? "", "wrong", LIST, from)).status);
  const of = (status: number): number => statuses.filter((one) => one === status).length;
  assert.deepEqual([of(401), of(429)], [120, 200]);
});

test("another plugin's routes below and beside those of the bridge still answer", async () => {
  for (const to of ["/plugins/webhooks/neighbour", "/plugins/webhooks/neighbours/deep/x", "/plugins/neighbour"]) {
    const { text } = await ask(to);
    assert.match(text, /^neighbour /u, to);
  }
  assert.equal((await ask(path("steady"))).status, 200);
});

test(
  "CONFIG-5, M-9: a repaired secret revives its route after `secrets reload`, and no other route refuses meanwhile",
  { timeout: 120_000 },
  async () => {
    assert.equal((await ask(path("filed"), LIST, FILED)).status, 404);
    const odd = await watched(path("steady"), async () => {
      fileSecrets({ webhooks: { filed: FILED } } as never);
      await gateway.cli("secrets", "reload");
      await gateway.until("the route lives", async () => (await ask(path("filed"), LIST, FILED)).status === 200);
    });
    assert.deepEqual(odd, []);
    assert.equal((await ask(path("filed"), LIST, "wrong")).status, 401);
    const rotated = "rotated-filed-secret-0123456789";
    const oddAgain = await watched(path("steady"), async () => {
      fileSecrets({ webhooks: { filed: rotated } } as never);
      await gateway.cli("secrets", "reload");
      await gateway.until(
        "the new secret is taken",
        async () => (await ask(path("filed"), LIST, rotated)).status === 200,
      );
    });
    assert.deepEqual([oddAgain, (await ask(path("filed"), LIST, FILED)).status], [[], 401]);
  },
);

test(
  "M-2: a config edit is applied hot: a new route, another secret, a removed route",
  { timeout: 120_000 },
  async () => {
    const added = { sessionKey: "agent:main:hook:added", secret: "added-secret-0123456789", path: "/hooks/added" };
    gateway.edit(withRoutes((routes) => ({ ...routes, added })));
    await gateway.until("the new route lives", async () => (await ask(added.path, LIST, added.secret)).status === 200);
    gateway.edit(
      withRoutes(({ added: _, ...routes }) => ({
        ...routes,
        custom: { ...ROUTES.custom, secret: "changed-secret-0123456789" },
      })),
    );
    await gateway.until(
      "the new secret is taken",
      async () => (await ask("/hooks/custom", LIST, "changed-secret-0123456789")).status === 200,
    );
    const applied = (): number => gateway.log.split("config hot reload applied").length - 1;
    await gateway.until("both reloads are over", () => applied() >= 2);
    assert.deepEqual(
      [(await ask("/hooks/custom")).status, (await ask(added.path, LIST, added.secret)).status],
      [401, 404],
    );
  },
);

test("every flow that was answered `created` exists after kill -9 and a restart", { timeout: 300_000 }, async () => {
  const acknowledged: string[] = [];
  const over = new AbortController();
  const writer = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const { status, json } = await ask(path("burst"), CREATE);
      if (status === 200) acknowledged.push((json as { result: { flow: { flowId: string } } }).result.flow.flowId);
    }
  };
  const writers = Array.from({ length: 8 }, () => writer().catch(() => undefined));
  await gateway.until("a burst is under way", () => acknowledged.length > 150);
  await gateway.kill();
  over.abort();
  await Promise.all(writers);
  await gateway.boot();
  const { json } = await ask(path("burst"));
  const kept = new Set((json as { result: { flows: { flowId: string }[] } }).result.flows.map(({ flowId }) => flowId));
  console.log(`# acknowledged before the kill: ${String(acknowledged.length)}, there after it: ${String(kept.size)}`);
  assert.deepEqual(
    acknowledged.filter((flowId) => !kept.has(flowId)),
    [],
  );
});

// Last, because a locked store also keeps the Gateway from releasing its own leases.
test("REPLY-4: callers of a locked store get a 503 or a 504, never a 500", { timeout: 180_000 }, async () => {
  const created = (await ask(path("locked"), CREATE)).json as { result: { flow: { flowId: string } } };
  const { flowId } = created.result.flow;
  const database = new DatabaseSync(join(gateway.state, "state", "openclaw.sqlite"));
  database.exec("BEGIN IMMEDIATE");
  try {
    const bodies = [
      { action: "run_task", flowId, runtime: "acp", task: "t" },
      { action: "cancel_flow", flowId },
      { action: "finish_flow", flowId, expectedRevision: 0 },
    ];
    const clear = ["503 persist_failed", "504 outcome_unknown"];
    for (const body of bodies) {
      const { status, json } = await ask(path("locked"), body);
      const said = `${String(status)} ${String(json["code"])}`;
      assert.ok(clear.includes(said), `${body.action}: ${said}`);
    }
  } finally {
    database.exec("ROLLBACK");
    database.close();
  }
  await gateway.until("the store is back", async () => (await ask(path("locked"))).status === 200);
});
