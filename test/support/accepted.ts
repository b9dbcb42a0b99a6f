// What the core makes of one request to a route, without a bridge around it.

import type { Result } from "neverthrow";
import {
  accept,
  admit,
  type Command,
  locate,
  ok,
  prove,
  type Rejection,
  type Route,
  type Routes,
  sha256,
} from "../../core/index.ts";
import { bytes, head, load, primitives } from "../core/arbitraries.ts";

const SECRET = "secret-of-a-confined-route-0123";
export const PATH = "/plugins/webhooks/r";

/** The routes of a configuration with one route, `r`. */
export const routesWith = (fields: object): Routes => {
  const { routes, problems } = load({ routes: { r: { sessionKey: "agent:main:main", secret: SECRET, ...fields } } });
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return routes;
};

export const routeIn = (routes: Routes): Route => {
  const route = routes.get(PATH);
  if (route === undefined) throw new Error("no route");
  return route;
};

/** The command that a body with the secret becomes; undefined when it asks for nothing. */
export const accepted = (
  routes: Routes,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Result<Command | undefined, Rejection> => {
  const request = head({
    target: PATH,
    headers: { "content-type": "application/json", authorization: `Bearer ${SECRET}`, ...headers },
  });
  return locate(routes, request)
    .andThen((located) => admit(located, { kind: "admitted" }, sha256, 0))
    .andThen((admitted) => prove(admitted, ok(bytes(JSON.stringify(body))), primitives.hmacSha256))
    .andThen((proved) => accept(proved, primitives, 0));
};
