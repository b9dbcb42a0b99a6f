// The package as an operator gets it: packed, then installed into an empty folder by an npm that reaches no registry and
// has nothing in its cache.

import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { deepEqual, doesNotMatch, equal, match, notEqual } from "node:assert/strict";
import { after, before, test } from "node:test";
import ts from "typescript";
import { sectionsOf } from "../../support/markdown.ts";
import { PACKAGE, ROOT } from "./entries.ts";

const HOME = mkdtempSync(join(tmpdir(), "operator-"));
const MODULES = join(HOME, "node_modules");
const INSTALLED = join(MODULES, PACKAGE.name);
const NO_REGISTRY = ["--registry=http://127.0.0.1:9", "--fetch-retries=0", `--cache=${join(HOME, "cache")}`];

const packInto = (folder: string): Buffer => {
  mkdirSync(join(HOME, folder));
  execFileSync("npm", ["pack", "--silent", "--pack-destination", join(HOME, folder)], { cwd: ROOT });
  const [tarball = ""] = readdirSync(join(HOME, folder));
  return readFileSync(join(HOME, folder, tarball));
};

before(() => {
  writeFileSync(join(HOME, "package.json"), '{"private":true}');
  writeFileSync(join(HOME, "package.tgz"), packInto("first"));
  execFileSync("npm", ["install", "--no-audit", "--no-fund", ...NO_REGISTRY, "./package.tgz"], { cwd: HOME });
});
after(() => rmSync(HOME, { recursive: true, force: true }));

const manifest = (folder: string): { readonly openclaw: { readonly extensions: readonly [string] } } =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as ReturnType<typeof manifest>;

const pluginFile = (): string => join(INSTALLED, manifest(INSTALLED).openclaw.extensions[0]);

/** What a file imports or re-exports by name, at its start or later. */
const importsOf = (file: string): readonly string[] =>
  ts.preProcessFile(readFileSync(file, "utf8"), true, true).importedFiles.map(({ fileName }) => fileName);

/** What the Gateway brings, or whoever wants it installs. */
const PEERS: readonly string[] = Object.keys(PACKAGE.peerDependenciesMeta);
const isPeer = (name: string): boolean => PEERS.some((peer) => name === peer || name.startsWith(`${peer}/`));
const isBare = (name: string): boolean => !isBuiltin(name) && !name.startsWith(".") && !isPeer(name);

test("an install asks no registry, and brings the package alone, without a native binary", () => {
  deepEqual(readdirSync(MODULES).toSorted(), [".bin", ".package-lock.json", PACKAGE.name]);
  const files = globSync("**/*", { cwd: MODULES });
  notEqual(files.length, 0);
  const logs = globSync("cache/_logs/*.log", { cwd: HOME }).map((file) => readFileSync(join(HOME, file), "utf8"));
  notEqual(logs.length, 0);
  doesNotMatch(logs.join(""), /http fetch/u);
  deepEqual(
    files.filter((file) => /rollup|\.node$/u.test(file)),
    [],
  );
});

test("no file of the package imports another package, and every file that it imports is there", () => {
  const files = globSync("dist/**/*.{js,ts,cts}", { cwd: INSTALLED }).map((file) => join(INSTALLED, file));
  const isThere = (file: string, name: string): boolean =>
    [name, name.replace(/\.(c?)js$/u, ".d.$1ts"), name.replace(/\.ts$/u, ".d.ts")].some((path) =>
      existsSync(join(dirname(file), path)),
    );
  const lost = files.flatMap((file) =>
    importsOf(file)
      .filter((name) => isBare(name) || (name.startsWith(".") && !isThere(file, name)))
      .map((name) => `${file}: ${name}`),
  );
  deepEqual(lost, []);
});

/** Registers the plugin in a stand-in Gateway, and sends one request without and one with the secret. */
const HOST = `import { once } from "node:events";
import { createServer } from "node:http";
import plugin from "./plugin.js";
const routes = [];
const pluginConfig = { routes: { ci: { sessionKey: "agent:main:main", secret: "operator-secret-0123456789" } } };
const flows = { list: () => [] };
const managedFlows = { bindSession: () => flows };
plugin.register({
  registrationMode: "full",
  pluginConfig,
  logger: console,
  runtime: { config: { current: () => ({ plugins: { entries: { webhooks: { config: pluginConfig } } } }) }, tasks: { managedFlows } },
  registerHttpRoute: (route) => routes.push(route),
  registerService: () => undefined,
});
const server = createServer((request, response) => void routes[0].handler(request, response)).listen(0, "127.0.0.1");
await once(server, "listening");
const ask = async (authorization) => {
  const headers = { authorization, "content-type": "application/json", connection: "close" };
  const url = "http://127.0.0.1:" + server.address().port + "/plugins/webhooks/ci";
  return (await fetch(url, { method: "POST", headers, body: '{"action":"list_flows"}' })).status;
};
const statuses = [await ask("Bearer wrong"), await ask("Bearer operator-secret-0123456789")];
console.log(JSON.stringify({ id: plugin.id, statuses, resolved: globalThis.resolved ?? 0 }));
server.close();
`;

test("the plugin's one file serves in a folder that has nothing else but the Gateway", () => {
  deepEqual(
    importsOf(pluginFile()).filter((name) => !isBuiltin(name)),
    [],
  );
  const folder = join(HOME, "gateway");
  const sdk = join(folder, "node_modules", "openclaw");
  mkdirSync(sdk, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  writeFileSync(join(folder, "host.js"), HOST);
  copyFileSync(pluginFile(), join(folder, "plugin.js"));
  writeFileSync(
    join(sdk, "package.json"),
    '{"type":"module","exports":{"./plugin-sdk/webhook-ingress":"./ingress.js"}}',
  );
  writeFileSync(
    join(sdk, "ingress.js"),
    "export const resolveRequestClientIp = () => ((globalThis.resolved = (globalThis.resolved ?? 0) + 1), '10.1.2.3');",
  );
  const answer = execFileSync(process.execPath, ["host.js"], { cwd: folder, encoding: "utf8" });
  const said = JSON.parse(answer.trim().split("\n").at(-1) ?? "") as { readonly id: string; readonly resolved: number };
  deepEqual([said.id, "statuses" in said && said.statuses], ["webhooks", [401, 200]]);
  notEqual(said.resolved, 0);
});

test("the command runs as it is installed", () => {
  const command = join(MODULES, ".bin", PACKAGE.name);
  match(execFileSync(command, ["--version"], { encoding: "utf8" }), /^\d+\.\d+\.\d+\n$/u);
  match(execFileSync(command, ["openapi"], { encoding: "utf8" }), /"openapi"/u);
});

test("PG-8: the command without the package pg says which one it needs for PostgreSQL, and does without it otherwise", () => {
  const command = join(MODULES, ".bin", PACKAGE.name);
  const { status, stderr } = spawnSync(command, ["serve", "--db", "postgres://127.0.0.1/x"], { encoding: "utf8" });
  equal(status, 1);
  match(stderr, /needs the package pg, which is not installed\. Run npm install pg/u);
});

const IN_GATEWAY = `
const { runInGateway } = await import(process.argv[1]);
const link = { status: () => Promise.resolve({ routes: [{ id: "a", state: "live", path: "/hooks/a", problems: [] }] }) };
process.exitCode = await runInGateway(["status"], link);
`;

test("GATEWAY-2, WEAK-1: what the Gateway's command line and its doctor load is in the package, and needs no other", () => {
  const dist = join(INSTALLED, "dist");
  const commands = join(dist, "adapters", "cli", "in-gateway.js");
  const run = ["--input-type=module", "--eval", IN_GATEWAY, commands];
  equal(execFileSync(process.execPath, run, { encoding: "utf8" }), "route a: live at /hooks/a\n");
  const doctor = readFileSync(join(dist, "doctor-contract-api.js"), "utf8");
  match(doctor, /export \{ legacyConfigRules \}/u);
  equal(/^import /mu.test(doctor), false);
  equal(doctor.length < 64 * 1024, true);
});

test("SECURITY.md says which packages are inside, and the package has their licences", () => {
  const shipped = readFileSync(join(INSTALLED, "dist", "THIRD-PARTY-LICENSES.txt"), "utf8");
  const inside = [...shipped.matchAll(/^(\S+) (\S+), (\S+), in: (.+)$/gmu)].map((line) => line.slice(1));
  const security = readFileSync(join(INSTALLED, "SECURITY.md"), "utf8");
  const section = sectionsOf(security).find(({ heading }) => heading === "What is inside");
  deepEqual(section?.rows, inside);
  equal(shipped.match(/Permission is hereby granted/gu)?.length, inside.length);
});

test("what is packed follows from the sources alone: a second build gives the same bytes, readable", () => {
  const first = readFileSync(join(HOME, "package.tgz"));
  equal(Buffer.compare(packInto("second"), first), 0);
  const lines = readFileSync(pluginFile(), "utf8").split("\n");
  equal(lines.length > 5_000, true);
});
