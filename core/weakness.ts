// What is allowed but weak in the routes of a Gateway, as they are written: found without reading a secret's value out.

import { isObject, own } from "./own.ts";
import { placeholderIn } from "./placeholder.ts";

/** UTF-16 units. Shorter secrets work, but the operator is warned (M-11). */
export const STRONG_SECRET_LENGTH = 16;

/** Each kind with the field at fault, what is wrong and what to do. */
export const WEAKNESSES = {
  inline: {
    field: "secret",
    sentence:
      "stands in the configuration as plain text. Keep it in the environment, a file or a store, and write a reference (source, provider, id) in its place",
  },
  short: {
    field: "secret",
    sentence: `is shorter than ${String(STRONG_SECRET_LENGTH)} characters. Use a long random one, such as openssl rand -base64 32 prints`,
  },
  shared: {
    field: "secret",
    sentence: "is the same as that of another route. Give each route its own secret",
  },
  unresolved: {
    field: "secret",
    sentence: "is a reference or an example that nothing has replaced. Set its variable, or write the secret itself",
  },
  mainSession: {
    field: "sessionKey",
    sentence:
      "is the main session of an agent, and every action is allowed. Give the route a session of its own, or confine it with actions",
  },
  unsigned: {
    field: "deliveries",
    sentence:
      "are believed by the secret alone, whatever they say. Set signature if the provider signs, or secretHeader if it sends the secret in a field of its own",
  },
} as const;

export type WeaknessKind = keyof typeof WEAKNESSES;

/** One weakness of one route. */
export type Weakness = { readonly routeId: string; readonly kind: WeaknessKind };

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value.trim() : undefined);

/** Equal for equal secrets, whether they are written out or referred to; undefined for none. */
const identityOf = (secret: unknown): string | undefined => {
  if (!isObject(secret)) return textOf(secret);
  const parts = ["source", "provider", "id"].map((name) => textOf(own(secret, name)));
  return parts.includes(undefined) ? undefined : JSON.stringify(parts);
};

const MAIN_SESSION = /^agent:[^:]+:main$/iu;

const isListed = (value: unknown): boolean => Array.isArray(value) && value.length > 0;

type Written = { readonly routeId: string; readonly route: object; readonly secret: string | undefined };

const isPlaceholder = (secret: string): boolean => placeholderIn(secret) !== undefined;

const plainOf = (route: object): string | undefined => {
  const secret = textOf(own(route, "secret"));
  return secret === undefined || secret === "" || isPlaceholder(secret) ? undefined : secret;
};

const isProved = (route: object): boolean =>
  own(route, "signature") !== undefined || own(route, "secretHeader") !== undefined;

/** `users`: how many routes have a secret. */
type Has = (written: Written, users: (secret: string) => number) => boolean;

const HAS: Readonly<Record<WeaknessKind, Has>> = {
  inline: ({ route }) => plainOf(route) !== undefined,
  short: ({ route }) => (plainOf(route)?.length ?? STRONG_SECRET_LENGTH) < STRONG_SECRET_LENGTH,
  shared: ({ secret }, users) => secret !== undefined && secret !== "" && users(secret) > 1,
  unresolved: ({ route }) => isPlaceholder(textOf(own(route, "secret")) ?? ""),
  mainSession: ({ route }) =>
    MAIN_SESSION.test(textOf(own(route, "sessionKey")) ?? "") && own(route, "actions") === undefined,
  unsigned: ({ route }) => isListed(own(route, "deliveries")) && !isProved(route),
};

//= WEAK-1
/** The weaknesses of `routes`, an object of routes by id of any shape, that are of `kinds`; disabled routes have none. */
export const weaknessesOf = (routes: unknown, kinds: readonly WeaknessKind[]): readonly Weakness[] => {
  const all = Object.entries(isObject(routes) ? routes : {}).flatMap(
    ([routeId, route]: [string, unknown]): Written[] =>
      isObject(route) && own(route, "enabled") !== false
        ? [{ routeId, route, secret: identityOf(own(route, "secret")) }]
        : [],
  );
  const bySecret = Map.groupBy(all, ({ secret }) => secret);
  const users = (secret: string): number => bySecret.get(secret)?.length ?? 0;
  return all.flatMap((written) =>
    kinds.flatMap((kind) => (HAS[kind](written, users) ? [{ routeId: written.routeId, kind }] : [])),
  );
};
