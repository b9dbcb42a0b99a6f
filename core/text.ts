// Text for people: bounded, and without characters that could move a cursor or end a line.

const INVISIBLE = /[^\x20-\x7e]/gu;

const escapeCharacter = (character: string): string => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/** The first `length` UTF-16 units of `text`, with an ellipsis if it is longer. */
export const clip = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length)}…` : text;

/** The same, as well-formed text: the cut may have left half a surrogate pair. */
export const shortened = (text: string, length: number): string => clip(text, length).toWellFormed();

/** A whole number with a comma before each three digits. */
export const grouped = (figure: number): string => String(figure).replace(/\B(?=(?:\d{3})+$)/gu, ",");

/** The whole `text`, with everything but printable ASCII escaped. */
export const escaped = (text: string): string => text.replace(INVISIBLE, escapeCharacter);

//= AUDIT-2
/** The first `length` UTF-16 units of `text`, with everything but printable ASCII escaped: safe in a log line. */
export const printable = (text: string, length: number = 80): string =>
  escaped(text.length > length ? `${text.slice(0, length)}...` : text);

/** Controls, marks of direction, separators of lines and characters that are not seen or look blank; not the line break. */
const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\u{1d159}]/gu;

/** The character as JSON strings may write it. */
const escapeUnits = (character: string): string =>
  character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");

//= AUDIT-2
/** The same JSON in printable ASCII. `json` is on one line. */
export const asciiJson = (json: string): string => json.replace(INVISIBLE, escapeUnits);

//= CALL-4
/** The same JSON, in which every character shows and none moves a cursor or turns the direction of the text. */
export const visibleJson = (json: string): string => json.replace(UNSEEN, escapeUnits);
