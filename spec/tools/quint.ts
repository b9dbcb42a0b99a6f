// Runs the model's modules: types, examples, then simulated runs with every invariant and every witness.

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./clauses.ts";

const SPEC = join(ROOT, "spec");
const QUINT = join(ROOT, "node_modules", ".bin", "quint");

/** One module: the names of what must hold in every state, and of what must be seen in some run. */
export type Module = {
  readonly name: string;
  readonly invariants: readonly string[];
  readonly witnesses: readonly string[];
};

const namesIn = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map(([, name]) => name ?? "");

export const moduleOf = (name: string, folder: string = SPEC): Module => {
  const text = readFileSync(join(folder, `${name}.qnt`), "utf8");
  const invariants = namesIn(text, /^\s*val (\w+Inv)\b/gmu);
  const witnesses = namesIn(text, /^\s*val (saw\w+)\b/gmu);
  return { name, invariants, witnesses };
};

export const modules = (folder: string = SPEC): readonly Module[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".qnt"))
    .toSorted()
    .map((file) => moduleOf(file.replace(".qnt", ""), folder));

type Finished = { readonly isOk: boolean; readonly output: string };

const quint = (args: readonly string[]): Promise<Finished> =>
  new Promise((resolve) => {
    execFile(QUINT, args, { cwd: ROOT, maxBuffer: 256 << 20 }, (error, stdout, stderr) =>
      resolve({ isOk: error === null, output: stdout + stderr }),
    );
  });

export type Plan = {
  readonly folder?: string;
  readonly seed: string;
  readonly samples: number;
  readonly steps: number;
  /** Whether the `run … Test` definitions are tried first. */
  readonly examples: boolean;
  /** How many of the runs are written as traces into `traces`. */
  readonly written: number;
  readonly traces: string;
};

const writing = ({ name }: Module, { written, traces }: Plan): readonly string[] =>
  written === 0 ? [] : [`--n-traces=${String(written)}`, `--out-itf=${join(traces, `${name}_{seq}.itf.json`)}`];

const simulate = (module: Module, file: string, plan: Plan): Promise<Finished> => {
  const { seed, samples, steps } = plan;
  const scope = [`--seed=${seed}`, `--max-samples=${String(samples)}`, `--max-steps=${String(steps)}`, "--verbosity=1"];
  const checked = ["--invariants", ...module.invariants, "--witnesses", ...module.witnesses];
  const main = ["run", file, `--main=${module.name}`, "--backend=typescript"];
  return quint([...main, ...scope, ...writing(module, plan), ...checked]);
};

/** In how many runs each witness was seen. */
const seenIn = (output: string): ReadonlyMap<string, number> =>
  new Map(
    [...output.matchAll(/^(saw\w+) was witnessed in (\d+) trace/gmu)].map(([, name, n]) => [name ?? "", Number(n)]),
  );

export type Report = { readonly module: Module; readonly problems: readonly string[]; readonly rarest: string };

const tail = (output: string): string => output.trim().split("\n").slice(-40).join("\n");

/** What is wrong with one module, or nothing; the first stage that fails ends it. */
export const check = async (module: Module, plan: Plan): Promise<Report> => {
  const file = join(plan.folder ?? SPEC, `${module.name}.qnt`);
  const failed = (stage: string, output: string): Report => ({
    module,
    problems: [`${module.name}: ${stage}\n${tail(output)}`],
    rarest: "",
  });
  const typed = await quint(["typecheck", file]);
  if (!typed.isOk) return failed("does not typecheck", typed.output);
  const tested = plan.examples
    ? await quint(["test", file, "--backend=typescript", `--seed=${plan.seed}`, "--max-samples=50"])
    : typed;
  if (!tested.isOk) return failed("an example fails", tested.output);
  const run = await simulate(module, file, plan);
  if (!run.isOk) return failed("an invariant is broken", run.output);
  const seen = seenIn(run.output);
  const [rarest] = [...seen].toSorted(([, a], [, b]) => a - b);
  return {
    module,
    problems: module.witnesses
      .filter((name) => (seen.get(name) ?? 0) === 0)
      .map((name) => `${module.name}: ${name} is never seen: the model allows less than it should`),
    rarest: rarest === undefined ? "no witness" : `${rarest[0]} in ${String(rarest[1])}`,
  };
};
