// Requests with a key in a real Gateway that is killed again and again: one effect for each key, one answer, nothing lost.
// GATEWAY_KILLS: how often it is killed. GATEWAY_REPEATS: how often each key is sent.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { SECRETS, signed } from "../../support/deliveries.ts";
import { type Answer, Gateway, gatewayConfig, type HostName, PACKED } from "./harness.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;
const KILLS = Number(process.env["GATEWAY_KILLS"] ?? 3);
const REPEATS = Number(process.env["GATEWAY_REPEATS"] ?? 200);
const SENDERS = 8;

const SECRET = "deliveries-secret-0123456789";
const HOOK = "/plugins/webhooks/hook";
const FILE = join("openclaw-webhooks", "deliveries.sqlite");
const CREATE = { action: "create_flow", goal: "Once" };
const SESSION = "agent:main:hook";

/** A route of GitHub's, for the same session. */
const HUB = {
  sessionKey: SESSION,
  secret: SECRETS.github,
  signature: "github",
  deliveries: [
    {
      when: { "payload.state": "opened" },
      key: "{{payload.goal}}",
      do: { action: "create_flow", goal: "{{payload.goal}}" },
    },
    { when: { "payload.state": "closed" }, key: "{{payload.goal}}", do: { action: "finish_flow" } },
  ],
};
const LIST = { action: "list_flows" };

let gateway: Gateway;
/** The bundled plugin does not know the fields of deliveries: a route with them can be written once ours is installed. */
const addRoute = async (id: string, route: object): Promise<void> => {
  await gateway.kill();
  const file = join(gateway.state, "openclaw.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as {
    plugins: { entries: { webhooks: { config: { routes: { [id: string]: object } } } } };
  };
  config.plugins.entries.webhooks.config.routes[id] = route;
  writeFileSync(file, JSON.stringify(config));
  await gateway.boot();
};

before(async () => {
  gateway = await Gateway.start(HOST, gatewayConfig({ hook: { sessionKey: SESSION, secret: SECRET } }), [PACKED]);
  await addRoute("hub", HUB);
});
after(() => gateway.discard());

let clients = 0;
const newClient = (): string => `10.9.${String((clients >> 8) & 255)}.${String(clients++ & 255)}`;

const post = async (path: string, body: string, credentials: object): Promise<Answer> => {
  const headers = { "content-type": "application/json", "x-forwarded-for": newClient(), ...credentials };
  const sent = await fetch(gateway.base + path, { method: "POST", headers, body });
  const text = await sent.text();
  const isJson = sent.headers.get("content-type")?.startsWith("application/json") === true;
  return { status: sent.status, headers: sent.headers, text, json: isJson ? (JSON.parse(text) as Answer["json"]) : {} };
};

const ask = (body: unknown, key?: string): Promise<Answer> =>
  post(HOOK, JSON.stringify(body), {
    authorization: `Bearer ${SECRET}`,
    ...(key === undefined ? {} : { "idempotency-key": key }),
  });

const deliver = (payload: object): Promise<Answer> => {
  const body = JSON.stringify(payload);
  return post("/plugins/webhooks/hub", body, signed("github", body));
};

type Flow = { readonly flowId: string; readonly revision: number; readonly goal: string; readonly createdAt: number };
const flowIn = ({ json }: Answer): Flow => (json as { result: { flow: Flow } }).result.flow;
const flows = async (): Promise<readonly Flow[]> =>
  ((await ask(LIST)).json as { result: { flows: readonly Flow[] } }).result.flows;

/** Statuses that say what was done. */
const DEFINITE: ReadonlySet<number> = new Set([200, 202, 404, 409]);
const isDefinite = ({ status, json }: Answer): boolean =>
  DEFINITE.has(status) && json["code"] !== "idempotency_in_progress" && json["result"] !== undefined;

test("ONCE-6: no file is made before a key is sent; then it is the user's own, and below the state folder", async () => {
  const made = (): readonly string[] => globSync("openclaw-webhooks/*", { cwd: gateway.state });
  await ask(CREATE);
  assert.deepEqual(made(), []);
  const first = await ask(CREATE, "first");
  const again = await ask(CREATE, '"first"');
  assert.deepEqual([again.text, again.headers.get("idempotent-replayed")], [first.text, "true"]);
  assert.equal(first.headers.get("idempotent-replayed"), null);
  assert.equal((await ask({ ...CREATE, goal: "Other" }, "first")).json["code"], "idempotency_key_reused");
  const modes = made().map((name) => statSync(join(gateway.state, name)).mode & 0o777);
  assert.deepEqual([...new Set(modes)], [0o600]);
  assert.equal(statSync(join(gateway.state, "openclaw-webhooks")).mode & 0o777, 0o700);
  assert.ok(!readFileSync(join(gateway.state, FILE)).includes(SECRET));
});

test("MAP-5, BIND-1, AUTH-5: signed deliveries create and end a flow of the Gateway, and nothing else opens their route", async () => {
  const opened = await deliver({ state: "opened", goal: "By delivery" });
  assert.deepEqual([opened.status, flowIn(opened).goal, flowIn(opened).revision], [200, "By delivery", 0]);
  const existing = await deliver({ state: "opened", goal: "By delivery", again: true });
  assert.deepEqual([existing.status, flowIn(existing).flowId], [200, flowIn(opened).flowId]);
  const repeated = await deliver({ state: "opened", goal: "By delivery" });
  assert.deepEqual([repeated.text, repeated.headers.get("idempotent-replayed")], [opened.text, "true"]);
  assert.equal((await deliver({ state: "labeled", goal: "By delivery" })).json["code"], "ignored");
  assert.equal((await deliver({ state: "opened" })).json["code"], "mapping_failed");
  const closed = await deliver({ state: "closed", goal: "By delivery" });
  assert.deepEqual([flowIn(closed).flowId, flowIn(closed).revision], [flowIn(opened).flowId, 1]);
  assert.equal((await deliver({ state: "closed", goal: "By delivery", late: true })).json["code"], "ignored");
  for (const credentials of [{}, { authorization: `Bearer ${SECRETS.github}` }, signed("github", "{}")]) {
    const refused = await post(
      "/plugins/webhooks/hub",
      JSON.stringify({ state: "opened", goal: "Forged" }),
      credentials,
    );
    assert.deepEqual([refused.status, refused.json["code"]], [401, "unauthorized"]);
  }
  assert.deepEqual(
    (await flows()).filter(({ goal }) => goal === "Forged"),
    [],
  );
});

/** The requests of one key, and what they have been answered. */
type Story = {
  readonly key: string;
  readonly send: () => Promise<Answer>;
  readonly does: "create" | "task" | "finish";
  left: number;
  readonly answers: Set<string>;
};

const DEADLINE_MS = 60_000 + KILLS * 180_000;

test(
  `ONCE-2, ONCE-6: keys that ${String(SENDERS)} senders repeat across ${String(KILLS)} kill -9 have one effect and one answer`,
  { timeout: DEADLINE_MS },
  async () => {
    const newFlows = (length: number): Promise<readonly Flow[]> =>
      Promise.all(Array.from({ length }, async () => flowIn(await ask(CREATE))));
    const targets = await newFlows(30);
    const unfinished = [...(await newFlows(40))];
    const finished: Flow[] = [];
    const before = (await flows()).length;
    let made = 0;
    const stories: Story[] = [];
    const newStory = (): Story => {
      const number = (made += 1);
      const target = targets[number % targets.length];
      const ending = number % 4 === 3 ? unfinished.pop() : undefined;
      if (ending !== undefined) finished.push(ending);
      const goal = `Flow of key ${String(number)}`;
      const key = `key ${String(number)}`;
      const create: Pick<Story, "send" | "does"> = {
        does: "create",
        send: () => ask({ action: "create_flow", goal, stateJson: { number } }, key),
      };
      const kinds: readonly Pick<Story, "send" | "does">[] = [
        create,
        { does: "create", send: () => deliver({ state: "opened", goal }) },
        {
          does: "task",
          send: () => ask({ action: "run_task", flowId: target?.flowId, runtime: "acp", task: goal }, key),
        },
      ];
      const finish = { action: "finish_flow", flowId: ending?.flowId, expectedRevision: 0 };
      const kind =
        ending === undefined ? kinds[number % kinds.length] : { does: "finish" as const, send: () => ask(finish, key) };
      const story: Story = { key, ...(kind ?? create), left: REPEATS, answers: new Set() };
      stories.push(story);
      return story;
    };
    const over = new AbortController();
    let [sent, cutOff, inProgress, unknown] = [0, 0, 0, 0];
    const current: Story[] = Array.from({ length: SENDERS / 2 }, newStory);
    /** Two senders repeat the same key at random moments. */
    const sender = async (place: number): Promise<void> => {
      while (!over.signal.aborted) {
        let story = current[place % current.length] ?? newStory();
        if (story.left <= 0) current[place % current.length] = story = newStory();
        sent += 1;
        try {
          const answer = await story.send();
          story.left -= 1 + Math.floor(Math.random() * 40);
          if (isDefinite(answer)) story.answers.add(answer.text);
          else if (answer.json["code"] === "outcome_unknown") unknown += 1;
          else inProgress += 1;
        } catch {
          cutOff += 1;
          await sleep(20);
        }
      }
    };
    const senders = Array.from({ length: SENDERS }, (_, place) => sender(place));
    for (let kill = 0; kill < KILLS; kill += 1) {
      await sleep(300 + Math.random() * 1500);
      await gateway.kill();
      await gateway.boot();
    }
    await sleep(500);
    over.abort();
    await Promise.all(senders);
    for (const story of stories) {
      const answer = await story.send();
      assert.ok(isDefinite(answer), `${story.key}: ${String(answer.status)} ${answer.text}`);
      story.answers.add(answer.text);
    }
    const counted = `${String(sent)} sent, ${String(cutOff)} cut off, ${String(inProgress)} refused, ${String(unknown)} unknown`;
    console.log(`# ${String(stories.length)} keys, ${counted}`);
    for (const { key, answers } of stories) assert.equal(answers.size, 1, `${key}: ${[...answers].join("\n")}`);
    const goals = (await flows()).map(({ goal }) => goal).filter((goal) => goal.startsWith("Flow of key"));
    const creates = stories.filter(({ does }) => does === "create");
    assert.deepEqual(goals.length, new Set(goals).size, "no key made two flows");
    assert.equal(goals.length, creates.length);
    assert.equal((await flows()).length, before + creates.length);
    const ended = new Map((await flows()).map(({ flowId, revision }) => [flowId, revision]));
    for (const { flowId } of finished) assert.equal(ended.get(flowId), 1, "a flow is finished once");
    const tasks = stories.length - creates.length - finished.length;
    let total = 0;
    for (const { flowId } of targets) {
      const { json } = await ask({ action: "get_task_summary", flowId });
      total += (json as { result: { summary: { total: number } } }).result.summary.total;
    }
    assert.equal(total, tasks, "one task for each key");
  },
);

test(
  "ONCE-6: a claim that a kill left open is reconciled by what the Gateway has stored",
  { timeout: 300_000 },
  async () => {
    const made = flowIn(await ask({ ...CREATE, goal: "Reconciled" }, "open create"));
    const target = flowIn(await ask(CREATE));
    const finish = { action: "finish_flow", flowId: target.flowId, expectedRevision: 0 };
    const finished = await ask(finish, "open finish");
    const cancelled = flowIn(await ask(CREATE));
    const cancel = { action: "cancel_flow", flowId: cancelled.flowId };
    await ask(cancel, "open cancel");
    await gateway.kill();
    const database = new DatabaseSync(join(gateway.state, FILE));
    const plans: Readonly<Record<string, object>> = {
      "key open create": { does: "create_flow", controllerId: "webhooks/hook", goal: "Reconciled" },
      "key open finish": { does: "finish_flow", flowId: target.flowId, expectedRevision: 0 },
      "key open cancel": { does: "cancel_flow", flowId: cancelled.flowId },
    };
    for (const [key, plan] of Object.entries(plans)) {
      const { changes } = database
        .prepare("UPDATE records SET outcome = NULL, plan = ? WHERE key = ?")
        .run(JSON.stringify(plan), key);
      assert.equal(Number(changes), 1);
    }
    database.close();
    await gateway.boot();
    const count = (await flows()).length;
    const found = await ask({ ...CREATE, goal: "Reconciled" }, "open create");
    assert.deepEqual([flowIn(found).flowId, found.headers.get("idempotent-replayed")], [made.flowId, "true"]);
    assert.equal((await ask(finish, "open finish")).text, finished.text);
    assert.equal(flowIn(await ask(cancel, "open cancel")).flowId, cancelled.flowId);
    assert.equal((await flows()).length, count);
  },
);

test(
  "ONCE-7: a file of a newer version refuses keys with one line in the log, and nothing else",
  { timeout: 300_000 },
  async () => {
    await gateway.kill();
    const database = new DatabaseSync(join(gateway.state, FILE));
    database.exec("PRAGMA user_version = 99");
    database.close();
    await gateway.boot();
    for (let tries = 0; tries < 3; tries += 1) {
      const refused = await ask(CREATE, "refused");
      assert.deepEqual(
        [refused.status, refused.json["code"], refused.headers.get("retry-after")],
        [503, "idempotency_unavailable", "1"],
      );
    }
    assert.equal((await ask(CREATE)).status, 200);
    const lines = gateway.log.split("\n").filter((line) => line.includes("newer version of this plugin"));
    assert.equal(lines.length, 1, gateway.log.slice(-3000));
  },
);

test("the file is in a backup of the Gateway, as a snapshot", { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "backup-"));
  const said = await gateway.cli("backup", "create", "--output", folder, "--json");
  const [archive = ""] = globSync("*.tar.gz", { cwd: folder });
  const { stdout } = await promisify(execFile)("tar", ["-tzf", join(folder, archive)], { maxBuffer: 64 << 20 });
  const names = stdout.split("\n").filter((name) => name.includes("openclaw-webhooks/deliveries.sqlite"));
  assert.equal(names.length, 1, `${said.slice(0, 2000)}\n${names.join("\n")}`);
  rmSync(folder, { recursive: true });
});
