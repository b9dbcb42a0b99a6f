import { defineConfig } from "vitest/config";

/** What tells about one mutant of an adapter within seconds; the golden traces and real Gateways take longer. */
export default defineConfig({
  test: {
    include: ["test/adapters/**/*.test.ts", "test/core/limits.test.ts"],
    exclude: ["test/adapters/golden.test.ts"],
    setupFiles: ["test/setup.ts"],
    isolate: false,
    testTimeout: 60_000,
    env: { FC_RUNS: "20", FC_NO_SHRINK: "1" },
  },
});
