import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/gateway/**", "test/standalone/**", "test/host*/**", "test/replay/**", "test/exhaustive/**"],
    setupFiles: ["test/setup.ts"],
    isolate: false,
  },
});
