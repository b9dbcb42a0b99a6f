// The operator's page: one static file without parts of its own, and the document that it shows.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { StatusDocument } from "./document.ts";

/** An answer of the page's. `body` is UTF-8. */
export type PageAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** From the sources, and from the folders of a package. */
const PLACES = ["../../assets", "../../../assets"];

const FILE = "status.html";

const read = (): string => {
  const files = PLACES.map((place) => join(import.meta.dirname, place, FILE));
  return readFileSync(files.find((file) => existsSync(file)) ?? FILE, "utf8");
};

/** What a browser must compute to run an inline part. */
const hashOf = (html: string, tag: string): string => {
  const [, text = ""] = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, "u").exec(html) ?? [];
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
};

//= STATUS-3
/** Nothing but the page's own script and styles runs, it reads from its own host alone, and only that host may frame it. */
const policyOf = (html: string): string =>
  [
    "default-src 'none'",
    `script-src ${hashOf(html, "script")}`,
    `style-src ${hashOf(html, "style")}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join("; ");

const COMMON = { "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer" };

/** Throws when the file of the package is missing. */
export const statusPage = (): PageAnswer => {
  const body = read();
  return {
    status: 200,
    headers: { ...COMMON, "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policyOf(body) },
    body,
  };
};

export const statusJson = (document: StatusDocument): PageAnswer => ({
  status: 200,
  headers: { ...COMMON, "Content-Type": "application/json; charset=utf-8" },
  body: JSON.stringify(document),
});

/** What stands at the page's own path, and below it. */
export type StatusPages = ReadonlyMap<"/" | "/status.json", () => PageAnswer | Promise<PageAnswer>>;

/** The page, and the document that it asks for. The file is read once, when the page is first asked for. */
export const statusPages = (status: () => Promise<StatusDocument>): StatusPages => {
  let page: PageAnswer | undefined;
  return new Map<"/" | "/status.json", () => PageAnswer | Promise<PageAnswer>>([
    ["/", () => (page ??= statusPage())],
    ["/status.json", async () => statusJson(await status())],
  ]);
};
