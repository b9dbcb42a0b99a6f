// All example payloads of GitHub's own package, as its deliveries.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export type GithubDelivery = { readonly event: string; readonly body: string };

/** github.com and each release of GitHub's server that the package knows. */
const FOLDER = dirname(dirname(fileURLToPath(import.meta.resolve("@octokit/webhooks-examples"))));

const definitionsIn = (folder: string) =>
  JSON.parse(readFileSync(join(FOLDER, folder, "index.json"), "utf8")) as readonly {
    readonly name: string;
    readonly examples: readonly unknown[];
  }[];

export const githubDeliveries = (): readonly GithubDelivery[] =>
  readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => definitionsIn(name))
    .flatMap(({ name, examples }) => examples.map((example) => ({ event: name, body: JSON.stringify(example) })));
