// Where `call` sends its request: below the address of a server, or to a whole URL.

import { err, ok, type Result } from "neverthrow";
import { printable } from "../../../core/index.ts";
import { type CliFault, fault } from "../fault.ts";

/** UTF-16 units. A longer URL is cut. */
const MAX_URL = 300;

//= CALL-2
/** The URL as it may be printed: without user name, password, query and fragment, which may hold a secret. */
export const shownUrl = ({ origin, pathname }: URL): string => printable(`${origin}${pathname}`, MAX_URL);

/** Plain enough to be printed back: it has no part in which a secret could stand. */
const PLAIN = /^[\w.:[\]/-]{1,300}$/u;

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//iu;

/** What is wrong with a text that should be the URL of a server, or the URL. `name`: of the option or argument. */
const httpUrl = (written: string, name: string): Result<URL, CliFault> => {
  const given = PLAIN.test(written) ? `${name} ${written}` : name;
  const scheme = SCHEME.exec(written)?.[1]?.toLowerCase();
  if (scheme === undefined)
    return err(fault(`${given} does not begin with http:// or https://. Write it like http://127.0.0.1:8787`));
  if (scheme !== "http" && scheme !== "https")
    return err(fault(`${given} begins with ${printable(scheme)}://. Only http:// and https:// can be called`));
  if (!URL.canParse(written)) return err(fault(`${given} is not a URL. Write it like http://127.0.0.1:8787`));
  const url = new URL(written);
  if (url.username !== "" || url.password !== "")
    return err(
      fault(`${name} contains a user name or password. Remove it; the secret comes from --secret-env or --secret-file`),
    );
  return url.hash === "" ? ok(url) : err(fault(`${name} has a fragment (#), which is never sent. Remove it`));
};

/** The address of a server, to which paths are appended. `option`: where it stands. */
export const baseUrl = (written: string, option: string): Result<URL, CliFault> =>
  httpUrl(written, option).andThen((url) =>
    url.search === "" ? ok(url) : err(fault(`${option} has a query (?). Remove it, because paths are appended to it`)),
  );

//= CALL-2
/** The URL of `path`, which begins with a slash, below that of the server. */
const below = (path: string, { origin, pathname }: URL): string => `${origin}${pathname.replace(/\/+$/u, "")}${path}`;

/** Where a server has its routes, in a URL that already names them. */
const ROUTES = /\/+plugins\/+webhooks(?:\/.*)?$/isu;

/** Errs when both the URL of the server and the path name the folder of the routes. */
const once = (path: string, base: URL): Result<URL, CliFault> => {
  const named = ROUTES.exec(base.pathname)?.[0];
  return named === undefined || !ROUTES.test(path.replace(/[?#].*/su, ""))
    ? ok(base)
    : err(fault(`--url is the address of the server alone. Remove ${printable(named)} from --url`));
};

/** A host with a port, or a name with dots before a slash. */
const LIKE_A_URL = /^(?:[\w.-]+|\[[\da-f:.]+\]):\d+(?:\/|$)|^[\w-]+(?:\.[\w-]+)+\//iu;

/** `route` is a whole URL, a path below `url`, or the id of a route at its default path. */
export const targetOf = (route: string, url: string): Result<URL, CliFault> => {
  if (SCHEME.test(route)) return httpUrl(route, "ROUTE");
  if (LIKE_A_URL.test(route)) {
    return err(
      fault(
        `ROUTE ${printable(route.replace(/\?.*/su, ""))} looks like a URL without http:// or https://. Add it, or give the path`,
      ),
    );
  }
  const path = route.startsWith("/") ? route : `/plugins/webhooks/${encodeURIComponent(route.toWellFormed())}`;
  return baseUrl(url, "--url")
    .andThen((base) => once(path, base))
    .andThen((base) => httpUrl(below(path, base), "ROUTE"));
};
