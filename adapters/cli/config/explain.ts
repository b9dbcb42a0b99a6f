// What is said of a problem here: a SecretRef that did not resolve has its own line, with the reason why.

import { printable, type Problem, problemLine } from "../../../core/index.ts";
import type { ServerConfig } from "./file.ts";

/** The problem's line; undefined when the configuration's reader has said it better. */
export const explainOf =
  ({ unresolved }: Pick<ServerConfig, "unresolved">) =>
  (problem: Problem): string | undefined => {
    const start = `route ${printable(problem.routeId ?? "")} skipped: `;
    const isSaid = problem.effect === "cold" && unresolved.some((line) => line.startsWith(start));
    return isSaid ? undefined : problemLine(problem);
  };
