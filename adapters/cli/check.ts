// `openclaw-webhooks check`: everything that is wrong with a configuration file, before it is served.

import type { Result } from "neverthrow";
import { loadConfig, printable, problemLine } from "../../core/index.ts";
import { attribution, nodePrimitives } from "../node/index.ts";
import { readConfigFile } from "./config-file.ts";
import type { CliFault } from "./fault.ts";
import { EXIT, type Io } from "./io.ts";

/** Prints each problem on a line, then a line that counts; `refused` when a route is not served or advice is due. */
export const check = async (file: string, io: Io): Promise<Result<number, CliFault>> => {
  const read = await readConfigFile(file, io.env);
  return read.map(({ config, trustedProxies, unresolved }) => {
    const { routes, problems } = loadConfig(config, nodePrimitives.sha256);
    const proxies = attribution(trustedProxies).refused.map(
      (entry) => `trustedProxies ${printable(entry)} is no address or subnet. Write it like 10.0.0.1 or 10.0.0.0/8.`,
    );
    // an unresolved secret has its own line, with the reason why
    const rest = problems.filter(({ effect }) => effect !== "cold").map(problemLine);
    const cold = problems.filter(({ effect }) => effect === "cold");
    const lines = [...unresolved, ...cold.slice(unresolved.length).map(problemLine), ...rest, ...proxies];
    for (const line of lines) io.out(`${line}\n`);
    const found = lines.length === 0 ? "no problem" : `${String(lines.length)} problem${lines.length === 1 ? "" : "s"}`;
    io.out(`${file}: ${String(routes.size)} route${routes.size === 1 ? "" : "s"} would be served, ${found}.\n`);
    return lines.length === 0 && routes.size > 0 ? EXIT.ok : EXIT.refused;
  });
};
