// Builds the package into `dist`, which needs no other package. The plugin and the command are one file each. For
// embedding each module is a file of its own, so that an application's bundler can leave out what it does not use; the modules of
// other packages that they use stand in `vendor`, and types are rolled up.

import { chmodSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { build, type OutputOptions, type Plugin, type RolldownPluginOption } from "rolldown";
import { dts } from "rolldown-plugin-dts";

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

/** The Gateway brings the first. The others are installed by those who test a store, have OpenTelemetry, or share limits. */
const isPeer = (name: string): boolean =>
  /^(?:openclaw|fast-check|@opentelemetry\/api|@redis\/client)(?:\/|$)/u.test(name);

const packageOf = (file: string): string | undefined => /node_modules\/((?:@[^/]+\/)?[^/]+)/u.exec(file)?.[1];

/** "node_modules/zod/index" as it stands in `dist`. */
const placeOf = (name: string): string => name.replace(/^node_modules\//u, "vendor/");

/** Writes the code of `entries`; gives the packages that it came from. */
const bundle = async (
  entries: readonly string[],
  output: OutputOptions,
  plugins: readonly RolldownPluginOption[] = [],
): Promise<readonly string[]> => {
  const { output: chunks } = await build({
    cwd: ROOT,
    input: Object.fromEntries(entries.map((entry) => [entry, join(ROOT, `${entry}.ts`)])),
    platform: "node",
    external: isPeer,
    plugins: [...plugins],
    checks: { pluginTimings: false },
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

/** zod names types for CommonJS, which cannot be bundled. Those beside them are the same, but for its translations, which nothing names. */
const zodTypes: Plugin = {
  name: "types of zod",
  resolveId: (id) => (id === "zod" ? join(MODULES, "zod", "index.d.ts") : undefined),
  load: (id) => (/\/zod\/v4\/locales\/index\.d\.c?ts$/u.test(id) ? "export {};" : undefined),
};

/** Types of all entry points, with those of the packages that they name; in few files, because a Gateway copies them with each edit. */
const types = (): Promise<readonly string[]> =>
  bundle(ENTRIES, { entryFileNames: "[name].js", chunkFileNames: "types/[name].js", minifyInternalExports: false }, [
    zodTypes,
    dts({ dtsOnly: true }),
  ]);

const write = (file: string, text: string): void => {
  mkdirSync(dirname(join(DIST, file)), { recursive: true });
  writeFileSync(join(DIST, file), text);
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
  modules: [...(await modules()), ...(await types())],
};
chmodSync(join(DIST, `${COMMAND}.js`), 0o755);
write("THIRD-PARTY-LICENSES.txt", licences(parts));
