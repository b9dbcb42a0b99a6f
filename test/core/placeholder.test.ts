import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { hasReference, placeholderIn, problemLine } from "../../core/index.ts";
import { runs } from "../support/runs.ts";
import { load, wildText } from "./arbitraries.ts";

const REFERENCES = [
  ["${VAR}", "${VAR:-x}", "${VAR:?x}", "${VAR-x}", "${VAR:=x}", "${VAR+x}", "${!VAR}", "${VAR//a/b}", "${VAR,,}"],
  ["${VAR:-Zm9vYmFyx1}", "${VAR:-${OTHER}}", "${var}", "${ VAR }", "${env:X}", "${aws_ssm.x}", "$${VAR}", "${1}"],
  ["$VAR", "$var", "$mySecret", "$SECRET_1", "$A$B", "$USER:$PASS", "$1", "$(cmd)", "$(cat /run/x)", "`cat x`"],
  ["%NAME%", "%name%", "%{X}", "%(name)s", "%s", "!X!", "@X@", "@@X@@", "#{X}", "#{ENV['X']}", "@{x}"],
  ["${{ secrets.X }}", "${{secrets.X}}", "{{ x }}", "{{x}}", "{{{x}}}", "{{ .Values.secret }}", '{{ env "X" }}'],
  ["<%= x %>", "{% x %}", "[[x]]", "$[variables.x]", "{name}", "{0}", "{}", "__TOKEN__"],
  ["<your-secret>", "<YOUR_SECRET>", "<secret>", "[YOUR SECRET]", '"${VAR}"', "'$VAR'", "secrets.X", "var.secret"],
  ["ENV[X]", "ENV['X']", "$ENV{X}", "$env:X", "process.env.X", 'os.environ["X"]', "op://vault/item/field"],
  [
    "{env.SECRET}",
    "{env:SECRET}",
    "%env(SECRET)%",
    "ENV.fetch('X')",
    "os.getenv('X')",
    'System.getenv("X")',
    "$_ENV['X']",
  ],
  [
    "Deno.env.get('X')",
    "import.meta.env.X",
    'os.environ.get("X")',
    'std::env::var("X")',
    'Environment.GetEnvironmentVariable("X")',
  ],
  [
    "!vault |",
    "!secret hook",
    "ENC[AES256_GCM,data:x,iv:y]",
    "arn:aws:secretsmanager:eu-west-1:1:secret:x",
    "<(cat x)",
  ],
  ["@Microsoft.KeyVault(SecretUri=https://x/y)", "projects/p/secrets/s/versions/latest", "file:/run/secrets/x"],
  [
    "/run/secrets/zap",
    "keyvault://a/b",
    "awssm://x",
    "ssm:///x",
    "azure-keyvault://x",
    "$%7BSECRET%7D",
    "&lt;secret&gt;",
  ],
  ["prefix-${VAR:-x}-y", "Bearer ${TOKEN}", "Bearer {{ token }}", "prefix-${_X9}-suffix-long-enough", "k9F2x${HOOK}"],
].flat();
const MARKS = [
  ["__OPENCLAW_REDACTED__", "[REDACTED]", "***REDACTED***", "<redacted>", "REDACTED", "xoxb-REDACTED", "Redacted"],
  ["[REDACTED_PRIVATE_KEY]", "[REDACTED CREDENTIAL]", "(redacted)", "-- redacted --", "<REDACTED:32 bytes>"],
  ["[Filtered]", "<hidden>", "[MASKED]", "sk-****-abcd", "****1234", "ghp_******9fZ3", "ghp_…", "whsec_..."],
  ["abcd...wxyz", "(sensitive value)", "<sensitive>", "[ENCRYPTED]"],
  ["sk-xxxxxxxxxxxx", "••••", "●●●●1234"],
].flat();
const RUNS = [
  "********",
  "xxxxxxxx",
  "XxXxXxXx",
  "XXXX-XXXX-XXXX",
  "0000000000000000",
  "aaa",
  "....",
  "------",
  "_ _ _ _",
  "abababab",
  "abcabcabc",
  "12341234",
  `${"A".repeat(43)}=`,
  "AAAAAAAAAAAAAAAAAAAAAA==",
  "AQEBAQEBAQEBAQEBAQEBAQ==",
  "00000000-0000-0000-0000-000000000000",
];
const EXAMPLES = [
  ["changeme", "change-me", "CHANGE_ME", "ChangeMe", "change me", "changeme!", "changeme123", "<<< change me >>>"],
  ["your-secret-here", "YOUR_SECRET_HERE", "your-256-bit-secret", "put-your-secret-here", "OPENCLAW_WEBHOOK_SECRET"],
  ["secret", "SECRET", "s3cret", "my-secret", "supersecret", "webhook-secret", "password", "Password1", "passw0rd"],
  ["example", "test", "todo", "TODO", "TBD", "fixme", "replace-me", "placeholder", "dummy", "sample", "foobar"],
  ["replace-with-a-long-random-string", "use-a-long-random-secret", "test-secret", "example-secret", "demo-token"],
  ["N/A", "not set", "NaN", "true", "It's a Secret to Everybody", "a-string-secret-at-least-256-bits-long"],
  ["SECRET_GOES_HERE", "not-a-secret", "s3cr3t", "keyboard cat", "hunter2", "correct horse battery staple"],
  [
    "correct-horse-battery-staple",
    "deadbeefdeadbeef",
    "deadbeef",
    "cafebabe",
    "0123456789abcdef",
    "abcd1234",
    "1234abcd",
  ],
  ["ZAPIER_SECRET", "GITHUB_WEBHOOK_TOKEN", "random-secret", "random-string", "generated-secret", "add-your-secret"],
  [
    "openssl rand -base64 32",
    "openssl rand -hex 32",
    "Y2hhbmdlbWU=",
    "Y2hhbmdlbWU",
    "cGFzc3dvcmQ=",
    "Pz8_Pj4-c2VjcmV0",
  ],
  ["123e4567-e89b-12d3-a456-426614174000", "550e8400-e29b-41d4-a716-446655440000"],
  ["12345678", "1234567890", "abcdefgh", "abc123", "qwerty", "null", "undefined", "[object Object]"],
].flat();

test("CONFIG-8: references, redaction marks, runs of one character and examples are not secrets", () => {
  const kinds = [
    [REFERENCES, "reference"],
    [MARKS, "hidden secret"],
    [RUNS, "repeated"],
    [EXAMPLES, "example"],
  ] as const;
  for (const [texts, kind] of kinds) {
    for (const text of texts) {
      const known = placeholderIn(text);
      expect([text, known]).toEqual([text, expect.any(String)]);
      // some marks are runs or examples as well
      if (kind === "reference") expect([text, known]).toEqual([text, expect.stringContaining(kind)]);
    }
  }
});

/** A text that only one part of a form takes, and beside it one that this part must leave alone. */
const FORMS: readonly (readonly [taken: string, kind: string, beside: string])[] = [
  ["$(k9F2xQ7a)", "reference", "$(9021837465)"],
  ["$[k9F2xQ7a]", "reference", "[k9F2xQ7a]"],
  ["%(k9F2xQ7a)s", "reference", "k9F2xQ7a)s"],
  ["{%k9F2xQ7a%}", "reference", "k9F2xQ7a%}"],
  ["<%k9F2xQ7a%>", "reference", "k9F2xQ7a%>"],
  ["see $(name) there", "reference", "see $(ab) there"],
  ["process.env.TOKEN", "reference", "k9F2x-process.env.TOKEN"],
  ["env::TOKEN", "reference", "env::TOKEN-k9F2x"],
  ["ref+vault://a/b", "reference", "k9F2x-op://vault/item"],
  ["arn:aws-cn:ssm:x", "reference", "op://vault/item k9F2x"],
  ["projects/zap/secrets/s", "reference", "projects/zap/k9F2x/secrets/s"],
  ["{{0}}", "reference", "{{0}}-k9F2x"],
  ["%24NAME", "reference", "%26NAME"],
  ["%3Cname%3E", "reference", "%3Dname%3E"],
  ["%5Bname%5D", "reference", "%5Ename%5D"],
  ["<<name>>", "reference", "mind the <gap>"],
  ["<name12>", "reference", "<gap> in mind"],
  ["<name-2026>", "reference", "<name-2026k>"],
  ["<itsOwnName>", "reference", "<itsOwNName>"],
  [`"'$NAME'"`, "reference", `"'$NAME'k9F2x`],
  ["[redacted-k9F2x", "hidden secret", "k9F2x-redacted-Q7a"],
  ["[ redacted-k9F2x", "hidden secret", "k9F2x redacted-Q7a"],
  ["k9F2x-redact]", "hidden secret", "k9F2x-redact/Q7a]"],
  ["k9F2x-redacted ]", "hidden secret", "k9F2x-redacted Q7a]"],
  ["****k9F2xQ7a", "hidden secret", "*k9F2xQ7a"],
  ["k9F2xQ7a****", "hidden secret", "k9F2x****Q7a"],
  ["k9F2x...", "hidden secret", "k9/F2x...Q7a"],
  ["...k9F2x", "hidden secret", "k9F2x...Q7/a"],
  ["kkk", "repeated", "k9F"],
  ["ßßß", "repeated", "ßSS"],
  ["k-k", "repeated", "k-9"],
  ["***", "repeated", "kk"],
  ["ZAPIER_SECRET", "example", "k9F2x-ZAPIER_SECRET"],
  ["ZAPIER_2_TOKEN", "example", "ZAPIER_2_TOKEN-k9F2x"],
  ["changeme".repeat(8), "example", `${"changeme".repeat(8)}a`],
  ["c2VjcmV0", "example", "k9F2x!c2VjcmV0"],
  ["c2VjcmV0==", "example", "c2VjcmV0!k9F2x"],
  // `changeme` with a line break, and beside it with a control character in front and behind; `>>>secret???`
  ["Y2hhbmdlbWUK", "example", "AWNoYW5nZW1l"],
  ["Pj4-c2VjcmV0Pz8_", "example", "Y2hhbmdlbWUB"],
  [`secret${"!".repeat(12)}`, "example", `secret${"!".repeat(13)}`],
];

test("CONFIG-8: each part of a form takes what it is for, and leaves what is beside it", () => {
  for (const [taken, kind, beside] of FORMS) {
    expect([taken, placeholderIn(taken)]).toEqual([taken, expect.stringContaining(kind)]);
    expect([beside, placeholderIn(beside)]).toEqual([beside, undefined]);
  }
});

test("CONFIG-8: a placeholder makes its route cold, with one line that does not show it", () => {
  for (const secret of [...REFERENCES, ...MARKS, ...RUNS, ...EXAMPLES]) {
    for (const written of [secret, ` ${secret}\n`]) {
      const { routes, paths, problems } = load({ routes: { r: { sessionKey: "agent:main:main", secret: written } } });
      expect([secret, routes.size, [...paths.values()]]).toEqual([secret, 0, ["r"]]);
      expect(problems.map(({ effect, field }) => [effect, field])).toEqual([["cold", "secret"]]);
      const line = problems.map(problemLine).join("\n");
      expect(line).toMatch(/^route r cold: secret is .+, so callers get 404\. Set .+\.$/u);
      if (secret.length > 9 && secret !== "openssl rand -base64 32") expect(line).not.toContain(secret);
    }
  }
});

const SYMBOLS = "!#$%&()*+,-./:;<=>?@[]^_{|}~";
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const ofAlphabet = (alphabet: string, minLength: number): fc.Arbitrary<string> =>
  fc
    .array(fc.integer({ min: 0, max: alphabet.length - 1 }), { minLength, maxLength: 64 })
    .map((places) => places.map((place) => alphabet[place]).join(""));
const randomBytes = fc.uint8Array({ minLength: 12, maxLength: 48 });
const randomSecret = fc.oneof(
  fc
    .constantFrom("base64", "base64url", "hex")
    .chain((form) => randomBytes.map((all) => Buffer.from(all).toString(form))),
  ofAlphabet(LETTERS, 16),
  ofAlphabet("abcdefghijklmnopqrstuvwxyz", 16),
  ofAlphabet(`${LETTERS}!@#$%^&*`, 24),
  // `${ABC}` is replaced by the Gateway wherever it stands, so a secret with it would not work there either
  ofAlphabet(LETTERS + SYMBOLS, 32).filter((secret) => !/[$#%@][{([]/u.test(secret)),
  fc.uuid(),
);

test("CONFIG-8: a random secret is never taken for a placeholder", () => {
  fc.assert(
    fc.property(randomSecret, (secret) => {
      expect(placeholderIn(secret)).toBe(undefined);
    }),
    { numRuns: runs(500), unbiased: true },
  );
});

test("CONFIG-8: a phrase of the operator's own is a secret, and so is every secret of the recorded traces", () => {
  const recorded = readFileSync("test/golden/config.json", "utf8").matchAll(/"secret": ("[^"]+")/gu);
  const secrets = [...recorded].map(([, text]) => String(JSON.parse(text ?? "")));
  expect(secrets.length).toBeGreaterThan(10);
  const phrases = [
    ["a-long-and-random-secret", "another-long-secret", "correct-horse-battery-staples"],
    ["example-secret-0123456789", "a-0123456789abcdef", "$NAME-is-not-one-of-them", "${}-is-not-one-of-them"],
    ["секрет-secret", "Zm9v{YmFy}$x", "4eC39HqLyjWDarjtT1zdp7dc", "price$is$right?Yes", "x", "ab"],
  ].flat();
  for (const secret of [...secrets, ...phrases]) expect([secret, placeholderIn(secret)]).toEqual([secret, undefined]);
});

test("CONFIG-9: a reference in a session, a controller or a path is a problem of that field", () => {
  const good = { sessionKey: "agent:main:main", secret: "a-long-and-random-secret" };
  const inText = ["${VAR}", "${VAR:-x}", "${var}", "$(cmd)", "{{ x }}", "<name>", "{name}", "%NAME%"];
  for (const reference of [...inText, "${{ secrets.X }}", "#{X}", "@@X@@", "<%= x %>", "[[x]]"]) {
    for (const field of ["sessionKey", "controllerId", "path"]) {
      for (const text of [reference, `/hooks/${reference}`, `a${reference}b`]) {
        const { routes, problems } = load({ routes: { r: { ...good, [field]: text } } });
        expect([text, routes.size]).toEqual([text, 0]);
        expect(problems.map(problemLine)).toEqual([
          `route r skipped: ${field} contains a reference that was not replaced by its value. Set the variable, or write the value itself.`,
        ]);
      }
    }
  }
  const parts = [
    "$VAR",
    "$VAR_1",
    "%VAR%",
    "%var%",
    "__X__",
    "<x>",
    "SESSION_KEY",
    "YOUR_SESSION",
    "changeme",
    "CHANGE_ME",
  ];
  for (const part of parts) {
    for (const text of [part, `agent:main:${part}`, `agent:${part}:main`, `/hooks/${part}`, `webhooks/${part}`])
      expect([text, hasReference(text)]).toEqual([text, true]);
  }
  const eventId = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .chain((id) =>
      fc.constantFrom("base64", "base64url").map((form) => Buffer.from(id).toString(form).replace("=", "")),
    );
  fc.assert(
    fc.property(eventId, (id) => !hasReference(`agent:main:matrix:thread:$${id}`)),
    { numRuns: runs(500) },
  );
  const plain = [
    "agent:main:matrix:thread:$Rqnc-F-dvn",
    "agent:main:matrix:$143273582443PhrSn:example.org",
    "agent:test:main",
    "agent:main:main",
    "agent:main:matrix:!room:example.org",
    "agent:a:mail:x@example.org",
    "100% mine",
  ];
  for (const text of [...plain, "a < b > c", "agent:main:telegram:-100:topic:7", "cost: 5$", "webhooks/zapier_2"]) {
    expect([text, hasReference(text)]).toEqual([text, false]);
  }
});

/** The same for a part of a session, a controller or a path. */
const NAMED_FORMS: readonly (readonly [taken: string, beside: string])[] = [
  ["a ${x", "a ${1"],
  ["a@@name@@", "a@@name@"],
  ["a%NAME1%", "a%NAME1!"],
  ["__NAME__", "__NAME_"],
  ["MY_SESSION_KEY", "my-SESSION_KEY"],
  ["replaceme", "placeme"],
  ["a $( name )", "name $( )"],
  ["a $( x1 )", "a $( 1x )"],
  ["a $( x )", "a $( 123 )"],
];

test("CONFIG-9: each part of a form takes what it is for, and leaves what is beside it", () => {
  for (const [taken, beside] of NAMED_FORMS) {
    expect([taken, hasReference(`agent:main:${taken}`)]).toEqual([taken, true]);
    expect([beside, hasReference(`agent:main:${beside}`)]).toEqual([beside, false]);
  }
});

/** What a pair of brackets with a name in it looks like, as a pattern that is slow on long texts. */
const PAIRS = ["${ }", "$( )", "$[ ]", "#{ }", "%{ }", "@{ }", "{{ }}", "{% %}", "<% %>", "[[ ]]", "%( )s"];
const SLOW = ((inner: string): RegExp => {
  const quoted = (text: string): string => text.replace(/[$()[\]{}]/gu, String.raw`\$&`);
  const pairs = PAIRS.map((pair) => pair.split(" ").map(quoted));
  return new RegExp(pairs.map(([open = "", close = ""]) => open + inner + close).join("|"), "su");
})(String.raw`\W*[A-Za-z_](?:\w?\s*|\w{2,}(?:\W.*)?)`);

test("CONFIG-9: a name in any pair of brackets is found wherever it stands", () => {
  const marks = PAIRS.flatMap((pair) => pair.split(" "));
  const part = fc.constantFrom(...marks, "a", "ab", "abc", "_", "1", "1a", " ", "\n", "-", "é", "s");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      if (SLOW.test(text)) expect([text, hasReference(text)]).toEqual([text, true]);
      // what else is one begins with a dollar sign, or with one character before a name
      else if (!/[$@%<!{`[_]/u.test(text)) expect([text, hasReference(text)]).toEqual([text, false]);
    }),
    { numRuns: runs(2000) },
  );
});

test("CONFIG-9: an id, a session, a controller or a path of more than 4,096 characters is a problem of that field", () => {
  const good = { sessionKey: "agent:main:main", secret: "a-long-and-random-secret" };
  for (const field of ["sessionKey", "controllerId", "path"]) {
    const { problems } = load({ routes: { r: { ...good, [field]: `/${"a".repeat(4096)}` } } });
    expect(problems.map(problemLine)).toEqual([
      `route r skipped: ${field} is longer than 4096 characters. Set a shorter one.`,
    ]);
    for (const id of ["r".repeat(4096), ` ${"r".repeat(4096)} `])
      expect(load({ routes: { [id]: { ...good, path: "/in" } } }).problems).toEqual([]);
    const ids = load({ routes: { ["r".repeat(4097)]: { ...good, path: "/in" } } });
    expect(ids.problems.map(problemLine)).toEqual([
      `route ${"r".repeat(4096)}... skipped: id is longer than 4096 characters. Set a shorter one.`,
    ]);
    if (field === "path") continue;
    expect(load({ routes: { r: { ...good, [field]: "a".repeat(4096) } } }).problems).toEqual([]);
  }
});

test("TOTAL-1: any text is a placeholder or not, in time that does not explode", () => {
  const parts = fc.constantFrom(
    "${",
    "{{",
    "}}",
    "$(",
    "$a",
    "<a",
    "x",
    "an",
    "test",
    "secret",
    "redact",
    "*",
    "'",
    "\n",
  );
  const long = fc.array(parts, { maxLength: 1000, size: "max" }).map((all) => all.join("").slice(0, 4096));
  fc.assert(
    fc.property(fc.oneof(wildText, long), (text) => {
      const known = placeholderIn(text);
      expect(known === undefined || known.startsWith("is ")).toBe(true);
      expect(typeof hasReference(text)).toBe("boolean");
    }),
    { numRuns: runs(100) },
  );
});

test("CONFIG-9: a bracket that is not closed, or not opened, and a short name far from its bracket are not references", () => {
  const unclosed = ["$( name", "$[ name", "#{ name", "@{ name", "{{ name", "{% name", "<% name", "[[ name", "%( name"];
  const unopened = ["name )", "name ]", "name }", "name }}", "name %}", "name %>", "name ]]", "name )s"];
  for (const text of [...unclosed, ...unopened, "$( ab - )"]) {
    expect([text, hasReference(`agent:main:${text}`)]).toEqual([text, false]);
  }
  for (const text of ["$( name)", "$[ name]", "{% name %}", "<% name %>", "%( name)s", "$( ab )", "$( abc - )"]) {
    expect([text, hasReference(`agent:main:${text}`)]).toEqual([text, true]);
  }
  // the letter of a bracket is not a name
  expect(placeholderIn("%(90218374655)s")).toBeUndefined();
});
