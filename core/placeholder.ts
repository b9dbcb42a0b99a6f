// Texts that stand where a value should be: references that nothing has filled in, redaction marks, examples. Such a text
// is public, so as a secret it would open its route to everybody. A random text must not be taken for one of them.

/** What template languages write around a name. */
const BRACKETS: readonly (readonly [open: string, close: string])[] = [
  ["${", "}"],
  ["$(", ")"],
  ["$[", "]"],
  ["#{", "}"],
  ["%{", "}"],
  ["@{", "}"],
  ["{{", "}}"],
  ["{%", "%}"],
  ["<%", "%>"],
  ["[[", "]]"],
  ["%(", ")s"],
];

/** Whether one of the pairs stands around a text with a letter in it. */
const isBracketed = (text: string): boolean =>
  BRACKETS.some(
    ([open, close]) =>
      text.startsWith(open) && text.endsWith(close) && /[A-Za-z_]/u.test(text.slice(open.length, -close.length)),
  );

/**
 * Whether a pair stands anywhere around a name: at once behind one of one or two characters, or somewhere behind a longer
 * one. Word by word, because a pattern would take a time that grows with the square of the length.
 */
const holdsBracketed = (text: string): boolean => {
  const pairs = BRACKETS.map(([open, close]) => ({ open, close, last: text.lastIndexOf(close) }));
  let end = 0;
  for (const { 0: word, index } of text.matchAll(/\w+/gu)) {
    const gap = text.slice(end, index);
    const from = index + word.length;
    const closes = ({ close, last }: (typeof pairs)[number]): boolean =>
      word.length > 2 ? last >= from : text.slice(from).trimStart().startsWith(close);
    if (/^\D/u.test(word) && pairs.some((pair) => gap.includes(pair.open) && closes(pair))) return true;
    end = from;
  }
  return false;
};

/** The form of the Gateway, which leaves it as written when the variable is not set or empty. */
const GATEWAY = /\$\{[A-Z_][A-Z0-9_]{2,}\}/u;

/** `ENV[NAME]`, `process.env.NAME`, `secrets.NAME`, `op://vault/item`, `$1`, `{0}`, `%s`. */
const EXPRESSION =
  /^(?:(?:\$?env|getenv|process\.env|os\.environ)[.:[({]+["']?[a-z_]\w*["'\])}]*|(?:secrets|vars?)\.[a-z_]\w*|(?:env|file|op|vault|ref\+[a-z]+):\/\/\S+|\$\d|\$?\{+\d*\}+|%[dsv])$/iu;

/** `<your-secret>`, `[TOKEN]`, `{name}`, `__NAME__`, `` `command` ``: words in a pair of brackets that random texts have too. */
const WORDS =
  /^(?:<+[A-Za-z][\w .:/-]*>+|\[[A-Za-z][\w .:/-]*\]|\{[A-Za-z_]\w*\}|__[A-Za-z]\w*__|`[A-Za-z][\w .:/-]*`)$/u;

/** `$NAME`, `%NAME%`, `!NAME!`, `@NAME@`, alone or joined as in `$USER:$PASS`; `@@NAME@@`. */
const BARE = ((name: string): RegExp => new RegExp(`^(?:(?:\\$${name}|(@@|[%!@])${name}\\1)[ ./:@_-]?)+$`, "u"))(
  "(?:_*[A-Z]+\\d{0,3}(?:_[A-Z]*\\d{0,3})*|[a-z]+(?:_[a-z]+|[A-Z][a-z]+)*\\d{0,3})(?!\\w)",
);

/** Whole words, numbers and punctuation, as people write them. */
const READABLE = /^(?:(?:(?:[A-Z]+|[A-Z]?[a-z]+(?:[A-Z][a-z]{2,})*)\d{0,3}|\d+)(?![A-Za-z0-9])|[^A-Za-z0-9])*$/u;

const isReference = (written: string): boolean => {
  const text = written.replace(/^[\s"']+|(?<![\s"'])[\s"']+$/gu, "");
  const isWhole = isBracketed(text) || EXPRESSION.test(text) || BARE.test(text);
  return isWhole || GATEWAY.test(text) || (READABLE.test(text) && (WORDS.test(text) || holdsBracketed(text)));
};

const NAMED = /\$[{([]?[A-Za-z_]|@@[A-Za-z_]\w*@@|([%!])[A-Z_]{2,}\d*\1|<[A-Za-z_][\w .-]*>|\{[A-Za-z_]\w*\}/u;

/** Whether a reference stands anywhere in a text that is not random: the name of a session or a controller, a path. */
export const hasReference = (text: string): boolean => NAMED.test(text) || holdsBracketed(text) || isReference(text);

/** Characters that hide others, `sk-...`, and the word redacted inside brackets. */
const MASK =
  /\*{6}|^\*{4}|\*{4}$|[•●▪■█⋯…∗＊]|x{6}|^[\w-]{0,12}\.{3}$|[[<({*_]\s*redact|redact(?:ed|ion)?\s*[\])>}*_:]/iu;

const HIDDEN =
  "redact(?:ed|ion)?|filtered|masked|hidden|removed|omitted|censored|scrubbed|saniti[sz]ed|obfuscated|undisclosed";

/** Words that ask for a value, or say that the text is not meant. */
const ASKING =
  "change|replace|your|insert|put|enter|paste|fill|here|todo|fixme|tb[ad]|hello|world|set|use|generate|placeholder|example|sample|demo|dummy|fake|mock|test(?:ing)?|default|temp(?:orary)?|foo|bar|baz|qwerty|letmein|abc|null|undefined|none|nil|object|unset|empty|missing|x{3,}";

/** Words for a secret and what it belongs to. */
const NAMING =
  "se?crets?|sekret|p[a4]?ssw[o0]?r?d|passphrase|pass|pwd|tokens?|keys?|api|auth|bearer|credentials?|webhooks?|hooks?|openclaw|shared|private|access|client|app|admin|root|user|dev|local|my|super|top|the|value|text|string";

/** Words that join the others. Alone they may be a phrase of the operator's own. */
const JOINING =
  "a|an|and|with|by|to|me|it|is|this|that|in|of|for|from|some|something|else|long|strong|random|unique|own|real|actual|safe|secure|please|before|production|bits?|characters?|chars?|xox[abp]|xapp|sk|pk|whsec";

const EXAMPLE = new RegExp(
  `^(?:(?:${NAMING}|${JOINING})*(?:${HIDDEN}|${ASKING})(?:${HIDDEN}|${ASKING}|${NAMING}|${JOINING})*|(?:${NAMING})+)$`,
  "u",
);

const MAX_EXAMPLE = 64;
const COUNTING = "0123456789".repeat(4);
const ALPHABET = "abcdefghijklmnopqrstuvwxyz";

const isExample = (text: string): boolean => {
  const characters = text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  const words = characters.replace(/\d/gu, "");
  if (characters.length > MAX_EXAMPLE || characters.length * 3 < text.length) return false;
  if (COUNTING.includes(characters) || ALPHABET.includes(characters)) return characters.length > 2;
  return characters.length - words.length <= 4 && EXAMPLE.test(words);
};

const isRun = (text: string): boolean =>
  text.length > 2 && new Set(text.toLowerCase().replace(/[\s._:/-]/gu, "")).size <= 1;

//= CONFIG-8
/** Why a text cannot be a secret, if it is one of those that anyone can guess. */
export const placeholderIn = (secret: string): string | undefined => {
  if (isReference(secret)) return "is a reference that was not replaced by its value";
  if (isRun(secret)) return "is one character repeated";
  if (MASK.test(secret) || (secret.includes("****") && READABLE.test(secret)))
    return "is a mark that stands for a hidden secret";
  return isExample(secret) ? "is an example that anyone can guess" : undefined;
};
