// Builds the package into `dist`, which needs no other package. The plugin and the command are one file each. For
// embedding each module is a file of its own, and the modules of other packages that they use stand in `vendor`.

import { chmodSync, cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { build, type OutputOptions } from "rolldown";
import ts from "typescript";

const ROOT = import.meta.dirname;
const DIST = join(ROOT, "dist");
const MODULES = join(ROOT, "node_modules");

type Manifest = {
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
};

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

const PLUGIN = "adapters/gateway/plugin";
const COMMAND = "adapters/cli/main";

/** The commands of the plugin, which only the Gateway's command line loads. They share most of their code with COMMAND. */
const IN_GATEWAY = "adapters/cli/in-gateway";

/** The Gateway finds it in `dist` by this name. */
const DOCTOR = "adapters/gateway/doctor-contract-api";

/** The sources of the package's entry points, without their ending. */
const ENTRIES: readonly string[] = Object.values(manifestOf(ROOT).exports).flatMap((entry) =>
  typeof entry === "string" ? [] : [entry.default.replace(/^\.\/dist\/(.*)\.js$/u, "$1")],
);

/** The Gateway brings the first. The others are installed by those who test a store, have OpenTelemetry, or share flows or limits. */
const isPeer = (name: string): boolean =>
  /^(?:openclaw|fast-check|@opentelemetry\/api|pg|@redis\/client)(?:\/|$)/u.test(name);

const packageOf = (file: string): string | undefined => /node_modules\/((?:@[^/]+\/)?[^/]+)/u.exec(file)?.[1];

/** "node_modules/zod/index" as it stands in `dist`. */
const placeOf = (name: string): string => name.replace(/^node_modules\//u, "vendor/");

/** Writes the code of `entries`; gives the packages that it came from. */
const bundle = async (entries: readonly string[], output: OutputOptions): Promise<readonly string[]> => {
  const { output: chunks } = await build({
    cwd: ROOT,
    input: Object.fromEntries(entries.map((entry) => [entry, join(ROOT, `${entry}.ts`)])),
    platform: "node",
    external: isPeer,
    resolve: { symlinks: false, mainFields: ["module", "main"] },
    output: { dir: DIST, format: "esm", minify: false, ...output },
  });
  const files = chunks.flatMap((chunk) => (chunk.type === "chunk" ? chunk.moduleIds : []));
  return files.map(packageOf).filter((name) => name !== undefined);
};

/** What several entries share is one file with the name of the package's command. */
const single = (entry: string, ...others: readonly string[]): Promise<readonly string[]> =>
  bundle([entry, ...others], {
    entryFileNames: "[name].js",
    chunkFileNames: ({ isDynamicEntry }) => `${dirname(entry)}/${isDynamicEntry ? "[name]" : "command"}.js`,
  });

const doctor = (): Promise<readonly string[]> => bundle([DOCTOR], { entryFileNames: `${basename(DOCTOR)}.js` });

const modules = (): Promise<readonly string[]> =>
  bundle(
    ENTRIES.filter((entry) => entry !== PLUGIN),
    { preserveModules: true, preserveModulesRoot: ROOT, entryFileNames: ({ name }) => `${placeOf(name)}.js` },
  );

const write = (file: string, text: string): void => {
  mkdirSync(dirname(join(DIST, file)), { recursive: true });
  writeFileSync(join(DIST, file), text);
};

const compilerOptions = (): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile) as { readonly config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const emit = { noEmit: false, declaration: true, emitDeclarationOnly: true, rootDir: ROOT, outDir: DIST };
  return { ...options, ...emit, preserveSymlinks: true };
};

const isOther = (name: string): boolean => !isPeer(name) && !name.startsWith("node:") && !name.startsWith(".");

/** The file with the types of a package, as seen by an importing module. */
const typesOf = (name: string, options: ts.CompilerOptions): string => {
  const from = join(ROOT, "index.ts");
  const asModule = ts.ModuleKind.ESNext;
  const { resolvedModule } = ts.resolveModuleName(name, from, options, ts.sys, undefined, undefined, asModule);
  if (resolvedModule === undefined) throw new Error(`${name} has no types that can be packed.`);
  return relative(ROOT, resolvedModule.resolvedFileName);
};

/** Writes the types of all entry points, and beside them those of the packages that they name. */
const types = (): void => {
  const options = compilerOptions();
  const entries = ENTRIES.map((entry) => join(ROOT, `${entry}.ts`));
  const program = ts.createProgram(entries, options);
  const faults = ts.getPreEmitDiagnostics(program);
  if (faults.length > 0) throw new Error(ts.formatDiagnostics(faults, ts.createCompilerHost(options)));
  const named = new Set<string | undefined>();
  program.emit(undefined, (path, text) => {
    const file = relative(DIST, path);
    const change = (whole: string, before: string, name: string): string => {
      if (!isOther(name)) return whole;
      const target = typesOf(name, options);
      named.add(packageOf(target));
      return `${before}"${relative(dirname(file), placeOf(target)).replace(/\.d\.(c?)ts$/u, ".$1js")}"`;
    };
    write(file, text.replace(/(\bfrom |\bimport\()"([^"]+)"/gu, change));
  });
  const files = program.getSourceFiles().map(({ fileName }) => relative(ROOT, fileName));
  for (const file of files.filter((name) => name.startsWith("node_modules/") && named.has(packageOf(name))))
    cpSync(join(ROOT, file), join(DIST, placeOf(file)));
};

const licences = (parts: Readonly<Record<string, readonly string[]>>): string => {
  const names = [...new Set(Object.values(parts).flat())].toSorted();
  const text = (name: string): string => {
    const folder = join(MODULES, name);
    const { version, license } = manifestOf(folder);
    const where = Object.keys(parts).filter((part) => parts[part]?.includes(name));
    const terms = globSync("LICEN[CS]E*", { cwd: folder }).map((file) =>
      readFileSync(join(folder, file), "utf8").trim(),
    );
    if (terms.length === 0) throw new Error(`${name} has no licence file, so its code must not be packed.`);
    return [`${name} ${version}, ${license}, in: ${where.join(", ")}`, ...terms].join("\n\n");
  };
  return `${names.map(text).join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
};

rmSync(DIST, { recursive: true, force: true });
const parts = {
  plugin: [...(await single(PLUGIN)), ...(await doctor())],
  command: await single(COMMAND, IN_GATEWAY),
  modules: await modules(),
};
chmodSync(join(DIST, `${COMMAND}.js`), 0o755);
types();
write("THIRD-PARTY-LICENSES.txt", licences(parts));
