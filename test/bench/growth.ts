// What grows with the number of routes and of clients: the cost of one request, and the memory.

import { stopwatch, skewClocks } from "./clock.ts";
import { addressOf } from "./crowd.ts";
import { contestantOf } from "./in-process.ts";
import { ratioOf, type Ratio, takeTurns } from "./paired.ts";
import { loadPlugin, PLUGINS, type PluginName } from "./plugins.ts";
import { scenarioOf } from "./scenarios.ts";
import { FreshAnswers } from "./stand-in-gateway.ts";
import { ask } from "./stand-in-http.ts";

export type Growth = { readonly name: string; readonly count: number; readonly ratio: Ratio };

/** The handler's cost at so many routes, in units of its cost at one. The Gateway's own share is in `gateway.ts`. */
export const measureRoutes = async (counts: readonly number[], rounds: number): Promise<readonly Growth[]> => {
  skewClocks();
  const grown: Growth[] = [];
  for (const name of ["get_flow", "401"]) {
    const scenario = scenarioOf(name);
    const contestants = [];
    for (const count of [1, ...counts]) contestants.push(await contestantOf("ours", scenario, count));
    const taken = await takeTurns(contestants, rounds);
    for (const [index, count] of counts.entries()) {
      grown.push({
        name,
        count,
        ratio: ratioOf(taken.map((times) => [times[index + 1] ?? 0, times[0] ?? 0] as const)),
      });
    }
  }
  return grown;
};

const heap = (): number => {
  if (globalThis.gc === undefined) throw new Error("run it with --expose-gc");
  for (let times = 0; times < 4; times += 1) globalThis.gc();
  return process.memoryUsage().heapUsed;
};

export type Crowd = {
  readonly plugin: PluginName;
  /** Bytes by which the heap grew over the last clients, when the table was full already. */
  readonly bytes: number;
  /** Microseconds for a request of a client that is new, before and after the table was full. */
  readonly before: number;
  readonly after: number;
};

const FULL = 20_000;

/** `clients` distinct clients with a wrong secret, one request each, after as many as fill the table. */
export const measureCrowd = async (clients: number): Promise<readonly Crowd[]> => {
  const scenario = scenarioOf("401");
  const [asked] = scenario.turns;
  if (asked === undefined) throw new Error("nothing to ask");
  const measured: Crowd[] = [];
  for (const plugin of PLUGINS) {
    const handler = await loadPlugin(plugin, new FreshAnswers(undefined));
    const visit = async (from: number, to: number): Promise<number> => {
      const started = stopwatch();
      for (let n = from; n < to; n += 1) {
        await ask(handler, { ...asked, headers: { ...asked.headers, "x-forwarded-for": addressOf(n) } });
      }
      return ((stopwatch() - started) * 1000) / (to - from);
    };
    await visit(0, 2000);
    const before = await visit(2000, 4000);
    await visit(4000, FULL);
    const empty = heap();
    const after = await visit(FULL, FULL + clients);
    measured.push({ plugin, bytes: heap() - empty, before, after });
  }
  return measured;
};
