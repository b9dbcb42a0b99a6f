// Real configuration files of the command line: a Gateway's whole file and bare blocks, valid and broken.

import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ok } from "neverthrow";
import { afterAll, expect, test } from "vitest";
import { linesIn } from "../../../adapters/bridge/told.ts";
import { explained } from "../../../adapters/cli/config/explain.ts";
import { readConfigFile, type ServerConfig } from "../../../adapters/cli/config/file.ts";
import { nodePrimitives } from "../../../adapters/node/primitives.ts";
import { authenticate, type Config, loadConfig } from "../../../core/index.ts";
import { isRoot, NOBODY, runCli } from "../../support/command-line.ts";
import { runs } from "../../support/runs.ts";

const SECRET = "stable-battery-of-the-right-horse";
const DIRECTORY = mkdtempSync(join(tmpdir(), "cli-config-"));
const FILE = join(DIRECTORY, "config.json5");

afterAll(() => rmSync(DIRECTORY, { recursive: true }));

type Env = Readonly<Record<string, string>>;

const readBytes = (content: string | Buffer, env: Env = {}): ReturnType<typeof readConfigFile> => {
  writeFileSync(FILE, content);
  return readConfigFile(FILE, env);
};

/** The configuration in a file that contains `value` as JSON. */
const read = async (value: unknown, env: Env = {}): Promise<ServerConfig> =>
  (await readBytes(JSON.stringify(value), env))._unsafeUnwrap();

/** The fault of a file with this content, without the file's name. */
const faultOf = async (content: string | Buffer, env: Env = {}): Promise<string> => {
  const { sentence } = (await readBytes(content, env))._unsafeUnwrapErr();
  expect(sentence).toMatch(/^[^\n]+\.$/u);
  return sentence.replace(/^\S*(?:config\.json5|\.\.\.) /u, "");
};

const jsonFaultOf = (value: unknown): Promise<string> => faultOf(JSON.stringify(value));

const route = (secret: unknown, more: object = {}): object => ({ sessionKey: "agent:main:main", secret, ...more });
const bare = (secret: unknown, more: object = {}): object => ({ routes: { zapier: route(secret) }, ...more });
const gateway = (webhooks: unknown, more: object = {}): object => ({ plugins: { entries: { webhooks } }, ...more });

const load = ({ config }: ServerConfig): Config => loadConfig(config, nodePrimitives.sha256);

/** Whether the route at the default path of `id` accepts this secret. */
const takes = (config: Config, id: string, secret: string): boolean => {
  const live = config.routes.get(`/plugins/webhooks/${id}`);
  const header = (name: string): string | undefined => (name === "authorization" ? `Bearer ${secret}` : undefined);
  return live !== undefined && authenticate(live, header, nodePrimitives.sha256).isOk();
};

/** The secret of the one route after reading. */
const secretIn = async (secret: unknown, env: Env = {}, secrets: unknown = undefined): Promise<unknown> => {
  const { config } = await read(bare(secret, { secrets }), env);
  expect(config).toMatchObject({ routes: { zapier: { sessionKey: "agent:main:main" } } });
  return JSON.parse(JSON.stringify(config)).routes.zapier.secret;
};

const name = fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", "zapier"));

const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value));

/** An object as text, with names of any kind, also `__proto__`. */
const members = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 5 })
    .map((all) => `{${all.map(([key, text]) => `${JSON.stringify(key)}: ${text}`).join(",")}}`);

const routes = members(fc.oneof(json, members(json), fc.constant(JSON.stringify(route(SECRET)))));

const inGateway = (text: string, proxies: string): string =>
  `{ gateway: { trustedProxies: ${proxies}, port: 1 }, plugins: { entries: { webhooks: { config: { routes: ${text} } } } } }`;

test("a Gateway's file and a bare block with the same routes give the same configuration", async () => {
  const proxies = fc.array(fc.string()).map((all) => JSON.stringify(all));
  await fc.assert(
    fc.asyncProperty(routes, proxies, async (text, trusted) => {
      const whole = await readBytes(inGateway(text, trusted));
      const block = await readBytes(`{ trustedProxies: ${trusted}, routes: ${text} }`);
      const { root: written, ...read } = whole._unsafeUnwrap();
      const { root: alone, ...bare } = block._unsafeUnwrap();
      expect(read).toEqual(bare);
      expect(written).not.toEqual(alone);
      const { config, trustedProxies } = read;
      expect(config).toEqual({ routes: JSON.parse(text) });
      expect(trustedProxies).toEqual(JSON.parse(trusted));
      expect(Object.getPrototypeOf(Object(config).routes)).toBe(Object.prototype);
    }),
    { numRuns: runs(100), examples: [['{"__proto__": {"__proto__": {"secret": "x"}}}', "[]"]] },
  );
});

test("any JSON in a file is read or refused in one sentence", async () => {
  const within = json.chain((text) =>
    fc.constantFrom(
      text,
      `{ routes: ${text} }`,
      `{ routes: { a: ${text} } }`,
      `{ routes: { a: { secret: ${text} } } }`,
      `{ routes: { a: { secret: { source: "file", provider: "p", id: "/a" } } }, secrets: { providers: ${text} } }`,
      `{ routes: { a: { secret: "$NAME" } }, secrets: ${text} }`,
      `{ routes: {}, trustedProxies: ${text} }`,
      `{ plugins: ${text} }`,
      `{ plugins: { entries: ${text} } }`,
      `{ plugins: { entries: { webhooks: ${text} } } }`,
      inGateway(text, "[]"),
      inGateway("{}", text),
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.oneof(within, fc.string()), async (text) => {
      const result = await readBytes(text);
      const line = result.match(
        ({ config, unresolved }) => {
          expect(loadConfig(config, nodePrimitives.sha256).problems).toBeInstanceOf(Array);
          return unresolved[0]?.line ?? "route a cold: nothing.";
        },
        ({ sentence }) => sentence,
      );
      expect(line).toMatch(/^(?:route a cold: |\S*config\.json5 )[\x20-\x7e]+\.$/u);
    }),
    { numRuns: runs(150) },
  );
});

test("any nesting is read or refused", async () => {
  const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
  const deepRoute = `{ routes: { a: { sessionKey: "s", secret: ${deep} } } }`;
  for (const text of [deep, `{ routes: ${deep} }`, `{ secrets: ${deep}, ${deepRoute.slice(1)}`]) {
    expect(await readBytes(text)).toBeDefined();
  }
  const problems = load((await readBytes(deepRoute))._unsafeUnwrap()).problems.map(({ effect }) => effect);
  expect(problems).toEqual(["skipped"]);
});

test("a file may have comments, trailing commas, names without quotes and a byte order mark", async () => {
  const text = `\uFEFF// ours\n{ routes: { zapier: { sessionKey: 'agent:main:main', secret: '${SECRET}', }, }, }\n`;
  expect(await readBytes(text)).toEqual(
    ok({ root: bare(SECRET), config: bare(SECRET), trustedProxies: [], unresolved: [], advice: [] }),
  );
});

test("a file may be a symlink", async () => {
  writeFileSync(FILE, JSON.stringify(bare(SECRET)));
  const link = join(DIRECTORY, "link");
  symlinkSync(FILE, link);
  expect((await readConfigFile(link, {}))._unsafeUnwrap().config).toEqual(bare(SECRET));
});

test("a path that is not a readable regular file is refused by name", async () => {
  const loop = join(DIRECTORY, "loop");
  symlinkSync(loop, loop);
  const pipe = join(DIRECTORY, "pipe");
  execFileSync("mkfifo", [pipe]);
  const sentences = [
    [join(DIRECTORY, "missing"), "does not exist: correct the path or create the file."],
    [join(FILE, "x"), "does not exist: correct the path or create the file."],
    [DIRECTORY, "is not a regular file: give the path of a regular file."],
    [pipe, "is not a regular file: give the path of a regular file."],
    [loop, "leads through too many symlinks: correct the path."],
    ["a\0b", "cannot be read: let the current user read it."],
  ] as const;
  writeFileSync(FILE, "");
  for (const [file, words] of sentences) {
    const { sentence } = (await readConfigFile(file, {}))._unsafeUnwrapErr();
    expect(sentence.endsWith(` ${words}`), sentence).toBe(true);
    expect(sentence.startsWith(file.slice(0, 1))).toBe(true);
  }
  expect((await readConfigFile("bell\u0007\n.json5", {}))._unsafeUnwrapErr().sentence).toMatch(
    /^bell\\u\{7\}\\u\{a\}/u,
  );
});

test("a file that may not be read is refused", async () => {
  writeFileSync(FILE, "{}");
  chmodSync(FILE, 0);
  chmodSync(DIRECTORY, 0o755);
  // root may read every file
  const { status, error } = await runCli(["check", FILE], {}, isRoot ? NOBODY : {});
  rmSync(FILE);
  expect([status, error]).toEqual([1, `${FILE} cannot be read: let the current user read it.\n`]);
});

test("FILE-1: a configuration is read unless another user could have written it", async () => {
  const folder = join(DIRECTORY, "folder");
  mkdirSync(folder);
  const file = join(folder, "own.json5");
  writeFileSync(file, JSON.stringify(bare(SECRET)));
  const mode = fc.integer({ min: 0, max: 0o1777 });
  // the group of these files has the number of their owner, or not
  const isPrivate = statSync(file).gid === process.geteuid?.();
  const forbidden = isPrivate ? 0o002 : 0o022;
  await fc.assert(
    fc.asyncProperty(mode, mode, async (ofFile, ofFolder) => {
      chmodSync(file, ofFile | 0o400);
      chmodSync(folder, ofFolder | 0o700);
      const read = await readConfigFile(file, {});
      const isSafe = (ofFile & forbidden) === 0 && ((ofFolder & forbidden) === 0 || (ofFolder & 0o1000) !== 0);
      expect([read.isOk(), ofFile.toString(8), ofFolder.toString(8)]).toEqual([
        isSafe,
        ofFile.toString(8),
        ofFolder.toString(8),
      ]);
      if (read.isErr())
        expect(read.error.sentence).toContain("can be changed by group or others: run chmod go-w on it.");
    }),
    {
      numRuns: runs(150),
      examples: [
        [0o644, 0o777],
        [0o644, 0o1777],
        [0o1646, 0o755],
        [0o664, 0o775],
      ],
    },
  );
});

test("FILE-1: a configuration of root's is read by other users", async () => {
  const file = join(DIRECTORY, "of-root.json5");
  writeFileSync(file, JSON.stringify(bare(SECRET)), { mode: 0o644 });
  chmodSync(DIRECTORY, 0o755);
  const { status, error } = await runCli(["check", file], {}, isRoot ? NOBODY : {});
  expect([status, error]).toEqual([0, ""]);
});

test("FILE-1: the folder above a symlink's target is the one that the kernel goes to", async () => {
  const [above, beside] = [mkdtempSync(join(DIRECTORY, "above-")), mkdtempSync(join(DIRECTORY, "beside-"))];
  mkdirSync(join(above, "target"));
  symlinkSync(join(above, "target"), join(beside, "link"));
  writeFileSync(join(above, "c.json5"), JSON.stringify(bare(SECRET)));
  const file = `${beside}/link/../c.json5`;
  expect((await readConfigFile(file, {})).isOk()).toBe(true);
  chmodSync(above, 0o777);
  expect((await readConfigFile(file, {}))._unsafeUnwrapErr().sentence).toContain(
    `leads through ${above}, which can be`,
  );
});

// only root can give a file to a group
test.runIf(isRoot)("FILE-1: a configuration that a group of several may write is refused", async () => {
  const file = join(DIRECTORY, "group.json5");
  writeFileSync(file, JSON.stringify(bare(SECRET)));
  chmodSync(file, 0o664);
  expect((await readConfigFile(file, {})).isOk()).toBe(true);
  chownSync(file, 0, 12345);
  expect((await readConfigFile(file, {}))._unsafeUnwrapErr().sentence).toBe(
    `${file} can be changed by group or others: run chmod go-w on it.`,
  );
});

test.each([
  [`"${SECRET}"`, true],
  [`'${SECRET}'\n`, true],
  [`"${SECRET}'`, false],
  [`"${SECRET}`, false],
  [`a"${SECRET}"`, false],
  ['"', false],
])(
  "CONFIG-2: a secret %j from a variable is taken as it is; advice on its quotation marks: %s",
  async (value, isAdvised) => {
    const { config, advice } = await read({ routes: { zapier: route("${NAME}") } }, { NAME: value });
    expect(config).toEqual(bare(value));
    expect(linesIn(advice)).toEqual(
      isAdvised ? [expect.stringMatching(/^route zapier advice: secret begins and ends/u)] : [],
    );
    expect(linesIn(advice).join("")).not.toContain(SECRET);
  },
);

test("a file is at most 4 MiB of UTF-8", async () => {
  const text = JSON.stringify(bare(SECRET));
  const whole = text.padEnd(4 * 1024 * 1024);
  expect((await readBytes(whole))._unsafeUnwrap().config).toEqual(bare(SECRET));
  expect(await faultOf(`${whole} `)).toBe("is longer than 4 MiB: shorten it.");
  expect(await faultOf(Buffer.from(text.replace("horse", "h\u00f6rse"), "latin1"))).toBe(
    "is not UTF-8: save it as UTF-8.",
  );
});

test("text that is not JSON5 is refused with line and column", async () => {
  expect(await faultOf("{\n  routes: {\n    a b")).toBe("is not JSON5 at line 3, column 7: correct it there.");
  expect(await faultOf("")).toBe("is not JSON5 at line 1, column 1: correct it there.");
});

test("CONFIG-3: a broken file is not quoted", async () => {
  const text = JSON.stringify(bare(SECRET, { secrets: { providers: { p: { source: SECRET } } } }));
  const place = fc.nat(text.length);
  await fc.assert(
    fc.asyncProperty(place, place, fc.string(), async (from, to, put) => {
      const result = await readBytes(`${text.slice(0, from)}${put}${text.slice(to)}`);
      const words = result.match(
        ({ unresolved }) => linesIn(unresolved).join(""),
        ({ sentence }) => sentence,
      );
      // not even the character at which the parser stopped
      expect(words.replace(/^\S*config\.json5 /u, "")).toMatch(
        /^(?:|is not JSON5 at [\w, ]+: correct it there\.|must be .*|has .*)$/u,
      );
      expect(words).not.toContain(SECRET.slice(0, 12));
    }),
    { numRuns: runs(150) },
  );
});

const EXPECTED =
  "must be an object: a Gateway's configuration with plugins.entries.webhooks.config.routes, or an object with routes and optionally audit, trustedProxies and secrets, and no other field.";

test.each([
  null,
  7,
  "routes",
  [bare(SECRET)],
  {},
  { plugins: {} },
  { gateway: { trustedProxies: [] } },
  gateway({}),
  gateway({ enabled: true, config: {} }),
  gateway([{ routes: {} }]),
])("a file with %j is refused, and the fault says what is expected", async (value) => {
  expect(await jsonFaultOf(value)).toBe(EXPECTED);
});

test("an unknown field of secrets beside routes is named; a Gateway's own file may have others", async () => {
  const fields = [
    ["secrets.provders", { provders: {} }],
    ["secrets.a\\u{a}b, secrets.defaults.evn", { providers: {}, "a\nb": 1, defaults: { evn: "x", env: "x" } }],
  ] as const;
  for (const [names, secrets] of fields) {
    const fault = await jsonFaultOf(bare(SECRET, { secrets }));
    expect(fault).toBe(`has the unknown field ${names}: remove it or correct its name.`);
    const own = await read(gateway({ config: bare(SECRET) }, { secrets: { ...secrets, egressProxy: {} } }));
    expect(own.unresolved).toEqual([]);
  }
  const known = { providers: {}, defaults: { env: "e", file: "f", exec: "x" }, resolution: { maxBatchBytes: 1 } };
  expect(await secretIn(SECRET, {}, known)).toBe(SECRET);
});

test("an unknown field beside routes or in place of them is named", async () => {
  const fields = [
    ["trustedProxy", bare(SECRET, { trustedProxy: [] })],
    ["plugins", gateway({ config: bare(SECRET) }, { routes: {} })],
    ["route, size", { route: {}, size: 1 }],
    ["a\\u{a}b", bare(SECRET, { "a\nb": 1 })],
  ] as const;
  for (const [names, value] of fields) {
    expect(await jsonFaultOf(value)).toBe(`has the unknown field ${names}. It ${EXPECTED}`);
  }
});

test("CONFIG-10: a name that stands twice in a part that is read is refused, with its lines", async () => {
  const one = "{ sessionKey: 's', secret: 'a-long-and-random-secret' }";
  const twice = [
    ["routes.a on lines 3 and 4", `{\nroutes: {\na: ${one},\n"a": ${one} } }`],
    ["routes on lines 1 and 2", `{ routes: { a: ${one} },\n'rou\\x74es': {} }`],
    [
      "routes.a.secret on lines 3 and 5",
      "{ routes: { a: {\nsessionKey: 's',\nsecret: 'x', // secret:\n\nsecret: 'y' } } }",
    ],
    [
      "trustedProxies on lines 2, 3 and 4",
      `{ routes: {},\ntrustedProxies: [],\ntrustedProxies: [],\ntrustedProxies: [] }`,
    ],
    ["plugins on lines 1 and 2", `{ plugins: {},\nplugins: { entries: { webhooks: { config: { routes: {} } } } } }`],
    ["plugins.entries on lines 2 and 3", `{ plugins: {\nentries: {},\nentries: {} } }`],
    ["gateway on lines 1 and 1", `{ gateway: {}, gateway: {}, plugins: {} }`],
    [
      "secrets.providers.p.path on lines 2 and 3",
      "{ routes: {}, secrets: { providers: { p: {\npath: '/a',\npath: '/b' } } } }",
    ],
    [
      "routes.a.secret on lines 2 and 3, routes.b on lines 1 and 4",
      "{ routes: { b: 1, a: {\nsecret: 1,\nsecret: 2 },\nb: 2 } }",
    ],
  ] as const;
  for (const [names, text] of twice) expect(await faultOf(text)).toBe(`has ${names}: keep one of each.`);
  const harmless = `{ channels: { x: 1, x: 2 }, channels: {}, gateway: { auth: 1, auth: 2 }, plugins: { entries: {
    other: {}, other: {}, webhooks: { config: { routes: { a: ${one} } } } } } }`;
  expect((await readBytes(harmless))._unsafeUnwrap().config).toEqual({
    routes: { a: { sessionKey: "s", secret: "a-long-and-random-secret" } },
  });
});

test("an $include in a part that is read is refused, and one elsewhere does no harm", async () => {
  const include = { $include: "./more.json5" };
  const config = { routes: { zapier: route(SECRET) } };
  const parts = [
    include,
    { ...bare(SECRET), ...include },
    bare(include),
    bare(SECRET, { secrets: { providers: include } }),
    bare(SECRET, { trustedProxies: include }),
    { plugins: include },
    { plugins: { entries: include } },
    gateway(include),
    gateway({ config: include }),
    gateway({ config: { routes: include } }),
    gateway({ config, ...include }),
    gateway({ config }, { gateway: include }),
    gateway({ config }, { gateway: { trustedProxies: [include] } }),
    gateway({ config }, { secrets: include }),
  ];
  for (const part of parts) expect(await jsonFaultOf(part)).toMatch(/^has an \$include, which is not supported here/u);
  const elsewhere = { agents: include, gateway: { auth: include }, channels: { $include: ["a", "b"] } };
  expect((await read(gateway({ config }, elsewhere))).config).toEqual(config);
});

test("proxies that are not a list of strings are refused, and a Gateway's file has them under gateway", async () => {
  const words = "has trustedProxies that are not a list of strings: correct them.";
  for (const trustedProxies of ["10.0.0.1", [1], { a: "10.0.0.1" }, true]) {
    expect(await jsonFaultOf(bare(SECRET, { trustedProxies }))).toBe(words);
    expect(await jsonFaultOf(gateway({ config: bare(SECRET) }, { gateway: { trustedProxies } }))).toBe(words);
  }
  const { trustedProxies } = await read(bare(SECRET, { trustedProxies: ["${NET}.0/8", "::1"] }), { NET: "10.0.0" });
  expect(trustedProxies).toEqual(["10.0.0.0/8", "::1"]);
  expect((await read(gateway({ config: bare(SECRET) }, { trustedProxies: ["::1"] }))).trustedProxies).toEqual([]);
});

test("a file with disabled webhooks is refused as such, and the secret of a disabled route is not resolved", async () => {
  const started = join(DIRECTORY, "started");
  const command = join(DIRECTORY, "command");
  writeFileSync(command, `#!/bin/sh\n: > ${started}\n`);
  chmodSync(command, 0o700);
  const secrets = { providers: { vault: { source: "exec", command } } };
  const ref = { source: "exec", provider: "vault", id: "a" };
  expect(await jsonFaultOf(gateway({ enabled: false, config: bare(ref) }, { secrets }))).toBe(
    "has enabled: false in plugins.entries.webhooks, so none of its routes is served: set it to true or remove it.",
  );
  const one = { zapier: route(ref, { enabled: false }) };
  expect(await read({ routes: one, secrets })).toEqual({
    root: { routes: one, secrets },
    config: { routes: one },
    trustedProxies: [],
    unresolved: [],
    advice: [],
  });
  expect(existsSync(started)).toBe(false);
  expect((await read(bare(ref, { secrets }))).unresolved).toHaveLength(1);
  expect(existsSync(started)).toBe(true);
});

test("every way to write a secret makes its route live", async () => {
  const path = join(DIRECTORY, "secrets.json");
  writeFileSync(path, JSON.stringify({ hooks: { file: "secret-of-the-file-route" } }), { mode: 0o600 });
  const command = join(DIRECTORY, "vault");
  const answer = { protocolVersion: 1, values: { "hooks/exec": "secret-of-the-exec-route" } };
  writeFileSync(command, `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`);
  chmodSync(command, 0o700);
  const secrets = {
    providers: { kept: { source: "file", path: "${FOLDER}/secrets.json" }, vault: { source: "exec", command } },
  };
  const written = {
    text: route("secret-of-the-text-route"),
    env: route({ source: "env", provider: "default", id: "HOOK" }),
    braced: route(" ${HOOK} "),
    dollar: route(" $HOOK "),
    mixed: route("${HOOK}-${_REST}"),
    file: route({ source: "file", provider: "kept", id: "/hooks/file" }),
    exec: route({ source: "exec", provider: "vault", id: "hooks/exec" }),
  };
  const env = { HOOK: "secret-of-the-${HOOKS}-$HOOK", _REST: "rest", FOLDER: DIRECTORY };
  const server = await read({ routes: written, secrets }, { ...env, HOOK: SECRET });
  expect(server.unresolved).toEqual([]);
  const config = load(server);
  const expected = {
    text: "secret-of-the-text-route",
    file: "secret-of-the-file-route",
    exec: "secret-of-the-exec-route",
    env: SECRET,
    braced: SECRET,
    dollar: SECRET,
    mixed: `${SECRET}-rest`,
  };
  for (const [id, secret] of Object.entries(expected)) {
    expect([id, takes(config, id, secret), takes(config, id, "another-secret")]).toEqual([id, true, false]);
  }
  // the value of a variable is not substituted again
  expect(await secretIn("$HOOK", env)).toBe(env.HOOK);
  expect(await secretIn("${HOOK}", env)).toBe(env.HOOK);
});

test("CONFIG-8: a placeholder is refused by the same rule, however it comes in", async () => {
  const path = join(DIRECTORY, "placeholders.json");
  const command = join(DIRECTORY, "placeholders");
  for (const placeholder of ["__OPENCLAW_REDACTED__", "********", "${VAR:-x}", "{{ x }}", "change-me", "a\nb"]) {
    writeFileSync(path, JSON.stringify({ hook: placeholder }), { mode: 0o600 });
    const answer = JSON.stringify({ protocolVersion: 1, values: { hook: placeholder } });
    writeFileSync(command, `#!/bin/sh\ncat <<'END'\n${answer}\nEND\n`);
    chmodSync(command, 0o700);
    const secrets = { providers: { kept: { source: "file", path }, vault: { source: "exec", command } } };
    const written = {
      inline: route(placeholder),
      env: route({ source: "env", provider: "default", id: "HOOK" }),
      dollar: route("$HOOK"),
      braced: route("${HOOK}"),
      file: route({ source: "file", provider: "kept", id: "/hook" }),
      exec: route({ source: "exec", provider: "vault", id: "hook" }),
    };
    const server = await read({ routes: written, secrets }, { HOOK: placeholder });
    const { routes: live, problems } = load(server);
    expect([placeholder, live.size]).toEqual([placeholder, 0]);
    expect(problems.map(({ effect }) => effect)).toEqual(Object.keys(written).map(() => "cold"));
    const lines = linesIn([...server.unresolved, ...explained(problems, server)]);
    expect(lines.map((line) => line.split(" ")[1]).toSorted()).toEqual(Object.keys(written).toSorted());
    expect(lines.join("\n")).not.toContain(placeholder);
  }
});

test("CONFIG-1: a secret that does not resolve affects only its own route", async () => {
  const ref = { source: "env", provider: "default", id: "NOT_SET" };
  const written = {
    good: route(SECRET),
    ref: route(ref),
    braced: route("${NOT_SET}"),
    dollar: route("$NOT_SET"),
    mixed: route("a-long-beginning-${NOT_SET}"),
    escaped: route("$${HOOK}"),
    odd: 7,
  };
  const server = await read({ routes: written }, { HOOK: SECRET, NOT_SET: "" });
  expect(server.config).toEqual({
    routes: { ...written, dollar: route(ref), escaped: route("${HOOK}") },
  });
  const config = load(server);
  expect([...config.routes.values()].map(({ id }) => id)).toEqual(["good"]);
  const problems = config.problems.map(({ effect, routeId }) => `${routeId ?? ""} ${effect}`);
  expect(problems.join(", ")).toBe("ref cold, braced cold, dollar cold, mixed cold, escaped cold, odd skipped");
});

test("CONFIG-2: a secret that does not resolve gives one line with its route and what to do", async () => {
  const id = "a\nb";
  const secrets = { providers: { vars: { source: "env", allowlist: ["HOOK"] } }, defaults: { env: "vars" } };
  const env = { HOOK: "", OTHER: SECRET };
  const lineOf = async (secret: unknown): Promise<readonly string[]> =>
    linesIn((await read({ routes: { [id]: route(secret) }, secrets }, env)).unresolved);
  const start = "route a\\u{a}b cold: secret could not be resolved:";
  const unset = [`${start} the environment variable HOOK is not set or empty: set it.`];
  expect(await lineOf({ source: "env", provider: "vars", id: "HOOK" })).toEqual(unset);
  expect(await lineOf("${HOOK}")).toEqual(unset);
  expect(await lineOf({ source: "exec", provider: "vars", id: "HOOK" })).toEqual([
    `${start} secrets.providers.vars does not have the source exec: correct it or the SecretRef's provider.`,
  ]);
  // a shorthand uses the operator's default provider, and substitution does not get around its allowlist
  const denied = "secrets.providers.vars.allowlist does not name the environment variable OTHER: add it.";
  expect(await lineOf("${OTHER}")).toEqual([`${start} ${denied}`]);
  expect(await secretIn("${OTHER}", env, secrets)).toBe("${OTHER}");
});

test("AUTH-9: a previousSecret that does not resolve leaves the route alive, and the advice is to set it or to remove it", async () => {
  const refs = ["$NOT_SET", "${NOT_SET}", { source: "env", provider: "default", id: "NOT_SET" }];
  for (const previousSecret of refs) {
    const server = await read({ routes: { r: route(SECRET, { previousSecret }) } });
    expect([server.unresolved, [...load(server).routes.values()].map(({ id }) => id)]).toEqual([[], ["r"]]);
    expect(linesIn(server.advice)).toEqual([
      expect.stringMatching(
        /^route r advice: previousSecret could not be resolved: .*\. Until then it opens nothing\. Remove it once the rotation is over\.$/u,
      ),
    ]);
  }
});

test("CONFIG-3: a secret that looks like the name of a variable is not shown", async () => {
  const { unresolved } = await read(bare("$PASSWORD1"));
  expect(linesIn(unresolved)).toEqual([
    "route zapier cold: secret could not be resolved: a secret written as $NAME stands for an environment variable, which could not be read: set the variable, or use a secret that does not begin with $.",
  ]);
});

test.each([
  ["${A}", "one"],
  ["${A}${B_2}/${_C}", "onetwo/three"],
  ["x${A}x", "xonex"],
  ["$${A}", "${A}"],
  ["$$${A}", "$${A}"],
  ["$$$${A}", "$$${A}"],
  ["${UNSET} ${EMPTY} ${A}", "${UNSET} ${EMPTY} one"],
  ["$${UNSET}", "${UNSET}"],
  ["${a} ${1A} ${A B} ${} ${A", "${a} ${1A} ${A B} ${} ${A"],
  ["$A $ $$ {A}", "$A $ $$ {A}"],
  ["${${A}}", "${one}"],
])("the string %s becomes %s", async (text, expected) => {
  const env = { A: "one", B_2: "two", _C: "three", EMPTY: "", a: "no", "1A": "no", "": "no" };
  const { config } = await read({ routes: { zapier: route(SECRET, { path: text, list: [{ [text]: text }] }) } }, env);
  expect(config).toEqual({ routes: { zapier: route(SECRET, { path: expected, list: [{ [text]: expected }] }) } });
});

const KEY = `whsec_${Buffer.from("a key of callbacks, 32 bytes long").toString("base64")}`;
const notified = (secret: unknown): object =>
  route(SECRET, { notify: { url: "https://hook.test/x", secret, on: ["ended"] } });

test("CONFIG-12: notify.secret is a secret as secret is: a text, a variable or a SecretRef", async () => {
  const secrets = { providers: { default: { source: "env" } } };
  const ref = { source: "env", provider: "default", id: "CALLBACKS" };
  for (const written of [KEY, "${CALLBACKS}", "$CALLBACKS", ref]) {
    const server = await read({ routes: { r: notified(written) }, secrets }, { CALLBACKS: KEY });
    const config = load(server);
    expect([written, server.advice, config.problems]).toEqual([written, [], []]);
    const [live] = config.routes.values();
    expect([live?.notify?.url, [...(live?.notify?.on ?? [])]]).toEqual(["https://hook.test/x", ["ended"]]);
  }
});

test("CONFIG-12: a notify.secret that does not resolve leaves the route alive without callbacks, with one line that counts as a problem", async () => {
  for (const written of ["${CALLBACKS}", "$CALLBACKS", { source: "env", provider: "default", id: "CALLBACKS" }]) {
    const server = await read({ routes: { r: notified(written) } });
    const config = load(server);
    const lines = linesIn([...server.unresolved, ...explained(config.problems, server)]);
    expect(lines).toEqual([
      expect.stringMatching(
        /^route r without callbacks: notify\.secret could not be resolved: .*\. Until then no callback is sent, and events wait\.$/u,
      ),
    ]);
    expect([server.advice, config.routes.size]).toEqual([[], 1]);
    expect([...config.routes.values()][0]?.notify).toBeUndefined();
  }
});
