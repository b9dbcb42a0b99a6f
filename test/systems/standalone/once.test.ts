// ONCE-1, ONCE-2: senders repeat the same requests while the server is killed again and again. Each request has one effect,
// and all its answers are the same.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { SECRETS, signed } from "../../support/deliveries.ts";
import { remove, Standalone, tempFolder } from "./harness.ts";

const KILLS = Number(process.env["ONCE_KILLS"] ?? 20);
const SENDERS = 8;
const KEYS = 3;
/** Answers that each request gets at least. */
const TIMES = 200;
const SECRET = "once-secret-0123456789";
const SESSION = "agent:main:once";
const BEARER = { authorization: `Bearer ${SECRET}` };

const folder = tempFolder();
after(() => remove(folder));
const file = join(folder, "flows.db");
const config = join(folder, "config.json5");
const routes = {
  plain: { sessionKey: SESSION, secret: SECRET },
  signed: { sessionKey: SESSION, secret: SECRETS.standard, signature: "standard" },
  mapped: {
    sessionKey: SESSION,
    secret: SECRETS.github,
    signature: "github",
    deliveries: [{ key: "n {{payload.n}}", do: { action: "create_flow", goal: "mapped {{payload.n}}" } }],
  },
};
writeFileSync(config, JSON.stringify({ trustedProxies: ["127.0.0.1"], routes }));

type Job = {
  readonly name: string;
  readonly route: keyof typeof routes;
  readonly body: string;
  readonly headers: () => Readonly<Record<string, string>>;
  /** All answers, each with whether it was a replay. */
  readonly answers: Map<string, number>;
};

let clients = 0;
const post = (server: Standalone, { route, body, headers }: Omit<Job, "name" | "answers">): Promise<Response> => {
  clients += 1;
  const client = `10.${String(clients >> 16)}.${String((clients >> 8) & 255)}.${String(clients & 255)}`;
  return fetch(`${server.base}/plugins/webhooks/${route}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-forwarded-for": client, ...headers() },
    body,
  });
};

const ask = async (server: Standalone, body: object): Promise<{ readonly flowId: string }> => {
  const answer = await post(server, { route: "plain", body: JSON.stringify(body), headers: () => BEARER });
  return ((await answer.json()) as { result: { flow: { flowId: string } } }).result.flow;
};

/** For each of the keys: a mapped create, a bearer create, and an end and a task of flows of their own. */
const jobsOn = async (server: Standalone): Promise<readonly Job[]> => {
  const jobs: Job[] = [];
  const add = (name: string, route: Job["route"], asked: object, headers: (body: string) => object): void => {
    const body = JSON.stringify(asked);
    jobs.push({ name, route, body, headers: () => ({ ...headers(body) }), answers: new Map() });
  };
  for (let n = 0; n < KEYS; n += 1) {
    const [ended, worked] = [
      await ask(server, create(`ended ${String(n)}`)),
      await ask(server, create(`worked ${String(n)}`)),
    ];
    const task = { action: "run_task", flowId: worked.flowId, runtime: "acp", task: "Once" };
    const finish = { action: "finish_flow", flowId: ended.flowId, expectedRevision: 0 };
    const id = `msg_${String(n)}`;
    add(`mapped ${String(n)}`, "mapped", { n }, (body) => signed("github", body));
    add(`bearer ${String(n)}`, "plain", create(`bearer ${String(n)}`), () => ({ ...BEARER, "idempotency-key": id }));
    add(`finish ${String(n)}`, "signed", finish, (body) => signed("standard", body, { id: `${id}_finish` }));
    add(`task ${String(n)}`, "signed", task, (body) => signed("standard", body, { id: `${id}_task` }));
  }
  return jobs;
};

const create = (goal: string): object => ({ action: "create_flow", goal });

const timesOf = ({ answers }: Job): number => [...answers.values()].reduce((a, b) => a + b, 0);

/** Repeats requests in a random order until the server is killed, or each was answered often enough. */
const repeat = async (server: Standalone, jobs: readonly Job[], times = Infinity): Promise<void> => {
  for (;;) {
    const left = jobs.filter((job) => timesOf(job) < times);
    const job = left[Math.floor(Math.random() * left.length)];
    if (job === undefined) return;
    const answer = await post(server, job).catch(() => undefined);
    const text = await answer?.text().catch(() => undefined);
    if (answer === undefined || text === undefined) return;
    assert.equal(answer.status, 200, `${job.name}: ${text}`);
    job.answers.set(text, (job.answers.get(text) ?? 0) + 1);
  }
};

test(`ONCE-1, ONCE-2: ${String(KILLS)} kills while 8 senders repeat`, { timeout: 600_000 }, async () => {
  const first = await Standalone.start(["--config", config, "--db", file]);
  const jobs = await jobsOn(first);
  await first.end("SIGTERM");
  for (let kill = 0; kill < KILLS; kill += 1) {
    const server = await Standalone.start(["--config", config, "--db", file]);
    // the first rounds know few of the requests, so that some are new when a kill comes
    const some = jobs.slice(0, Math.ceil(((kill + 1) * jobs.length) / KILLS));
    const load = Promise.all(Array.from({ length: SENDERS }, () => repeat(server, some)));
    await delay(5 + Math.random() * 250);
    await server.end("SIGKILL");
    await load;
  }
  const server = await Standalone.start(["--config", config, "--db", file]);
  await Promise.all(Array.from({ length: SENDERS }, () => repeat(server, jobs, TIMES)));
  for (const job of jobs) {
    assert.equal(job.answers.size, 1, `${job.name} has different answers: ${[...job.answers.keys()].join("\n")}`);
  }
  assert.equal(await server.end("SIGTERM"), 0);
  const database = new DatabaseSync(file);
  const goals = database.prepare("SELECT goal, revision, status FROM flows ORDER BY goal").all();
  const tasks = database.prepare("SELECT count(*) AS n FROM tasks").get()?.["n"];
  database.close();
  const numbers = Array.from({ length: KEYS }, (_, n) => String(n));
  assert.deepEqual(
    goals.map(({ goal, revision, status }) => [goal, revision, status].join(", ")),
    [
      ...numbers.map((n) => `bearer ${n}, 0, queued`),
      ...numbers.map((n) => `ended ${n}, 1, succeeded`),
      ...numbers.map((n) => `mapped ${n}, 0, queued`),
      ...numbers.map((n) => `worked ${n}, 0, queued`),
    ],
  );
  assert.equal(tasks, KEYS);
  const counts = jobs.map(timesOf);
  console.log(
    `# ${String(KILLS)} kills, ${String(jobs.length)} requests, each answered ${String(Math.min(...counts))} to ${String(Math.max(...counts))} times`,
  );
});
