// What an operator asks a running Gateway of its routes: the RPC, the command `openclaw webhook`, and the doctor.

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Gateway, gatewayConfig, type HostName, PACKED, withRoutes } from "./harness.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;

const folder = mkdtempSync(join(tmpdir(), "operator-"));
const secrets = join(folder, "secrets.json");
const SECRET = "operator-filed-secret-0123456789";
writeFileSync(secrets, JSON.stringify({ filed: SECRET }), { mode: 0o600 });

const PLAIN = "operator-plain-secret-0123456789";

/** The bundled plugin takes these before the install of this one. */
const ROUTES = {
  filed: {
    sessionKey: "agent:main:hook:filed",
    path: "/hooks/filed",
    secret: { source: "file", provider: "files", id: "/filed" },
  },
  wide: { sessionKey: "agent:main:main", secret: PLAIN },
  cold: { sessionKey: "agent:main:hook:cold", secret: { source: "file", provider: "files", id: "/missing" } },
  wrong: { sessionKey: "agent:main:hook:wrong", secret: `${PLAIN}-2`, path: "/settings" },
};

const BELIEVED = {
  sessionKey: "agent:main:hook:believed",
  secret: PLAIN,
  deliveries: [{ when: { "payload.kind": "new" }, do: { action: "create_flow", goal: "{{payload.title}}" } }],
};

let gateway: Gateway;
before(async () => {
  const providers = { files: { source: "file", path: secrets, mode: "json" } };
  gateway = await Gateway.start(HOST, gatewayConfig(ROUTES, { secrets: { providers } }), [PACKED]);
  await gateway.kill();
  gateway.edit(withRoutes((routes) => ({ ...routes, believed: BELIEVED })));
  await gateway.boot();
});
after(() => gateway.discard());

type Ended = { readonly status: number; readonly out: string; readonly error: string };

/** What a command prints, also one that fails. */
const ended = (...args: readonly string[]): Promise<Ended> =>
  gateway.cli(...args).then(
    (out) => ({ status: 0, out, error: "" }),
    (fault: { readonly code: number; readonly stdout: string; readonly stderr: string }) => ({
      status: fault.code,
      out: fault.stdout,
      error: fault.stderr,
    }),
  );

const jsonIn = (text: string): unknown => JSON.parse(text.slice(text.indexOf("{")));

const assertTellsNothingSecret = (text: string): void => {
  for (const hidden of [SECRET, PLAIN, "agent:main:"]) assert.ok(!text.includes(hidden), hidden);
};

test(
  "GATEWAY-1: webhooks.status says of each route how it stands, without a secret or a session",
  { timeout: 120_000 },
  async () => {
    const answered = await gateway.cli("gateway", "call", "webhooks.status", "--json");
    const { routes } = jsonIn(answered) as {
      routes: { id: string; state: string; path?: string; problems: string[] }[];
    };
    assert.deepEqual(routes.map(({ id, state }) => `${id} ${state}`).toSorted(), [
      "believed live",
      "cold cold",
      "filed live",
      "wide live",
      "wrong skipped",
    ]);
    assert.equal(routes.find(({ id }) => id === "filed")?.path, "/hooks/filed");
    assert.match(routes.find(({ id }) => id === "cold")?.problems.join(" ") ?? "", /secret is empty or could not be/u);
    assertTellsNothingSecret(answered);
  },
);

test(
  "GATEWAY-1: openclaw webhook status prints it, and says by its exit status that a route is not served",
  { timeout: 120_000 },
  async () => {
    const { status, out } = await ended("webhook", "status");
    assert.match(out, /^route filed: live at \/hooks\/filed$/mu);
    assert.match(out, /^route wrong: skipped$/mu);
    assert.equal(status, 1);
    assertTellsNothingSecret(out);
    const whole = await ended("webhook", "status", "--json");
    assert.equal((jsonIn(whole.out) as { routes: unknown[] }).routes.length, 5);
  },
);

test(
  "GATEWAY-2: openclaw webhook call and wait need neither the route's address nor its secret",
  { timeout: 240_000 },
  async () => {
    const called = await ended("webhook", "call", "filed", "create_flow", "goal=Ask", "--json");
    assert.equal(called.status, 0, called.error);
    const { flowId, revision } = (jsonIn(called.out) as { result: { flow: { flowId: string; revision: number } } })
      .result.flow;
    const finished = await ended(
      "webhook",
      "call",
      "/hooks/filed",
      "finish_flow",
      `flowId=${flowId}`,
      `expectedRevision:=${String(revision)}`,
    );
    assert.equal(finished.status, 0, finished.error);
    const waited = await ended("webhook", "wait", "filed", flowId, "--timeout", "60s");
    assert.equal(waited.status, 0, waited.error);
    const unknown = await ended("webhook", "call", "nope", "list_flows");
    assert.equal(unknown.status, 2);
    assert.match(unknown.error, /There is no route nope in /u);
    const cold = await ended("webhook", "call", "cold", "list_flows");
    assert.match(cold.error, /route cold cold: secret could not be resolved/u);
    assertTellsNothingSecret(called.error + unknown.error + cold.error);
  },
);

test(
  "WEAK-1: openclaw webhook check names each weak route with the fix, and try tries a delivery",
  { timeout: 240_000 },
  async () => {
    const { status, out } = await ended("webhook", "check");
    assert.equal(status, 1);
    assert.match(out, /^route wide advice: sessionKey is the main session of an agent/mu);
    assert.match(out, /^route wide advice: secret stands in the configuration as plain text/mu);
    assert.match(out, /^route believed advice: secret is the same as the secret of route wide/mu);
    assert.match(out, /^route believed advice: deliveries are believed by the secret alone/mu);
    assert.doesNotMatch(out, /route filed advice/u);
    assertTellsNothingSecret(out);
    const body = join(folder, "delivery.json");
    writeFileSync(body, JSON.stringify({ kind: "new", title: "Look" }));
    const tried = await ended("webhook", "try", "believed", "--body", body);
    assert.match(tried.out, /create_flow/u);
    assert.match((await ended("webhook", "--help")).out, /check[\s\S]*wait/u);
    assert.match(await gateway.cli("--help"), /webhook +.*Webhook routes/u);
  },
);

test("WEAK-1: the log names what is weak, and the doctor what to do", { timeout: 240_000 }, async () => {
  assert.match(gateway.log, /route wide advice: sessionKey is the main session/u);
  assert.match(gateway.log, /route believed advice: deliveries are believed/u);
  const doctor = (await ended("doctor", "--non-interactive")).out.replace(/[│\s]+/gu, " ");
  for (const said of [
    "plain text",
    "the same as that of another",
    "main session of an agent",
    "believed by the secret",
  ]) {
    assert.ok(doctor.includes(said), `${said}\n${doctor}`);
  }
  assert.match(await gateway.cli("config", "validate"), /Config valid/u);
});
