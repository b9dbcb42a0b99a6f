// npm run spec: every module of the model, with printed seeds; the traces that test/model/replay folds over the real core.
// SPEC_RUNS and SPEC_SEED make the campaign longer or another one.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./clauses.ts";
import { check, modules, type Plan } from "./quint.ts";

const PLAN: Plan = {
  seed: process.env["SPEC_SEED"] ?? "0x5eed",
  samples: Number(process.env["SPEC_RUNS"] ?? 250),
  steps: 25,
  examples: true,
  written: 200,
  traces: join(ROOT, ".cache", "spec"),
};

rmSync(PLAN.traces, { recursive: true, force: true });
mkdirSync(PLAN.traces, { recursive: true });
console.log(`${String(PLAN.samples)} runs of ${String(PLAN.steps)} steps for each module, seed ${PLAN.seed}`);

const waiting = [...modules()];
const problems: string[] = [];
const worker = async (): Promise<void> => {
  for (let module = waiting.shift(); module !== undefined; module = waiting.shift()) {
    const { rarest, ...report } = await check(module, PLAN);
    problems.push(...report.problems);
    const verdict = report.problems.length === 0 ? "holds " : "BROKEN";
    const counts = `${String(module.invariants.length)} invariants, ${String(module.witnesses.length)} witnesses`;
    console.log(`${verdict} ${module.name.padEnd(10)} ${counts}${rarest === "" ? "" : `, the rarest: ${rarest}`}`);
  }
};
await Promise.all([worker(), worker()]);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
