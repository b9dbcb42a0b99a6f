// The canonical form of a request target, as the Gateway computes it, so that all spellings of a path are one path. Only a
// second slash at the start is no host name here, because clients join a base URL that ends in a slash with a path.

import { err, ok, Result } from "neverthrow";

/** UTF-16 units. Longer paths have no route, which bounds the work before authentication. */
export const MAX_PATH_LENGTH = 2048;

const MAX_DECODES = 32;
const ABSOLUTE_FORM = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\\]+/iu;
const IGNORED = /[\t\n\r]/gu;
const SINGLE_DOT = /^(?:\.|%2e)$/iu;
const DOUBLE_DOT = /^(?:\.|%2e){2}$/iu;
const DOTS_AT_END = /\/(?:\.|%2e){1,2}$/iu;
const QUERY = /[?#].*/su;

/** A request target without the scheme and host of its absolute form. */
export const withoutOrigin = (target: string): string => target.replace(ABSOLUTE_FORM, "");

const decode = Result.fromThrowable(decodeURIComponent, () => "malformed" as const);

/** Drops control characters and spaces at the end, as a URL parser does. Ends at the slash that a path begins with. */
const withoutEnd = (path: string): string => {
  let to = path.length;
  while (path.charCodeAt(to - 1) <= 0x20) to -= 1;
  return path.slice(0, to);
};

//= ROUTE-1
/**
 * Resolves dot segments as a URL parser does: encoded dots count as dots, empty segments count as segments, and a path that
 * ends in dots ends in a slash. May leave more slashes at the start, where one is as good as many.
 */
const resolveDots = (path: string): string => {
  const kept: string[] = [];
  const plain = path.replace(IGNORED, "").replaceAll("\\", "/");
  for (const segment of plain.split("/")) {
    if (DOUBLE_DOT.test(segment)) kept.pop();
    else if (!SINGLE_DOT.test(segment)) kept.push(segment);
  }
  return `/${kept.join("/")}${DOTS_AT_END.test(plain) ? "/" : ""}`;
};

/** Lower case, no query, dot segments resolved, single slashes, no slash at the end. */
const normalise = (path: string): string => {
  const segments = resolveDots(withoutEnd(path).replace(QUERY, "")).toLowerCase().split("/");
  return `/${segments.filter((segment) => segment !== "").join("/")}`;
};

const decodeFully = (path: string): Result<string, "malformed"> => {
  let current = path;
  for (let pass = 0; pass < MAX_DECODES; pass += 1) {
    const next = decode(current);
    if (next.isErr()) return err(next.error);
    if (next.value === current) return ok(current);
    current = next.value;
  }
  return err("malformed");
};

//= ROUTE-1, LIMIT-7
/**
 * The canonical path of a raw request target (origin or absolute form, RFC 9112 §3.2). In origin form nothing is a host,
 * however many slashes come first. Errs on broken or endless percent-encoding, on targets without a path (`*`) and on
 * paths of more than 2,048 units.
 */
export const canonicalPath = (target: string): Result<string, "malformed"> => {
  const query = target.search(/[?#]/u);
  const raw = withoutOrigin(query < 0 ? target : target.slice(0, query)) || "/";
  if (raw.length > MAX_PATH_LENGTH || !/^[/\\]/u.test(raw)) return err("malformed");
  return decodeFully(resolveDots(raw)).map(normalise);
};
