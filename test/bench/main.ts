// `npm run bench`: every figure, or the parts that are named. Ratios, for what a machine does in a microsecond is no
// business of anybody else's; but for the heads, which have a limit in microseconds.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installHost } from "../systems/gateway/harness.ts";
import { measureDeliveries } from "./deliveries.ts";
import { measureGateway, measureStarts } from "./gateway.ts";
import { measureCrowd, measureRoutes } from "./growth.ts";
import { measureHeads } from "./heads.ts";
import { measureHost } from "./host.ts";
import { measureInProcess } from "./in-process.ts";
import { measureLists } from "./lists.ts";
import { medianOf, type Ratio, show } from "./paired.ts";
import { plot } from "./plot.ts";
import { SCENARIOS } from "./scenarios.ts";
import { measurePages, measureSockets, measureSqlite, measureWatched, type Raced } from "./sockets.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const PARTS = [
  "host",
  "in-process",
  "heads",
  "growth",
  "sockets",
  "sqlite",
  "lists",
  "watched",
  "deliveries",
  "gateway",
] as const;

const USAGE = `usage: npm run bench -- [part ...] [--only <text>] [--quick] [--plot]
  parts    ${PARTS.join(", ")}; default: all, about 35 minutes
           (in-process takes three, sockets ten)
  --only   in-process and sockets: the scenarios with this text in their names
  --quick  fewer rounds
  --plot   with sockets: draws assets/performance.svg anew
Installs OpenClaw into test/systems/host (650 MB) if it is not there, for the bundled plugin.
Where the time of one scenario goes: node --no-warnings --expose-gc test/bench/profile.ts ours "get_flow, 64 clients"`;

/** Prints the usage, after the mistake if there is one, and ends. */
const explain = (mistake?: string): never => {
  console.error(mistake === undefined ? USAGE : `${mistake}\n${USAGE}`);
  return process.exit(mistake === undefined ? 0 : 2);
};

const parse = () => {
  try {
    return parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        plot: { type: "boolean", default: false },
        only: { type: "string", default: "" },
        help: { type: "boolean", default: false },
      },
      allowPositionals: true,
    });
  } catch (error) {
    return explain(error instanceof Error ? error.message : String(error));
  }
};

const { values, positionals } = parse();
if (values.help) explain();
const rounds = values.quick ? 5 : 11;
const asked = positionals.length === 0 ? PARTS : PARTS.filter((part) => positionals.includes(part));
const unknown = positionals.find((part) => !PARTS.some((known) => known === part));
if (unknown !== undefined) explain(`there is no part ${unknown}`);
if (values.plot && !asked.includes("sockets")) explain("--plot draws what sockets measures");

const scenarios = SCENARIOS.filter(({ name }) => name.includes(values.only));
if (scenarios.length === 0) explain(`there is no scenario with ${values.only} in its name`);

const show3 = ({ median, low, high }: Ratio): string =>
  `${median.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
const name = (text: string): string => text.padEnd(42);
const line = (...parts: readonly string[]): void => console.log(parts.join(""));

/** What is aimed at, beside what was measured. */
const showGoal = (goal: number | undefined): string =>
  (goal === undefined ? "" : `asked ${goal.toFixed(2)}`).padEnd(13);

const host = async (): Promise<void> => {
  line("\nThe plugin API of a real Gateway beside the stand-in for it, microseconds");
  line(name("what a plugin does"), "Gateway".padEnd(10), "stand-in");
  for (const one of await measureHost()) {
    line(name(one.name), one.gateway.toPrecision(3).padEnd(10), one.standIn.toPrecision(3));
  }
};

const inProcess = async (): Promise<void> => {
  line("\nIn process, without Node's HTTP: the floor reads, parses, asks the host and serialises");
  line(
    name("time of one request"),
    "ours ÷ bundled".padEnd(37),
    "ours ÷ floor".padEnd(24),
    "bundled ÷ floor".padEnd(24),
    "microseconds of each",
  );
  for await (const one of measureInProcess(scenarios, values.quick ? 15 : 45)) {
    const { scenario, toBundled, toFloor, bundledToFloor, microseconds } = one;
    const goal = showGoal(scenario.goals.toBundled);
    const each = microseconds.map((time) => time.toPrecision(3)).join(", ");
    line(name(scenario.name), show(toBundled), goal, show(toFloor), show(bundledToFloor), each);
  }
};

const heads = async (): Promise<void> => {
  line("\nRefusal of a head of 16 KB, all of it, microseconds");
  line(name("what fills the head"), "ours".padEnd(8), "bundled");
  for (const one of await measureHeads(values.quick ? 100 : 300)) {
    line(name(one.name), one.ours.toFixed(0).padEnd(8), one.bundled.toFixed(0));
  }
};

const growth = async (): Promise<void> => {
  line("\nThe handler at so many routes ÷ at one");
  for (const one of await measureRoutes([100, 1000, 10_000], rounds)) {
    line(name(`${one.name} at ${String(one.count)}`), show(one.ratio));
  }
  line("\n100,000 distinct clients after the table is full: growth of the heap, cost of a new client before ÷ after");
  for (const { plugin, bytes, before, after } of await measureCrowd(100_000)) {
    line(name(plugin), `${(bytes / 1024).toFixed(0)} KiB`.padEnd(14), (after / before).toFixed(2));
  }
};

const sockets = async (): Promise<void> => {
  line(
    "\nOver sockets, 8 connections, CPU of the server's process; the bare server asks the same host and answers the same",
  );
  line(name("CPU of one request"), "ours ÷ bare".padEnd(37), "bundled ÷ bare");
  const raced: Raced[] = [];
  for (const scenario of scenarios.filter(({ attributed }) => !attributed)) {
    const one = await measureSockets(scenario, rounds);
    raced.push(one);
    line(name(one.name), show(one.ours), showGoal(scenario.goals.toBare), show(one.bundled));
  }
  if (!values.plot) return;
  const bars = raced.map(({ name: of, ours, bundled }) => ({ name: of, ours: ours.median, bundled: bundled.median }));
  writeFileSync(join(ROOT, "assets", "performance.svg"), plot(bars, "CPU for one request over sockets"));
};

const sqlite = async (): Promise<void> => {
  line("\nThe standalone server on SQLite, CPU ÷ bare server running the same statements");
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  for (const one of await measureSqlite(folder, rounds)) line(name(one.name), show(one.ours));
  rmSync(folder, { recursive: true, force: true });
};

const watched = async (): Promise<void> => {
  line("\nThe standalone server with an audit file and metrics, CPU ÷ the same without");
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  for (const one of await measureWatched(folder, 4 * rounds)) line(name(one.name), show3(one.ratio));
  rmSync(folder, { recursive: true, force: true });
};

const lists = async (): Promise<void> => {
  line("\nThe standalone server on SQLite, CPU of a page of 100 flows among 100,000 ÷ among 100");
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  line(name("list_flows with limit"), show(await measurePages(folder, rounds)), showGoal(1.5));
  line("\nIn the store, with 100,000 flows of one session, milliseconds");
  for (const one of await measureLists(folder, values.quick ? 15 : 45)) {
    line(one.name.padEnd(60), one.milliseconds.toPrecision(3));
  }
  rmSync(folder, { recursive: true, force: true });
};

const deliveries = async (): Promise<void> => {
  line("\nCreates on an SQLite file, the flush to the disk included: time ÷ that of a plain create");
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  for (const one of await measureDeliveries(folder, values.quick ? 15 : 45)) line(name(one.name), show(one.ratio));
  rmSync(folder, { recursive: true, force: true });
};

const gateway = async (): Promise<void> => {
  line("\nIn a real Gateway, CPU ÷ /healthz: 401, get_flow");
  for await (const { plugin, routes, unauthorized, get } of measureGateway([1, 100, 1000])) {
    line(name(`${plugin}, ${String(routes)} routes`), unauthorized.toFixed(2).padEnd(8), get.toFixed(2));
  }
  line("\nSeconds until the Gateway is ready, with ours");
  for (const { routes, seconds } of await measureStarts([1, 10_000], values.quick ? 3 : 5)) {
    const sorted = seconds.toSorted((a, b) => a - b);
    line(
      name(`${String(routes)} routes`),
      sorted.map((one) => one.toFixed(2)).join(" "),
      `; median ${medianOf(seconds).toFixed(2)}`,
    );
  }
};

const RUN = {
  host,
  "in-process": inProcess,
  heads,
  growth,
  sockets,
  sqlite,
  lists,
  watched,
  deliveries,
  gateway,
} as const;

console.log(
  "Medians of paired rounds, in parentheses their middle half. OpenClaw is in test/systems/host, or is installed there now.",
);
const WITHOUT_HOST: ReadonlySet<string> = new Set(["lists"]);
if (asked.some((part) => !WITHOUT_HOST.has(part))) await installHost("host");
for (const part of asked) await RUN[part]();
process.exit();
