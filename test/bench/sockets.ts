// Over sockets: CPU time of the server's process for one request, of eight connections at once. The servers take turns;
// each is a process of its own, so that none pays for the client or for another's garbage.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { type Client, clientOf as askerOf, type Question } from "./client.ts";
import { clientOf } from "./crowd.ts";
import { ratioOf, type Ratio } from "./paired.ts";
import { PATH } from "./plugins.ts";
import { type Asked, type Scenario, scenarioOf } from "./scenarios.ts";

const CONNECTIONS = 8;

/** Milliseconds of CPU time that one turn should take. */
const TURN_MS = 150;

type Asking = Omit<Question, "url">;
type Started = { readonly port: number; readonly flowIds?: readonly string[] };

/** A server in a process of its own, and a client of it. */
class Racer {
  readonly #process: ChildProcess;
  readonly #client: Client;

  private constructor(child: ChildProcess, client: Client) {
    this.#process = child;
    this.#client = client;
  }

  static async start(
    file: string,
    args: readonly string[],
    question: (flowIds: readonly string[]) => Asking,
  ): Promise<Racer> {
    const child = fork(join(import.meta.dirname, file), args, { execArgv: ["--no-warnings"] });
    const [{ port, flowIds = [] }] = (await once(child, "message")) as [Started];
    const url = `http://127.0.0.1:${String(port)}${PATH}`;
    return new Racer(child, askerOf({ ...question(flowIds), url }, CONNECTIONS));
  }

  async #cpu(word: string): Promise<number> {
    this.#process.send(word);
    const [{ user, system }] = (await once(this.#process, "message")) as [NodeJS.CpuUsage];
    return (user + system) / 1000;
  }

  /** Milliseconds of CPU time for one request, over `times` of them. `word`: what the server is told before. */
  async cost(times: number, word = "cpu"): Promise<number> {
    const before = await this.#cpu(word);
    await this.#client.ask(times);
    return ((await this.#cpu("cpu")) - before) / times;
  }

  stop(): void {
    this.#process.kill();
  }
}

/**
 * What each racer does before it is timed, so that its code is compiled: Node's costs half as much after ten thousand
 * requests. Or as much of it as milliseconds allow.
 */
const WARM_UP = { requests: 15_000, ms: 15_000 };

/** How many requests make one turn of a racer that has warmed up. */
const warmUp = async (racer: Racer): Promise<number> => {
  const ends = performance.now() + WARM_UP.ms;
  let cost = await racer.cost(16);
  for (let asked = 16; asked < WARM_UP.requests && performance.now() < ends;) {
    const times = Math.max(16, Math.round(TURN_MS / cost));
    cost = await racer.cost(times);
    asked += times;
  }
  return Math.max(16, Math.round(TURN_MS / cost));
};

/** Milliseconds of CPU time for one request of each racer, turn by turn, after a warm-up. */
const race = async (racers: readonly Racer[], rounds: number): Promise<readonly (readonly number[])[]> => {
  const turns: number[] = [];
  for (const racer of racers) turns.push(await warmUp(racer));
  const taken: number[][] = [];
  for (let round = 0; round < rounds; round += 1) {
    const costs: number[] = [];
    for (const [index, racer] of racers.entries()) costs.push(await racer.cost(turns[index] ?? 16));
    taken.push(costs);
  }
  return taken;
};

type Start = {
  readonly file: string;
  readonly args: readonly string[];
  readonly question: Parameters<typeof Racer.start>[2];
};

/** Races servers that are started for it; the CPU of each but the last in units of the last one's. */
const raceOf = async (starts: readonly Start[], rounds: number): Promise<readonly Ratio[]> => {
  const racers: Racer[] = [];
  try {
    for (const { file, args, question } of starts) racers.push(await Racer.start(file, args, question));
    const taken = await race(racers, rounds);
    const last = starts.length - 1;
    return racers
      .slice(0, last)
      .map((_, index) => ratioOf(taken.map((costs) => [costs[index] ?? 0, costs[last] ?? 0] as const)));
  } finally {
    for (const racer of racers) racer.stop();
  }
};

const NOTHING: Asked = { headers: {}, body: Buffer.alloc(0) };
const NONE: Ratio = { median: Number.NaN, low: Number.NaN, high: Number.NaN };

export type Raced = { readonly name: string; readonly ours: Ratio; readonly bundled: Ratio };

/** CPU of ours and of the bundled plugin in units of the bare server's. */
export const measureSockets = async (scenario: Scenario, rounds: number): Promise<Raced> => {
  const { name, status, turns, clients } = scenario;
  const asked: Question["asked"] = (_, turn, total) => {
    const { headers, body } = turns[turn % turns.length] ?? NOTHING;
    return { headers: { ...headers, "x-forwarded-for": clientOf(total, clients) }, body };
  };
  const question = (): Asking => ({ asked, status });
  const starts = ["ours", "bundled", "bare"].map((who) => ({ file: "socket-server.ts", args: [who, name], question }));
  const [ours = NONE, bundled = NONE] = await raceOf(starts, rounds);
  return { name, ours, bundled };
};

const HOW = ["watched", "plain"] as const;

/** One server in two ways, turn by turn in another order: with an audit file and metrics, and without. */
const raceOfWays = async ({ file, args, question }: Start, rounds: number): Promise<Ratio> => {
  const racer = await Racer.start(file, args, question);
  try {
    await racer.cost(WARM_UP.requests / 2, "watched");
    await racer.cost(WARM_UP.requests / 2, "plain");
    const times = Math.round(TURN_MS / (await racer.cost(100)));
    const taken: (readonly [number, number])[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const costs = new Map<string, number>();
      for (const how of round % 2 === 0 ? HOW : HOW.toReversed()) costs.set(how, await racer.cost(times, how));
      taken.push([costs.get("watched") ?? 0, costs.get("plain") ?? 0]);
    }
    return ratioOf(taken);
  } finally {
    racer.stop();
  }
};

type StoreBody = (connection: number, turn: number) => Buffer<ArrayBuffer>;
type StoreQuestion = { readonly name: string; readonly body: (flowIds: readonly string[]) => StoreBody };

const json = (value: object): Buffer<ArrayBuffer> => Buffer.from(JSON.stringify(value));

const STORE_QUESTIONS: readonly StoreQuestion[] = [
  {
    name: "get_flow",
    body: (flowIds) => (connection) => json({ action: "get_flow", flowId: flowIds[connection] }),
  },
  {
    name: "create_flow",
    body: () => () => json({ action: "create_flow", goal: "Review inbound queue", currentStep: "collect" }),
  },
  {
    name: "set_waiting, resume_flow",
    body: (flowIds) => (connection, turn) =>
      json({
        action: turn % 2 === 0 ? "set_waiting" : "resume_flow",
        flowId: flowIds[connection],
        expectedRevision: turn,
        currentStep: "collect",
      }),
  },
];

/** A server over SQLite, and what it is asked. */
const storeStart = (who: string, folder: string, { body }: StoreQuestion): Start => {
  const headers = { ...scenarioOf("get_flow").turns[0]?.headers, "x-forwarded-for": clientOf(0, 1) };
  return {
    file: "sqlite-server.ts",
    args: [who, mkdtempSync(join(folder, "bench-"))],
    question: (flowIds) => {
      const bodyOf = body(flowIds);
      return { asked: (connection, turn) => ({ headers, body: bodyOf(connection, turn) }), status: 200 };
    },
  };
};

/** CPU of the standalone server on SQLite in units of a bare server that runs the same statements. */
export const measureSqlite = async (
  folder: string,
  rounds: number,
): Promise<readonly Pick<Raced, "name" | "ours">[]> => {
  const measured: Pick<Raced, "name" | "ours">[] = [];
  for (const asked of STORE_QUESTIONS) {
    const starts = ["ours", "bare"].map((who) => storeStart(who, folder, asked));
    const [ours = NONE] = await raceOf(starts, rounds);
    measured.push({ name: asked.name, ours });
  }
  return measured;
};

/** CPU of the standalone server that writes an audit file and counts for metrics, in units of what it is without. */
export const measureWatched = async (
  folder: string,
  rounds: number,
): Promise<readonly { readonly name: string; readonly ratio: Ratio }[]> => {
  const measured: { readonly name: string; readonly ratio: Ratio }[] = [];
  for (const asked of STORE_QUESTIONS)
    measured.push({ name: asked.name, ratio: await raceOfWays(storeStart("watched", folder, asked), rounds) });
  return measured;
};

/** CPU of the standalone server for a page of 100 flows, with 100,000 flows of the session in units of that with 100. */
export const measurePages = async (folder: string, rounds: number): Promise<Ratio> => {
  const headers = { ...scenarioOf("get_flow").turns[0]?.headers, "x-forwarded-for": clientOf(0, 1) };
  const body = json({ action: "list_flows", limit: 100 });
  const starts = ["100000", "100"].map((count) => ({
    file: "sqlite-server.ts",
    args: ["ours", mkdtempSync(join(folder, "bench-")), count],
    question: (): Asking => ({ asked: () => ({ headers, body }), status: 200 }),
  }));
  const [ratio = NONE] = await raceOf(starts, rounds);
  return ratio;
};
