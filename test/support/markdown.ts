// Reads Markdown as far as the pages of this repository use it: sections, fenced blocks, tables, links.

export type Block = { readonly language: string; readonly code: string };

export type Section = {
  readonly heading: string;
  readonly text: string;
  readonly blocks: readonly Block[];
  /** The rows of the first table, less its head. */
  readonly rows: readonly (readonly string[])[];
};

const sectionOf = (text: string): Section => ({
  heading: text.slice(0, text.indexOf("\n")).replace(/^#+ /u, ""),
  text,
  blocks: [...text.matchAll(/^```(\w+)\n(.*?)^```$/gmsu)].map(([, language = "", code = ""]) => ({ language, code })),
  rows: [...text.matchAll(/^\|(.*)\|$/gmu)].slice(2).map(([, row = ""]) => row.split("|").map((cell) => cell.trim())),
});

/** The page's sections in order; the first is what stands before the second heading. */
export const sectionsOf = (page: string): readonly Section[] => page.split(/\n#{2,} /u).map(sectionOf);

const withoutCode = (page: string): string => page.replaceAll(/^ *```.*?^ *```$/gmsu, "").replaceAll(/`[^`\n]*`/gu, "");

/** The targets of links and pictures; what stands in code is not one. */
export const linksIn = (page: string): readonly string[] =>
  [...withoutCode(page).matchAll(/\]\(([^)\s]+)\)/gu)].map(([, target = ""]) => target);

const slugOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/gu, "-");

/** What `#…` may name on a page: its headings as GitHub spells them, the second of a name with `-1`. */
export const anchorsOf = (page: string): readonly string[] => {
  const seen = new Map<string, number>();
  const text = page.replaceAll(/^ *```.*?^ *```$/gmsu, "");
  return [...text.matchAll(/^#{1,6} (.*)$/gmu)].map(([, heading = ""]) => {
    const slug = slugOf(heading);
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${String(count)}`;
  });
};
