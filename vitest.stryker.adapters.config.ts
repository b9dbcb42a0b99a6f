import { defineConfig } from "vitest/config";

/**
 * What tells about one mutant of an adapter within seconds; the golden traces and real Gateways take longer. Not mutated:
 * the suites of `conformance`, which are tests themselves (every store that passes them is), the texts and tables of the
 * OpenAPI document, which its own tests compare with the core's schemas and with real replies, and the commands of the
 * command line, which join what is mutated to a process and are mostly words (test/adapters/cli, test/standalone).
 */
export default defineConfig({
  test: {
    include: ["test/adapters/**/*.test.ts", "test/core/limits.test.ts"],
    exclude: ["test/adapters/golden.test.ts", "test/adapters/openapi*.test.ts"],
    setupFiles: ["test/setup.ts"],
    isolate: false,
    testTimeout: 60_000,
    env: { FC_RUNS: "20", FC_NO_SHRINK: "1" },
  },
});
