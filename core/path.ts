// A request target's canonical form, as the Gateway computes it, so that every spelling of a path is one path.

import { err, ok, Result } from "neverthrow";

/** Longer paths name no route; bounds the work before authentication. UTF-16 units. */
export const MAX_PATH_LENGTH = 2048;

const MAX_DECODES = 32;
const ABSOLUTE_FORM = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\\]*/iu;
const IGNORED = /[\t\n\r]/gu;
const SINGLE_DOT = /^(?:\.|%2e)$/iu;
const DOUBLE_DOT = /^(?:\.|%2e){2}$/iu;
const QUERY = /[?#].*/su;

const decode = Result.fromThrowable(decodeURIComponent, () => "malformed" as const);

/** Without control characters and spaces at the end, as a URL parser drops them; a path begins with a slash. */
const withoutEnd = (path: string): string => {
  let to = path.length;
  while (path.charCodeAt(to - 1) <= 0x20) to -= 1;
  return path.slice(0, to);
};

//= ROUTE-1
/** Resolves dot segments as a URL parser does: also where they are encoded, and counting empty segments. */
const resolveDots = (path: string): string => {
  const kept: string[] = [];
  for (const segment of path.replace(IGNORED, "").replaceAll("\\", "/").split("/").slice(1)) {
    if (DOUBLE_DOT.test(segment)) kept.pop();
    else if (!SINGLE_DOT.test(segment)) kept.push(segment);
  }
  return `/${kept.join("/")}`;
};

/** Lower case, no query, dot segments resolved, single slashes, no slash at the end. */
const normalise = (path: string): string => {
  const segments = resolveDots(withoutEnd(path.replace(QUERY, "")))
    .toLowerCase()
    .split("/");
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
 * The canonical path of a raw request target (origin or absolute form, RFC 9112 §3.2). Errs on broken or endless
 * percent-encoding, on targets that name no path of this server (`//host/…`, `*`) and on paths over 2,048 units.
 */
export const canonicalPath = (target: string): Result<string, "malformed"> => {
  const query = target.search(/[?#]/u);
  const raw = (query < 0 ? target : target.slice(0, query)).replace(ABSOLUTE_FORM, "") || "/";
  if (raw.length > MAX_PATH_LENGTH || !/^[/\\](?![/\\])/u.test(raw)) return err("malformed");
  return decodeFully(resolveDots(raw)).map(normalise);
};
