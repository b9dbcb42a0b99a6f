// The package as an application gets it: packed, unpacked beside only its peers, then compiled against
// and run. Entry points that run everywhere must compile without Node's types. Needs `dist`.

import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { asPackage, ENTRIES, PACKAGE, ROOT, runsEverywhere, specifier } from "./entries.ts";

const HOME = mkdtempSync(join(tmpdir(), "consumer-"));
const MODULES = join(HOME, "node_modules");
const BIN = join(ROOT, "node_modules", ".bin");

/** Runs a command in the application's folder; when it fails, the sentence follows its own words. */
const run = (sentence: string, command: string, args: readonly string[], cwd: string = HOME): boolean => {
  const isOk = spawnSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] }).status === 0;
  if (!isOk) console.error(sentence);
  return isOk;
};

const write = (file: string, text: string): void => {
  mkdirSync(dirname(join(HOME, file)), { recursive: true });
  writeFileSync(join(HOME, file), text);
};

const unpack = (): boolean => {
  const into = join(MODULES, PACKAGE.name);
  mkdirSync(into, { recursive: true });
  const pack = ["pack", "--ignore-scripts", "--silent", "--pack-destination", HOME];
  if (!run("npm cannot pack the package.", "npm", pack, ROOT)) return false;
  const packed = readdirSync(HOME).filter((file) => file.endsWith(".tgz"));
  return run("The packed package cannot be unpacked.", "tar", ["-xzf", ...packed, "--strip-components=1", "-C", into]);
};

const link = (names: readonly string[]): void => {
  for (const name of names) {
    const [from, to] = [join(ROOT, "node_modules", name), join(MODULES, name)];
    mkdirSync(dirname(to), { recursive: true });
    if (existsSync(from)) symlinkSync(from, to, "junction");
  }
};

/** Only these packages are installed, so an import of an undeclared package fails, as in an application. */
const DECLARED = Object.keys(PACKAGE.peerDependenciesMeta);

/** Imports everything that an entry point exports. */
const importing = (entry: string): string => `import * as all from "${specifier(entry)}";
const names: readonly string[] = Object.keys(all);
if (names.length === 0) throw new Error("${specifier(entry)} exports nothing");
`;

/** Exported without annotations: an application that writes declarations must be able to name our types. */
const EVERYWHERE = `import { type AuditEvent, sha256 } from "${specifier(".")}";
import { createFetchHandler } from "${specifier("./fetch")}";
import { MemoryLimits } from "${specifier("./bridge")}";
import { memoryFlows } from "${specifier("./memory")}";
export const limits = new MemoryLimits();
export const flows = memoryFlows();
export const answers: AuditEvent[] = [];
const config = { routes: { ci: { sessionKey: "ci", secret: "consumer-secret-0123456789" } } };
export const webhooks = createFetchHandler({ config, flows, onEvent: (event) => void answers.push(event) });
const response: Response = await webhooks(
  new Request("https://hooks.example/plugins/webhooks/ci", {
    method: "POST",
    headers: { authorization: "Bearer consumer-secret-0123456789", "content-type": "application/json" },
    body: '{"action":"create_flow","goal":"Review"}',
  }),
);
const first: AuditEvent | undefined = answers[0];
if (response.status !== 200 || first?.action !== "create_flow") throw new Error(await response.text());
if (sha256(new Uint8Array()).length !== 32) throw new Error("sha256 does not hash");
`;

const EXAMPLES = readdirSync(join(ROOT, "test", "examples")).filter((file) => !file.endsWith(".test.ts"));

/** The others are parts of a host, or a receiver of callbacks, which takes no actions: they must compile. */
const SERVERS = EXAMPLES.filter((file) => {
  const text = readFileSync(join(ROOT, "test", "examples", file), "utf8");
  return text.includes("export const server") && !text.includes("standardwebhooks");
});

/** Starts each example that is a server and has it create a flow. */
const RUN_EXAMPLES = `import { once } from "node:events";
process.env["CI_SECRET"] = "consumer-secret-0123456789";
process.env["PORT"] = "0";
process.env["CALLBACK_URL"] = "http://127.0.0.1:9/told";
process.env["CALLBACK_SECRET"] = "whsec_" + Buffer.alloc(32, 7).toString("base64");
const headers = { authorization: "Bearer consumer-secret-0123456789", "content-type": "application/json" };
for (const load of [${SERVERS.map((file) => `() => import("./${file.replace(".ts", ".js")}")`).join(", ")}]) {
  const { server } = await load();
  if (!server.listening) await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const url = \`http://127.0.0.1:\${String(port)}/plugins/webhooks/ci\`;
  const body = '{"action":"create_flow","goal":"Review"}';
  const response = await fetch(url, { method: "POST", headers: { ...headers, connection: "close" }, body });
  if (response.status !== 200) throw new Error(\`\${load.toString()}: \${await response.text()}\`);
  server.close();
}
`;

type Project = {
  readonly folder: string;
  readonly files: Readonly<Record<string, string>>;
  readonly types: readonly string[];
  /** What the application has besides the package; those before it had less. */
  readonly packages: readonly string[];
  /** Whether declarations that are not the application's are checked too. */
  readonly checksLibraries: boolean;
};

const fileOf = (entry: string): string => (entry === "." ? "core.ts" : `${entry.slice(2)}.ts`);

const imports = (entries: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(entries.map((entry) => [fileOf(entry), importing(entry)]));

const exampleFiles = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    EXAMPLES.map((file) => [file, asPackage(readFileSync(join(ROOT, "test", "examples", file), "utf8"))]),
  );

const PROJECTS: readonly Project[] = [
  {
    folder: "everywhere",
    files: { ...imports(ENTRIES.filter(runsEverywhere)), "use.ts": EVERYWHERE },
    types: [],
    packages: [],
    checksLibraries: true,
  },
  {
    folder: "node",
    files: imports(ENTRIES.filter((entry) => !runsEverywhere(entry))),
    types: ["node"],
    packages: ["@types/node"],
    checksLibraries: true,
  },
  {
    folder: "examples",
    files: { ...exampleFiles(), "run.ts": RUN_EXAMPLES },
    types: ["node"],
    packages: ["@types/express", "@hono/node-server", "express", "fastify", "hono", "standardwebhooks"],
    checksLibraries: false,
  },
];

const compile = ({ folder, files, types, packages, checksLibraries }: Project): boolean => {
  link(packages);
  const compilerOptions = {
    target: "es2024",
    lib: ["es2024", "dom"],
    module: "nodenext",
    strict: true,
    declaration: true,
    types,
    skipLibCheck: !checksLibraries,
    rootDir: ".",
    outDir: "out",
  };
  write(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  for (const [file, text] of Object.entries(files)) write(join(folder, file), text);
  return run(`An application (${folder}) does not compile against the package.`, join(BIN, "tsc"), ["-p", folder]);
};

/** The examples are run by their runner. */
const programs = ({ folder, files }: Project): readonly string[] =>
  (folder === "examples" ? ["run.ts"] : Object.keys(files)).map((file) =>
    join(folder, "out", file.replace(".ts", ".js")),
  );

const execute = (program: string): boolean =>
  run(`${program} does not run against the package.`, process.execPath, [program]);

const check = (): boolean => {
  write("package.json", '{"type":"module","private":true}');
  link(DECLARED);
  return unpack() && PROJECTS.every((project) => compile(project) && programs(project).every(execute));
};

try {
  const isOk = check();
  if (isOk) console.log(`${ENTRIES.map(specifier).join(", ")}: packed, compiled against, run; so are the examples.`);
  process.exitCode = isOk ? 0 : 1;
} finally {
  rmSync(HOME, { recursive: true, force: true });
}
