// Explains problems on the command line. A SecretRef that did not resolve already has a line that gives the reason.

import { type Problem, problemLine, problemName } from "../../../core/index.ts";
import type { ServerConfig } from "./file.ts";

/** The problem's line; undefined when `unresolved` or `advice` already has a line for it, which says why. */
export const explainOf =
  ({ unresolved, advice }: Pick<ServerConfig, "unresolved" | "advice">) =>
  (problem: Problem): string | undefined => {
    const name = `route ${problemName(problem.routeId ?? "")}`;
    const isSaid =
      problem.effect === "cold"
        ? unresolved.some((line) => line.startsWith(`${name} skipped: `))
        : problem.field === "notify.secret" &&
          advice.some((line) => line.startsWith(`${name} advice: notify.secret could not be resolved`));
    return isSaid ? undefined : problemLine(problem);
  };
