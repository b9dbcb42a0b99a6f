// The handlers without sockets: what a request costs the process besides Node's own HTTP.

import { bareHandler } from "./bare.ts";
import { skewClocks, tick } from "./clock.ts";
import { clientOf } from "./crowd.ts";
import { type Contestant, medianOf, ratioOf, type Ratio, takeTurns } from "./paired.ts";
import { type Handler, loadPlugin, type PluginName, underRequestScope } from "./plugins.ts";
import type { Scenario } from "./scenarios.ts";
import { FreshAnswers } from "./stand-in-gateway.ts";
import { ask, send, StandInRequest } from "./stand-in-http.ts";

export type Measured = {
  readonly scenario: Scenario;
  readonly toBundled: Ratio;
  readonly toFloor: Ratio;
  readonly bundledToFloor: Ratio;
  /** Microseconds of ours, of the bundled plugin, of the floor. */
  readonly microseconds: readonly number[];
};

/** Uses a client's window up. */
export const exhaust = async (handler: Handler, { turns, clients }: Scenario): Promise<void> => {
  const [first] = turns;
  if (first === undefined) return;
  const headers = { ...first.headers, "x-forwarded-for": clientOf(0, clients) };
  for (let sent = 0; sent < 130; sent += 1) await ask(handler, { ...first, headers });
};

const handlerOf = async (
  name: PluginName | "floor",
  scenario: Scenario,
  answers: FreshAnswers,
  routes: number,
): Promise<Handler> => {
  if (name === "floor") return bareHandler(scenario, answers);
  const handler = await loadPlugin(name, answers, routes);
  if (scenario.status === 429) await exhaust(handler, scenario);
  return scenario.attributed ? underRequestScope(handler) : handler;
};

/** Its requests, and the host's answers to them, are made before a batch is timed. */
export const contestantOf = async (name: PluginName | "floor", scenario: Scenario, routes = 1): Promise<Contestant> => {
  const { turns, clients, status } = scenario;
  const answers = new FreshAnswers(scenario.host?.gives);
  const handler = await handlerOf(name, scenario, answers, routes);
  const batch: StandInRequest[] = [];
  let turn = 0;
  const prepare = (times: number): void => {
    if (scenario.host !== undefined) answers.prepare(times);
    while (batch.length < times) {
      const { headers, body } = turns[turn % turns.length] ?? { headers: {}, body: Buffer.alloc(0) };
      batch.push(new StandInRequest({ headers: { ...headers, "x-forwarded-for": clientOf(turn, clients) }, body }));
      turn += 1;
    }
  };
  const run = async (): Promise<void> => {
    const request = batch.pop();
    if (request === undefined) throw new Error("a batch was too small");
    if (status !== 429) tick(clients);
    const answered = await send(handler, request);
    if (answered !== status) throw new Error(`${name}: ${scenario.name} answered ${String(answered)}`);
  };
  return { name, prepare, run };
};

const measure = async (scenario: Scenario, rounds: number): Promise<Measured> => {
  const contestants: Contestant[] = [];
  for (const name of ["ours", "bundled", "floor"] as const) contestants.push(await contestantOf(name, scenario));
  const taken = await takeTurns(contestants, rounds);
  const pick = (a: number, b: number) => ratioOf(taken.map((times) => [times[a] ?? 0, times[b] ?? 0] as const));
  return {
    scenario,
    toBundled: pick(0, 1),
    toFloor: pick(0, 2),
    bundledToFloor: pick(1, 2),
    microseconds: contestants.map((_, index) => medianOf(taken.map((times) => (times[index] ?? 0) * 1000))),
  };
};

/** Gives each figure when it is there. */
export async function* measureInProcess(scenarios: readonly Scenario[], rounds: number): AsyncGenerator<Measured> {
  skewClocks();
  for (const scenario of scenarios) yield measure(scenario, rounds);
}
