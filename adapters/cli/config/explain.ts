// Explains problems on the command line. A SecretRef that did not resolve already has a line that gives the reason.

import { type Problem, problemLine, problemStart } from "../../../core/index.ts";
import type { ServerConfig } from "./file.ts";

const OF_SECRETS: readonly Problem["effect"][] = ["cold", "untold"];

/** The problem's line; undefined when `unresolved` already has a line for it, which says why. */
export const explainOf =
  ({ unresolved }: Pick<ServerConfig, "unresolved">) =>
  (problem: Problem): string | undefined => {
    const start = problemStart(problem.effect, problem.routeId);
    const isSaid = OF_SECRETS.includes(problem.effect) && unresolved.some((line) => line.startsWith(start));
    return isSaid ? undefined : problemLine(problem);
  };
