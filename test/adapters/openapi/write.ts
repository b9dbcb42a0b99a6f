// Writes the OpenAPI document to the named file, for a linter: for any route, or with `--routes` for two routes.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { openapiDocument } from "../../../adapters/openapi/document.ts";

const ROUTES = [
  { routeId: "zapier", path: "/plugins/webhooks/zapier" },
  { routeId: "CI, nightly", path: "/hooks/{ci}", actions: new Set(["create_flow", "get_flow"] as const) },
];

const [file, flag] = process.argv.slice(2);
if (file === undefined) throw new Error("usage: tsx test/adapters/openapi/write.ts <file> [--routes]");
const document = openapiDocument({ version: "0.0.0", paths: flag === "--routes" ? ROUTES : [] });
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
