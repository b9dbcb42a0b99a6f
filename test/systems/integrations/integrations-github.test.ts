// The GitHub workflow of docs/integrations.md: its steps run as in GitHub's runner, against a real server.

import { execFileSync } from "node:child_process";
import { format } from "prettier";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { follow } from "../../adapters/openapi/document.ts";
import { runWorkflow } from "./github-runner.ts";
import { type Bench, SECRET, startBench } from "./integrations-server.ts";

let bench: Bench;
beforeEach(async () => {
  bench = await startBench();
});
afterEach(() => bench.close());

const isThere = (shell: string): boolean => {
  try {
    execFileSync(shell, ["-c", "exit 0"]);
    return true;
  } catch {
    return false;
  }
};

describe.each(["sh", "bash"].filter(isThere))("GitHub Actions, run by %s", (shell) => {
  const secrets = { OPENCLAW_WEBHOOK_SECRET: SECRET };
  const runner = () => ({ shell, folder: bench.folder });
  const workflow = (): string => bench.block("GitHub Actions");

  test("the workflow is valid YAML; the job passes the revision on and finishes the flow", async () => {
    expect(await format(workflow(), { parser: "yaml", printWidth: 120 })).toBe(workflow());
    const job = await runWorkflow(workflow(), { ...runner(), secrets });
    expect(job).toMatchObject({ failed: false, ran: ["Create a flow", "Deploy", "Finish the flow"] });
    expect(await bench.flows()).toMatchObject([{ status: "succeeded", revision: 1 }]);
  });

  test("work that fails fails the flow", async () => {
    const instead = { Deploy: () => Promise.resolve(false) };
    const job = await runWorkflow(workflow(), { ...runner(), secrets, instead });
    expect(job).toMatchObject({ failed: true, ran: ["Create a flow", "Deploy", "Fail the flow"] });
    expect(await bench.flows()).toMatchObject([{ status: "failed", blockedSummary: "The deployment failed." }]);
  });

  test("a refusal fails the job, with its code in the log", async () => {
    const refused = await runWorkflow(workflow(), { ...runner(), secrets: { OPENCLAW_WEBHOOK_SECRET: "wrong" } });
    expect(refused).toMatchObject({ failed: true, ran: ["Create a flow"] });
    expect(refused.log).toContain('"code":"unauthorized"');
    const Deploy = async (): Promise<boolean> => {
      const flowId = follow("#/0/flowId", await bench.flows());
      return (await bench.ask({ action: "set_waiting", flowId, expectedRevision: 0 })).status === 200;
    };
    const late = await runWorkflow(workflow(), { ...runner(), secrets, instead: { Deploy } });
    expect(late.failed).toBe(true);
    expect(late.log).toContain('"code":"revision_conflict"');
    expect(await bench.flows()).toMatchObject([{ status: "waiting", revision: 1 }]);
  });
});
