// `sign`: the header fields of a test delivery, and what it refuses to sign.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { Io } from "../../../adapters/cli/io.ts";
import { NAMES, check, type Headers, keyOf, secretOf, sentId } from "../../core/signing.ts";
import { cli, type Ran } from "../../support/cli.ts";
import { runs } from "../../support/runs.ts";

const folder = mkdtempSync(join(tmpdir(), "sign-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content, { mode: 0o600 });
  return join(folder, name);
};

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ENV = { OPENCLAW_WEBHOOK_SECRET: SECRET };
const BODY = write("body.json", "{}");

/** What curl's `-H @-` would send. */
const fieldsOf = (out: string): Headers =>
  Object.fromEntries(
    out
      .trimEnd()
      .split("\n")
      .map((line) => /^([a-z\d-]+): (.*)$/u.exec(line)?.slice(1) ?? expect.fail(line)),
  );

test("SIGN-1: what sign prints proves the body as it was read, from a file and from standard input, and shows no secret", async () => {
  const any = fc
    .constantFrom(...NAMES)
    .chain((scheme) => fc.record({ scheme: fc.constant(scheme), secret: secretOf(scheme) }))
    .filter(({ secret }) => secret.trim() === secret);
  const raw = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.constantFrom("", "\ufeff{}\r\n", '{"a":1}\n').map((text) => new TextEncoder().encode(text)),
  );
  await fc.assert(
    fc.asyncProperty(any, raw, fc.boolean(), async ({ scheme, secret }, body, isPiped) => {
      const [file, env] = [isPiped ? "-" : write("raw", body), { MINE: secret }];
      const io = { env, input: async () => body };
      const ran = await cli(["sign", scheme, "--body", file, "--secret-env", "MINE"], io);
      expect([ran.status, scheme === "linear" ? "" : ran.error]).toEqual([0, ""]);
      const headers = fieldsOf(ran.out);
      expect(headers["content-type"]).toBe("application/json");
      expect(check(scheme, headers, [keyOf(scheme, secret)], body, Date.now())).toBe(0);
      expect(ran.out + ran.error).not.toContain(secret);
    }),
    { numRuns: runs(60) },
  );
});

test("SIGN-1: the id of the delivery is the given one, else a new one each time", async () => {
  const idOf = async (...args: readonly string[]): Promise<string | undefined> => {
    const { out } = await cli(["sign", "github", "--body", BODY, ...args], { env: ENV });
    return fieldsOf(out)["x-github-delivery"];
  };
  await fc.assert(
    fc.asyncProperty(sentId, async (id) => {
      // a value that begins with a hyphen must not be taken for an option
      expect(await idOf(`--id=${id}`)).toBe(id);
    }),
    { numRuns: runs(20) },
  );
  expect(await idOf("--id", "a.b")).toBe("a.b");
  const [one, other] = [await idOf(), await idOf()];
  expect(one).toMatch(/^[\da-f-]{36}$/u);
  expect(one).not.toBe(other);
});

test("CALL-1: sign takes the secret from the named variable or from a file, never from an argument", async () => {
  const sign = (args: readonly string[], env = {}): Promise<Ran> =>
    cli(["sign", "standard", "--body", BODY, ...args], { env });
  expect((await sign([], ENV)).status).toBe(0);
  expect((await sign(["--secret-env", "MINE"], { MINE: ` ${SECRET}\n` })).status).toBe(0);
  expect((await sign(["--secret-file", write("secret", `${SECRET}\n`)])).status).toBe(0);
  for (const args of [["--secret", SECRET], [`--secret=${SECRET}`], [SECRET], ["--secret-file", "/none"]]) {
    const { status, out, error } = await sign(args);
    expect([status, out, error.split("\n").length]).toEqual([2, "", 2]);
    expect(error).not.toContain(SECRET);
  }
});

test("SIGN-3: sign says when the time in Linear's body is one that a route refuses", async () => {
  const sign = async (webhookTimestamp: unknown): Promise<Ran> =>
    cli(["sign", "linear", "--body", write("linear.json", JSON.stringify({ webhookTimestamp }))], { env: ENV });
  expect((await sign(Date.now())).error).toBe("");
  for (const time of [undefined, 0, String(Date.now()), Date.now() + 400_000]) {
    const { status, out, error } = await sign(time);
    expect([status, Object.keys(fieldsOf(out))]).toEqual([0, ["content-type", "linear-signature"]]);
    expect(error).toMatch(/^webhookTimestamp in the body is not within 300 seconds of now, .* Set it to \d{13}\.\n$/u);
  }
});

const SHORT = { OPENCLAW_WEBHOOK_SECRET: "too-short-secret".slice(1) };
const ID =
  "--id is not an id of a delivery. Give 1 to 255 printable ASCII characters without spaces, and for standard without a full stop.\n";
const SCHEME = "SCHEME is not one of standard, github, stripe, shopify, linear, slack. Write one of them.\n";

const STANDARD = SCHEME.replace("Write one of them", "This provider signs as standard. Write that");

const REFUSED: readonly (readonly [args: readonly string[], env: Io["env"], error: string])[] = [
  [["bogus", "--body", BODY], ENV, SCHEME],
  [["constructor", "--body", BODY], ENV, SCHEME],
  [["__proto__", "--body", BODY], ENV, SCHEME],
  [["GitHub", "--body", BODY], ENV, SCHEME],
  ...["gitlab", "GitLab", "svix", "OpenAI", "supabase", "polar"].map(
    (name) => [[name, "--body", BODY], ENV, STANDARD] as const,
  ),
  [["github"], ENV, "error: required option '--body <file>' not specified\n"],
  [["--body", BODY], ENV, "error: missing required argument 'scheme'\n"],
  [
    ["github", "--body", join(folder, "none")],
    ENV,
    `The body file ${join(folder, "none")} does not exist: correct the path or create the file.\n`,
  ],
  [
    ["github", "--body", folder],
    ENV,
    `The body file ${folder} is not a regular file: give the path of a regular file.\n`,
  ],
  [
    ["github", "--body", BODY],
    {},
    "The environment variable OPENCLAW_WEBHOOK_SECRET is not set or empty. Set it to the secret, or use --secret-file.\n",
  ],
  [
    ["github", "--body", BODY],
    SHORT,
    "The secret is shorter than 16 bytes, too short to sign with. Set a longer one here and at the provider.\n",
  ],
  [
    ["standard", "--body", BODY],
    { OPENCLAW_WEBHOOK_SECRET: "whsec_not base64" },
    "The secret is not whsec_ followed by base64. Copy the signing secret as the provider shows it.\n",
  ],
  ...["", " ", "a b", " a", "a\n", "a\nx-other: b", "\u00e9", "x".repeat(256), "a, a"].map(
    (id) => [["github", "--body", BODY, "--id", id], ENV, ID] as const,
  ),
  [["standard", "--body", BODY, "--id", "a.b"], ENV, ID],
  ...["stripe", "linear", "slack"].map(
    (scheme) =>
      [
        [scheme, "--body", BODY, "--id", "x"],
        ENV,
        `A ${scheme} delivery has no id among its header fields. Remove --id.\n`,
      ] as const,
  ),
];

test.each(REFUSED)("sign %j with %j ends with one sentence, and prints nothing", async (args, env, error) => {
  expect(await cli(["sign", ...args], { env })).toEqual({ status: 2, out: "", error });
});

test("SIGN-1: a body as large as a route may allow is signed, and a larger one is refused, from a file and standard input", async () => {
  const large = new Uint8Array(26_214_401);
  for (const [body, status] of [
    [large.subarray(1), 0],
    [large, 2],
  ] as const) {
    const file = write("large", body);
    for (const name of [file, "-"]) {
      const ran = await cli(["sign", "github", "--body", name], { env: ENV, input: async () => body });
      expect([ran.status, ran.error.includes("is longer than 25 MiB, which no route takes: shorten it.")]).toEqual([
        status,
        status !== 0,
      ]);
    }
  }
});
