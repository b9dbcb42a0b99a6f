// The product's store in a running Gateway, without routes: a plugin that serves it, and the store from this side.

import { build } from "esbuild";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { err, ok, type Result } from "neverthrow";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import {
  type FlowAction,
  type Outcome,
  readSavedOutcome,
  STORE_FAILURES,
  viewFlow,
  viewFlows,
  viewSummary,
} from "../../../core/index.ts";
import { type Gateway, pack } from "./harness.ts";

const PACKAGE = {
  name: "bare-store",
  version: "1.0.0",
  private: true,
  type: "module",
  files: ["index.js", "openclaw.plugin.json"],
  openclaw: { extensions: ["./index.js"], compat: { pluginApi: ">=2026.8.2" } },
};
const MANIFEST = {
  id: "bare-store",
  name: "Bare store",
  description: "The flows of the Gateway as a store.",
  activation: { onStartup: true },
  configSchema: { type: "object", additionalProperties: false, properties: {} },
};

/** Packs the plugin; gives the tarball's path. */
export const packBareStore = async (): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "bare-store-"));
  await build({
    entryPoints: [join(import.meta.dirname, "bare-store", "plugin.ts")],
    outfile: join(folder, "index.js"),
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
  writeFileSync(join(folder, "package.json"), JSON.stringify(PACKAGE));
  writeFileSync(join(folder, "openclaw.plugin.json"), JSON.stringify(MANIFEST));
  return pack(folder);
};

type Part = {
  readonly kind?: unknown;
  readonly flow?: unknown;
  readonly flows?: unknown;
  readonly next?: string | null;
  readonly summary?: unknown;
};

const outcomeOf = (action: FlowAction, part: Part): Outcome => {
  switch (part.kind) {
    case "flow":
      return { kind: "flow", flow: part.flow === null ? null : viewFlow(part.flow)._unsafeUnwrap() };
    case "flows":
      return {
        kind: "flows",
        flows: viewFlows(part.flows)._unsafeUnwrap(),
        ...(part.next === undefined ? {} : { next: part.next }),
      };
    case "summary":
      return { kind: "summary", summary: part.summary === null ? null : viewSummary(part.summary)._unsafeUnwrap() };
    default:
      return readSavedOutcome(action, part)._unsafeUnwrap();
  }
};

/** The store that the plugin in `gateway` serves. */
export const bareStore = (gateway: Gateway): FlowStore => ({
  takesDeliveries: true,
  execute: async (owner, action, _report, delivery) => {
    const body = JSON.stringify({ owner, action, delivery });
    const response = await fetch(`${gateway.base}/bare-store`, { method: "POST", body });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${action.action}: ${String(response.status)} ${text}`);
    const { outcome, failure } = JSON.parse(text) as { outcome?: Part; failure?: unknown };
    const known = STORE_FAILURES.find((one) => one === failure);
    const answer: Result<Outcome, (typeof STORE_FAILURES)[number]> =
      known === undefined ? ok(outcomeOf(action, outcome ?? {})) : err(known);
    return answer;
  },
});
