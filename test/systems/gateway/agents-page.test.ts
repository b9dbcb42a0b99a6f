// docs/agents.md, performed as a reader would: its configuration in a real Gateway, its commands, its workflow, and its answers, which
// a stub model makes come true.

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import JSON5 from "json5";
import { type Block, sectionsOf } from "../../support/markdown.ts";
import { runWorkflow } from "../integrations/github-runner.ts";
import { type Env, movedTo, type Ran, runIn } from "../integrations/integrations.ts";
import { Gateway, gatewayConfig, type HostName, PACKED, ROOT } from "./harness.ts";
import { type ModelCall, type Said, StubModel } from "./stub-model.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;

/** The page is about Gateways that can start agents; of the others it says one sentence. */
const skip = HOST === "host" ? false : "this Gateway cannot start agents";

const PAGE = sectionsOf(readFileSync(join(ROOT, "docs", "agents.md"), "utf8"));

/** All blocks, each of which is performed below, but for the picture. */
const BLOCKS = [
  "Agents: from a pull request to a review: mermaid",
  "Configuration: json5",
  "Try it: json",
  "Try it: sh",
  "Try it: json",
  "Try it: sh",
  "Try it: json",
  "Where the reply is: json",
  "The CI job: yaml",
  "The CI job: sh",
  "The CI job starts the review: json5",
  "The CI job starts the review: sh",
  "Callbacks: json5",
  "Cancel: sh",
  "What the agent sees: text",
  "An agent that waits for approval: json5",
  "An agent that waits for approval: sh",
  "Security: json5",
];

const blocksOf = (heading: string, language: string): readonly string[] =>
  PAGE.filter((section) => section.heading.endsWith(heading))
    .flatMap(({ blocks }) => blocks)
    .filter((block: Block) => block.language === language)
    .map(({ code }) => code);

const block = (heading: string, language: string, index = 0): string =>
  blocksOf(heading, language)[index] ?? assert.fail(`${heading} has no block ${String(index)} of ${language}`);

const SECRETS = {
  GITHUB_WEBHOOK_SECRET: "page-github-secret-0123456789",
  OPENCLAW_WEBHOOK_SECRET: "page-ci-secret-0123456789",
  DIFF_WEBHOOK_SECRET: "page-diff-secret-0123456789",
  DEPLOY_WEBHOOK_SECRET: "page-deploy-secret-0123456789",
  CALLBACK_SECRET: `whsec_${Buffer.alloc(32, "the page of agents").toString("base64")}`,
};

type Members = { [name: string]: unknown };

const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Takes what the second holds into the first, as a reader does with the pieces of a configuration. */
const merged = (into: Members, more: Members): Members => {
  for (const [name, value] of Object.entries(more)) {
    const there = into[name];
    into[name] = isMembers(there) && isMembers(value) ? merged(there, value) : value;
  }
  return into;
};

const pieces = (...headings: readonly string[]): readonly Members[] =>
  headings.flatMap((heading) => blocksOf(heading, "json5")).map((code) => JSON5.parse<Members>(code));

const model = new StubModel();
const folder = mkdtempSync(join(tmpdir(), "agents-page-"));
const bin = join(folder, "bin");
const path = `${join(folder, "npm", "bin")}:${bin}:${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`;
let gateway: Gateway;

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text, { mode: 0o600 });
const read = (name: string): string => readFileSync(join(folder, name), "utf8");

const program = (name: string, script: string): void => writeFileSync(join(bin, name), script, { mode: 0o755 });

/** Milliseconds for a command: the first turn of a Gateway takes long. */
const PATIENCE_MS = 90_000;

const moved = (code: string): string => movedTo(gateway.base, code);

const sh = (code: string, env: Env = {}): Promise<Ran> =>
  runIn(folder, { ...SECRETS, PATH: path, ...env }, "sh", ["-e", "-c", moved(code)], PATIENCE_MS);

type Flow = {
  readonly flowId: string;
  readonly status: string;
  readonly revision: number;
  readonly stateJson: { readonly run?: unknown };
};

/** What a command printed; it had that exit status. */
const json = ({ status, out }: Ran, expected = 0): unknown => {
  assert.equal(status, expected, out);
  return JSON.parse(out);
};

/** JSON with the ids and times of an answer taken out. */
const anonymous = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (name, inner: unknown) =>
      /(?:Id|At)$/u.test(name) && !["routeId", "controllerId"].includes(name) ? name : inner,
    ),
  );

const same = (answered: unknown, shown: string): void =>
  assert.deepEqual(anonymous(answered), anonymous(JSON.parse(shown)));

type Delivery = { number: number; pull_request: { head: { sha: string } } };

/** The page's delivery, of another commit for each test. */
const deliver = async (sha?: string): Promise<Flow> => {
  const delivery = JSON.parse(block("Try it", "json")) as Delivery;
  if (sha !== undefined) delivery.pull_request.head.sha = sha;
  write("delivery.json", sha === undefined ? block("Try it", "json") : JSON.stringify(delivery));
  const answer = json(await sh(block("Try it", "sh"))) as { result: { flow: Flow } };
  return answer.result.flow;
};

/** By the page's own line. */
const waitFor = async ({ flowId }: Pick<Flow, "flowId">, expected = 0): Promise<Flow> =>
  (json(await sh(block("Try it", "sh", 1), { FLOW: flowId }), expected) as { flow: Flow }).flow;

const create = async (route: string, secret: string): Promise<Flow> => {
  const body = { action: "create_flow", goal: "Version 2.0" };
  const { json: answer, text } = await gateway.post(`/plugins/webhooks/${route}`, secret, body);
  return (answer as { result?: { flow: Flow } }).result?.flow ?? assert.fail(text);
};

const REPLY = (JSON.parse(block("Try it", "json", 2)) as { flow: { stateJson: { run: { reply: string } } } }).flow
  .stateJson.run.reply;

const promptOf = ({ texts }: ModelCall): string => texts.find((text) => text.includes("This turn works")) ?? "";

const isReviewer = ({ texts }: ModelCall): boolean => texts.some((text) => text.includes("agent=reviewer"));

before(async () => {
  if (skip !== false) return;
  mkdirSync(bin);
  program("openclaw-webhooks", `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, "adapters/cli/main.ts")}" "$@"\n`);
  program(
    "gh",
    `#!/bin/sh\n[ "$*" = "pr diff 7" ] && printf '%s\\n' '--- a/retry.ts' '+++ b/retry.ts' '+retry("twice")'\n`,
  );
  await model.listen();
  Object.assign(process.env, SECRETS);
  gateway = await Gateway.start(HOST, gatewayConfig({}, model.config), [PACKED]);
  await gateway.kill();
  // a callback would leave this machine
  const written = pieces("Configuration", "The CI job starts the review", "waits for approval", "Security");
  const own = { sessionKey: "agent:reviewer:own", secret: SECRETS.OPENCLAW_WEBHOOK_SECRET };
  const routes = { own: { ...own, run: { message: "Of an agent of its own.", tools: true } } };
  const more = [...written, { plugins: { entries: { webhooks: { config: { routes } } } } }];
  gateway.edit((config) => more.reduce(merged, structuredClone(config) as Members));
  await gateway.boot();
});
after(async () => {
  rmSync(folder, { recursive: true });
  if (skip !== false) return;
  await gateway.discard();
  model.close();
});
beforeEach(() => {
  model.calls.length = 0;
  model.answer = () => REPLY;
});

test("every block is performed", () => {
  const shown = PAGE.flatMap(({ heading, blocks }) =>
    blocks.map(({ language }) => `${heading.replace(/^# /u, "")}: ${language}`),
  );
  assert.deepEqual(shown, BLOCKS);
});

test("the configuration has no problem", { skip }, async () => {
  const whole = blocksOf("", "json5")
    .map((code) => JSON5.parse<Members>(code))
    .reduce(merged, {});
  write("openclaw.json", JSON.stringify(whole));
  const { status, out } = await sh("openclaw-webhooks check openclaw.json");
  assert.deepEqual([status, out.split("\n").at(-2)], [0, "openclaw.json: 4 routes, 0 problems."], out);
});

test(
  "RUN-1, RUN-2, RUN-6: a delivery that is tried becomes the flow, the reply and the prompt that the page shows",
  { skip },
  async () => {
    write("delivery.json", block("Try it", "json"));
    const first = json(await sh(block("Try it", "sh")));
    same(first, block("Try it", "json", 1));
    const { flow } = (first as { result: { flow: Flow } }).result;
    same({ flow: await waitFor(flow) }, block("Try it", "json", 2));
    assert.deepEqual(json(await sh(block("Try it", "sh"))), first);
    assert.equal(model.calls.length, 1);
    const [call] = model.calls;
    assert.deepEqual(call?.tools, []);
    const ids = (text: string): string => text.replaceAll(/id="\w+"/gu, "id").replaceAll(/\n{2,}/gu, "\n\n");
    const prompt = ids(promptOf(call ?? assert.fail("the model was not asked")));
    const [start = "", end = ""] = ids(block("What the agent sees", "text")).split("…\n");
    const at = prompt.indexOf(start);
    assert.ok(at >= 0 && prompt.includes(end, at + start.length), prompt);
  },
);

const job = (sha: string) => ({
  shell: "bash",
  folder,
  secrets: SECRETS,
  env: { PATH: path, npm_config_prefix: join(folder, "npm"), npm_config_registry: "http://127.0.0.1:9" },
  event: { number: 7, pull_request: { head: { sha } } },
});

test(
  "the workflow installs the package, finds the flow of its commit, waits for it, and shows the reply",
  { skip },
  async () => {
    copyFileSync(PACKED, join(folder, "openclaw-webhooks-0.1.0.tgz"));
    await deliver("of-another-push");
    await deliver("of-this-push");
    const { failed, ran, log } = await runWorkflow(moved(block("The CI job", "yaml")), job("of-this-push"));
    assert.equal(failed, false, log);
    assert.deepEqual(ran, ["Install", "Find the flow", "Wait for the review", "Show the review"]);
    const { flow } = JSON.parse(read("review.json")) as { flow: { stateJson: { sha: string } } };
    assert.equal(flow.stateJson.sha, "of-this-push");
    assert.equal(read("summary"), `${REPLY}\n`);
  },
);

test("RUN-5: a workflow that is cancelled ends the review of its commit", { skip }, async () => {
  model.answer = () => new Promise(() => undefined);
  const flow = await deliver("of-an-old-push");
  let isCancelled = false;
  const cancelled = (): Promise<boolean> => {
    isCancelled = true;
    return Promise.resolve(false);
  };
  const instead = { Install: () => Promise.resolve(true), "Wait for the review": cancelled };
  const runner = { ...job("of-an-old-push"), instead, isCancelled: () => isCancelled };
  const { ran } = await runWorkflow(moved(block("The CI job", "yaml")), runner);
  assert.equal(ran.at(-1), "Cancel the review");
  assert.equal((await waitFor(flow, 6)).status, "cancelled");
});

test("WAIT-1: curl waits, too", { skip }, async () => {
  const { flowId, revision } = await deliver("waited-for-by-curl");
  let flow: Flow & { readonly endedAt?: number } = { flowId, revision, status: "queued", stateJson: {} };
  while (flow.endedAt === undefined) {
    const asked = await sh(block("The CI job", "sh"), { FLOW: flowId, REVISION: String(flow.revision) });
    const next = (json(asked) as { result: { flow: Flow } }).result.flow;
    assert.ok(next.revision > flow.revision || next.status === flow.status);
    flow = next;
  }
  assert.equal(flow.status, "succeeded");
});

test(
  "a job that starts the review itself sends the diff, and gets its reply; again it gets the same flow",
  { skip },
  async () => {
    const env = { NUMBER: "7", GITHUB_RUN_ID: "1", GITHUB_RUN_ATTEMPT: "1" };
    const lines = block("The CI job starts the review", "sh");
    assert.equal((await sh(lines, env)).status, 0);
    const { flow } = JSON.parse(read("review.json")) as { flow: Flow };
    assert.deepEqual(flow.stateJson.run, { status: "succeeded", reply: REPLY });
    assert.equal((await sh(lines, env)).status, 0);
    assert.equal((JSON.parse(read("review.json")) as { flow: Flow }).flow.flowId, flow.flowId);
    assert.deepEqual(
      model.calls.map(({ texts }) => texts.some((text) => text.includes('+retry("twice")'))),
      [true],
    );
  },
);

test("RUN-2: a turn that fails leaves the shape that the page shows", { skip }, async () => {
  model.answer = () => "";
  const flow = await waitFor(await deliver("without-a-reply"), 5);
  assert.deepEqual([flow.status, flow.stateJson.run], ["failed", JSON.parse(block("Where the reply is", "json"))]);
});

test("RUN-5: the line of the section Cancel ends a turn that is at work", { skip }, async () => {
  model.answer = () => new Promise(() => undefined);
  const flow = await deliver("to-be-cancelled");
  await gateway.until("the model is asked", () => model.calls.length === 1);
  json(await sh(block("Cancel", "sh"), { FLOW: flow.flowId }));
  assert.equal((await waitFor(flow, 6)).status, "cancelled");
  await gateway.until("the model is cut off", () => model.calls.every(({ isAborted }) => isAborted));
});

test(
  "RUN-9: an agent leaves its flow waiting by its tool, the page's lines resume it, and the next turn ends it",
  { skip },
  async () => {
    const turns: Said[] = [
      { tool: "webhooks_flow", parameters: { do: "wait", step: "Asked", waitFor: { approve: "2.0 to production" } } },
      "I wait for the approval.",
      "It was approved.",
    ];
    const isTurn = ({ texts }: ModelCall): boolean => texts.some((text) => text.includes("Prepare the deployment"));
    model.answer = (call) => (isTurn(call) ? turns.shift() : undefined) ?? "Nothing.";
    const env = { FLOW: (await create("deploy", SECRETS.DEPLOY_WEBHOOK_SECRET)).flowId };
    const { status, out } = await sh(block("waits for approval", "sh"), env);
    assert.deepEqual([status, out], [0, '{"status":"waiting","waitJson":{"approve":"2.0 to production"}}\n']);
    const { flow } = JSON.parse(read("ended.json")) as { flow: Flow };
    const run = { status: "succeeded", reply: "It was approved." };
    assert.deepEqual([flow.status, flow.stateJson], ["succeeded", { approved: true, run }]);
  },
);

test("an agent of its own without tools has none but the flow's, even if the route says tools", { skip }, async () => {
  const lines = `${block("Try it", "sh", 1).replace("/ci", "/own")}`;
  const flow = await create("own", SECRETS.OPENCLAW_WEBHOOK_SECRET);
  json(await sh(lines, { FLOW: flow.flowId }));
  const tools = model.calls
    .filter(isReviewer)
    .map(({ tools: names }) => names.filter((name) => name !== "webhooks_flow"));
  assert.deepEqual(tools, [[]]);
});
