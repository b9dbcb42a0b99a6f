// Picks the parts of a configuration file that the command line reads, from a Gateway's whole file or from a webhooks
// block alone. The parts are as written: `${NAME}` is not replaced yet.

import { err, ok, type Result } from "neverthrow";
import { isObject, own, printable } from "../../../core/index.ts";
import { at } from "../members.ts";
import { hasInclude } from "./substitute.ts";

export type Parts = {
  readonly routes: unknown;
  readonly audit: unknown;
  readonly trustedProxies: unknown;
  readonly secrets: unknown;
};

const BLOCK: ReadonlySet<string> = new Set(["routes", "audit", "trustedProxies", "secrets"]);

/** Fields by which a Gateway's file is known. */
const GATEWAY = ["plugins", "gateway"] as const;

const ENTRY = ["plugins", "entries", "webhooks"] as const;

const EXPECTED =
  "must be an object: a Gateway's configuration with plugins.entries.webhooks.config.routes, or an object with routes and optionally audit, trustedProxies and secrets, and no other field";

export const DISABLED =
  "has enabled: false in plugins.entries.webhooks, so none of its routes is served: set it to true or remove it";

const INCLUDED = "has an $include, which is not supported here: replace it with the included text";

/** Objects above the parts that are read. An `$include` in one of them could bring in any part. */
const ABOVE = [[], ["plugins"], ["plugins", "entries"], ["gateway"]] as const;

/** Whether a part that is read has an `$include`; elsewhere in the Gateway's file it does no harm. */
const isIncluded = (root: object, { routes, audit, trustedProxies, secrets }: Parts): boolean =>
  ABOVE.some((path) => own(at(root, ...path), "$include") !== undefined) ||
  [at(root, ...ENTRY), routes, audit, trustedProxies, secrets].some((part) => hasInclude(part));

/** Where the parts are. */
const READ = [["routes"], ["audit"], ["trustedProxies"], ["secrets"], ENTRY, ["gateway", "trustedProxies"]];

/** Whether the member at `path` belongs to a part, or a part to it. */
export const isRead = (path: readonly string[]): boolean =>
  READ.some((part) => part.every((name, depth) => depth >= path.length || path[depth] === name));

const partsOf = (root: object): Parts => {
  const secrets = own(root, "secrets");
  if (Object.hasOwn(root, "routes")) {
    const [routes, audit] = [own(root, "routes"), own(root, "audit")];
    return { routes, audit, trustedProxies: own(root, "trustedProxies"), secrets };
  }
  const routes = at(root, ...ENTRY, "config", "routes");
  const audit = at(root, ...ENTRY, "config", "audit");
  return { routes, audit, trustedProxies: at(root, "gateway", "trustedProxies"), secrets };
};

/** Names the fields that a block must not have: those beside routes, or any in place of them. */
const unknownFields = (root: object): string | undefined => {
  const isBlock = Object.hasOwn(root, "routes") || !GATEWAY.some((name) => Object.hasOwn(root, name));
  const names = Object.keys(root).filter((name) => isBlock && !BLOCK.has(name));
  return names.length === 0 ? undefined : names.map((name) => printable(name)).join(", ");
};

/** The fields that are read of the secrets beside routes. A Gateway's own file may have others. */
const SECRETS: ReadonlySet<string> = new Set(["providers", "defaults", "resolution"]);
const DEFAULTS: ReadonlySet<string> = new Set(["env", "file", "exec", "store"]);

const beyond = (part: unknown, known: ReadonlySet<string>, path: string): readonly string[] =>
  Object.keys(isObject(part) ? part : {}).flatMap((name) => (known.has(name) ? [] : [`${path}.${printable(name)}`]));

/** Names the fields of `secrets` that nobody reads, with their path. */
const unknownSecrets = (secrets: unknown): readonly string[] => [
  ...beyond(secrets, SECRETS, "secrets"),
  ...beyond(own(secrets, "defaults"), DEFAULTS, "secrets.defaults"),
];

/** Errs with what is wrong and what to do. */
export const configParts = (root: unknown): Result<Parts, string> => {
  if (!isObject(root)) return err(EXPECTED);
  const parts = partsOf(root);
  if (isIncluded(root, parts)) return err(INCLUDED);
  const unknown = unknownFields(root);
  if (unknown !== undefined) return err(`has the unknown field ${unknown}. It ${EXPECTED}`);
  if (!Object.hasOwn(root, "routes") && own(at(root, ...ENTRY), "enabled") === false) return err(DISABLED);
  if (parts.routes === undefined) return err(EXPECTED);
  const secrets = Object.hasOwn(root, "routes") ? unknownSecrets(parts.secrets) : [];
  return secrets.length === 0
    ? ok(parts)
    : err(`has the unknown field ${secrets.join(", ")}: remove it or correct its name`);
};
