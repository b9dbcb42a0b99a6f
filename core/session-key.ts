// Session keys in texts: what has the shape of one, and how it is hidden.

/**
 * The start of a word, as a pattern: not after a letter or digit, unless that ends an escape, as in `%20agent:main` or
 * `\nagent:main`.
 */
export const WORD_START = String.raw`(?:(?<![\p{L}\p{N}])|(?<=%[0-9a-f]{2}|\\[bfnrt]|\\u[0-9a-f]{4}))`;

/** A colon as it stands, percent-encoded any number of times, or as an escape of JSON. */
const COLON = String.raw`(?::|%(?:25)*3a|\\u003a)`;

/** A key ends at white space. Closing punctuation at its end belongs to the text around it. */
const SESSION_KEY = new RegExp(
  `${WORD_START}(?:agent|hook|cron|subagent|acp)${COLON}${String.raw`\S*[^\s"'\x60,;)\]}]`}`,
  "giu",
);

/** `text` with `mark` in place of everything that has the shape of a session key. */
export const hideSessions = (text: string, mark: string): string => text.replace(SESSION_KEY, mark);

/** Whether the whole text has the shape of session keys. */
export const isSessionKey = (text: string): boolean => hideSessions(text, "") === "";
