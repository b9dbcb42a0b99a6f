// core/lifecycle against the Gateway: random requests for the flows of one session, alone and at once, over HTTP. What
// the Gateway answers must be what the lifecycle says, field by field.
// DIFFERENTIAL_SECONDS: how long; FC_SEED: where to begin. A red run prints the seed to repeat it with.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { ACTIONS, parseAction } from "../../../core/index.ts";
import { type Real, type Session, settle, steps } from "./differential-commands.ts";
import { type Answer, Gateway, gatewayConfig, type HostName, PACKED } from "./harness.ts";
import { type Json, owed, taskList } from "./lifecycle-model.ts";
import type { Seen } from "./linearize.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;
const SECONDS = Number(process.env["DIFFERENTIAL_SECONDS"] ?? 45);
const SEED = Number(process.env["FC_SEED"] ?? 1);

/** Runs of one seed; few, so that a seed says nearly which run it was. */
const RUNS = 8;
const SECRET = "differential-secret-0123456789-";

/** About the number of runs; bounded, because a Gateway with more routes starts slowly. */
const SESSIONS = Math.min(2000, 400 + 10 * SECONDS);
const LIST = { action: "list_flows" };

/** Milliseconds that a red run may be shrunk for. */
const SHRINK_MS = 60_000;

/** The Gateway sweeps once a minute (gateway-semantics §3). */
const SWEEP_MS = 75_000;

const TOTALS = ["seeds", "runs", "single requests", "bursts", "sweeps", "cancels seen half done", "cancels overtaken"];

const sessionOf = (route: string): Session => ({
  owner: { sessionKey: `agent:main:hook:${route}`, controllerId: `webhooks/${route}` },
  route,
  state: new Map(),
  before: 0,
});

const names = Array.from({ length: SESSIONS }, (_, n) => `session-${String(n)}`);
/** The unused sessions. A run takes the first one and puts it back with its flows, unless the run failed. */
const sessions = names.map(sessionOf);
const secretOf = (route: string): string => SECRET + route;
const routeOf = (route: string): Json => ({ sessionKey: sessionOf(route).owner.sessionKey, secret: secretOf(route) });

let gateway: Gateway;
let foreignFlow = "";
before(async () => {
  const routes = Object.fromEntries([...names, "foreign"].map((name) => [name, routeOf(name)]));
  gateway = await Gateway.start(HOST, gatewayConfig(routes), [PACKED]);
  const { result } = await ask("foreign", { action: "create_flow", goal: "Stay as it is" });
  foreignFlow = (result["flow"] as { flowId: string }).flowId;
});
after(async () => {
  console.log(`# the first seed: FC_SEED=${String(SEED)}`);
  console.log(
    [...TOTALS.map((what) => `${what}: ${String(counts.get(what) ?? 0)}`), ...table()]
      .map((line) => `# ${line}`)
      .join("\n"),
  );
  await gateway.discard();
});

const counts = new Map<string, number>();
const count = (what: string, by: number = 1): void => void counts.set(what, (counts.get(what) ?? 0) + by);

let requests = 0;
/** A client for every hundred requests: the window lets 120 pass, and the plugin remembers few thousand clients. */
const client = (): string => {
  const n = Math.floor((requests += 1) / 100);
  return `10.${String(n >> 16)}.${String((n >> 8) & 255)}.${String(n & 255)}`;
};

type Task = { readonly taskId: string; readonly runtime: string; readonly status: string };
const shownTasks = (tasks: readonly Task[]): unknown => taskList(tasks.map((task) => [task.taskId, task]));

/** The result as it is compared: without the sentence, and tasks by id only. */
const comparable = ({ json }: Answer): Json => {
  const { reason: _, task, tasks, ...rest } = (json["result"] ?? {}) as Json & { task?: Task; tasks?: readonly Task[] };
  return {
    ...rest,
    ...(task === undefined ? {} : { task: shownTasks([task]) }),
    ...(tasks === undefined ? {} : { tasks: shownTasks(tasks) }),
  };
};

const ask = async (route: string, body: Json): Promise<Seen> => {
  const sent = Date.now();
  const answer = await gateway.post(`/plugins/webhooks/${route}`, secretOf(route), body, client());
  const received = Date.now();
  const action = parseAction(body)._unsafeUnwrap();
  const code = answer.json["code"] as string | undefined;
  return { action, status: answer.status, code, result: comparable(answer), sent, received };
};

const realOf = (session: Session): Real => ({ ask: (body) => ask(session.route, body), foreignFlow, count });

const modelled = fc.asyncProperty(steps, async (commands) => {
  const session = sessions.shift();
  fc.pre(session !== undefined);
  session.before = session.state.size;
  await fc.asyncModelRun(() => ({ model: session, real: realOf(session) }), commands);
  sessions.push(session);
  count("runs");
});

/** Each action with its answers, how often. */
const table = (): readonly string[] =>
  Object.keys(ACTIONS).map((action) => {
    const own = [...counts].filter(([what]) => what.startsWith(`${action} `));
    return `${action}: ${own.map(([what, times]) => `${what.slice(action.length + 1)} ×${String(times)}`).join(", ")}`;
  });

/** A passing run in which an answer never occurred would show too little. */
const assertAllSeen = (): void => {
  const refusals = [
    "cancel_flow cancel_pending",
    "cancel_flow terminal",
    "run_task cancel_requested",
    "run_task terminal",
  ];
  const expected = ["bursts", ...Object.keys(ACTIONS).map((action) => `${action} 200`), ...refusals];
  const missing = expected.filter((what) => !counts.has(what));
  assert.deepEqual(missing, [], "never seen; give it more time");
};

const ALONE_OR_AT_ONCE = "whatever is asked, alone or at once, the Gateway answers as the lifecycle says";
test(ALONE_OR_AT_ONCE, { timeout: 3_600_000 }, async () => {
  const until = performance.now() + SECONDS * 1000;
  for (let seed = SEED; performance.now() < until; seed += 1) {
    await fc.assert(modelled, { seed, numRuns: RUNS, interruptAfterTimeLimit: SHRINK_MS });
    count("seeds");
  }
  assertAllSeen();
});

test("a sweep ends exactly the flows that the lifecycle's sweep ends", { timeout: 120_000 }, async () => {
  const latest = performance.now() + SWEEP_MS;
  for (const session of sessions) {
    const isSwept = async (): Promise<boolean> => {
      settle(session, realOf(session), [], await ask(session.route, LIST));
      return owed(session.state).length === 0;
    };
    const flows = owed(session.state).map(({ flow }) => JSON.stringify(flow));
    await gateway.until(`a sweep of ${flows.join(" ")}`, isSwept, latest - performance.now());
  }
});

test("a flow of another session was never changed", async () => {
  const { result } = await ask("foreign", { action: "get_flow", flowId: foreignFlow });
  assert.equal((result["flow"] as { revision: number }).revision, 0);
});
