// The pages that users read, performed: each fenced block is run, loaded or compared below, and a block that nothing here
// claims fails. docs/integrations.md, docs/agents.md and the pages of deliveries have
// tests of their own, which do the same.

import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import JSON5 from "json5";
import { afterEach, beforeEach, expect, test } from "vitest";
import { auditJsonLine } from "../../adapters/audit/audit-line.ts";
import { adminAddress } from "../../adapters/cli/commands/listen-address.ts";
import { runWebhook } from "../../adapters/cli/gateway-program.ts";
import { run } from "../../adapters/cli/program.ts";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";
import { startCallbacks } from "../../adapters/node/index.ts";
import { Activity } from "../../adapters/status/activity.ts";
import { createStatus } from "../../adapters/status/document.ts";
import {
  allowanceOf,
  loadConfig,
  REJECTIONS,
  type RequestEvent,
  sha256,
  SLOTS,
  WINDOW,
  withRateLimit,
} from "../../core/index.ts";
import { filesIn, read, ROOT } from "../../spec/tools/clauses.ts";
import { follow } from "../adapters/openapi/document.ts";
import { check, keyOf } from "../core/signing.ts";
import { act, SECRET as CALLBACK_SECRET } from "../support/callbacks.ts";
import { rig } from "../support/deliveries.ts";
import { Receiver } from "../support/receiver.ts";
import { type Section, sectionsOf } from "../support/markdown.ts";
import { type Bench, SECRET, startBench } from "../systems/integrations/integrations-server.ts";
import { movedTo } from "../systems/integrations/integrations.ts";
import { asPackage } from "../systems/package/entries.ts";
import { Standalone } from "../systems/standalone/harness.ts";

let bench: Bench;
beforeEach(async () => {
  bench = await startBench();
});
afterEach(() => bench.close());

type Claim = (code: string) => void | Promise<void>;

const PACK = JSON.parse(read("package.json")) as { name: string; version: string; scripts: Record<string, string> };
const TARBALL = `${PACK.name}-${PACK.version}.tgz`;
const OWN_COMMANDS = ["npm ci", "npm pack", `npm install -g ./${TARBALL}`];

/** Each command, apart; a `\` at the end of a line continues it. */
const commandsOf = (code: string): readonly string[] =>
  code
    .replaceAll("\\\n", " ")
    .split(/\n|&&/u)
    .map((command) => command.trim())
    .filter((command) => command !== "");

const isNpm = (command: string): boolean => {
  const script = /^npm (?:run )?(?:--silent )?([\w:]+)(?: --.*)?$/u.exec(command)?.[1] ?? "";
  return OWN_COMMANDS.includes(command) || Object.hasOwn(PACK.scripts, script);
};

/** Commands of npm that exist. */
const npm: Claim = (code) => {
  expect(commandsOf(code).filter((command) => !isNpm(command))).toEqual([]);
};

/** JSON with the ids and times of an answer taken out. */
const anonymous = (json: string): string =>
  JSON.stringify(
    JSON.parse(json),
    (name, value: unknown) =>
      /(?:Id|At)$/u.test(name) && name !== "routeId" && name !== "controllerId" ? name : value,
    2,
  );

const sameAnswer = (shown: string, answered: string): void => expect(anonymous(shown)).toBe(anonymous(answered));

const moved = (code: string): string => movedTo(bench.base, code);

/** A request that is answered with a success. */
const request: Claim = async (code) => {
  const { status, out } = await bench.sh(moved(code));
  expect([status, JSON.parse(out)]).toMatchObject([0, { ok: true, routeId: "demo" }]);
};

const blockOf = (page: string, heading: string, index = 0): string =>
  sectionsOf(read(page)).find((section) => section.heading === heading)?.blocks[index]?.code ?? "";

/** Runs a line of the command line with what it would find in a shell. */
const cli = async (args: readonly string[]): Promise<{ readonly status: number; readonly out: string }> => {
  let out = "";
  const status = await run(args, {
    out: (text) => (out += text),
    error: (text) => (out += text),
    env: { PATH: process.env["PATH"], OPENCLAW_WEBHOOK_SECRET: SECRET },
    input: () => Promise.resolve(new Uint8Array()),
    isTerminal: false,
    onStop: () => () => undefined,
  });
  return { status, out };
};

const written = (name: string, text: string): string => {
  const file = join(bench.folder, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
};

/** A configuration without a problem, with one route `zapier` at its default path. */
const configuration: Claim = async (code) => {
  const secret = written("zap.secret", SECRET);
  const file = written("routes.json5", code.replace("/etc/openclaw-webhooks/zap.secret", secret));
  const { status, out } = await cli(["check", file]);
  expect([status, out]).toEqual([
    0,
    `route zapier would be served at /plugins/webhooks/zapier\n${file}: 1 route, 0 problems.\n`,
  ]);
};

/** A route that takes what GitHub signs; docs/agents.md is performed with one like it in a real Gateway. */
const startsAgents: Claim = async (code) => {
  const file = written("routes.json5", code.replace(/\{ source: .*?\}/u, `"${SECRET}"`));
  const { status, out } = await cli(["check", file]);
  expect([status, out]).toEqual([0, expect.stringMatching(/route github would .*\n[^]*: 1 route, 0 problems\.\n$/u)]);
  const body = { pull_request: { title: "Retry", body: "Why" }, action: "opened" };
  const args = [file, "github", "--body", written("delivery.json", JSON.stringify(body))];
  const tried = await cli(["try", ...args, "--header", "X-GitHub-Event: pull_request"]);
  expect(tried).toEqual({ status: 0, out: expect.stringContaining('"goal": "Retry",\n  "stateJson": {') });
};

/** A configuration of a route `ci` without a problem. */
const bounded: Claim = async (code) => {
  const file = written("routes.json5", code.replace(/\{ source: .*?\}/u, `"${SECRET}"`));
  const { status, out } = await cli(["check", file]);
  expect([status, out]).toEqual([0, expect.stringMatching(/^route ci would .*\n[^]*: 1 route, 0 problems\.\n$/u)]);
};

/** A configuration whose secrets come from two files and from a command, with what the page says that these hold. */
const providers: Claim = async (code) => {
  const answer = `{ protocolVersion: 1, values: { "webhooks/n8n": "from-a-command-0123456789" } }`;
  const script = `#!/usr/bin/env node
const { ids } = JSON.parse(require("node:fs").readFileSync(0));
if (ids[0] === "webhooks/n8n") console.log(JSON.stringify(${answer}));
`;
  const command = written("webhook-secrets", script);
  chmodSync(command, 0o700);
  const placed = code
    .replace("/etc/openclaw-webhooks/zap.secret", written("zap.secret", SECRET))
    .replace(
      "/etc/openclaw-webhooks/secrets.json",
      written("secrets.json", `{"webhooks":{"github":"in-json-0123456789"}}`),
    )
    .replace("/usr/local/bin/webhook-secrets", command);
  const { status, out } = await cli(["check", written("routes.json5", placed)]);
  expect([status, out]).toEqual([0, expect.stringContaining("3 routes, 0 problems.")]);
};

/** Command lines of openclaw-webhooks whose options exist. */
const options: Claim = async (code) => {
  for (const command of commandsOf(code)) {
    const [program, name = "", ...words] = command.split(" ");
    expect([command, program]).toEqual([command, "openclaw-webhooks"]);
    const { out } = await cli([name, "--help"]);
    for (const option of words.filter((word) => word.startsWith("--"))) expect(out).toContain(` ${option} `);
  }
};

/** A listing whose command starts as far as the servers that it names, of which no one is there. */
const replicas: Claim = async (code) => {
  const [, listed = ""] = /command:\n((?: {6}- \S+\n)+)/u.exec(code) ?? [];
  const args = listed
    .trim()
    .split(/\s*- /u)
    .filter((word) => word !== "");
  const files: Readonly<Record<string, string>> = {
    "/etc/openclaw-webhooks/routes.json5": written(
      "routes.json5",
      `{ trustedProxies: ["172.30.0.0/24"], routes: { zap: { sessionKey: "s", secret: "${SECRET}" } } }`,
    ),
    "/run/secrets/openclaw-webhooks/db.password": written("db.password", "x"),
    "/run/secrets/openclaw-webhooks/limits.password": written("limits.password", "x"),
  };
  for (const file of Object.keys(files)) expect(code).toContain(file);
  const placed = args.map((word) => {
    const [name = "", value = ""] = word.split(/=(.*)/u);
    return word.includes("=") ? `${name}=${files[value] ?? value.replace("@db/", "@127.0.0.1:1/")}` : word;
  });
  expect(await cli([...placed, "--port=0"])).toEqual({ status: 1, out: expect.stringMatching(/127\.0\.0\.1:1/u) });
};

/** A source file of test/examples, word for word, with the package's names. */
const example =
  (file: string): Claim =>
  (code) => {
    const shown = asPackage(read(`test/examples/${file}`)).replace('"vitest"', '"node:test"');
    expect(shown, `${file} imports what package.json does not export`).not.toContain('"../');
    expect(code.trim()).toBe(shown.trim());
  };

/** Each refusal that the dotted arrows show is one of the table, and none is missing but the defect. */
const refusals: Claim = (code) => {
  const shown = [...code.matchAll(/-\.->\|([^|]*)\|/gu)].flatMap(([, label = ""]) => label.match(/\d{3}/gu) ?? []);
  const statuses = Object.entries(REJECTIONS).flatMap(([name, { status }]) => (name === "internal" ? [] : [status]));
  expect(shown.map(Number).toSorted()).toEqual([...new Set(statuses)].toSorted());
};

/** Each value that an arrow carries is a type of the core or of the limits. */
const types: Claim = (code) => {
  const sources = [...filesIn("core", ".ts"), ...filesIn("adapters/limits", ".ts")].map((file) => read(file)).join("");
  const carried = [...code.matchAll(/-->\|(\p{Lu}\w+)\|/gu)].map(([, name = ""]) => name);
  expect(carried.length).toBeGreaterThan(4);
  expect(
    carried.filter((name) => !new RegExp(`export (?:type|interface|class) ${name}\\b`, "u").test(sources)),
  ).toEqual([]);
};

/** LIMIT-10: the route has the limits that the page gives it. */
const limited: Claim = async (code) => {
  const file = written("limits.json5", code);
  const { status, out } = await bench.sh(`openclaw-webhooks check ${file}`, {
    ...installed(),
    CI_WEBHOOK_SECRET: SECRET,
  });
  expect([status, out]).toEqual([0, expect.stringContaining("route ci")]);
  const config: unknown = JSON5.parse(code.replace(/secret: \{[^}]*\}/u, `secret: "${SECRET}"`));
  const limits = [...loadConfig(config, sha256).routes.values()].map((route) => route.limits);
  expect(limits).toMatchObject([{ perMinute: 600, inFlight: 32 }]);
};

/** LIMIT-11: the fields of a route that says nothing of its limits. */
const told: Claim = (code) => {
  const fields = withRateLimit({}, allowanceOf({ endsAt: 12_000, count: 83 }, WINDOW, SLOTS, 0));
  expect(code.trimEnd().split("\n")).toEqual(Object.entries(fields).map(([name, value]) => `${name}: ${value}`));
};

/** The environment of a shell that finds the command `openclaw-webhooks`, beside the configuration that the page shows. */
const installed = (): { readonly PATH: string } => {
  written("routes.json5", blockOf("docs/server.md", "Configuration"));
  const command = written(
    "openclaw-webhooks",
    `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, "adapters/cli/main.ts")}" "$@"\n`,
  );
  chmodSync(command, 0o755);
  return { PATH: `${bench.folder}:${process.env["PATH"] ?? ""}` };
};

/** The four commands of the standalone server. */
const server: Claim = async (code) => {
  await options(code);
  const [serve = "", check = "", call = "", openapi = ""] = commandsOf(code);
  const env = installed();
  expect(await bench.sh(check, env)).toMatchObject({ status: 0 });
  expect(await bench.sh(openapi, env)).toEqual({ status: 0, out: "" });
  expect(JSON.parse(readFileSync(join(bench.folder, "openapi.json"), "utf8"))).toHaveProperty("openapi", "3.1.0");
  const words = serve.split(" ").slice(2);
  const args = words.map((word) => (word.startsWith("--") ? word : join(bench.folder, word)));
  const running = await Standalone.start(args, { OPENCLAW_WEBHOOK_SECRET: SECRET });
  const called = await bench.sh(`${call} --url ${running.base}`, env);
  expect([called.status, JSON.parse(called.out)]).toMatchObject([0, { created: true }]);
  expect(existsSync(join(bench.folder, "flows.db"))).toBe(true);
  expect(await running.end("SIGTERM")).toBe(0);
};

const created = async (): Promise<string> => {
  const { body } = await bench.ask({ action: "create_flow", goal: "g" });
  return String(follow("#/result/flow/flowId", body));
};

/** The answer comes with the write that passes the revision. */
const waits: Claim = async (code) => {
  const flowId = await created();
  const asked = bench.sh(moved(code), { FLOW: flowId });
  await bench.ask({ action: "finish_flow", flowId, expectedRevision: 0 });
  const { status, out } = await asked;
  expect([status, JSON.parse(out)]).toMatchObject([0, { result: { flow: { flowId, status: "succeeded" } } }]);
};

/** A flow that ends meanwhile. */
const waitsForEnd: Claim = async (code) => {
  const flowId = await created();
  const line = code.trimEnd();
  const asked = bench.sh(`${line} --url ${bench.base}`, { ...installed(), FLOW: flowId });
  await bench.ask({ action: "finish_flow", flowId, expectedRevision: 0 });
  const { status, out } = await asked;
  expect([status, JSON.parse(out)]).toMatchObject([0, { flow: { flowId, status: "succeeded" } }]);
};

/** What the page's commands send is a body that its header fields prove. */
const signs: Claim = async (code) => {
  const body = written("delivery.json", '{"ref":"refs/heads/main"}\r\n');
  const received = Promise.withResolvers<{ readonly request: IncomingMessage; readonly raw: Buffer }>();
  const receiver = createServer((request, response) => {
    void buffer(request).then((raw) => {
      response.end();
      received.resolve({ request, raw });
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const { port }: { readonly port: number } = Object(receiver.address());
  const ran = await bench.sh(movedTo(`http://127.0.0.1:${String(port)}`, code), installed());
  expect(ran).toEqual({ status: 0, out: "" });
  const { request, raw } = await received.promise;
  receiver.close();
  expect(raw).toEqual(readFileSync(body));
  expect(request.headers).toMatchObject({ "content-type": "application/json", "x-github-event": "push" });
  const signature = String(request.headers["x-hub-signature-256"]);
  expect(check("github", { "x-hub-signature-256": signature }, [keyOf("github", SECRET)], raw)).toBe(0);
};

/** What a running server has when the backup is made is there after the restore, and nothing that came later. */
const restored: Claim = async (code) => {
  const env = installed();
  const [config, db] = [join(bench.folder, "routes.json5"), join(bench.folder, "flows.db")];
  const start = (): Promise<Standalone> =>
    Standalone.start(["--config", config, "--db", db], { OPENCLAW_WEBHOOK_SECRET: SECRET });
  const create = (running: Standalone, goal: string): Promise<Response> =>
    running.post("zapier", SECRET, { action: "create_flow", goal });
  const running = await start();
  await create(running, "before");
  expect(await bench.sh(blockOf("docs/server.md", "Backup and restore"), env)).toMatchObject({ status: 0 });
  await create(running, "after");
  await running.end("SIGKILL");
  expect(await bench.sh(code, env)).toMatchObject({ status: 0 });
  const again = await start();
  const listed = await again.post("zapier", SECRET, { action: "list_flows" });
  expect(await listed.json()).toMatchObject({ result: { flows: [{ goal: "before" }] } });
  expect(await again.end("SIGTERM")).toBe(0);
};

const installs: Claim = (code) => {
  const [ci = "", pack = "", install = "", restart] = commandsOf(code);
  npm(`${ci}\n${pack}`);
  const [, , , from, ...flags] = install.split(" ");
  expect([from, restart]).toEqual([`npm-pack:$PWD/${TARBALL}`, "openclaw gateway restart"]);
  // The tests in a real Gateway install it so.
  const harness = read("test/systems/gateway/harness.ts");
  expect(harness).toContain(
    `"plugins", "install", \`npm-pack:\${tarball}\`, ${flags.map((flag) => `"${flag}"`).join(", ")}`,
  );
};

const bench25: Claim = (code) => {
  npm(code);
  const help = ["--no-warnings", join(ROOT, "test/bench/main.ts"), "--help"];
  const usage = execFileSync("sh", ["-c", '"$0" "$@" 2>&1', process.execPath, ...help], { encoding: "utf8" });
  for (const word of commandsOf(code).flatMap((command) => command.split(" -- ")[1]?.split(" ") ?? [])) {
    expect(usage).toContain(word);
  }
};

/** A configuration whose route has callbacks. */
const notified: Claim = async (code) => {
  const file = written("routes.json5", code.replace("${CALLBACK_SECRET}", CALLBACK_SECRET));
  const { status, out } = await cli(["check", file]);
  expect([status, out]).toEqual([
    0,
    expect.stringContaining("tells https://ci.example.com when a flow is ended, blocked\n"),
  ]);
};

/** What a receiver gets when a flow is finished. */
const callback: Claim = async (code) => {
  const receiver = await new Receiver().start();
  const flows = memoryFlows();
  const options = {
    config: {
      routes: {
        ci: { sessionKey: "agent:main:ci", secret: SECRET, notify: { url: receiver.origin, secret: CALLBACK_SECRET } },
      },
    },
    flows,
  };
  const callbacks = startCallbacks(options);
  const goal = "Review inbound queue";
  const made = await act(flows, { action: "create_flow", goal, controllerId: "webhooks/ci" }, "agent:main:ci");
  const { flowId, revision } = made;
  await act(flows, { action: "finish_flow", flowId, expectedRevision: revision }, "agent:main:ci");
  await receiver.has(1);
  const timeless = (json: string): string => anonymous(json.replace(/"timestamp": ?"[^"]*"/u, '"timestamp":""'));
  expect(timeless(code)).toBe(timeless(receiver.got[0]?.body ?? ""));
  await callbacks.stop();
  await receiver.close();
};

/** `openclaw webhook` in this process. */
const webhook = async (args: readonly string[], status: unknown = {}): Promise<string> => {
  let out = "";
  await runWebhook(
    args,
    { status: () => Promise.resolve(status) },
    {
      out: (text) => (out += text),
      error: (text) => (out += text),
      env: {},
      input: () => Promise.resolve(new Uint8Array()),
      isTerminal: false,
      onStop: () => () => undefined,
    },
  );
  return out;
};

/** Commands that exist, with options that they have. test/systems/gateway/operator.test.ts runs them in a Gateway. */
const gatewayCommands: Claim = async (code) => {
  for (const line of commandsOf(code)) {
    const [program, root, command = "", ...words] = line.split(" ");
    expect([program, root]).toEqual(["openclaw", "webhook"]);
    const help = await webhook([command, "--help"]);
    expect(help).toContain(`Usage: openclaw webhook ${command}`);
    for (const option of words.filter((word) => word.startsWith("--"))) expect(help).toContain(`${option} <`);
  }
};

/** A route with a weak secret and one whose secret does not resolve. */
const gatewayStatus: Claim = async (code) => {
  const secret = { source: "env", provider: "default", id: "ZAPIER_SECRET" };
  const routes = {
    github: { sessionKey: "agent:main:hook:github", secret: "7h1s-1s-sh0rt" },
    zapier: { sessionKey: "agent:main:hook:zapier", secret },
  };
  const config = loadConfig({ routes }, sha256);
  const status = createStatus({ config: () => config, activity: new Activity(), store: memoryFlows() });
  expect(await webhook(["status"], await status())).toBe(code);
};

const OPERATING = blockOf("docs/operating.md", "What a route may do");

/** What `check` says of the page's configuration. */
const confines: Claim = async (code) => {
  const secrets = OPERATING.replace("${DASHBOARD_SECRET}", SECRET).replace("${CI_SECRET}", CALLBACK_SECRET);
  const file = written("routes.json5", secrets);
  const { status, out } = await cli(["check", file]);
  expect([status, out]).toEqual([0, `${code}${file}: 2 routes, 0 problems.\n`]);
};

/** What a caller is told that asks a route of readers for more. */
const refusesMore: Claim = async (code) => {
  const routes = { dashboard: { sessionKey: "agent:main:ci", secret: SECRET, actions: ["read"] } };
  const body = JSON.stringify({ action: "cancel_flow", flowId: "f" });
  const { status, text } = await rig(routes).send("dashboard", body, { authorization: `Bearer ${SECRET}` });
  expect([status, JSON.parse(text)]).toEqual([403, JSON.parse(code)]);
};

/** A line as the file has it, with members that the page names. */
const auditLine: Claim = (code) => {
  const event = JSON.parse(code) as RequestEvent;
  expect(JSON.parse(auditJsonLine(event))).toEqual(event);
  const { rows } = sectionsOf(read("docs/operating.md")).find(({ heading }) => heading === "The audit file") ?? {};
  const shown = (rows ?? []).map(([name = ""]) => name.replaceAll("`", ""));
  expect(shown).toEqual(expect.arrayContaining(Object.keys(event)));
};

/** What Prometheus is told to ask has metrics. */
const scraped: Claim = async (code) => {
  const [, port = ""] = /targets: \["127\.0\.0\.1:(\d+)"\]/u.exec(code) ?? [];
  expect(adminAddress(port)).toEqual({ host: "127.0.0.1", port: Number(port) });
  const args = ["--config", written("routes.json5", blockOf("docs/server.md", "Configuration"))];
  const running = await Standalone.start([...args, "--db", join(bench.folder, "flows.db"), "--admin", "0"], {
    OPENCLAW_WEBHOOK_SECRET: SECRET,
  });
  const [, pages = ""] = /operators at (http:[^"\s]+)/u.exec(running.log.join("\n")) ?? [];
  await running.post("zapier", SECRET, { action: "list_flows" });
  const metrics = await (await fetch(`${pages}/metrics`)).text();
  const names = read("docs/operating.md").match(/^\| `((?:http|openclaw)_\w+)`/gmu) ?? [];
  expect(names.length).toBeGreaterThan(4);
  for (const name of names.map((row) => row.slice(3, -1)).filter((one) => !one.includes("audit")))
    expect(metrics).toContain(name);
  expect(await running.end("SIGTERM")).toBe(0);
};

const CLAIMS: Readonly<Record<string, Claim>> = {
  "README.md, Try it: sh 1": (code) => expect(code).toBe("npm ci && npm start\n"),
  "README.md, Try it: sh 2": (code) => expect(code).toBe("npm ci && npm test\n"),
  "README.md, What it is for: json5 1": startsAgents,
  "README.md, What it is for: mermaid 2": (code) => expect(code).toContain("stateJson.run.reply"),
  "README.md, A first request: sh 1": request,
  "README.md, A first request: json 2": async (code) =>
    sameAnswer(code, (await bench.sh(moved(blockOf("README.md", "A first request")))).out),
  "README.md, How a request is handled: mermaid 1": refusals,
  "ARCHITECTURE.md, One request, one direction: mermaid 1": types,
  "docs/callbacks.md, Configure: json5 1": notified,
  "docs/callbacks.md, What is sent: json 1": callback,
  "docs/callbacks.md, Receive: ts 1": example("receiver.ts"),
  "docs/embedding.md, Callbacks: ts 1": example("callbacks.ts"),
  "docs/embedding.md, node:http: ts 1": example("node.ts"),
  "docs/embedding.md, Express and Fastify: ts 1": example("express.ts"),
  "docs/embedding.md, Express and Fastify: ts 2": example("fastify.ts"),
  "docs/embedding.md, Hono, Workers, Deno, Bun: ts 1": example("hono.ts"),
  "docs/embedding.md, Hono, Workers, Deno, Bun: ts 2": example("fetch.ts"),
  "docs/embedding.md, Below a path of your own: ts 1": example("mounted.ts"),
  "docs/embedding.md, Bring your own store: ts 1": example("my-flows.ts"),
  "docs/embedding.md, Bring your own store: ts 2": example("my-flows.test.ts"),
  "docs/embedding.md, Another surface: ts 1": example("bridge.ts"),
  "docs/embedding.md, OpenTelemetry: ts 1": example("telemetry.ts"),
  "docs/operating.md, The audit file: sh 1": options,
  "docs/operating.md, The audit file: json5 2": configuration,
  "docs/operating.md, The audit file: json 3": auditLine,
  "docs/operating.md, Metrics: yaml 1": scraped,
  "docs/gateway.md, Install: sh 1": installs,
  "docs/gateway.md, Install: json5 2": configuration,
  "docs/gateway.md, Commands: sh 1": gatewayCommands,
  "docs/operating.md, In the Gateway: text 1": gatewayStatus,
  "docs/http-api.md, Requests: sh 1": request,
  "docs/http-api.md, Answers: json 1": async (code) => {
    const body = { action: "finish_flow", flowId: "no-such-flow", expectedRevision: 0 };
    sameAnswer(code, JSON.stringify((await bench.ask(body)).body));
  },
  "docs/http-api.md, Lists in pages: sh 1": request,
  "docs/http-api.md, Waiting for a flow: sh 1": waits,
  "docs/operating.md, Limits: json5 1": limited,
  "docs/operating.md, What callers are told: http 1": told,
  "docs/operating.md, Quotas: json5 1": bounded,
  "docs/operating.md, What a route may do: json5 1": (code) => expect(code).toContain('actions: ["read"]'),
  "docs/operating.md, What a route may do: text 2": confines,
  "docs/operating.md, What a route may do: json 3": refusesMore,
  "docs/performance.md, Measure it yourself: sh 1": bench25,
  "docs/scale.md, Limits on Redis: sh 1": options,
  "docs/scale.md, Many machines: yaml 1": replicas,
  "docs/scale.md, Past one Redis: ts 1": example("cluster-limits.ts"),
  "docs/server.md, Start: sh 1": npm,
  "docs/server.md, Start: sh 2": server,
  "docs/server.md, Sign a test delivery: sh 1": signs,
  "docs/server.md, Wait: sh 1": waitsForEnd,
  "docs/server.md, Configuration: json5 1": configuration,
  "docs/server.md, Secrets: json5 1": providers,
  "docs/server.md, Network and TLS: sh 1": options,
  "docs/server.md, Backup and restore: sh 1": options,
  "docs/server.md, Backup and restore: sh 2": restored,
};

/** Performed by test/systems/integrations, test/systems/gateway and deliveries.test.ts. */
const ELSEWHERE = /^docs\/(?:integrations\.md|agents\.md|deliveries\b)/u;

const PAGES = ["README.md", "ARCHITECTURE.md", ...filesIn("docs", ".md")].filter((page) => !ELSEWHERE.test(page));

const named = (page: string, { heading, blocks }: Section): readonly (readonly [string, string])[] =>
  blocks.map(({ language, code }, index) => [`${page}, ${heading}: ${language} ${String(index + 1)}`, code]);

const BLOCKS = PAGES.flatMap((page) => sectionsOf(read(page)).flatMap((section) => named(page, section)));

test("every block is claimed, every claim has its block, and no block is fenced in another way", () => {
  expect(BLOCKS.map(([name]) => name).toSorted()).toEqual(Object.keys(CLAIMS).toSorted());
  const fences = PAGES.flatMap((page) => read(page).match(/^[ >]*(?:```|~~~)/gmu) ?? []);
  expect(fences.length).toBe(2 * BLOCKS.length);
});

test.each(BLOCKS)("%s", { timeout: 30_000 }, async (name, code) => {
  expect(Object.keys(CLAIMS)).toContain(name);
  await CLAIMS[name]?.(code);
});
