// Text that leaves the core for a person: bounded, and without a character that could move a cursor or end a line.

const INVISIBLE = /[^\x20-\x7e]/gu;

const escapeCharacter = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/** The first `length` UTF-16 units of `text`; an ellipsis shows that something was cut. */
export const clip = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length)}…` : text;

//= AUDIT-2
/** The first `length` UTF-16 units of `text` as printable ASCII, everything else escaped: safe in a log line. */
export const printable = (text: string, length: number = 80): string =>
  (text.length > length ? `${text.slice(0, length)}...` : text).replace(INVISIBLE, escapeCharacter);
