// Explains problems on the command line. A SecretRef that did not resolve already has a line that gives the reason.

import { type Problem, problemLine, problemName } from "../../../core/index.ts";
import type { ServerConfig } from "./file.ts";

/** The problem's line; undefined when `unresolved` already has a line for it. */
export const explainOf =
  ({ unresolved }: Pick<ServerConfig, "unresolved">) =>
  (problem: Problem): string | undefined => {
    const start = `route ${problemName(problem.routeId ?? "")} skipped: `;
    const isExplained = problem.effect === "cold" && unresolved.some((line) => line.startsWith(start));
    return isExplained ? undefined : problemLine(problem);
  };
