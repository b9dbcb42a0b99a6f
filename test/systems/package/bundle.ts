// The size of the package and where it runs: each entry point is bundled as in an application. Fails if an entry point
// that promises to run everywhere needs Node, or if a single function pulls in the whole core. Needs `dist`.

import { isBuiltin } from "node:module";
import { relative } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type BuildOptions, type Plugin } from "esbuild";
import { ENTRIES, PACKAGE, ROOT, runsEverywhere, specifier } from "./entries.ts";

type Bundle = { readonly entry: string; readonly code: string; readonly problems: readonly string[] };

/** Names that only Node has, wherever they stand in the bundle: also in a branch that asks for them first. */
const NODE_ONLY = /\bnode:\w+|\bprocess\??\.\w+|\bBuffer\b/gu;

type Report = (sentence: string) => void;

/** Keeps imports of Node's own modules out of the bundle, and tells of each. */
const builtins = (report: Report): Plugin => ({
  name: "builtins",
  setup: ({ onResolve }) =>
    onResolve({ filter: /./ }, ({ path, importer }) => {
      if (!isBuiltin(path)) return undefined;
      report(`${relative(ROOT, importer)} imports ${path}`);
      return { path, external: true };
    }),
});

/** The host brings these. */
const PEERS = Object.keys(PACKAGE.peerDependenciesMeta).flatMap((name) => [name, `${name}/*`]);

const bundleOf = async (what: BuildOptions, platform: "browser" | "node", report: Report): Promise<string> => {
  const { outputFiles } = await build({
    ...what,
    absWorkingDir: ROOT,
    outdir: "unwritten",
    write: false,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    logLevel: "error",
    external: PEERS,
    platform,
    plugins: [builtins(report)],
  });
  return (outputFiles ?? []).map(({ text }) => text).join("");
};

const portable = async (entry: string): Promise<Bundle> => {
  const imports: string[] = [];
  const code = await bundleOf({ entryPoints: [specifier(entry)] }, "browser", (sentence) => imports.push(sentence));
  const found = new Set(code.match(NODE_ONLY));
  const names = found.size === 0 ? [] : [`its bundle refers to ${[...found].join(", ")}`];
  const problems = [...imports, ...(imports.length === 0 ? names : [])];
  return { entry, code, problems: problems.map((problem) => `${entry} must run without Node, but ${problem}.`) };
};

const forNode = async (entry: string): Promise<Bundle> => {
  const code = await bundleOf({ entryPoints: [specifier(entry)] }, "node", () => undefined);
  return { entry, code, problems: [] };
};

const ONE = "sha256";

/** One function of the core alone. */
const shaken = async (core: Bundle | undefined): Promise<Bundle> => {
  const source = `export { ${ONE} } from ${JSON.stringify(specifier("."))};`;
  const code = await bundleOf({ stdin: { contents: source, resolveDir: ROOT } }, "browser", () => undefined);
  const whole = core?.code.length ?? 0;
  const problem = `${ONE} alone bundles to ${String(code.length)} of the core's ${String(whole)} bytes: something in it cannot be left out.`;
  return { entry: `. (${ONE} alone)`, code, problems: code.length * 2 > whole ? [problem] : [] };
};

const sizes = ({ entry, code }: Bundle): readonly [string, object] => [
  entry,
  { minified: Buffer.byteLength(code), gzip: gzipSync(code).length },
];

const whole = await Promise.all(ENTRIES.map((entry) => (runsEverywhere(entry) ? portable(entry) : forNode(entry))));
const bundles = [...whole, await shaken(whole.find(({ entry }) => entry === "."))];
console.table(Object.fromEntries(bundles.map(sizes)));
const problems = bundles.flatMap((bundle) => bundle.problems);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
