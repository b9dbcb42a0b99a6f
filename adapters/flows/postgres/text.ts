// Texts that PostgreSQL cannot hold: one with a NUL is kept with an escape, so that every text comes back as it was.

const ESCAPE = "\u0001";

/** Reversible, and another text for each text. */
export const toColumn = (text: string): string =>
  text.includes("\0") || text.includes(ESCAPE)
    ? text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll("\0", `${ESCAPE}0`)
    : text;

export const fromColumn = (text: string): string =>
  text.includes(ESCAPE) ? text.replaceAll(`${ESCAPE}0`, "\0").replaceAll(`${ESCAPE}1`, ESCAPE) : text;
