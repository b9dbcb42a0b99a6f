// The operator's page in a Gateway: a tab of its Control UI that frames a page with the Gateway's own authentication.

import type { StatusDocument } from "../status/document.ts";
import { statusPages } from "../status/page.ts";
import type { HttpHandler, PluginApi } from "./api.ts";

/** Beside the routes, because a path below theirs would be behind no authentication of the Gateway. */
export const STATUS_PATH = "/plugins/webhooks-status";

const TAB = {
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
} as const;

const isRead = (method: string | undefined): boolean => method === "GET" || method === "HEAD";

const NAME = /\/status\.json(?:[?#]|$)/u;

//= STATUS-3
const handlerOf = (status: () => Promise<StatusDocument>): HttpHandler => {
  const pages = statusPages(status);
  return async (request, response) => {
    if (!isRead(request.method)) {
      response.writeHead(405, { Allow: "GET, HEAD" }).end();
      return true;
    }
    const page = NAME.test(request.url ?? "") ? "/status.json" : "/";
    const { status: code, headers, body } = await pages[page]();
    response.writeHead(code, { ...headers, "Content-Length": Buffer.byteLength(body) }).end(body);
    return true;
  };
};

/** A Gateway without tabs gets the page alone. */
export const offerStatusPage = (api: PluginApi, status: () => Promise<StatusDocument>): void => {
  api.registerHttpRoute({ path: STATUS_PATH, auth: "gateway", match: "prefix", handler: handlerOf(status) });
  api.session?.controls?.registerControlUiDescriptor?.(TAB);
};
