// Where the time of one request goes: `node --no-warnings --expose-gc test/bench/profile.ts <ours|bundled> <scenario>`,
// for example `… ours "get_flow, 4,000 clients"`. Prints the functions with the most self time, in microseconds of a
// request. A function that the compiler put into its caller counts as its caller.

import { type Profiler, Session } from "node:inspector/promises";
import { skewClocks, stopwatch } from "./clock.ts";
import { contestantOf } from "./in-process.ts";
import { scenarioOf } from "./scenarios.ts";

const WARM_UP_MS = 3000;
const PROFILED_MS = 4000;

/** Requests that are made ready at a time. */
const BATCH = 500;
const SHOWN = 30;

const [plugin = "ours", wanted] = process.argv.slice(2);
if (plugin !== "ours" && plugin !== "bundled") throw new Error("ours or bundled");

skewClocks();
const scenario = scenarioOf(wanted);
const { prepare, run } = await contestantOf(plugin, scenario);
const isLarge = scenario.name.includes("200 KB") || scenario.name.startsWith("list");
const batch = isLarge ? 20 : BATCH;

/** A name of its own, so that what makes requests ready is told apart from what answers them. */
const ready = (): void => prepare?.(batch);

const runFor = async (milliseconds: number): Promise<{ readonly requests: number; readonly busy: number }> => {
  const ends = stopwatch() + milliseconds;
  let requests = 0;
  let busy = 0;
  while (stopwatch() < ends) {
    ready();
    const started = stopwatch();
    for (let sent = 0; sent < batch; sent += 1) await run();
    busy += stopwatch() - started;
    requests += batch;
  }
  return { requests, busy };
};

const nameOf = ({ callFrame }: Profiler.ProfileNode): string => {
  const { functionName, url, lineNumber } = callFrame;
  const file = url.split("/").slice(-2).join("/");
  return `${functionName || "(anonymous)"} ${file}${file === "" ? "" : `:${String(lineNumber + 1)}`}`;
};

type Times = { self: number; total: number };

/** Microseconds by function, alone and with what it calls; without what makes requests ready. */
const timesOf = ({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): ReadonlyMap<string, Times> => {
  const stacks = new Map<number, readonly string[]>();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const note = (node: Profiler.ProfileNode, above: readonly string[]): void => {
    const stack = [...above, nameOf(node)];
    stacks.set(node.id, stack);
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined && child.callFrame.functionName !== "ready") note(child, stack);
    }
  };
  const [root] = nodes;
  if (root !== undefined) note(root, []);
  const times = new Map<string, Times>();
  for (const [index, id] of samples.entries()) {
    const stack = stacks.get(id) ?? [];
    const time = timeDeltas[index] ?? 0;
    for (const name of new Set(stack)) {
      const known = times.get(name) ?? { self: 0, total: 0 };
      times.set(name, known);
      known.total += time;
      if (name === stack.at(-1)) known.self += time;
    }
  }
  return times;
};

await runFor(WARM_UP_MS);
const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.setSamplingInterval", { interval: 100 });
await session.post("Profiler.start");
const { requests, busy } = await runFor(PROFILED_MS);
const { profile } = await session.post("Profiler.stop");

console.log(`${plugin}, ${scenario.name}: ${((busy * 1000) / requests).toFixed(2)} microseconds a request, profiled`);
const sorted = [...timesOf(profile)].toSorted(([, a], [, b]) => b.self - a.self);
console.log("     self    with what it calls");
const shown = (time: number): string => (time / requests).toFixed(3).padStart(9);
for (const [name, { self, total }] of sorted.slice(0, SHOWN)) console.log(`${shown(self)} ${shown(total)}  ${name}`);
process.exit();
