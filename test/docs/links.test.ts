// Every relative link of every page leads to something that exists, and every `#…` to a heading.

import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { filesIn, read, ROOT } from "../../spec/tools/clauses.ts";
import { anchorsOf, linksIn } from "../support/markdown.ts";

/** evidence.md is generated, and `npm run evidence -- --check` makes its links anew. */
const GENERATED = "spec/evidence.md";

const PAGES: readonly string[] = [
  ...readdirSync(ROOT).filter((name) => name.endsWith(".md")),
  ...["adapters", "core", "docs", "spec", "test"].flatMap((folder) => filesIn(folder, ".md")),
].filter((page) => page !== GENERATED);

/** A line of a source file, as GitHub names it. */
const isLine = (anchor: string): boolean => /^L\d+(?:-L\d+)?$/u.test(anchor);

const isDead = (page: string, link: string): boolean => {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? page : join(dirname(page), path);
  if (!existsSync(join(ROOT, target))) return true;
  return anchor !== undefined && !isLine(anchor) && !anchorsOf(read(target)).includes(anchor);
};

const isRelative = (link: string): boolean => !/^[a-z]+:/u.test(link);

test("there are pages, with links", () => {
  expect(PAGES).toEqual(
    expect.arrayContaining(["README.md", "ARCHITECTURE.md", "docs/embedding.md", "spec/README.md"]),
  );
  expect(PAGES.flatMap((page) => linksIn(read(page)).filter(isRelative)).length).toBeGreaterThan(50);
});

test.each(PAGES)("%s: every link leads to something", (page) => {
  const links = linksIn(read(page)).filter(isRelative);
  expect(links.filter((link) => isDead(page, link))).toEqual([]);
});

test("a dead link is seen", () => {
  const links = ["no-such-page.md", "README.md#no-such-heading", "#no-such-heading", "SECURITY.md#reporting"];
  expect(links.map((link) => isDead("README.md", link))).toEqual([true, true, true, false]);
});

test("what stands in code is not a link, and a repeated heading has a number", () => {
  expect(linksIn("[a](b.md) `[c](d.md)`\n```ts\n[e](f.md)\n```\n![g](h.svg)")).toEqual(["b.md", "h.svg"]);
  expect(anchorsOf("# A `b`, c!\n## A b c\n```sh\n# no heading\n```\n")).toEqual(["a-b-c", "a-b-c-1"]);
});
