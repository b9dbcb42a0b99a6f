import fc from "fast-check";
import { expect, test } from "vitest";
import {
  canonicalPath,
  configSchema,
  configuredPath,
  emptiness,
  problemLine,
  routeSchema,
  sha256,
  loadConfig,
} from "../../core/index.ts";
import { load, wildText } from "./arbitraries.ts";
import { runs } from "../support/runs.ts";

const GOOD = { sessionKey: "agent:main:main", secret: "a-long-and-random-secret" };
const lines = (config: unknown): readonly string[] => load(config).problems.map(problemLine);
const routeLines = (entry: unknown, id = "r"): readonly string[] => lines({ routes: { [id]: entry } });
const livePaths = (config: unknown): readonly string[] => [...load(config).routes.keys()];

const routeId = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/u);
const goodEntry = fc.record(
  {
    sessionKey: fc.stringMatching(/^agent:[a-z:]{1,10}$/u),
    secret: fc.stringMatching(/^s3[!-~]{16,40}$/u),
    controllerId: fc.stringMatching(/^[a-z/]{1,10}$/u),
    description: fc.string(),
    enabled: fc.constant(true),
  },
  { requiredKeys: ["sessionKey", "secret"] },
);
const badEntry = fc.oneof(
  fc.anything().filter((value) => typeof value !== "object" || value === null || !("enabled" in value)),
  fc
    .tuple(goodEntry, fc.constantFrom("sessionKey", "secret", "controllerId", "path", "description", "enabled"))
    .map(([entry, field]): unknown => ({ ...entry, [field]: 7 })),
  goodEntry.map((entry): unknown => ({ ...entry, sesionKey: "x" })),
  goodEntry.map((entry): unknown => ({ ...entry, path: "hooks/x" })),
);

test("CONFIG-1: good routes live, and bad ones are skipped with their problems, in any order", () => {
  const entry = fc.oneof(
    goodEntry.map((value) => ({ good: true, value: value as unknown })),
    badEntry.map((value) => ({ good: false, value })),
  );
  fc.assert(
    fc.property(fc.dictionary(routeId, entry, { noNullPrototype: true }), (entries) => {
      const config = { routes: Object.fromEntries(Object.entries(entries).map(([id, { value }]) => [id, value])) };
      const { routes, paths, problems } = load(config);
      const good = Object.keys(entries).filter((id) => entries[id]?.good === true);
      expect([...routes.values()].map(({ id }) => id)).toEqual(good);
      expect([...paths.values()]).toEqual(good);
      const skipped = problems.filter(({ effect }) => effect !== "advice").map((problem) => problem.routeId);
      expect([...new Set(skipped)]).toEqual(Object.keys(entries).filter((id) => entries[id]?.good === false));
      for (const [path, route] of routes) {
        const written = config.routes[route.id] as { sessionKey: string; controllerId?: string };
        expect([path, route.path]).toEqual([`/plugins/webhooks/${route.id}`, path]);
        expect([route.sessionKey, route.controllerId]).toEqual([
          written.sessionKey,
          written.controllerId ?? `webhooks/${route.id}`,
        ]);
      }
    }),
    { numRuns: runs(500) },
  );
});

test("TOTAL-1: any configuration gives routes and problems", () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), (config) => {
      load(config);
      load({ routes: config });
      load({ routes: { r: config } });
    }),
    { numRuns: runs(500) },
  );
  for (const nothing of [undefined, null, {}, { routes: {} }, { routes: undefined }]) {
    expect(load(nothing)).toEqual({ routes: new Map(), paths: new Map(), problems: [] });
  }
  expect(lines([])).toEqual(["skipped: the configuration must be an object with routes."]);
  for (const routes of [[], 1, "x"])
    expect(lines({ routes })).toEqual(["skipped: routes must be an object of routes by id."]);
});

test("CONFIG-2: every problem is one line with the route, the field and what to do", () => {
  const { sessionKey: _a, ...noSession } = GOOD;
  const { secret: _b, ...noSecret } = GOOD;
  const session =
    "route r skipped: sessionKey is missing or empty. Set it to the session that owns the flows, for example agent:main:main.";
  const unresolved =
    "route r cold: secret is empty or could not be resolved, so callers get 404. Set it, or repair its reference or provider.";
  const secret =
    "route r skipped: secret is missing, or is neither a string nor a SecretRef. Set a long random string, or a SecretRef with source, provider and id.";
  const ref = (parts: string): string =>
    `route r skipped: secret is not a SecretRef: ${parts}. Give it source (env, file or exec, and in a Gateway also store), provider and id, and nothing else.`;
  const notText =
    "route r skipped: sessionKey must be a string. Set it to the session that owns the flows, for example agent:main:main.";
  const path =
    "route r skipped: path must start with one / and contain only letters, digits and plain punctuation. Set another path.";
  const cases: readonly (readonly [unknown, string])[] = [
    [noSession, session],
    [{ ...GOOD, sessionKey: "" }, session],
    [{ ...GOOD, sessionKey: "  " }, session],
    [noSecret, secret],
    [{ ...GOOD, secret: "" }, unresolved],
    [{ ...GOOD, secret: " \n" }, unresolved],
    [{ ...GOOD, secret: 7 }, secret],
    [{ ...GOOD, secret: ["x"] }, secret],
    [{ ...GOOD, secret: { source: "vault", provider: "p", id: "i" } }, ref("there is no such source")],
    [{ ...GOOD, secret: { source: "env" } }, ref("provider is missing, id is missing")],
    [{ ...GOOD, secret: { provider: "p", id: 7 } }, ref("source is missing, id must be a string")],
    [{ ...GOOD, secret: {} }, ref("source is missing, provider is missing, id is missing")],
    [
      { ...GOOD, secret: { source: "env", provider: "p", id: "i", key: "k", "a\nb": 1 } },
      ref("key, a\\u{a}b does not belong to it"),
    ],
    [{ ...GOOD, sessionKey: 7 }, notText],
    [{ ...GOOD, sessionKey: null }, notText],
    [{ ...GOOD, sessionKey: {} }, notText],
    [{ ...GOOD, secret: "x".repeat(4097) }, "route r cold: secret is longer than 4096 bytes. Set a shorter one."],
    [
      { ...GOOD, sesionKey: "x" },
      "route r skipped: sesionKey is not a field of a route. Remove it or correct its name.",
    ],
    [{ ...GOOD, enabled: "yes" }, "route r skipped: enabled must be true or false."],
    [{ ...GOOD, controllerId: {} }, "route r skipped: controllerId must be a string that is not empty."],
    [{ ...GOOD, controllerId: " " }, "route r skipped: controllerId must be a string that is not empty."],
    [{ ...GOOD, description: 1 }, "route r skipped: description must be a string."],
    [{ ...GOOD, path: "" }, "route r skipped: path must be a path such as /plugins/webhooks/zapier."],
    [{ ...GOOD, path: "hooks/zapier" }, path],
    [{ ...GOOD, path: "/settings/x" }, "route r skipped: path belongs to the Gateway. Set another path."],
    [7, "route r skipped: must be an object with sessionKey and secret."],
    [null, "route r skipped: must be an object with sessionKey and secret."],
    [{ ...GOOD, secret: { source: "env", provider: "default", id: "UNSET" } }, unresolved],
    [
      { ...GOOD, secret: "short" },
      "route r advice: secret is shorter than 16 characters. Use a long random one, such as openssl rand -base64 32 prints.",
    ],
  ];
  for (const [entry, line] of cases) expect(routeLines(entry)).toEqual([line]);
  expect(routeLines(GOOD, "my route")[0]).toContain(
    "route my route skipped: path, by default made from the route id, must",
  );
  expect(routeLines(GOOD, " ")).toEqual(["route   skipped: has an empty id. Give it an id."]);
  expect(routeLines(GOOD, "a\nb")[0]).toMatch(/^route a\\u\{a\}b skipped/u);
});

test("CONFIG-2: all problems of a route are named at once", () => {
  const entry = { sessionKey: " ", secret: "changeme", path: "x", controllerId: 7, colour: 1, size: 2, enabled: "no" };
  expect(
    load({ routes: { r: entry } })
      .problems.map(({ effect, field }) => `${effect} ${field ?? ""}`)
      .toSorted(),
  ).toEqual([
    "cold secret",
    "skipped colour",
    "skipped controllerId",
    "skipped enabled",
    "skipped path",
    "skipped sessionKey",
    "skipped size",
  ]);
  const twin = { ...GOOD, secret: "" };
  expect(load({ routes: { a: GOOD, " a": twin } }).problems.map(({ effect, field }) => [effect, field])).toEqual([
    ["skipped", undefined],
    ["skipped", "path"],
    ["cold", "secret"],
  ]);
});

test("CONFIG-8: a secret that no header can carry makes its route cold", () => {
  for (const code of [0, 1, 8, 10, 11, 13, 27, 31, 127]) {
    const secret = `first-half-of-it${String.fromCharCode(code)}second-half`;
    const { routes, paths } = load({ routes: { r: { ...GOOD, secret } } });
    expect([code, routes.size, paths.size]).toEqual([code, 0, 1]);
    expect(routeLines({ ...GOOD, secret })).toEqual([
      "route r cold: secret contains a line break or another control character, which no header can carry. Set one line of text.",
    ]);
  }
  for (const secret of ["with a blank and\ta tab", "clé-von-größe-€-😀", `${GOOD.secret}\r\n`]) {
    expect([secret, load({ routes: { r: { ...GOOD, secret } } }).routes.size]).toEqual([secret, 1]);
  }
});

test("CONFIG-4: the first route keeps a path, later ones are skipped and both are named; cold routes count, broken ones do not", () => {
  const cold = { ...GOOD, secret: { source: "env", provider: "p", id: "I" } };
  const taken = (by: string): string => `route c skipped: path is taken by route ${by}. Set another path.`;
  const routes = {
    a: { ...GOOD, path: "/hooks/x" },
    b: { ...GOOD, secret: "another-long-secret" },
    c: { ...GOOD, path: "/Hooks//X/" },
  };
  expect([livePaths({ routes }), lines({ routes })]).toEqual([["/hooks/x", "/plugins/webhooks/b"], [taken("a")]]);
  expect(lines({ routes: { ...routes, a: { ...cold, path: "/hooks/x" } } })[1]).toBe(taken("a"));
  expect(
    livePaths({ routes: { a: { ...GOOD, path: "/hooks/x", extra: 1 }, c: { ...GOOD, path: "/hooks/x" } } }),
  ).toEqual(["/hooks/x"]);
  expect([...load({ routes: { a: cold } }).paths]).toEqual([["/plugins/webhooks/a", "a"]]);
});

test("CONFIG-1: two ids that differ only in spaces are one id, and the later route is skipped", () => {
  const routes = { a: GOOD, " a": { ...GOOD, path: "/hooks/a", secret: "another-long-secret" } };
  expect(livePaths({ routes })).toEqual(["/plugins/webhooks/a"]);
  expect(lines({ routes })).toEqual([
    "route a skipped: has the same id as another route except for spaces. Give it another id.",
  ]);
});

test("ROUTE-3: a disabled route is ignored, even if it is broken, and takes no path", () => {
  const off = { enabled: false, path: "/hooks/x", nonsense: 1 };
  expect(load({ routes: { off } })).toEqual(load(undefined));
  expect(livePaths({ routes: { off, on: { ...GOOD, path: "/hooks/x" } } })).toEqual(["/hooks/x"]);
});

test("ROUTE-3: a placeholder that the Gateway could not fill in is not a secret", () => {
  for (const secret of ["${OPENCLAW_WEBHOOK_SECRET}", " ${A} ", "prefix-${_X9}-suffix-long-enough"]) {
    const { routes, paths, problems } = load({ routes: { r: { ...GOOD, secret } } });
    expect([routes.size, [...paths.values()], problems[0]?.effect]).toEqual([0, ["r"], "cold"]);
  }
  for (const secret of ["$NAME-is-not-one-of-them", "${}-is-not-one-of-them"]) {
    expect(load({ routes: { r: { ...GOOD, secret } } }).routes.size).toBe(1);
  }
});

test("CONFIG-2: a secret that two routes share is advised against, and both live", () => {
  const routes = { a: GOOD, b: { ...GOOD, secret: ` ${GOOD.secret}\n` } };
  expect(livePaths({ routes }).length).toBe(2);
  expect(lines({ routes })).toEqual([
    "route b advice: secret is the same as the secret of route a. Give each route its own secret.",
  ]);
  const ends = { a: { ...GOOD, secret: "of-16-characters" }, b: { ...GOOD, secret: "of-4096-".repeat(512) } };
  expect(lines({ routes: ends })).toEqual([]);
});

test("CONFIG-3: no configured value is in a problem", () => {
  const marked = fc.stringMatching(/^[A-Z]{12}$/u);
  fc.assert(
    fc.property(
      goodEntry,
      fc.constantFrom("sessionKey", "secret", "path", "controllerId", "enabled"),
      marked,
      (entry, field, mark) => {
        const values = [
          `${mark}%`,
          ` ${mark}`,
          { source: mark, provider: mark, id: mark },
          [mark],
          "",
          `/health/${mark}`,
        ];
        for (const value of values) {
          for (const line of routeLines({ ...entry, [field]: value })) expect(line).not.toContain(mark);
        }
      },
    ),
  );
});

test("CONFIG-4: a path is absolute, plain and not one of the Gateway's", () => {
  const bad = [
    "x",
    "",
    "//x",
    "/a%20b",
    "/a?b",
    "/a#b",
    "/a\\b",
    "/a/../b",
    "/a/./b",
    "/a/..",
    "/.",
    "/é",
    "/é/abc",
    "/a b",
    "/a\n",
    "/a\u0000",
  ];
  for (const path of bad) expect([path, configuredPath(path)._unsafeUnwrapErr()]).toEqual([path, "unusable"]);
  const reserved = [
    "/",
    "/api",
    "/hooks",
    "/Hooks/",
    "/hooks/agent",
    "/hooks/wake",
    "/favicon.ico",
    "/index.html",
    "/favicon.svg",
    "/plugins",
    "/tools",
  ];
  const trees = [
    "__openclaw",
    "__openclaw__",
    "assets",
    "chat",
    "api/artifacts",
    "api/channels",
    "health",
    "healthz",
    "ready",
    "readyz",
    "sessions",
    "settings",
    "startup",
    "startupz",
    "tools/invoke",
    "v1",
    "plugins/webhooks-status",
  ];
  for (const path of [...reserved, ...trees.flatMap((tree) => [`/${tree}`, `/${tree.toUpperCase()}/x`])]) {
    expect([path, configuredPath(path)._unsafeUnwrapErr()]).toEqual([path, "reserved"]);
  }
  for (const path of [
    "/hooks/x",
    "/plugins/webhooks",
    "/plugins/webhooks-statusx",
    "/api/x",
    "/v1x",
    "/healthy",
    "/tools/x",
    "/x.y/..z",
    "/a..",
    "/a//b",
  ]) {
    expect(configuredPath(path).unwrapOr("none")).toBe(path.replace("//", "/"));
  }
  expect(configuredPath(`/${"a".repeat(2048)}`)._unsafeUnwrapErr()).toBe("unusable");
});

test("TOTAL-1: any text gives a path or a fault", () => {
  fc.assert(fc.property(wildText, (path) => void configuredPath(path)));
});

test("ROUTE-1, CONFIG-4: a configured path is its own canonical form", () => {
  const characters = fc.constantFrom("/", ".", "..", "a", "B", "%41", "~", "|", "'", ":", "*", "//", "é");
  fc.assert(
    fc.property(fc.array(characters, { maxLength: 8 }), (parts) => {
      const path = configuredPath(`/${parts.join("")}`);
      if (path.isOk()) expect(canonicalPath(path.value)._unsafeUnwrap()).toBe(path.value);
    }),
  );
});

test("AUTH-3: a route's secret is trimmed, hashed once, and kept only as a digest", () => {
  const hashed: string[] = [];
  const hash = (data: Uint8Array): Uint8Array => {
    hashed.push(Buffer.from(data).toString());
    return sha256(data);
  };
  const config = loadConfig(
    { routes: { r: { ...GOOD, secret: ` ${GOOD.secret} `, sessionKey: " s ", controllerId: " c " } } },
    hash,
  );
  expect(hashed).toEqual([GOOD.secret]);
  const [route] = [...config.routes.values()];
  expect([route?.sessionKey, route?.controllerId]).toEqual(["s", "c"]);
  expect(JSON.stringify([...config.routes])).not.toContain(GOOD.secret);
});

test("CONFIG-6: a missing field means enabled, the default path and the default controller; a given field is used", () => {
  fc.assert(
    fc.property(routeId, fc.boolean(), fc.boolean(), fc.boolean(), (id, hasPath, hasController, isEnabled) => {
      const entry = {
        sessionKey: "agent:main:main",
        secret: GOOD.secret,
        ...(hasPath ? { path: "/custom/path" } : {}),
        ...(hasController ? { controllerId: "mine" } : {}),
        ...(isEnabled ? { enabled: true } : {}),
        description: "a note",
      };
      const { routes, problems } = load({ routes: { [id]: entry } });
      expect(problems).toEqual([]);
      const [route] = routes.values();
      expect([route?.id, route?.path, route?.controllerId]).toEqual([
        id,
        hasPath ? "/custom/path" : `/plugins/webhooks/${id}`,
        hasController ? "mine" : `webhooks/${id}`,
      ]);
    }),
  );
});

test("CONFIG-7: no route lives without a session and a secret", () => {
  const blank = fc.constantFrom(undefined, "", " ", "\n", null, 7, {});
  const sessionKey = fc.oneof(fc.constant("agent:main:main"), blank);
  const secret = fc.oneof(
    fc.constant(GOOD.secret),
    blank,
    fc.constant({ source: "env", provider: "default", id: "X" }),
  );
  fc.assert(
    fc.property(routeId, sessionKey, secret, (id, session, shared) => {
      const { routes, problems } = load({ routes: { [id]: { sessionKey: session, secret: shared } } });
      const isWhole = session === "agent:main:main" && shared === GOOD.secret;
      const faulty = [
        ...(session === "agent:main:main" ? [] : ["sessionKey"]),
        ...(shared === GOOD.secret ? [] : ["secret"]),
      ];
      expect([routes.size, problems.map(({ field }) => field).toSorted()]).toEqual([
        isWhole ? 1 : 0,
        faulty.toSorted(),
      ]);
      for (const route of routes.values()) expect(route.sessionKey).toBe("agent:main:main");
    }),
  );
});

test("TOTAL-1, CONFIG-2: a configuration that throws when it is read gives one problem and no route", () => {
  const throwing = (): never => expect.fail("asked");
  const odd = [new Proxy({}, { getOwnPropertyDescriptor: throwing, ownKeys: throwing })];
  for (const config of [...odd, { routes: odd[0] }, { routes: { r: odd[0] } }]) {
    expect(lines(config)).toEqual(["skipped: the configuration cannot be read. No route is served."]);
    expect(livePaths(config)).toEqual([]);
  }
});

test("CONFIG-1: the schema of the whole block allows only routes", () => {
  expect(configSchema.safeParse({}).success).toBe(true);
  expect(configSchema.safeParse({ routes: { r: GOOD } }).success).toBe(true);
  for (const odd of [{ routes: [] }, { routes: { r: {} } }, { routes: 7 }, { paths: {} }]) {
    expect(configSchema.safeParse(odd).success).toBe(false);
  }
});

test("CONFIG-7, CONFIG-6: a reference of every source is an unresolved secret; strings are trimmed; enabled is the default", () => {
  for (const source of ["env", "file", "exec", "store"]) {
    const { problems } = load({ routes: { r: { ...GOOD, secret: { source, provider: "p", id: "i" } } } });
    expect(problems.map(({ effect, field }) => [source, effect, field])).toEqual([[source, "cold", "secret"]]);
  }
  const { routes } = load({
    routes: { " r ": { ...GOOD, path: " /hooks/r ", controllerId: " c ", sessionKey: " s " } },
  });
  expect([...routes.values()]).toMatchObject([{ id: "r", path: "/hooks/r", controllerId: "c", sessionKey: "s" }]);
  expect(routeSchema.parse(GOOD).enabled).toBe(true);
});

test("CONFIG-2: a configuration without a route says whether all are disabled or none is there", () => {
  const off = { sessionKey: "agent:main:main", secret: "x", enabled: false };
  expect(emptiness({ routes: { a: off, b: off } })).toBe("every route has enabled: false. Set it to true or remove it");
  for (const written of [undefined, null, {}, { routes: {} }, { routes: [] }, { routes: undefined }]) {
    expect(emptiness(written), JSON.stringify(written)).toBe("no route is configured. Add one under routes");
  }
});
