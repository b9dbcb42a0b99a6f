import { defineConfig } from "vitest/config";

/** The model's ties to the code: its traces replayed, and every state of the real core at a small scale. */
export default defineConfig({
  test: {
    include: ["test/replay/**/*.test.ts", "test/exhaustive/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    isolate: false,
    testTimeout: 300_000,
  },
});
