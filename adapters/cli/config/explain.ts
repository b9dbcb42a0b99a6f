// What there is to say of a configuration file on the command line, and in the log of `serve`.

import type { Config, Problem } from "../../../core/index.ts";
import { told, type Told } from "../../bridge/told.ts";
import { type ForwardedClient, refusedProxy, wideProxy } from "../../node/client.ts";
import type { ServerConfig } from "./file.ts";

/** The problems, without those of secrets for which `unresolved` has a line, which says why. */
export const explained = (
  problems: readonly Problem[],
  { unresolved }: Pick<ServerConfig, "unresolved">,
): readonly Told[] =>
  problems
    .filter(({ routeId, effect }) => !unresolved.some((one) => one.routeId === routeId && one.effect === effect))
    .map((problem) => told(problem));

/** All lines, in two ways. */
export type Said = {
  /** Of each route, or other part, that is not served. */
  readonly broken: readonly Told[];
  readonly advice: readonly Told[];
  /** Of problems of the configuration, and of what is no part of it. */
  readonly explained: readonly Told[];
  readonly further: readonly Told[];
};

const isAdvice = ({ effect }: Told): boolean => effect === "advice";

const proxies = (entries: readonly string[], lineOf: (entry: string) => string): readonly Told[] =>
  entries.map((entry) => ({ line: lineOf(entry) }));

/** `config`: what `server` became. */
export const allSaid = (
  server: ServerConfig,
  config: Pick<Config, "problems">,
  client: Pick<ForwardedClient, "refused" | "wide">,
): Said => {
  const said = explained(config.problems, server);
  const [refused, wide] = [proxies(client.refused, refusedProxy), proxies(client.wide, wideProxy)];
  return {
    broken: [...server.unresolved, ...said.filter((one) => !isAdvice(one)), ...refused],
    advice: [...server.advice, ...said.filter(isAdvice), ...wide],
    explained: said,
    further: [...server.unresolved, ...server.advice, ...refused, ...wide],
  };
};
