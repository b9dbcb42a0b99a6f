// Picks the parts of a configuration file that the command line reads, from a Gateway's whole file or from a webhooks
// block alone. The parts are as written: `${NAME}` is not replaced yet.

import { err, ok, type Result } from "neverthrow";
import { isObject, own } from "../../../core/index.ts";
import { at } from "../members.ts";
import { hasInclude } from "./substitute.ts";

export type Parts = { readonly routes: unknown; readonly trustedProxies: unknown; readonly secrets: unknown };

const BLOCK: ReadonlySet<string> = new Set(["routes", "trustedProxies", "secrets"]);

const EXPECTED =
  "must be an object: a Gateway's configuration with plugins.entries.webhooks.config.routes, or an object with routes and optionally trustedProxies and secrets, and no other field";

const INCLUDED = "has an $include, which is not supported here: replace it with the included text";

/** Objects above the parts that are read. An `$include` in one of them could bring in any part. */
const ABOVE = [[], ["plugins"], ["plugins", "entries"], ["gateway"]] as const;

/** Whether a part that is read has an `$include`; elsewhere in the Gateway's file it does no harm. */
const isIncluded = (root: object, { routes, trustedProxies, secrets }: Parts): boolean =>
  ABOVE.some((path) => own(at(root, ...path), "$include") !== undefined) ||
  [at(root, "plugins", "entries", "webhooks"), routes, trustedProxies, secrets].some((part) => hasInclude(part));

const partsOf = (root: object): Parts => {
  const secrets = own(root, "secrets");
  if (Object.hasOwn(root, "routes")) {
    return { routes: own(root, "routes"), trustedProxies: own(root, "trustedProxies"), secrets };
  }
  const webhooks = at(root, "plugins", "entries", "webhooks");
  const isOff = own(webhooks, "enabled") === false;
  const routes = isOff ? {} : at(webhooks, "config", "routes");
  return { routes, trustedProxies: at(root, "gateway", "trustedProxies"), secrets };
};

/** Errs with what is wrong and what to do. */
export const configParts = (root: unknown): Result<Parts, string> => {
  if (!isObject(root)) return err(EXPECTED);
  const parts = partsOf(root);
  if (isIncluded(root, parts)) return err(INCLUDED);
  const isMixed = Object.hasOwn(root, "routes") && Object.keys(root).some((name) => !BLOCK.has(name));
  return isMixed || parts.routes === undefined ? err(EXPECTED) : ok(parts);
};
