// `openclaw-webhooks check`: lists the problems of a configuration file before it is served.

import type { Result } from "neverthrow";
import {
  type Config,
  emptiness,
  explainRoute,
  loadConfig,
  own,
  printable,
  type WeaknessKind,
  withoutAgents,
  withWeaknesses,
} from "../../../core/index.ts";
import { linesIn } from "../../bridge/told.ts";
import { forwardedClient, nodePrimitives } from "../../node/index.ts";
import { readConfigFile } from "../config/file.ts";
import { allSaid } from "../config/explain.ts";
import type { CliFault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { at } from "../members.ts";

const countOf = (count: number, name: string): string => `${String(count)} ${name}${count === 1 ? "" : "s"}`;

/** What the host makes of a configuration that is loaded. `written`: the plugin's block as it stands in the file. */
export type Complete = (config: Config, written: unknown, isOfGateway: boolean) => Config;

/** A session is an agent's own only in a Gateway. */
const forServer: Complete = (config, written, isOfGateway) => {
  const kinds: readonly WeaknessKind[] = isOfGateway ? ["mainSession", "unsigned"] : ["unsigned"];
  return withWeaknesses(withoutAgents(config), written, kinds);
};

/** Prints a line for each problem, advice, route and rule, then the counts. The status is `refused` if there is a problem. */
export const check = async (
  file: string,
  io: Io,
  complete: Complete = forServer,
): Promise<Result<number, CliFault>> => {
  const read = await readConfigFile(file, io.env);
  return read.map((server) => {
    const { root } = server;
    const isOfGateway = own(root, "routes") === undefined;
    const written = isOfGateway ? at(root, "plugins", "entries", "webhooks", "config") : root;
    const loaded = complete(loadConfig(server.config, nodePrimitives.sha256), written, isOfGateway);
    const { routes } = loaded;
    const { broken, advice } = allSaid(server, loaded, forwardedClient(server.trustedProxies));
    const lines = [...linesIn(broken)];
    if (routes.size === 0 && lines.length === 0) lines.push(`${emptiness(server.config)}.`);
    for (const line of [...lines, ...linesIn(advice)]) io.out(`${line}\n`);
    for (const route of routes.values()) {
      const name = `route ${printable(route.id)}`;
      io.out(`${name} would be served at ${route.path}\n`);
      for (const line of explainRoute(route)) io.out(`${name}: ${line}\n`);
    }
    io.out(`${file}: ${countOf(routes.size, "route")}, ${countOf(lines.length, "problem")}.\n`);
    return lines.length === 0 ? EXIT.ok : EXIT.refused;
  });
};
