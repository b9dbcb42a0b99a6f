// The limits that a suite tests, and the requests that it sends them.

import {
  type Allowance,
  loadConfig,
  locate,
  type Located,
  type Routes,
  sha256,
  type Verdict,
} from "../../core/index.ts";
import type { Awaitable } from "../flows/awaitable.ts";
import type { Limits } from "../limits/limits.ts";
import { check } from "./check.ts";

export type LimitsUnderTest = {
  /** Called for each test, and each run of a property; what earlier tests have counted may still be there. */
  readonly open: () => Awaitable<Limits>;
  readonly close?: (limits: Limits) => Awaitable<void>;
  /** For limits that processes share: opens them as another process would. */
  readonly another?: () => Awaitable<Limits>;
  /** Most clients of a route that the limits count one by one; a test fills them. Default 64. */
  readonly maxClients?: number;
  /**
   * Resolves once so many milliseconds have passed by the limits' clock. Without it no window ends in the suite. The suite's own
   * clock, which it hands over with each call, has passed as many.
   */
  readonly elapse?: (ms: number) => Awaitable<void>;
  /** How often each property is tried. Default 50. */
  readonly runs?: number;
};

const SECRET = "a-secret-of-the-conformance-suite";

/** A route with limits of its own, if it has some; with a signature, if it is signed. */
export type RouteOptions = {
  readonly limits?: { readonly perMinute?: number; readonly inFlight?: number };
  readonly isSigned?: boolean;
};

let made = 0;

/** A name that no other test has used on the same limits. */
const freshId = (): string => {
  made += 1;
  return `suite-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}-${String(made)}`;
};

const routesOf = (id: string, { limits, isSigned = false }: RouteOptions): Routes => {
  const signature = isSigned ? { signature: "github" } : {};
  const route = {
    sessionKey: "agent:main:suite",
    secret: SECRET,
    ...signature,
    ...(limits === undefined ? {} : { limits }),
  };
  return loadConfig({ routes: { [id]: route } }, sha256).routes;
};

/** Makes requests of clients by number, each behind a peer by number. */
export type RequestOf = (client: number, peer?: number) => Located;

const addressOf = (network: number, number: number): string =>
  `${String(network)}.${String(number >> 16)}.${String((number >> 8) & 255)}.${String(number & 255)}`;

/** A new route, as it is configured now; `as`: the same one with another configuration. */
export type TestRoute = { readonly request: RequestOf; readonly as: (options: RouteOptions) => TestRoute };

const routeNamed = (id: string, options: RouteOptions): TestRoute => {
  const routes = routesOf(id, options);
  const request: RequestOf = (client, peer = 0) =>
    locate(routes, {
      method: "POST",
      target: `/plugins/webhooks/${id}`,
      header: () => undefined,
      client: addressOf(10, client),
      peer: addressOf(11, peer),
    }).match(
      (located) => located,
      ({ code }) => {
        throw new Error(code);
      },
    );
  return { request, as: (changed) => routeNamed(id, changed) };
};

export const freshRoute = (options: RouteOptions = {}): TestRoute => routeNamed(freshId(), options);

/** The allowance of an admitted request; throws for a refused one. */
export const allowanceIn = (verdict: Verdict): Allowance => {
  check(verdict.kind === "admitted", `the request must be admitted, not ${verdict.kind}`);
  const allowance = verdict.kind === "admitted" ? verdict.allowance : undefined;
  if (allowance === undefined) throw new Error("an admitted request must have its allowance");
  return allowance;
};

/** What is told of a request, but for times: those of the limits' clock cannot be foretold. */
export const toldIn = (verdict: Verdict): unknown => {
  if (verdict.kind !== "admitted") return verdict.kind;
  const { kind, isKnown = false, allowance } = verdict;
  const { limit, windowMs, remaining, inFlight } = allowance ?? {};
  return { kind, isKnown, limit, windowMs, remaining, inFlight };
};
