// Replaces `${NAME}` in the strings of a configuration as the Gateway does: names are upper case, a variable that is
// not set or empty leaves the string as written, and `$${NAME}` stands for `${NAME}` itself.

import { isObject } from "../../../core/index.ts";
import type { Env } from "../io.ts";

/** Deeper values are left as written. */
const MAX_DEPTH = 16;

const TOKEN = /\$\$\{([A-Z_][A-Z0-9_]*)\}|\$\{([A-Z_][A-Z0-9_]*)\}/gu;

const substituteText = (text: string, env: Env): string =>
  text.replace(TOKEN, (token: string, escaped: string | undefined, name: string | undefined) =>
    escaped === undefined ? env[name ?? ""] || token : `\${${escaped}}`,
  );

/** A copy with the values replaced. Names of members stay as they are. */
export const substitute = (value: unknown, env: Env, depth = MAX_DEPTH): unknown => {
  if (typeof value === "string") return substituteText(value, env);
  if (depth === 0) return value;
  if (Array.isArray(value)) return value.map((item) => substitute(item, env, depth - 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, substitute(item, env, depth - 1)]));
};

/** Whether the value has an `$include` in it, down to MAX_DEPTH. */
export const hasInclude = (value: unknown, depth = MAX_DEPTH): boolean => {
  if (typeof value !== "object" || value === null || depth === 0) return false;
  return Object.hasOwn(value, "$include") || Object.values(value).some((item) => hasInclude(item, depth - 1));
};

const SHORTHAND = /^(?:\$\{([A-Z][A-Z0-9_]{0,127})\}|\$([A-Z][A-Z0-9_]{0,127}))$/u;

export type Shorthand = {
  readonly name: string;
  readonly text: string;
  /** Written `$NAME`, which could also be a secret that begins with a dollar sign. */
  readonly isBare: boolean;
};

/** The variable that a secret written as `${NAME}` or `$NAME` refers to. */
export const shorthandOf = (secret: unknown): Shorthand | undefined => {
  if (typeof secret !== "string") return undefined;
  const [, braced, bare] = SHORTHAND.exec(secret.trim()) ?? [];
  const name = braced ?? bare;
  return name === undefined ? undefined : { name, text: secret, isBare: braced === undefined };
};
