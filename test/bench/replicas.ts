// Requests per second of one, two and three replicas of `serve` on PostgreSQL and Redis, in units of one process on SQLite and
// with limits in memory, round by round on one machine. `npx tsx test/bench/replicas.ts`; the servers are the tests' own, from
// the system's packages. All share the machine's cores with the servers and the callers, so it shows what a request costs in
// all, and not what more machines bring.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PASSWORD, PostgresServer } from "../systems/scale/postgres-server.ts";
import { RedisServer } from "../systems/scale/redis-server.ts";
import { remove, Standalone, tempFolder } from "../systems/standalone/harness.ts";
import { stopwatch } from "./clock.ts";
import { medianOf, type Ratio, ratioOf, show } from "./paired.ts";
import { Caller, CREATE } from "./raw-caller.ts";

const SECRET = "replicas-secret-0123456789";
const ROUNDS = 11;
const ROUND_MS = 700;
/** Callers at once, shared out among the replicas. */
const CALLERS = 48;

const QUESTIONS = { create_flow: CREATE, find_latest_flow: JSON.stringify({ action: "find_latest_flow" }) };

const folder = tempFolder();
const config = join(folder, "config.json");
const routes = { bench: { sessionKey: "agent:main:bench", secret: SECRET } };
writeFileSync(config, JSON.stringify({ trustedProxies: ["127.0.0.1"], routes }));

const postgres = await PostgresServer.start();
const redis = await RedisServer.start();
const db = await postgres.database();

const shared = (): Promise<Standalone> =>
  Standalone.start(["--config", config, "--db", db, "--limits", redis.url], { PGPASSWORD: PASSWORD });

type Side = { readonly name: string; readonly servers: readonly Standalone[]; readonly callers: readonly Caller[] };

let numbers = 0;
const sideOf = (name: string, servers: readonly Standalone[]): Side => {
  const callers = Array.from({ length: CALLERS }, (_, at) => {
    numbers += 1;
    return new Caller(Number(new URL(servers[at % servers.length]?.base ?? "").port), SECRET, numbers);
  });
  return { name, servers, callers };
};

const sides: Side[] = [
  sideOf("one process", [await Standalone.start(["--config", config, "--db", join(folder, "flows.db")])]),
];
for (const count of [1, 2, 3]) {
  const servers: Standalone[] = [];
  while (servers.length < count) servers.push(await shared());
  sides.push(sideOf(`${String(count)} of them`, servers));
}

/** Requests per second, and the median of their milliseconds. */
const measure = async ({ callers }: Side, body: string): Promise<readonly [rate: number, ms: number]> => {
  const began = stopwatch();
  const counted = await Promise.all(callers.map((one) => one.ask(began + ROUND_MS, body)));
  const taken = counted.flatMap(({ ms }) => ms);
  if (counted.some(({ refused }) => refused > 0)) throw new Error("a request was refused");
  return [(taken.length / (stopwatch() - began)) * 1000, medianOf(taken)];
};

console.log(`${String(CALLERS)} callers at once; replicas ÷ one process on SQLite, in parentheses the middle half`);
console.log("                  replicas     requests per second     milliseconds, median");
for (const [name, body] of Object.entries(QUESTIONS)) {
  const taken = new Map<Side, (readonly [number, number])[]>(sides.map((side) => [side, []]));
  for (let round = -2; round < ROUNDS; round += 1)
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const one = await measure(side, body);
      if (round >= 0) taken.get(side)?.push(one);
    }
  const [alone, ...others] = sides.map((side) => ({ side, rounds: taken.get(side) ?? [] }));
  for (const { side, rounds } of others) {
    const paired = (at: 0 | 1): Ratio =>
      ratioOf(rounds.map((one, round) => [one[at], alone?.rounds[round]?.[at] ?? Number.NaN] as const));
    console.log(`${name.padEnd(18)}${side.name.padEnd(13)}${show(paired(0))}${show(paired(1))}`);
  }
}

for (const { servers, callers } of sides) {
  for (const one of callers) one.end();
  for (const one of servers) await one.end("SIGKILL");
}
await redis.end();
await postgres.end();
remove(folder);
process.exit();
