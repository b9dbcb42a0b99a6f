// Why a route that a command names is not served, in the words of its own problems.

import { type Config, printable } from "../../../core/index.ts";
import { linesIn } from "../../bridge/told.ts";
import { explained } from "./explain.ts";
import type { ServerConfig } from "./file.ts";

/** Lines for the route with the id `id`, or that there is no such route and which there are. `file`: where the configuration stands. */
export const notServed = (file: string, id: string, server: ServerConfig, { routes, problems }: Config): string => {
  const lines = linesIn([...server.unresolved, ...explained(problems, server)].filter(({ routeId }) => routeId === id));
  if (lines.length > 0) return lines.join("\n");
  const others = [...routes.values()].map((route) => printable(route.id)).join(", ");
  const hint = others === "" ? "No route of it is served" : `It serves ${others}`;
  return `There is no route ${printable(id)} in ${printable(file, 500)}. ${hint}`;
};
