// The server that the examples of docs/integrations.md meet in tests: fresh for each, with an empty store and a folder.

import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { createNodeListener } from "../../../adapters/node/index.ts";
import { follow, members } from "../../adapters/openapi/document.ts";
import type { Section } from "../../support/markdown.ts";
import { type Env, type Ran, runIn, sections } from "./integrations.ts";

export const SECRET = "integration-secret-0123456789";
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };
const CONFIG = {
  routes: {
    demo: { sessionKey: "agent:main:demo", secret: SECRET },
    zapier: { sessionKey: "agent:main:zapier", secret: SECRET },
  },
};

export type Answer = { readonly status: number; readonly body: unknown };

const post = async (url: string, body: object): Promise<Answer> => {
  const headers = { "content-type": "application/json", authorization: `Bearer ${SECRET}` };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
};

export type Bench = {
  readonly base: string;
  /** Where commands run and leave files. */
  readonly folder: string;
  readonly section: (heading: string) => Section;
  /** The code of a section's block. */
  readonly block: (heading: string, index?: number) => string;
  /** Runs a script with the secret in its environment. */
  readonly sh: (script: string, env?: Env) => Promise<Ran>;
  /** Asks the demo route, or another URL. */
  readonly ask: (body: object, url?: string) => Promise<Answer>;
  /** The demo route's flows, newest first. */
  readonly flows: () => Promise<readonly unknown[]>;
  readonly close: () => void;
};

export const startBench = async (): Promise<Bench> => {
  const listener = createNodeListener({ config: CONFIG, flows: memoryFlows(), logger: SILENT });
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const folder = mkdtempSync(join(tmpdir(), "integrations-"));
  const section = (heading: string): Section => {
    const found = sections(base).find((one) => one.heading === heading);
    if (found === undefined) throw new Error(`no section ${heading}`);
    return found;
  };
  const ask = (body: object, url = `${base}/plugins/webhooks/demo`): Promise<Answer> => post(url, body);
  return {
    base,
    folder,
    section,
    block: (heading, index = 0) => section(heading).blocks[index]?.code ?? "",
    sh: (script, env) => runIn(folder, { OPENCLAW_WEBHOOK_SECRET: SECRET, ...env }, "sh", ["-c", script]),
    ask,
    flows: async () => Object.values(members(follow("#/result/flows", (await ask({ action: "list_flows" })).body))),
    close: () => {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true });
    },
  };
};
