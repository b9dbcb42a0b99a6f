// A line for the operator, with what it is about.

import { type Effect, type Problem, problemLine } from "../../core/index.ts";

/** `routeId` and `effect`: undefined where the line is not about a route, or says nothing of one. */
export type Told = {
  readonly line: string;
  readonly routeId?: string | undefined;
  readonly effect?: Effect | undefined;
};

/** `line`: how the problem is told. */
export const told = (problem: Problem, line: string = problemLine(problem)): Told => ({
  line,
  routeId: problem.routeId,
  effect: problem.effect,
});

export const linesIn = (all: readonly Told[]): readonly string[] => all.map(({ line }) => line);
