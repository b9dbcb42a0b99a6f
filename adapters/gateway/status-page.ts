// The operator's page in a Gateway: a tab of its Control UI that frames a page with the Gateway's own authentication.

import { canonicalPath, STATUS_PATH } from "../../core/index.ts";
import type { StatusDocument } from "../status/document.ts";
import { type StatusPages, statusPages } from "../status/page.ts";
import type { ControlUiTab, HttpHandler, PluginApi } from "./api.ts";
import { mayRead, type ScopesOf } from "./scopes.ts";

const TAB: ControlUiTab = {
  surface: "tab",
  id: "webhooks-status",
  label: "Webhooks",
  description: "Routes, requests, flows and callbacks",
  icon: "activity",
  group: "control",
  order: 60,
  path: STATUS_PATH,
  slug: "webhooks",
  requiredScopes: ["operator.read"],
};

const isRead = (method: string | undefined): boolean => method === "GET" || method === "HEAD";

const PAGES: ReadonlyMap<string, keyof StatusPages> = new Map([
  [STATUS_PATH, "/"],
  [`${STATUS_PATH}/status.json`, "/status.json"],
]);

const HEADERS = { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" };

/** The Gateway has authenticated the sender, and asks nothing of its scopes. */
const NOT_FOR_YOU = "The page needs the scope operator.read.\n";

//= STATUS-3, GATEWAY-1
const handlerOf = (status: () => Promise<StatusDocument>, scopes: Promise<ScopesOf>): HttpHandler => {
  const pages = statusPages(status);
  return async (request, response) => {
    const scopesOf = await scopes;
    if (!mayRead(scopesOf())) {
      response.writeHead(403, HEADERS).end(NOT_FOR_YOU);
      return true;
    }
    if (!isRead(request.method)) {
      response.writeHead(405, { Allow: "GET, HEAD" }).end();
      return true;
    }
    const page = PAGES.get(canonicalPath(request.url ?? "").unwrapOr(""));
    if (page === undefined) {
      response.writeHead(404).end();
      return true;
    }
    const { status: code, headers, body } = await pages[page]();
    response.writeHead(code, { ...headers, "Content-Length": Buffer.byteLength(body) }).end(body);
    return true;
  };
};

/** A Gateway without tabs gets the page alone. */
export const offerStatusPage = (
  api: PluginApi,
  status: () => Promise<StatusDocument>,
  scopes: Promise<ScopesOf>,
): void => {
  const handler = handlerOf(status, scopes);
  // with this surface the Gateway tells the scopes that the sender has, and not those that a plugin's route usually gets
  const surface = { auth: "gateway", gatewayRuntimeScopeSurface: "trusted-operator" } as const;
  api.registerHttpRoute({ path: STATUS_PATH, match: "prefix", ...surface, handler });
  api.session?.controls?.registerControlUiDescriptor?.(TAB);
};
