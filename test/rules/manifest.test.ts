import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { VERSION } from "../../adapters/cli/version.ts";
import { DESCRIPTOR } from "../../adapters/gateway/command.ts";
import { auditSchema, configSchema, routeSchema } from "../../core/index.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const read = (file: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(ROOT, file), "utf8")) as Record<string, unknown>;
const manifest = read("openclaw.plugin.json");
const pack = read("package.json");

/**
 * Drops what the Gateway's settings form cannot show, and defaults, because a single default makes the Gateway walk all
 * routes repeatedly before each check: seconds of a start with 10,000 routes.
 */
const DROPPED = ["$schema", "propertyNames", "default"];
const plain = (schema: object): unknown =>
  JSON.parse(JSON.stringify(schema, (key, value: unknown) => (DROPPED.includes(key) ? undefined : value)));

test("CONFIG-1: the manifest's schema is the core's, without references", () => {
  expect(manifest["configSchema"]).toEqual(
    plain(z.toJSONSchema(configSchema, { io: "input", target: "draft-07", reused: "inline" })),
  );
  expect(JSON.stringify(manifest["configSchema"])).not.toMatch(/\$(?:ref|defs)/u);
});

test("CONFIG-1: every field of a route has a label and a help text, and the secret is marked", () => {
  const hints = manifest["uiHints"] as Record<string, { label?: string; help?: string; sensitive?: boolean }>;
  const audit = Object.keys(auditSchema.shape).map((name) => `audit.${name}`);
  for (const field of [
    "routes",
    "audit",
    ...audit,
    ...Object.keys(routeSchema.shape).map((name) => `routes.*.${name}`),
  ]) {
    expect([field, typeof hints[field]?.label, typeof hints[field]?.help]).toEqual([field, "string", "string"]);
  }
  const sensitive = Object.entries(hints).flatMap(([path, hint]) => (hint.sensitive === true ? [path] : []));
  expect(sensitive).toEqual(["routes.*.secret", "routes.*.previousSecret", "routes.*.notify.secret"]);
});

test("ROUTE-3: an unresolved secret is isolated to its route", () => {
  expect(manifest["configContracts"]).toEqual({
    secretInputs: {
      paths: ["secret", "previousSecret", "notify.secret"].map((field) => ({
        path: `routes.*.${field}`,
        expected: "string",
        ownerKind: "route",
      })),
    },
  });
});

test("GATEWAY-2: the command that the plugin registers is the one that the manifest announces", () => {
  expect(manifest["cliCommands"]).toEqual([DESCRIPTOR]);
});

test("WEAK-1: the manifest announces the rules for the doctor", () => {
  expect(manifest["doctorContract"]).toEqual({ configRepair: true });
});

test("the command line has the package's version", () => {
  expect(VERSION).toBe(pack["version"]);
});

test("the package replaces the bundled plugin and needs no other package", () => {
  expect(manifest["id"]).toBe("webhooks");
  // npm asks the registry even for optional peers, so they are only marked, which pnpm and Yarn take for peers.
  expect(Object.keys(pack).filter((field) => /dependencies$/iu.test(field))).toEqual(["devDependencies"]);
  expect(pack["peerDependenciesMeta"]).toEqual({
    "@opentelemetry/api": { optional: true },
    "@redis/client": { optional: true },
    "fast-check": { optional: true },
    openclaw: { optional: true },
    pg: { optional: true },
  });
  expect(pack["openclaw"]).toMatchObject({
    extensions: ["./dist/adapters/gateway/plugin.js"],
    install: { minHostVersion: ">=2026.8.2" },
  });
});
