// Runs a GitHub workflow of one job as far as the documents use one: steps with run, env, id and if, one by one. A step with
// `uses` prepares the machine, and is left out.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { type Env, type Ran, runIn } from "./integrations.ts";

type Step = {
  readonly name: string;
  readonly id: string;
  readonly condition: string;
  readonly env: Env;
  readonly run: string;
};

const pairs = (lines: string): Env =>
  Object.fromEntries([...lines.matchAll(/^ *(\w+): (.*)$/gmu)].map(([, name = "", value = ""]) => [name, value]));

const stepOf = (text: string): Step => {
  const found = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? "";
  const script = found(/^ {8}run: \|\n((?:(?: {10}.*)?\n)+)/mu).replaceAll(/^ {10}/gmu, "");
  const run = script === "" ? found(/^ {8}run: (.*)$/mu) : script;
  if (run === "") throw new Error(`a step without run:\n${text}`);
  return {
    name: found(/^name: (.*)$/mu),
    id: found(/^ {8}id: (.*)$/mu),
    condition: found(/^ {8}if: (.*)$/mu),
    env: pairs(found(/^ {8}env:\n((?: {10}.*\n)+)/mu)),
    run,
  };
};

export type Runner = {
  /** Where the job works. */
  readonly folder: string;
  /** The command that takes a script's file. */
  readonly shell: string;
  readonly secrets: Env;
  /** What the machine has in its environment. */
  readonly env?: Env;
  /** The payload of the event that started the job. */
  readonly event?: object;
  /** Whether somebody has cancelled the job. */
  readonly isCancelled?: () => boolean;
  /** Runs instead of a step; returns whether it succeeded. */
  readonly instead?: Readonly<Record<string, () => Promise<boolean>>>;
};

export type Job = { readonly failed: boolean; readonly ran: readonly string[]; readonly log: string };

/** The values during a job. A missing output is an empty string, as in GitHub's expressions. */
class Context {
  readonly #runner: Runner;
  readonly #outputs = new Map<string, Env>();
  failed = false;

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  keep(id: string, written: string): void {
    const lines = written.trim().split("\n");
    this.#outputs.set(id, Object.fromEntries(lines.map((line) => [line.split("=")[0], line.split("=")[1] ?? ""])));
  }

  fill(text: string): string {
    return text.replace(/\$\{\{ (.*?) \}\}/gu, (_, expression: string) => String(this.#evaluate(expression)));
  }

  isDue({ condition }: Step): boolean {
    return condition === "" ? !this.failed : this.#evaluate(condition) === true;
  }

  #evaluate(expression: string): unknown {
    const empty = { get: (outputs: Env, name: string) => outputs[name] ?? "" };
    const steps = new Proxy(
      {},
      { get: (_, id: string) => ({ outputs: new Proxy(this.#outputs.get(id) ?? {}, empty) }) },
    );
    return runInNewContext(expression, {
      secrets: this.#runner.secrets,
      github: { event: this.#runner.event },
      steps,
      failure: () => this.failed,
      cancelled: () => this.#runner.isCancelled?.() ?? false,
    });
  }
}

/** Variables that GitHub sets for each run. */
const RUN: Env = { GITHUB_RUN_ID: "16912345678", GITHUB_RUN_ATTEMPT: "1" };

/** With errors fatal, as GitHub runs a script. */
const runStep = async (
  step: Step,
  shared: Env,
  context: Context,
  { shell, folder, env: own }: Runner,
): Promise<Ran> => {
  const [script, output, summary] = [join(folder, "script"), join(folder, "output"), join(folder, "summary")];
  writeFileSync(script, context.fill(step.run));
  writeFileSync(output, "");
  const env = Object.entries({ ...shared, ...step.env }).map(([name, value]) => [name, context.fill(value)]);
  const files = { GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary };
  const ran = await runIn(folder, { ...own, ...Object.fromEntries(env), ...RUN, ...files }, shell, ["-e", script]);
  context.keep(step.id, readFileSync(output, "utf8"));
  return ran;
};

/** Runs the job; a step that fails skips those that do not ask for it. */
export const runWorkflow = async (workflow: string, runner: Runner): Promise<Job> => {
  const context = new Context(runner);
  const shared = pairs(/^env:\n((?: {2}.*\n)+)/mu.exec(workflow)?.[1] ?? "");
  const done: (Ran & { readonly name: string })[] = [];
  for (const step of workflow
    .split(/^ {6}- /mu)
    .slice(1)
    .filter((text) => !text.startsWith("uses: "))
    .map(stepOf)) {
    if (!context.isDue(step)) continue;
    const replacement = runner.instead?.[step.name];
    const ran =
      replacement === undefined
        ? await runStep(step, shared, context, runner)
        : { status: (await replacement()) ? 0 : 1, out: "" };
    context.failed ||= ran.status !== 0;
    done.push({ name: step.name, ...ran });
  }
  return { failed: context.failed, ran: done.map(({ name }) => name), log: done.map(({ out }) => out).join("") };
};
