// Text for people: bounded, and without characters that could move a cursor or end a line.

const INVISIBLE = /[^\x20-\x7e]/gu;

const escapeCharacter = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/** The first `length` UTF-16 units of `text`, with an ellipsis if it is longer. */
export const clip = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length)}…` : text;

//= AUDIT-2
/** The first `length` UTF-16 units of `text`, with everything but printable ASCII escaped: safe in a log line. */
export const printable = (text: string, length: number = 80): string =>
  (text.length > length ? `${text.slice(0, length)}...` : text).replace(INVISIBLE, escapeCharacter);
