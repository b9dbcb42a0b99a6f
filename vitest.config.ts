import { defineConfig, type ViteUserConfig } from "vitest/config";

type Suite = NonNullable<ViteUserConfig["test"]>;

/** Which tests run: `SUITE=model` and the like; without it, all that need neither the model nor a running Gateway. */
const SUITES: Readonly<Record<string, Suite>> = {
  tests: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/systems/{gateway,standalone,scale,package}/**", "test/model/**"],
  },
  /** The model's traces replayed over the code, and every state of the real core at a small scale. */
  model: { include: ["test/model/**/*.test.ts"], testTimeout: 300_000 },
  /** What tells about one mutant within seconds; each test that starts a compiler or replays all traces is left out. */
  "mutants-core": {
    include: ["test/core/**/*.test.ts", "test/adapters/limits/**/*.test.ts"],
    exclude: ["test/core/long-text.test.ts"],
    testTimeout: 60_000,
    env: { FC_RUNS: "15", FC_NO_SHRINK: "1" },
  },
  "mutants-adapters": {
    include: ["test/adapters/**/*.test.ts"],
    exclude: ["test/adapters/golden.test.ts", "test/adapters/openapi/**"],
    testTimeout: 60_000,
    env: { FC_RUNS: "20", FC_NO_SHRINK: "1" },
  },
};

const name = process.env["SUITE"] ?? "tests";
const suite = SUITES[name];
if (suite === undefined) throw new Error(`SUITE must be one of ${Object.keys(SUITES).join(", ")}, not ${name}`);

export default defineConfig({
  test: {
    ...suite,
    exclude: ["**/node_modules/**", ...(suite.exclude ?? [])],
    setupFiles: ["test/setup.ts"],
    isolate: false,
  },
});
