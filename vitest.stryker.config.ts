import { defineConfig } from "vitest/config";

/** The fast tests alone: what starts compilers or servers has nothing to say about one mutant. */
export default defineConfig({
  test: {
    include: ["test/core/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    isolate: false,
    testTimeout: 60_000,
    env: { FC_RUNS: "15", FC_NO_SHRINK: "1" },
  },
});
