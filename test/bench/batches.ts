// Creates over HTTP with `serve` of this checkout and of another one, in turns: what commits in batches bring.
// `npx tsx test/bench/batches.ts <folder of the other checkout>`, which needs its own node_modules. The slow disk is made by a
// library that is loaded before the C library and takes 5 ms for each flush, for which gcc must be there.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { stopwatch } from "./clock.ts";
import { medianOf, ratioOf, show } from "./paired.ts";
import { Caller, type Counted, CREATE } from "./raw-caller.ts";

const FLUSH_MS = 5;
const ROUNDS = 15;
const ROUND_MS = 700;
const SECRET = "batches-secret-0123456789";
const HERE = join(import.meta.dirname, "..", "..");

const SHIM = `#include <time.h>
static int slow(void) { struct timespec t = {0, ${String(FLUSH_MS)} * 1000000L}; nanosleep(&t, 0); return 0; }
int fsync(int fd) { (void)fd; return slow(); }
int fdatasync(int fd) { (void)fd; return slow(); }
`;

const folder = mkdtempSync(join(tmpdir(), "batches-"));
const shim = join(folder, "shim.so");
const config = join(folder, "config.json5");
writeFileSync(
  config,
  `{ trustedProxies: ["127.0.0.1"], routes: { bench: { sessionKey: "agent:main:bench", secret: "${SECRET}" } } }`,
);

/** False without gcc. */
const makeShim = (): boolean => {
  writeFileSync(join(folder, "shim.c"), SHIM);
  try {
    execFileSync("gcc", ["-shared", "-fPIC", "-O2", "-o", shim, join(folder, "shim.c")], { stdio: "inherit" });
    return true;
  } catch {
    return false;
  }
};

type Served = { readonly child: ChildProcess; readonly port: number };

let files = 0;
const serve = async (checkout: string, isSlow: boolean): Promise<Served> => {
  files += 1;
  const args = ["--config", config, "--db", join(folder, `${String(files)}.db`), "--port", "0"];
  const env = { ...process.env, ...(isSlow ? { LD_PRELOAD: shim } : {}) };
  const words = ["--no-warnings", join(checkout, "adapters", "cli", "main.ts"), "serve", ...args];
  const child = spawn(process.execPath, words, { cwd: checkout, env });
  return new Promise((resolve, reject) => {
    child.once("exit", () => reject(new Error(`${checkout} does not serve`)));
    createInterface(child.stderr).on("line", (line) => {
      const port = /listening on http:\/\/[^\s]*:(\d+)/u.exec(line)?.[1];
      if (port !== undefined) resolve({ child, port: Number(port) });
    });
  });
};

/** Creates per second, the median of their milliseconds, and how many were refused. */
type Round = { readonly rate: number; readonly p50: number; readonly refused: number };

const measure = async (callers: readonly Caller[]): Promise<Round> => {
  const began = stopwatch();
  const counted: readonly Counted[] = await Promise.all(callers.map((one) => one.ask(began + ROUND_MS, CREATE)));
  const taken = counted.flatMap(({ ms }) => ms);
  const refused = counted.reduce((sum, one) => sum + one.refused, 0);
  return { rate: (taken.length / (stopwatch() - began)) * 1000, p50: medianOf(taken), refused };
};

const race = async (other: string, isSlow: boolean, count: number): Promise<void> => {
  const servers = [await serve(HERE, isSlow), await serve(other, isSlow)];
  const sides = servers.map(({ port }) => Array.from({ length: count }, (_, at) => new Caller(port, SECRET, at)));
  const rounds: (readonly [Round, Round])[] = [];
  const [ours = [], theirs = []] = sides;
  for (let round = -2; round < ROUNDS; round += 1) {
    const first = await measure(round % 2 === 0 ? ours : theirs);
    const second = await measure(round % 2 === 0 ? theirs : ours);
    if (round >= 0) rounds.push(round % 2 === 0 ? [first, second] : [second, first]);
  }
  for (const one of sides.flat()) one.end();
  for (const { child } of servers) child.kill("SIGKILL");
  const rates = ratioOf(rounds.map(([our, their]) => [our.rate, their.rate] as const));
  const waits = ratioOf(rounds.map(([our, their]) => [our.p50, their.p50] as const));
  const refused = rounds.reduce((sum, [our, their]) => sum + our.refused + their.refused, 0);
  const each = [0, 1].map((at) => medianOf(rounds.map((pair) => pair[at]?.rate ?? 0)).toFixed(0)).join(", ");
  const disk = isSlow ? `${String(FLUSH_MS)} ms` : "as it is";
  const columns = [disk.padEnd(10), String(count).padEnd(9), show(rates), show(waits), each.padEnd(16)];
  console.log(`${columns.join("")}${String(refused)}`);
};

const [other] = process.argv.slice(2);
if (other === undefined) {
  console.error("usage: npx tsx test/bench/batches.ts <folder of the checkout to compare with>");
  process.exit(2);
}
console.log("Creates of this checkout ÷ of the other one: medians of paired rounds, in parentheses their middle half");
console.log("flush     callers  creates per second      milliseconds, median    per second      refused");
for (const isSlow of makeShim() ? [true, false] : [false])
  for (const count of [1, 64]) await race(other, isSlow, count);
rmSync(folder, { recursive: true, force: true });
process.exit();
