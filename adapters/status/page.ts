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

const html = (body: string, policy: string): PageAnswer => ({
  status: 200,
  headers: { ...COMMON, "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy },
  body,
});

const json = (body: string): PageAnswer => ({
  status: 200,
  headers: { ...COMMON, "Content-Type": "application/json; charset=utf-8" },
  body,
});

/** Where the document stands in the page. */
const PLACE = /(<script type="application\/json" id="status">)\s*null\s*(?=<\/script>)/u;

//= STATUS-3
/** No text of the document can end the element that it stands in. */
const inMarkup = (document: StatusDocument): string => JSON.stringify(document).replaceAll("<", String.raw`\u003c`);

/** What stands at the page's own path, and below it. */
export type StatusPages = {
  readonly "/": () => Promise<PageAnswer>;
  readonly "/status.json": () => Promise<PageAnswer>;
};

type Page = { readonly text: string; readonly policy: string };

const load = (): Page => {
  const text = read();
  return { text, policy: policyOf(text) };
};

type Pair = { readonly "/": PageAnswer; readonly "/status.json": PageAnswer };

/**
 * The page with the document in it, and the document alone, made anew when the document is another. They reject when the page's file
 * is missing, which is read once.
 */
export const statusPages = (status: () => Promise<StatusDocument>): StatusPages => {
  let page: Page | undefined;
  let made: { readonly of: StatusDocument; readonly pair: Pair } | undefined;
  const current = async (): Promise<Pair> => {
    const document = await status();
    if (made?.of === document) return made.pair;
    page ??= load();
    const { text, policy } = page;
    const filled = text.replace(PLACE, (_, tag: string) => tag + inMarkup(document));
    const pair = { "/": html(filled, policy), "/status.json": json(JSON.stringify(document)) };
    made = { of: document, pair };
    return pair;
  };
  return { "/": async () => (await current())["/"], "/status.json": async () => (await current())["/status.json"] };
};
