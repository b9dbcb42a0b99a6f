// Which parts of a configuration file the command line reads: of the Gateway's own file those that decide about
// webhooks, or the bare block. Everything is as written, before `${NAME}` is replaced.

import { err, ok, type Result } from "neverthrow";
import { at, isObject, member } from "../members.ts";
import { hasInclude } from "./substitute.ts";

export type Parts = { readonly routes: unknown; readonly trustedProxies: unknown; readonly secrets: unknown };

const BARE: ReadonlySet<string> = new Set(["routes", "trustedProxies", "secrets"]);

const EXPECTED =
  "must hold an object: the Gateway's with plugins.entries.webhooks.config.routes, or one with routes and, if need be, trustedProxies and secrets, and nothing else";

const INCLUDED = "has an $include, which is not supported here: put the included text in its place";

/** What an `$include` there would bring in is unknown, so it could be anything below. */
const ABOVE = [[], ["plugins"], ["plugins", "entries"], ["gateway"]] as const;

/** `$include` in a part of the Gateway's file that is not read does no harm. */
const isIncluded = (root: object, { routes, trustedProxies, secrets }: Parts): boolean =>
  ABOVE.some((path) => member(at(root, ...path), "$include") !== undefined) ||
  [at(root, "plugins", "entries", "webhooks"), routes, trustedProxies, secrets].some((part) => hasInclude(part));

const partsOf = (root: object): Parts => {
  const secrets = member(root, "secrets");
  if (Object.hasOwn(root, "routes")) {
    return { routes: member(root, "routes"), trustedProxies: member(root, "trustedProxies"), secrets };
  }
  const webhooks = at(root, "plugins", "entries", "webhooks");
  const isOff = member(webhooks, "enabled") === false;
  const routes = isOff ? {} : at(webhooks, "config", "routes");
  return { routes, trustedProxies: at(root, "gateway", "trustedProxies"), secrets };
};

/** Errs with what is wrong with the file and what to do. */
export const configParts = (root: unknown): Result<Parts, string> => {
  if (!isObject(root)) return err(EXPECTED);
  const parts = partsOf(root);
  if (isIncluded(root, parts)) return err(INCLUDED);
  const isMixed = Object.hasOwn(root, "routes") && Object.keys(root).some((name) => !BARE.has(name));
  return isMixed || parts.routes === undefined ? err(EXPECTED) : ok(parts);
};
