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
 * Whether a pair stands anywhere around a name of `least` characters: at once behind one of one or two, or somewhere behind a
 * longer one. Word by word, because a pattern would take a time that grows with the square of the length.
 */
const holdsBracketed = (text: string, least: number): boolean => {
  const pairs = BRACKETS.map(([open, close]) => ({ open, close, last: text.lastIndexOf(close) }));
  let end = 0;
  for (const { 0: word, index } of text.matchAll(/\w+/gu)) {
    const gap = text.slice(end, index);
    const from = index + word.length;
    const closes = ({ close, last }: (typeof pairs)[number]): boolean =>
      word.length > 2 ? last >= from : text.slice(from).trimStart().startsWith(close);
    if (word.length >= least && /^\D/u.test(word) && pairs.some((pair) => gap.includes(pair.open) && closes(pair)))
      return true;
    end = from;
  }
  return false;
};

/** The form of the Gateway, which leaves it as written when the variable is not set or empty. */
const GATEWAY = /\$\{[A-Z_][A-Z0-9_]{2,}\}/u;

/** How programs read a variable: `ENV[NAME]`, `process.env.NAME`, `os.getenv("NAME")`, `{env.NAME}`, `%env(NAME)%`. */
const VARIABLE =
  /^[{%]?\$?_?(?:[a-z]+(?:\.|::))*(?:get)?env(?:iron(?:ment)?)?(?:variable)?(?:(?:\.|::)(?:get|fetch|var))?[.:[({]+["']?[a-z_]\w*["'\])}]*%?$/iu;

/** How tools name a secret that is kept elsewhere: `op://vault/item`, `arn:aws:…`, `/run/secrets/name`, `!vault |`. */
const ELSEWHERE =
  /^(?:(?:env|file|op|ref\+[a-z]+|[\w-]*(?:vault|ssm|secret|secrets|secretsmanager|kms|bao|doppler|infisical)):\/\/\S+|file:\/\S+|arn:aws[\w-]*:(?:secretsmanager|ssm|kms):\S+|\/(?:var\/)?(?:run|etc)\/secrets\/\S+|projects\/[^/\s]+\/secrets\/\S+|@microsoft\.keyvault\(.*\)|!(?:vault|secret|env|env_var|ref|sub)\s.*|enc\[[\w-]+,.*\]|<\([\w./ -]+\))$/iu;

/** `secrets.NAME`, `$1`, `{0}`, `%s`. */
const EXPRESSION = /^(?:(?:secrets|vars?)\.[a-z_]\w*|\$\d|\$?\{+\d*\}+|%[dsv])$/iu;

/** The punctuation of references as URLs and HTML write it. */
const unescapePunctuation = (text: string): string =>
  text
    .replace(/%(2[4589]|3[ce]|5[bd]|7[bd])/giu, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/&lt;/gu, "<")
    .replace(/&gt;/gu, ">");

/** `<your-secret>`, `[TOKEN]`, `{name}`, `__NAME__`, `` `command` ``: words in a pair of brackets that random texts have too. */
const WORDS =
  /^(?:<+[A-Za-z][\w .:/-]*>+|\[[A-Za-z][\w .:/-]*\]|\{[A-Za-z_]\w*\}|__[A-Za-z]\w*__|`[A-Za-z][\w .:/-]*`)$/u;

/** `$NAME`, `%NAME%`, `!NAME!`, `@NAME@`, alone or joined as in `$USER:$PASS`; `@@NAME@@`. */
const BARE = ((name: string): RegExp => new RegExp(`^(?:(?:\\$${name}|(@@|[%!@])${name}\\1)[ ./:@_-]?)+$`, "u"))(
  "(?:_*[A-Z]+\\d{0,3}(?:_[A-Z]*\\d{0,3})*|[a-z]+(?:_[a-z]+|[A-Z][a-z]+)*\\d{0,3})(?!\\w)",
);

/** Whole words, numbers and punctuation, as people write them. */
const READABLE = /^(?:(?:(?:[A-Z]+|[A-Z]?[a-z]+(?:[A-Z][a-z]{2,})*)\d{0,3}|\d+)(?![A-Za-z0-9])|[^A-Za-z0-9])*$/u;

const FORMS = [VARIABLE, ELSEWHERE, EXPRESSION, BARE, GATEWAY];

const isReference = (written: string): boolean => {
  const text = unescapePunctuation(written).replace(/^[\s"']+|(?<![\s"'])[\s"']+$/gu, "");
  const isWhole = isBracketed(text) || FORMS.some((form) => form.test(text));
  // a name of one letter may stand in brackets by chance
  return isWhole || (READABLE.test(text) && (WORDS.test(text) || holdsBracketed(text, 3)));
};

const NAMED = /\$[{([][A-Za-z_]|@@[A-Za-z_]\w*@@|([%!])[A-Z_]{2,}\d*\1|<[A-Za-z_][\w .-]*>|\{[A-Za-z_]\w*\}/u;

/** A part of a session, controller or path that asks for a value. A `$` may begin an id of a chat, as in Matrix. */
const ASKED =
  /^(?:\$[A-Z_][A-Z0-9_]{2,}|__[A-Z]\w*__|%\w+%|YOUR_[A-Z_]+|[A-Z]+(?:_[A-Z]+)*_(?:KEY|ID|NAME|HERE)|(?:[Cc]hange|CHANGE|[Rr]eplace|REPLACE)[_-]?(?:[Mm]e|ME))$/u;

/** Whether a reference stands anywhere in a text that is not random: the name of a session or a controller, a path. */
export const hasReference = (text: string): boolean =>
  NAMED.test(text) ||
  holdsBracketed(text, 1) ||
  text.split(text.includes(":") ? ":" : "/").some((part) => ASKED.test(part)) ||
  isReference(text);

/** Characters that hide others, `sk-...`, `abcd...wxyz`, and the word redacted inside brackets. */
const MASK =
  /\*{6}|^\*{4}|\*{4}$|[•●▪■█⋯…∗＊]|x{6}|^[\w-]{0,12}\.{3}[\w-]{0,12}$|[[<({*_]\s*redact|redact(?:ed|ion)?\s*[\])>}*_:]/iu;

const HIDDEN =
  "redact(?:ed|ion)?|filtered|masked|hidden|removed|omitted|censored|scrubbed|saniti[sz]ed|obfuscated|undisclosed|sensitive|encrypted|withheld";

/** Words that ask for a value, or say that the text is not meant. */
const ASKING =
  "change|replace|your|add|not|generated|openssl|insert|put|enter|paste|fill|here|todo|fixme|tb[ad]|hello|world|set|use|generate|placeholder|example|sample|demo|dummy|fake|mock|test(?:ing)?|default|temp(?:orary)?|foo|bar|baz|qwerty|letmein|abc|null|undefined|none|nil|object|unset|empty|missing|deadbeef|cafebabe|x{3,}";

/** Words for a secret and what it belongs to. */
const NAMING =
  "se?cre?ts?|sekret|p[a4]?ssw[o0]?r?d|passphrase|pass|pwd|tokens?|keys?|api|auth|bearer|credentials?|webhooks?|hooks?|openclaw|shared|private|access|client|app|admin|root|user|dev|local|my|super|top|the|value|text|string";

/** Words that join the others. Alone they may be a phrase of the operator's own. */
const JOINING =
  "a|an|and|with|by|to|me|it|is|this|that|in|of|for|from|some|something|else|long|strong|random|unique|own|real|actual|safe|secure|please|before|production|goes|rand|base|hex|bits?|characters?|chars?|xox[abp]|xapp|sk|pk|whsec";

const EXAMPLE = new RegExp(
  `^(?:(?:${NAMING}|${JOINING})*(?:${HIDDEN}|${ASKING})(?:${HIDDEN}|${ASKING}|${NAMING}|${JOINING})*|(?:random)?(?:${NAMING})+)$`,
  "u",
);

const MAX_EXAMPLE = 64;
const COUNTING = "0123456789".repeat(4);
const ALPHABET = "abcdefghijklmnopqrstuvwxyz";

/** Known examples, answers and empty values without a word of the lists, in small letters and digits alone. */
const PUBLISHED = new Set(
  [
    "itsasecrettoeverybody astringsecretatleast256bitslong correcthorsebatterystaple keyboardcat hunter2",
    "123e4567e89b12d3a456426614174000 550e8400e29b41d4a716446655440000 f47ac10b58cc4372a5670e02b2c3d479",
    "na nan true false yes no",
  ].flatMap((line) => line.split(" ")),
);

/** The name of a variable in place of its value, such as `ZAPIER_SECRET`. */
const VARIABLE_NAME = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:SECRET|TOKEN|KEY|PASSWORD)$/u;

const isExample = (text: string): boolean => {
  const characters = text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  const [words, digits] = [characters.replace(/\d/gu, ""), characters.replace(/\D/gu, "")];
  if (characters.length > MAX_EXAMPLE || characters.length * 3 < text.length) return false;
  if (PUBLISHED.has(characters) || VARIABLE_NAME.test(text)) return true;
  if (COUNTING.includes(digits) && ALPHABET.includes(words)) return characters.length > 2;
  return characters.length - words.length <= 4 && EXAMPLE.test(words);
};

/** One to four characters again and again, whatever stands between them. */
const isRun = (text: string): boolean => {
  const bare = text.toLowerCase().replace(/[\s._:/=-]/gu, "");
  const repeats = (period: number): boolean =>
    bare.length >= 2 * period && bare.slice(period) === bare.slice(0, bare.length - period);
  return text.length > 2 && (bare.length < 2 || [1, 2, 3, 4].some(repeats));
};

const SIXES = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** What a text in base64 or base64url says, if that is printable ASCII; else nothing. */
const decoded = (text: string): string => {
  const letters = /^[\w+/-]{4,400}(?=={0,2}$)/u.exec(text)?.[0] ?? "";
  const bits = Array.from(letters.replaceAll("-", "+").replaceAll("_", "/"), (letter) =>
    SIXES.indexOf(letter).toString(2).padStart(6, "0"),
  ).join("");
  const codes = Array.from(bits.matchAll(/.{8}/gu), ([byte]) => Number.parseInt(byte, 2));
  const plain = String.fromCharCode(...codes).trim();
  return /^[ -~]{3,}$/u.test(plain) ? plain : "";
};

const reasonFor = (text: string): string | undefined => {
  if (isReference(text)) return "is a reference that was not replaced by its value";
  if (isRun(text)) return "is one character, or a few, repeated";
  if (MASK.test(text) || (text.includes("****") && READABLE.test(text)))
    return "is a mark that stands for a hidden secret";
  return isExample(text) ? "is an example that anyone can guess" : undefined;
};

//= CONFIG-8
/** Why a text cannot be a secret, if it or what it says in base64 is one of those that anyone can guess. */
export const placeholderIn = (secret: string): string | undefined => reasonFor(secret) ?? reasonFor(decoded(secret));
