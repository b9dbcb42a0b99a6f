// Where a page of a list begins. Callers take a cursor as it is. It names a place and no list: the list is always the one of the
// session that asks, so that a cursor of another session's list leads to nothing of that list.

/** The place of a page's last flow. `at`: what orders the flows first; `id`: what orders those with the same `at`. */
export type Cursor = { readonly at: number; readonly id: string };

/** Digits of `at`, which a double holds exactly, and characters of `id`. */
const DIGITS = 15;
const ID_LENGTH = 480;

/** The greatest `at`. */
export const MOST_AT = 10 ** DIGITS - 1;

//= LIST-3
/** What a cursor looks like, also for those who check requests by a schema. */
export const CURSOR = new RegExp(`^[0-9]{1,${String(DIGITS)}}~[\\s\\S]{0,${String(ID_LENGTH)}}$`, "u");

/** The text of a cursor. A place that no cursor can name gives a text that `readCursor` does not read. */
export const writeCursor = ({ at, id }: Cursor): string => `${String(at)}~${id}`;

//= LIST-3
/** The place that a cursor names; undefined when it is not one. */
export const readCursor = (text: string): Cursor | undefined => {
  if (!CURSOR.test(text)) return undefined;
  const end = text.indexOf("~");
  return { at: Number(text.slice(0, end)), id: text.slice(end + 1) };
};
