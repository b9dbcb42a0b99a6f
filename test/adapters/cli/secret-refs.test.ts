// SecretRefs with real environment variables, files and commands.

import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, lchownSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { openSecrets, resolveSecretRef } from "../../../adapters/cli/secrets/refs.ts";
import { isRoot } from "../../support/command-line.ts";
import { runs } from "../../support/runs.ts";

const SECRET = "correct-horse-battery-staple";
const DIRECTORY = mkdtempSync(join(tmpdir(), "secret-refs-"));

afterAll(() => rmSync(DIRECTORY, { recursive: true }));

let files = 0;
const newPath = (): string => join(DIRECTORY, `f${String((files += 1))}`);

const newFile = (content: string | Buffer, mode = 0o600): string => {
  const path = newPath();
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
};

const newPipe = (): string => {
  const path = newPath();
  execFileSync("mkfifo", ["-m", "600", path]);
  return path;
};

/** A new executable script with these lines. */
const newCommand = (lines: string, mode = 0o700): string => newFile(`#!/bin/sh\n${lines}\n`, mode);

type Env = Readonly<Record<string, string>>;
type Block = Readonly<Record<string, unknown>>;

/** The secret, or `fault: ` and the sentence. */
const resolve = async (ref: unknown, secrets: unknown, env: Env = {}): Promise<string> => {
  const result = await resolveSecretRef(ref, secrets, env);
  if (result.isErr()) expect(Object.keys(result.error)).toEqual(["sentence"]);
  return result.match(
    (secret) => secret,
    ({ sentence }) => `fault: ${sentence}`,
  );
};

const inEnv = (block: Block, id = "NAME", env: Env = { NAME: SECRET }): Promise<string> =>
  resolve({ source: "env", provider: "vars", id }, { providers: { vars: { source: "env", ...block } } }, env);

const inFile = (block: Block, id = "value", env: Env = {}): Promise<string> =>
  resolve(
    { source: "file", provider: "kept", id },
    { providers: { kept: { source: "file", mode: "singleValue", ...block } } },
    env,
  );

const inJson = (content: string, id: string): Promise<string> => inFile({ path: newFile(content), mode: "json" }, id);

const byCommand = (block: Block, id = "a/b#c", env: Env = {}): Promise<string> =>
  resolve({ source: "exec", provider: "vault", id }, { providers: { vault: { source: "exec", ...block } } }, env);

/** The secret from a command that writes `output`. */
const byOutput = (output: string | Buffer, block: Block = {}): Promise<string> =>
  byCommand({ command: "/bin/cat", ...byCat(output), ...block });

/** A command that the tests' user owns; the system's commands may belong to root. */
const CAT = newCommand('exec /bin/cat "$1"');
const byCat = (output: string | Buffer): Block => ({ command: CAT, args: [newFile(output)] });

const answer = (values: unknown, more: Block = {}): string => JSON.stringify({ protocolVersion: 1, values, ...more });
const ANSWER = answer({ "a/b#c": SECRET });

test("CONFIG-2: a field that a provider does not have is named, and not what stands in it", async () => {
  const hint = (field: string): string => `.${field} is not a field of this provider: remove it or correct its name.`;
  expect(await inEnv({ alowlist: [SECRET] })).toBe(`fault: secrets.providers.vars${hint("alowlist")}`);
  expect(await inFile({ path: "/none", modes: SECRET })).toBe(`fault: secrets.providers.kept${hint("modes")}`);
  const odd = await byCommand({ command: "/none", "a\u0007": SECRET, b: SECRET });
  expect(odd).toBe(`fault: secrets.providers.vault${hint("a\\u{7}")}`);
});

test("CONFIG-2: a pointer to nothing is a fault of the file or of the id; a ref that was not opened has no secret", async () => {
  for (const id of ["/none", "/b/none"])
    expect(await inJson(JSON.stringify({ a: SECRET, b: {} }), id)).toBe(
      "fault: secrets.providers.kept.path has no value at the SecretRef's id: correct the id or the file.",
    );
  const secretOf = await openSecrets([], {}, { NAME: SECRET });
  expect(secretOf({ source: "env", provider: "default", id: "NAME" })._unsafeUnwrapErr()).toEqual({
    sentence: "the SecretRef is not one of those that were opened.",
  });
});

describe("which provider", () => {
  const env = { NAME: SECRET };
  const ref = (provider: string) => ({ source: "env", provider, id: "NAME" });

  test.each([
    ["the provider default is built in", "default", undefined, true],
    [
      "it stays built in when a block of that name has another source",
      "default",
      { providers: { default: { source: "file" } } },
      true,
    ],
    ["the operator's default takes its place", "mine", { defaults: { env: " mine " } }, true],
    ["default then needs a block", "default", { defaults: { env: "mine" } }, false],
    [
      "default may then have a block",
      "default",
      { defaults: { env: "mine" }, providers: { default: { source: "env" } } },
      true,
    ],
    [
      "the operator's default may have a block",
      "mine",
      { defaults: { env: "mine" }, providers: { mine: { source: "env", allowlist: [] } } },
      false,
    ],
    ["another provider needs a block", "other", {}, false],
    ["another provider with a block is found", "other", { providers: { other: { source: "env" } } }, true],
    [
      "a block with another source is not found",
      "other",
      { providers: { other: { source: "file", path: "/x" } } },
      false,
    ],
    ["no name reaches a prototype", "constructor", { providers: {} }, false],
    ["secrets of a wrong shape have no providers", "other", { providers: [1], defaults: 7 }, false],
  ])("%s", async (_, provider, secrets, isFound) => {
    const resolved = await resolve(ref(provider), secrets, env);
    expect(resolved === SECRET, resolved).toBe(isFound);
  });

  test("the fault names the block that is missing or has another source", async () => {
    expect(await resolve(ref("other"), {})).toBe("fault: secrets.providers.other is missing: add it with source env.");
    expect(await resolve(ref("constructor"), { providers: {} })).toMatch(/constructor is missing/u);
    expect(await resolve(ref("other"), { providers: { other: { source: "exec" } } })).toBe(
      "fault: secrets.providers.other does not have the source env: correct it or the SecretRef's provider.",
    );
  });

  test("files and commands have no built-in provider", async () => {
    const ref = { source: "file", provider: "default", id: "value" };
    expect(await resolve(ref, { defaults: { file: "default" } })).toBe(
      "fault: secrets.providers.default is missing: add it with source file.",
    );
  });

  test("the store and integrations of plugins work only inside a Gateway", async () => {
    expect(await resolve({ source: "store", provider: "default", id: "NAME" }, {}, env)).toMatch(
      /only inside a Gateway/u,
    );
    const pluginIntegration = { pluginId: "onepassword", integrationId: "onepassword" };
    expect(await byCommand({ pluginIntegration })).toBe(
      "fault: secrets.providers.vault.pluginIntegration works only inside a Gateway: set a command instead.",
    );
  });
});

describe("the form of a SecretRef", () => {
  const pasted = "PASTED-where-an-id-belongs";
  const good = { source: "env", provider: "default", id: "NAME" };

  test.each([
    null,
    "NAME",
    [good],
    {},
    { source: "env", id: "NAME" },
    { ...good, more: 1 },
    { ...good, source: "vault" },
    { ...good, id: 7 },
    ...["", "Default", "1st", "a b", "ä", `a${"b".repeat(64)}`, pasted].map((provider) => ({ ...good, provider })),
    ...["", "name", "_NAME", "1NAME", "NA-ME", " NAME", "NAME\n", `A${"B".repeat(128)}`, pasted].map((id) => ({
      ...good,
      id,
    })),
    ...["", "a", "Value", "/a~", "/a~2", "values", pasted].map((id) => ({ source: "file", provider: "p", id })),
    ...["", "/a", ".a", "a/../b", "a/./b", "a/..", "a b", "a\n", "ä", `a${"b".repeat(256)}`, `${pasted} `].map(
      (id) => ({ source: "exec", provider: "p", id }),
    ),
  ])("%j is refused before a provider is opened, and is not quoted", async (ref) => {
    const secrets = { providers: { p: { source: "exec", command: newPath() } } };
    const fault = await resolve(ref, secrets, { NAME: SECRET, _NAME: SECRET, name: SECRET });
    expect(fault).toMatch(/^fault: (?:a SecretRef must have|the SecretRef's (?:id|provider) must) /u);
    expect(fault).not.toContain(pasted);
  });

  test.each(["a", "a.b", "a..b/c", "..".padStart(3, "a"), "A:1/#x-_", `a${"b".repeat(255)}`])(
    "%s is a valid id for a command",
    async (id) => {
      expect(await byCommand(byCat(answer({ [id]: SECRET })), id)).toBe(SECRET);
    },
  );
});

describe("environment variables", () => {
  test("a variable that is not set, empty or blank is not a secret", async () => {
    expect(await inEnv({})).toBe(SECRET);
    const fault = "fault: the environment variable NAME is not set or empty: set it.";
    expect([await inEnv({}, "NAME", {}), await inEnv({}, "NAME", { NAME: "" })]).toEqual([fault, fault]);
    expect(await inEnv({}, "NAME", { NAME: " \t" })).toMatch(/^fault: .* empty or not a string/u);
  });

  test("an allowlist allows the variables that it names; an empty one allows none", async () => {
    expect(await inEnv({ allowlist: ["OTHER", "NAME"] })).toBe(SECRET);
    const fault = "fault: secrets.providers.vars.allowlist does not name the environment variable NAME: add it.";
    expect([await inEnv({ allowlist: ["NAM"] }), await inEnv({ allowlist: [] })]).toEqual([fault, fault]);
  });
});

describe("files", () => {
  test("every string in a JSON file is found by its pointer", async () => {
    const key = fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "", "a/b", "m~n", "~1", "0"));
    const value = fc.string().map((text) => `${SECRET}${text}`);
    await fc.assert(
      fc.asyncProperty(fc.array(key, { minLength: 1, maxLength: 4 }), value, async (keys, secret) => {
        const content = keys.reduceRight((inner, name) => `{${JSON.stringify(name)}:${inner}}`, JSON.stringify(secret));
        const pointer = keys.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
        expect(await inJson(content, pointer)).toBe(secret);
      }),
      { numRuns: runs(100) },
    );
  });

  test.each([
    ["/list/1", true],
    ["/list/2", false],
    ["/list/01", false],
    ["/list/length", false],
    ["/toString", false],
    ["/text/length", false],
    ["/text/0", false],
    ["/nothing", false],
    ["/", false],
    ["value", false],
    ["/number", false],
    ["/blank", false],
    ["/object", false],
  ])("in a JSON file, %s points to a secret: %s", async (pointer, isFound) => {
    const content = JSON.stringify({
      list: ["x", SECRET],
      text: SECRET,
      number: 5,
      blank: " ",
      object: { SECRET },
      alue: SECRET,
      value: SECRET,
    });
    const resolved = await inJson(content, pointer);
    expect([resolved === SECRET, resolved.startsWith("fault: ")]).toEqual([isFound, !isFound]);
    if (!isFound) expect(resolved).not.toContain(SECRET);
  });

  test("CONFIG-10: a JSON file in which a name stands twice in one object is refused, with the lines", async () => {
    const twice = `{\n"a": { "key": "${SECRET}" },\n"b": { "key": "x", "key2": "y",\n "k\\u0065y": "${SECRET}" }\n}`;
    for (const id of ["/a/key", "/b/key"]) {
      expect(await inJson(twice, id)).toBe(
        "fault: secrets.providers.kept.path has one name on lines 3 and 4: keep one of them.",
      );
    }
    expect(await inJson(`{"a": {"key": "${SECRET}"}, "b": {"key": "x"}}`, "/a/key")).toBe(SECRET);
  });

  test("a file in mode singleValue is the secret, without one line end and a byte order mark", async () => {
    const values = [SECRET, `${SECRET}\n`, `${SECRET}\r\n`, `\uFEFF${SECRET}`];
    for (const content of values) expect(await inFile({ path: newFile(content) })).toBe(SECRET);
    expect(await inFile({ path: newFile(` ${SECRET}\n\n`) })).toBe(` ${SECRET}\n`);
    expect(await inFile({ path: newFile(SECRET) }, "/value")).toMatch(/set the SecretRef's id to value/u);
  });

  test("FILE-1, FILE-2: an own file is read exactly when group and others may neither read nor write it", async () => {
    const path = newFile(SECRET);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 0o777 }), async (mode) => {
        chmodSync(path, mode | 0o400);
        const resolved = await inFile({ path });
        expect(resolved === SECRET).toBe((mode & 0o066) === 0);
        const words = (mode & 0o022) === 0 ? "is open to group or others: run chmod 600 on it" : "run chmod go-w on it";
        if (resolved !== SECRET) expect(resolved).toContain(words);
      }),
      { numRuns: runs(100), examples: [[0o600], [0o601], [0o602], [0o604], [0o610], [0o620], [0o640]] },
    );
  });

  const symlinkTo = (path: string): string => {
    const link = newPath();
    symlinkSync(path, link);
    return link;
  };
  const linked = (): string => {
    const path = newFile(SECRET);
    linkSync(path, newPath());
    return path;
  };
  const directory = (): string => {
    const path = newPath();
    mkdirSync(path, 0o700);
    return path;
  };
  const foreign = (path: string): string => {
    chownSync(path, 12345, 12345);
    return path;
  };

  test.each([
    ["a path without a file", newPath, "does not exist"],
    ["a file below a file", () => join(newFile(""), "x"), "does not exist"],
    ["a path with a NUL", () => `${DIRECTORY}/a\0b`, "cannot be read"],
    ["a symlink to nothing", () => symlinkTo(newPath()), "does not exist"],
    ["a symlink to a file that others may read", () => symlinkTo(newFile(SECRET, 0o644)), "open to group or others"],
    ["a symlink that leads back", () => symlinkTo(join(DIRECTORY, `f${String(files + 1)}`)), "too many symlinks"],
    ["a file with two links", linked, "more than one hard link"],
    ["a directory", directory, "is not a regular file"],
    ["a pipe without a writer", newPipe, "is not a regular file"],
    ["bytes that are not UTF-8", () => newFile(Buffer.from([...Buffer.from(SECRET), 0xff])), "not UTF-8"],
    ["an empty file", () => newFile(""), "empty or not a string"],
  ])("%s is a fault", async (_, path, words) => {
    const fault = await inFile({ path: path() });
    expect(fault).toMatch(/^fault: [^\n]+\.$/u);
    expect(fault).toContain(words);
    expect(fault).not.toContain(SECRET);
  });

  const chained = (target: string, links: number): string =>
    Array.from({ length: links }).reduce<string>((path) => symlinkTo(path), target);

  test("a file is found through as many symlinks as Linux follows", async () => {
    expect(await inFile({ path: chained(newFile(SECRET), 40) })).toBe(SECRET);
    expect(await inFile({ path: chained(newFile(SECRET), 41) })).toMatch(/leads through too many symlinks/u);
  });

  test("FILE-1: every folder counts, those to which the symlinks on the way lead too", async () => {
    const step = fc.constantFrom("safe", "safe", "writable", "sticky", "link", "relative link");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        let [written, real] = [directory(), ""];
        real = written;
        for (const name of steps) {
          const next = name.includes("link") ? directory() : join(real, "in");
          if (name === "link") symlinkSync(next, join(real, "in"));
          else if (name === "relative link") symlinkSync(relative(real, next), join(real, "in"));
          else mkdirSync(next);
          if (name === "writable") chmodSync(next, 0o777);
          if (name === "sticky") chmodSync(next, 0o1777);
          [written, real] = [join(written, "in"), next];
        }
        writeFileSync(join(real, "secret"), SECRET, { mode: 0o600 });
        for (const path of [join(written, "secret"), symlinkTo(join(written, "secret"))]) {
          expect(await inFile({ path })).toMatch(
            steps.includes("writable")
              ? /\.path leads through \/[^\s,]+\/in, which can be changed by group or others: run chmod go-w on it/u
              : SECRET,
          );
        }
      }),
      { numRuns: runs(60) },
    );
  });

  test("FILE-1: in a sticky folder a hard link is refused, because another user may have made it", async () => {
    const folder = directory();
    chmodSync(folder, 0o1777);
    const original = newCommand(`echo '${ANSWER}'`);
    linkSync(original, join(folder, "command"));
    expect(await byCommand({ command: original })).toBe(SECRET);
    expect(await byCommand({ command: join(folder, "command") })).toMatch(/more than one hard link/u);
  });

  // only root can give a file to another user
  describe.runIf(isRoot)("of other users", () => {
    const foreignLink = (path: string): string => {
      const link = symlinkTo(path);
      lchownSync(link, 12345, 12345);
      return link;
    };
    const inForeign = (): string => {
      const folder = foreign(directory());
      writeFileSync(join(folder, "secret"), SECRET, { mode: 0o600 });
      return join(folder, "secret");
    };

    test.each([
      ["a file", () => foreign(newFile(SECRET)), /kept\.path does not belong to the current user or root/u],
      ["a symlink", () => foreignLink(newFile(SECRET)), /kept\.path is a symlink of another user/u],
      ["a folder", inForeign, /leads through \S+, which does not belong to the current user or root/u],
      [
        "a symlink behind a symlink",
        () => symlinkTo(foreignLink(newFile(SECRET))),
        /leads through \S+, which is a symlink of another user/u,
      ],
    ])("FILE-1: %s of another user is a fault", async (_, path, words) => {
      expect(await inFile({ path: path() })).toMatch(words);
    });
  });

  test.each([`{"a": "${SECRET}"`, `["${SECRET}"]`, `"${SECRET}"`, "null", ""])(
    "%s is not a JSON object",
    async (content) => {
      const fault =
        "fault: secrets.providers.kept.path does not contain a JSON object: correct the file, or set mode to singleValue if it contains only the secret.";
      expect([await inJson(content, "/a"), await inJson(content, "/0")]).toEqual([fault, fault]);
    },
  );

  test("a file may be maxBytes long", async () => {
    const path = newFile(SECRET);
    expect(await inFile({ path, maxBytes: SECRET.length })).toBe(SECRET);
    expect(await inFile({ path, maxBytes: SECRET.length - 1 })).toMatch(/is longer than maxBytes/u);
    truncateSync(path, 1_048_577);
    expect(await inFile({ path })).toMatch(/is longer than maxBytes/u);
  });

  test("reading a file ends after timeoutMs", async () => {
    const path = newFile("");
    truncateSync(path, 20_971_520);
    expect(await inFile({ path, timeoutMs: 1, maxBytes: 20_971_520 })).toMatch(/was not read within timeoutMs/u);
  });

  test("~ is OPENCLAW_HOME if that is set, else HOME", async () => {
    const [home, own] = [directory(), directory()];
    mkdirSync(join(home, "svc"));
    const at = (path: string, content: string): void => writeFileSync(path, content, { mode: 0o600 });
    at(join(home, "s"), "of home");
    at(join(home, "svc", "s"), "of svc");
    at(join(own, "s"), "of own");
    const tilde = (env: Env): Promise<string> => inFile({ path: "~/s" }, "value", env);
    expect(await tilde({ HOME: home, OPENCLAW_HOME: own })).toBe("of own");
    expect(await tilde({ HOME: home, OPENCLAW_HOME: "~/svc" })).toBe("of svc");
    for (const unset of ["", " ", "undefined", "null"]) {
      expect(await tilde({ HOME: home, OPENCLAW_HOME: unset })).toBe("of home");
    }
    expect(await inFile({ path: "~s" }, "value", { HOME: home })).toMatch(/does not exist/u);
    // an empty or relative HOME does not make the path relative to the current folder
    for (const HOME of ["", ".", "test/support"])
      expect(await inFile({ path: "~/runs.ts" }, "value", { HOME })).toMatch(/does not exist/u);
  });
});

describe("commands", () => {
  test("a command runs in its directory, with its arguments and variables and nothing else", async () => {
    const lines = `const [,, ...args] = process.argv; let asked = "";
      process.stdin.on("data", (part) => { asked += part; });
      process.stdin.on("end", () => {
        const value = JSON.stringify({ asked: JSON.parse(asked), args, env: process.env, cwd: process.cwd() });
        process.stdout.write(JSON.stringify({ protocolVersion: 1, values: { [JSON.parse(asked).ids[0]]: value } }));
      });`;
    const command = newFile(`#!${process.execPath}\n${lines}\n`, 0o700);
    const args = ["$(id)", "a b", "*"];
    const env = { PASSED: "1", KEPT: "2", BOTH: "3" };
    const block = { command, args, passEnv: ["PASSED", "BOTH", "NOT_SET"], env: { own: "4", BOTH: "5" } };
    const { env: given, ...rest } = JSON.parse(await byCommand(block, "a/b#c", env));
    expect(rest).toEqual({ asked: { protocolVersion: 1, provider: "vault", ids: ["a/b#c"] }, args, cwd: DIRECTORY });
    const { NODE_V8_COVERAGE: _, ...own } = given;
    expect(own).toEqual({ PASSED: "1", own: "4", BOTH: "5" });
  });

  test("a value in an answer is a secret only if it is an own string that is not blank", async () => {
    expect(await byOutput(` \n${ANSWER}\n`)).toBe(SECRET);
    for (const value of [undefined, null, 5, [SECRET], { SECRET }, "", " "]) {
      expect(await byOutput(answer({ "a/b#c": value, other: SECRET }))).toMatch(/^fault: /u);
    }
    expect(await byCommand(byCat(answer({})), "toString")).toMatch(/did not answer for the SecretRef's id/u);
  });

  test.each([
    ["NOT_FOUND", "has no secret for the SecretRef's id"],
    ["AMBIGUOUS_DUPLICATE_KEY", "has more than one secret for the SecretRef's id"],
    [SECRET, "reported an error for the SecretRef's id"],
    [undefined, "reported an error for the SecretRef's id"],
  ])("an error %s for the id wins over its value", async (code, words) => {
    const fault = await byOutput(answer({ "a/b#c": SECRET }, { errors: { "a/b#c": { code, message: SECRET } } }));
    expect(fault).toMatch(/^fault: secrets\.providers\.vault\.command /u);
    expect(fault).toContain(words);
    expect(fault).not.toContain(SECRET);
  });

  test("errors of other ids and errors that are not an object are ignored", async () => {
    for (const errors of [{ other: {} }, null, ["a/b#c"], "a/b#c"]) {
      expect(await byOutput(answer({ "a/b#c": SECRET }, { errors }))).toBe(SECRET);
    }
  });

  const garbage = [
    "",
    " \n",
    SECRET,
    JSON.stringify(SECRET),
    `[${ANSWER}]`,
    `${ANSWER}${ANSWER}`,
    ANSWER.slice(0, -1),
    ANSWER.replace("1", "2"),
    ANSWER.replace("1", '"1"'),
    JSON.stringify({ values: { "a/b#c": SECRET } }),
    JSON.stringify({ protocolVersion: 1, value: SECRET }),
    answer([SECRET]),
    answer(SECRET),
    Buffer.concat([Buffer.from(ANSWER.slice(0, -3)), Buffer.from([0xff]), Buffer.from(ANSWER.slice(-3))]),
  ];

  test.each(garbage)("the output %s is not an answer, and is not quoted", async (output) => {
    const fault = await byOutput(output);
    expect(fault).toMatch(/^fault: secrets\.providers\.vault\.command [^\n]+\.$/u);
    expect(fault).not.toContain(SECRET);
  });

  test("only an answer gives a secret, and no fault quotes the output", async () => {
    const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(SECRET, 1, { "a/b#c": SECRET }));
    const member = fc.tuple(fc.constantFrom("protocolVersion", "values", "errors", "a/b#c", SECRET), value);
    const output = fc.array(member).map((members) => JSON.stringify(Object.fromEntries(members)));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          output,
          fc.string().map((text) => `${SECRET}${text}`),
        ),
        async (text) => {
          const resolved = await byOutput(text);
          if (resolved !== SECRET)
            expect(resolved).toMatch(/^fault: secrets\.providers\.vault\.command (?!.*correct-horse)/u);
          else expect(JSON.parse(text).values["a/b#c"]).toBe(SECRET);
        },
      ),
      { numRuns: runs(100) },
    );
  });

  test("with jsonOnly off, output that is not JSON, or is a JSON string, is the secret", async () => {
    const jsonOnly = false;
    expect(await byOutput(`  ${SECRET}\n`, { jsonOnly })).toBe(SECRET);
    expect(await byOutput(JSON.stringify(SECRET), { jsonOnly })).toBe(SECRET);
    expect(await byOutput(ANSWER, { jsonOnly })).toBe(SECRET);
    expect(await byOutput("12345", { jsonOnly })).toMatch(/did not write an answer/u);
    expect(await byOutput("\n", { jsonOnly })).toMatch(/wrote nothing/u);
    const refs = ["a", "b"].map((id) => ({ source: "exec", provider: "vault", id }) as const);
    const secrets = { providers: { vault: { source: "exec", ...byCat(SECRET), jsonOnly } } };
    const secretOf = await openSecrets(refs, secrets, {});
    expect(refs.map((ref) => secretOf(ref).isErr())).toEqual([true, true]);
  });

  test("FILE-5: signals are watched exactly while a command runs, however it ends", async () => {
    const counts = (): readonly number[] => ["SIGTERM", "SIGHUP", "exit"].map((name) => process.listenerCount(name));
    const before = counts();
    const held = newPipe();
    const runs = [
      byCommand({ command: newCommand(`read x < ${held}; echo '${ANSWER}'`) }),
      ...[newFile("#!/not/there\n", 0o700), newCommand("exit 1"), newCommand("exec /bin/sleep 30")].map((path) =>
        byCommand({ command: path, timeoutMs: 300 }),
      ),
      byCommand({ command: newCommand(""), args: ["a\0b"] }),
    ];
    await Promise.all(runs.slice(1));
    expect(counts()).toEqual(before.map((count) => count + 1));
    writeFileSync(held, "go\n");
    expect(await runs[0]).toBe(SECRET);
    expect(counts()).toEqual(before);
  });

  test("the output of a command that fails is ignored", async () => {
    for (const end of ["exit 1", "kill -9 $$"]) {
      const command = newCommand(`echo '${ANSWER}'; echo '${SECRET}' >&2; ${end}`);
      expect(await byCommand({ command })).toBe(
        "fault: secrets.providers.vault.command ended with an error: run it by hand to see why.",
      );
    }
  });

  test("a command may write to standard error and need not read its input", async () => {
    const id = `a${"b".repeat(255)}`;
    const ids = Array.from({ length: 400 }, (_, index) => `${id.slice(0, -3)}${String(index).padStart(3, "0")}`);
    const command = newCommand(`echo complaint >&2; exec 0<&-; echo '${answer({ [ids[0] ?? ""]: SECRET })}'`);
    const refs = ids.map((name) => ({ source: "exec", provider: "vault", id: name }) as const);
    const secretOf = await openSecrets(refs, { providers: { vault: { source: "exec", command } } }, {});
    expect(refs.filter((ref) => secretOf(ref).isOk())).toEqual(refs.slice(0, 1));
  });

  test("maxOutputBytes limits standard output and standard error together", async () => {
    const maxOutputBytes = ANSWER.length;
    expect(await byOutput(ANSWER, { maxOutputBytes })).toBe(SECRET);
    expect(await byOutput(ANSWER, { maxOutputBytes: maxOutputBytes - 1 })).toMatch(/wrote more than maxOutputBytes/u);
    for (const to of ["", ">&2"]) {
      const command = newCommand(`while :; do echo '${SECRET}' ${to}; done`);
      const fault = await byCommand({ command });
      expect(fault).toMatch(/wrote more than maxOutputBytes and was killed/u);
      expect(fault).not.toContain(SECRET);
    }
  });

  test.each([
    ["timeoutMs", { timeoutMs: 300 }, /did not end within timeoutMs/u],
    ["noOutputTimeoutMs", { timeoutMs: 60_000, noOutputTimeoutMs: 300 }, /wrote nothing for noOutputTimeoutMs/u],
  ])("a command that hangs is killed with its children after %s", async (_, limits, words) => {
    const held = newPipe();
    const command = newCommand(`trap '' TERM INT HUP; exec 3> ${held}; echo on >&3; echo; /bin/sleep 30 & wait`);
    // the pipe ends when no process has it open
    const [fault, read] = await Promise.all([byCommand({ command, ...limits }), readFile(held, "utf8")]);
    expect([fault, read]).toEqual([expect.stringMatching(words), "on\n"]);
  });

  test("a command that keeps writing is not killed by noOutputTimeoutMs", async () => {
    const command = newCommand(`for i in 1 2 3 4 5; do echo; /bin/sleep 0.1; done; echo '${ANSWER}'`);
    expect(await byCommand({ command, noOutputTimeoutMs: 400 })).toBe(SECRET);
  });

  const command = newCommand(`echo '${ANSWER}'`);
  const ELSEWHERE = newPath();
  mkdirSync(ELSEWHERE);
  const link = join(ELSEWHERE, "link");
  symlinkSync(command, link);
  const dangling = newPath();
  symlinkSync(newPath(), dangling);

  test.each([
    ["of a relative path", { command: "bin/vault" }, "must be an absolute path"],
    ["below ~", { command: "~/vault" }, "must be an absolute path"],
    ["with characters of a shell", { command: `${command};id` }, "must be an absolute path without"],
    ["that does not exist", { command: newPath() }, "does not exist"],
    ["that is a directory", { command: DIRECTORY }, "is not a regular file"],
    ["that is a symlink to nothing", { command: dangling }, "does not exist"],
    [
      "that leaves trustedDirs by a symlink",
      { command: link, trustedDirs: [ELSEWHERE] },
      "is not in one of trustedDirs",
    ],
    ["that the group can change", { command: newCommand("", 0o720) }, "can be changed by group or others"],
    ["that others can change", { command: newCommand("", 0o702) }, "can be changed by group or others"],
    ["that cannot be executed", { command: newCommand("", 0o600) }, "could not be started"],
    ["whose interpreter does not exist", { command: newFile("#!/not/there\n", 0o700) }, "could not be started"],
    ["with an argument that no command can have", { command, args: ["a\0b"] }, "could not be started"],
    [
      "outside trustedDirs",
      { command, trustedDirs: ["/usr/bin", `${DIRECTORY}x`, `${DIRECTORY}/sub`] },
      "is not in one of trustedDirs",
    ],
    ["when no directory is trusted", { command, trustedDirs: [] }, "is not in one of trustedDirs"],
    [
      "that leaves trustedDirs",
      { command: `${DIRECTORY}/sub/../${command.slice(DIRECTORY.length + 1)}`, trustedDirs: [`${DIRECTORY}/sub`] },
      "is not in one of trustedDirs",
    ],
  ])("a command %s is not run", async (_, block, words) => {
    const fault = await byCommand(block);
    expect(fault).toMatch(/^fault: secrets\.providers\.vault\.command [^\n]+\.$/u);
    expect(fault).toContain(words);
  });

  test("a command that others can read, in a trusted directory, is run", async () => {
    chmodSync(command, 0o755);
    expect(await byCommand({ command, trustedDirs: ["/nowhere", DIRECTORY] })).toBe(SECRET);
  });

  test("a command is run through a symlink, by the name of the symlink", async () => {
    const program = newCommand(`echo '${answer({ "a/b#c": "%s" })}' | sed "s|%s|$(basename "$0")|"`, 0o755);
    const called = newPath();
    symlinkSync(program, called);
    const folder = newPath();
    symlinkSync(DIRECTORY, folder);
    expect(await byCommand({ command: called, passEnv: ["PATH"] }, "a/b#c", { PATH: "/usr/bin:/bin" })).toBe(
      basename(called),
    );
    expect(await byCommand({ command: link, trustedDirs: [folder] })).toBe(SECRET);
  });

  // only root can give a file to another user
  test.runIf(isRoot)("FILE-1: a command of another user is not run", async () => {
    const other = newCommand(`echo '${ANSWER}'`);
    chownSync(other, 12345, 12345);
    expect(await byCommand({ command: other })).toMatch(/does not belong to the current user/u);
  });
});

describe("many SecretRefs", () => {
  test("a provider is opened once for all its ids, and each id is sent once", async () => {
    const input = newPath();
    const command = newCommand(`/bin/cat >> ${input}; echo '${answer({ a: "one", b: "two" })}'`);
    const refs = ["a", "b", "c", "a"].map((id) => ({ source: "exec", provider: "vault", id }) as const);
    const secretOf = await openSecrets(refs, { providers: { vault: { source: "exec", command } } }, {});
    expect(refs.map((ref) => secretOf(ref).unwrapOr("none"))).toEqual(["one", "two", "none", "one"]);
    expect(JSON.parse(readFileSync(input, "utf8"))).toEqual({
      protocolVersion: 1,
      provider: "vault",
      ids: ["a", "b", "c"],
    });
  });

  test("providers are opened at the same time: each of these two waits for the other", async () => {
    const [there, back] = [newPipe(), newPipe()];
    const source = "exec";
    const providers = {
      first: { source, command: newCommand(`echo > ${there}; read x < ${back}; echo '${answer({ a: "one" })}'`) },
      second: { source, command: newCommand(`read x < ${there}; echo > ${back}; echo '${answer({ a: "two" })}'`) },
    };
    const refs = ["first", "second"].map((provider) => ({ source, provider, id: "a" }) as const);
    const secretOf = await openSecrets(refs, { providers }, {});
    expect(refs.map((ref) => secretOf(ref).unwrapOr("none"))).toEqual(["one", "two"]);
  });

  test("a SecretRef that is invalid or was not opened is a fault; the others resolve", async () => {
    const good = { source: "env", provider: "default", id: "NAME" } as const;
    const bad = { ...good, id: "name" };
    const secretOf = await openSecrets([bad, good], {}, { NAME: SECRET });
    expect([secretOf(bad).isErr(), secretOf(good).unwrapOr("none")]).toEqual([true, SECRET]);
    expect(secretOf({ ...good, source: "file", id: "value" }).isErr()).toBe(true);
  });
});

test("any SecretRefs and providers give a secret or a sentence that quotes nothing", async () => {
  const command = newCommand("exit 1");
  const odd = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom(SECRET, [SECRET], { [SECRET]: SECRET }));
  const fields = [
    "path",
    "mode",
    "timeoutMs",
    "maxBytes",
    "allowlist",
    "args",
    "env",
    "passEnv",
    "trustedDirs",
    "jsonOnly",
  ];
  const more = ["noOutputTimeoutMs", "maxOutputBytes", "pluginIntegration", SECRET];
  const source = fc.constantFrom("env", "file", "exec", SECRET);
  const block = fc.record(
    {
      ...Object.fromEntries([...fields, ...more].map((name) => [name, odd])),
      command: fc.oneof(odd, fc.constant(command)),
      source,
    },
    { requiredKeys: ["source"] },
  );
  const ref = fc.record({
    source: fc.constantFrom("env", "file", "exec"),
    provider: fc.constant("p"),
    id: fc.constantFrom("A", "value", "/a"),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(ref, odd),
      fc.oneof(block, odd),
      fc.oneof(fc.constant({}), odd),
      async (written, p, defaults) => {
        const fault = await resolve(written, { providers: { p }, defaults });
        expect(fault).toMatch(/^fault: [\x20-\x7e]+\.$/u);
        // the name of an unknown field is shown; no other configured text is
        expect(fault.replace(/^fault: secrets\.providers\.p\.\S+ is not a field/u, "")).not.toContain(SECRET);
      },
    ),
    { numRuns: runs(300) },
  );
});
