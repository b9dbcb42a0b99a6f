// The command line, run in this process: what it prints and sends, and its exit status.

import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { databaseFile, openDatabase } from "../../../adapters/cli/commands/database.ts";
import type { Io } from "../../../adapters/cli/io.ts";
import { run } from "../../../adapters/cli/program.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { createNodeListener } from "../../../adapters/node/index.ts";
import { type RunningServer, startServer } from "../../../adapters/server/server.ts";
import { bytes, CONFIG, PATH_A, ROUTE_A } from "../../core/arbitraries.ts";
import * as certificates from "../../support/certificates.ts";
import { cli, type Ran } from "../../support/cli.ts";
import { served, urlIn } from "../../support/served.ts";
import { runs } from "../../support/runs.ts";

const folder = mkdtempSync(join(tmpdir(), "cli-"));
const servers: RunningServer[] = [];
afterAll(async () => {
  for (const server of servers) await server.stop(0);
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
};

const started = async (): Promise<RunningServer> => {
  const logger = { info: () => undefined, warn: () => undefined, error: console.error };
  const listener = createNodeListener({ config: CONFIG, flows: memoryFlows(), logger, trustedProxies: [] });
  const server = (await startServer({ listener, host: "127.0.0.1", port: 0, isReady: () => true }))._unsafeUnwrap();
  servers.push(server);
  return server;
};

const SECRET = { OPENCLAW_WEBHOOK_SECRET: ROUTE_A.secret };

test("call: the action is sent with the given fields, and its result is printed", async () => {
  const { url } = await started();
  const call = (...args: readonly string[]): Promise<Ran> => cli(["call", ...args, "--url", url], { env: SECRET });
  const fields = ["goal= two words ", 'stateJson:={"a":[1]}', "status=running"];
  const created = await call("zapier", "create_flow", ...fields);
  expect([created.status, created.error]).toEqual([0, ""]);
  const { flow } = JSON.parse(created.out) as { flow: { flowId: string } };
  expect(flow).toMatchObject({ goal: "two words", stateJson: { a: [1] }, status: "running" });
  const line = await call(PATH_A, "get_flow", `flowId=${flow.flowId}`, "--json");
  expect(line.out.split("\n")).toHaveLength(2);
  expect(JSON.parse(line.out)).toEqual({ ok: true, routeId: "zapier", result: { flow } });
  const data = JSON.stringify({ flowId: flow.flowId, expectedRevision: 9 });
  const options = {
    env: SECRET,
    input: async () => bytes(JSON.stringify({ flowId: flow.flowId, expectedRevision: 0 })),
  };
  const stale = await call(`${url}${PATH_A}`, "finish_flow", "--data", data);
  expect(stale.status).toBe(1);
  expect(JSON.parse(stale.out)).toMatchObject({ applied: false, current: flow });
  expect(stale.error).toBe("409 revision_conflict: TaskFlow changed since the caller's expected revision.\n");
  const piped = await cli(["call", "zapier", "finish_flow", "--data", "-", "--url", url], options);
  expect(JSON.parse(piped.out)).toMatchObject({ applied: true });
});

test("CALL-1: the secret comes from the named variable or from a file, never from an argument", async () => {
  const { url } = await started();
  const list = (args: readonly string[], env: Io["env"] = {}): Promise<Ran> =>
    cli(["call", "zapier", "list_flows", "--url", url, ...args], { env });
  expect((await list([], SECRET)).status).toBe(0);
  expect((await list(["--secret-env", "MINE"], { MINE: ` ${ROUTE_A.secret}\n` })).status).toBe(0);
  expect((await list(["--secret-file", write("secret", `${ROUTE_A.secret}\n`)])).status).toBe(0);
  expect((await list([], { OPENCLAW_WEBHOOK_SECRET: "beyond Latin-1: \u65e5\u672c" })).status).toBe(1);
  expect((await list([], { OPENCLAW_WEBHOOK_SECRET: "wrong" })).error).toBe(
    "401 unauthorized: The secret is missing or wrong.\n",
  );
  for (const [args, env] of [
    [[], {}],
    [[], { OPENCLAW_WEBHOOK_SECRET: "  " }],
    [["--secret-file", write("empty", "\n")], SECRET],
    [["--secret-file", join(folder, "none")], SECRET],
    [["--secret-file", write("lines", `${ROUTE_A.secret}\nmore`)], SECRET],
    [["--secret", ROUTE_A.secret], {}],
    [[`--secret=${ROUTE_A.secret}`], {}],
    [["--secret-file", write("control", `${ROUTE_A.secret}\u0001more`)], SECRET],
  ] as const) {
    const { status, error } = await list(args, env);
    expect([status, error.split("\n").length]).toEqual([2, 2]);
    expect(error).not.toContain(ROUTE_A.secret);
  }
});

test("CALL-1: a secret that is missing or cannot be sent is told of by where it should be", async () => {
  const list = async (args: readonly string[], env: Io["env"] = {}): Promise<string> =>
    (await cli(["call", "zapier", "list_flows", ...args], { env })).error;
  const control =
    "The secret contains a control character, such as a line break, which no header can carry. Remove it.\n";
  expect(await list(["--secret-env", "MINE"], SECRET)).toBe(
    "The environment variable MINE is not set or empty. Set it to the secret, or use --secret-file.\n",
  );
  expect(await list([], { OPENCLAW_WEBHOOK_SECRET: "a\nb" })).toBe(control);
  const ofFile = async (name: string, text: string): Promise<string> => {
    const file = write(name, text);
    return (await list(["--secret-file", file], SECRET)).replace(file, "FILE");
  };
  expect(await ofFile("blank", " \n")).toBe("The secret file FILE is empty. Put the secret into it.\n");
  expect(await ofFile("two-lines", "a\nb")).toBe(control);
  expect(await ofFile("long", "x".repeat(64 * 1024 + 1))).toBe(
    "The secret file FILE is longer than 64 KiB: shorten it.\n",
  );
  const open = write("open", ROUTE_A.secret);
  chmodSync(open, 0o644);
  expect(await list(["--secret-file", open], SECRET)).toBe(
    `The secret file ${open} is open to group or others: run chmod 600 on it.\n`,
  );
  expect(await ofFile("full", `${"x".repeat(64 * 1024 - 1)}\u0001`)).toBe(control);
});

test("call: a refusal is printed with advice", async () => {
  const { url } = await started();
  const call = (...args: readonly string[]): Promise<Ran> => cli(["call", ...args, "--url", url], { env: SECRET });
  const typed = await call("zapier", "finish_flow", "flowId=x", "expectedRevision=0");
  expect(typed.error).toBe(
    "400 invalid_request: expectedRevision: Invalid input: expected number, received string (name=text sends a string; name:=7 sends a number or other JSON)\n",
  );
  expect(JSON.parse(typed.out)).toEqual({ field: "expectedRevision" });
  expect((await call("nope", "list_flows")).error).toContain(
    `(called at ${url}/plugins/webhooks/nope; give the path instead of the id if the route has its own path)`,
  );
  expect((await call("zapier", "bogus")).error).toContain("cancel_flow, run_task");
});

test("serve: a secret that did not resolve is logged once, with the reason", async () => {
  const routes = {
    a: { sessionKey: "s", secret: ROUTE_A.secret },
    b: { sessionKey: "s", secret: { source: "env", provider: "default", id: "NOT_SET" } },
  };
  const config = write("cold.json", JSON.stringify({ routes }));
  const ran = await served(["--config", config, "--db", join(folder, "cold.db")], async () => undefined);
  const about = ran.error.split("\n").filter((line) => line.includes("route b "));
  expect(about).toEqual([expect.stringContaining("NOT_SET")]);
  expect(ran.error).not.toContain("openclaw secrets");
});

test("CALL-1: the secret is never printed, for any arguments and any answer", async () => {
  const echo = createServer((request, response) => {
    response.writeHead(500).end(String(request.headers.authorization));
  });
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  const { port }: { readonly port: number } = Object(echo.address());
  const url = `http://127.0.0.1:${String(port)}`;
  const word = fc.string({ unit: "grapheme", maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(word, word, fc.array(word, { maxLength: 2 }), async (route, action, fields) => {
      const { status, out, error } = await cli(["call", "--url", url, "--", route, action, ...fields], { env: SECRET });
      expect([2, 4]).toContain(status);
      expect(out + error).not.toContain(ROUTE_A.secret);
      expect(error).toMatch(/^.*\n$/u);
    }),
    { numRuns: runs(60) },
  );
  echo.close();
});

test.each([
  [["call", "zapier", "get_flow", "flowId"], "flowId is not a field. Write name=text or name:=json.\n", 2],
  [
    ["call", "zapier", "get_flow", "n:=x"],
    "The value of n is not JSON. Write n:='{\"a\":1}' for JSON, or n=text for a string.\n",
    2,
  ],
  [["call", "zapier", "get_flow", "--data", "x"], "--data is not JSON. Give a JSON object.\n", 2],
  [
    ["call", "zapier", "get_flow", "--data", "[]"],
    "--data is not a JSON object. Give one with the fields of the action.\n",
    2,
  ],
  [
    ["call", "zapier", "get_flow", "--url", "x"],
    "--url x does not begin with http:// or https://. Write it like http://127.0.0.1:8787.\n",
    2,
  ],
  [
    ["call", "zapier", "get_flow", "--url", "ftp://x"],
    "--url ftp://x begins with ftp://. Only http:// and https:// can be called.\n",
    2,
  ],
  [
    ["call", "http://a:b@127.0.0.1:1/x", "get_flow"],
    "ROUTE contains a user name or password. Remove it; the secret comes from --secret-env or --secret-file.\n",
    2,
  ],
  [
    ["call", "zapier", "get_flow", "--url", "http://127.0.0.1:64999"],
    "http://127.0.0.1:64999/plugins/webhooks/zapier cannot be reached (ECONNREFUSED). Check that the server is running there.\n",
    3,
  ],
  [["bogus"], "error: unknown command 'bogus'. Add --help to see the commands.\n", 2],
  [["cal"], "error: unknown command 'cal' (Did you mean call?). Add --help to see the commands.\n", 2],
  [["call", "zapier"], "error: missing required argument 'action'\n", 2],
  [["call", "zapier", "list_flows", "--secret=of-mine"], "error: unknown option '--secret'\n", 2],
  [["serve", "--tls-cert", "x"], "--tls-cert and --tls-key must be given together.\n", 1],
  [
    ["serve", "--tls-cert", "/none", "--tls-key", "x"],
    "/none does not exist: correct the path or create the file.\n",
    1,
  ],
])("%j ends with one sentence", async (args, error, status) => {
  expect(await cli(args, { env: SECRET })).toEqual({ status, out: "", error });
});

test.each(["0.0.0.0", "::", "192.0.2.1", "example.org", "127.evil.example", "localhost.evil.example"])(
  "SERVE-1: serve does not listen on %s without --public",
  async (host) => {
    const { status, error } = await cli(["serve", "--host", host, "--db", join(folder, "never.db")]);
    expect([status, error]).toEqual([
      1,
      `--host ${host} can be reached from other machines. Add --public if that is intended.\n`,
    ]);
  },
);

test("SERVE-1: with --public it listens on other addresses, and warns that nothing is encrypted", async () => {
  const ran = await served(["--host", "0.0.0.0", "--public", "--db", join(folder, "public.db")], async (said) =>
    expect(urlIn(said)).toMatch(/^http:\/\/0\.0\.0\.0:\d+$/u),
  );
  expect(ran.status).toBe(0);
  expect(ran.error).toContain("unencrypted");
  const local = await served(["--db", join(folder, "public.db")], async () => undefined);
  expect(local.error).not.toContain("unencrypted");
});

test("SERVE-7, AUDIT-1: what nothing has caught is logged without session keys and without a flood, and the server goes on", async () => {
  let defect: ((error: unknown) => void) | undefined;
  const onDefect: Io["onDefect"] = (handle) => {
    defect = handle;
    return () => (defect = undefined);
  };
  const ran = await served(
    ["--db", join(folder, "defect.db")],
    async (said) => {
      for (let times = 0; times < 100; times += 1) defect?.(new TypeError("no agent:main:main here"));
      expect((await fetch(`${urlIn(said)}/readyz`)).status).toBe(200);
    },
    { onDefect },
  );
  const told = ran.error.split("\n").filter((line) => line.includes("an error in the server"));
  expect([ran.status, ...told.map((line): unknown => JSON.parse(line))]).toMatchObject([
    0,
    { message: "an error in the server, which goes on: no [hidden] here; more of these are not shown for a minute" },
  ]);
  expect(defect).toBeUndefined();
});

test("serve: the printed curl line works, and a stop ends with status 0", async () => {
  const file = join(folder, "demo.db");
  const ran = await served(["--db", file], async (said) => {
    const secret = /Bearer ([\w-]{32})'/u.exec(said)?.[1] ?? "";
    const { status, out } = await cli(["call", "demo", "create_flow", "goal=x", "--url", urlIn(said)], {
      env: { OPENCLAW_WEBHOOK_SECRET: secret },
    });
    expect([status, JSON.parse(out)]).toMatchObject([0, { created: true }]);
  });
  expect(ran.status).toBe(0);
  expect(ran.out).toContain(`Its flows are kept in ${file}`);
  const lines = ran.error
    .trim()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
  expect(lines).toMatchObject([
    { level: "INFO", message: "route demo at /plugins/webhooks/demo" },
    { level: "INFO", message: `made a new database ${file}` },
    { level: "INFO", message: expect.stringMatching(/^listening on http:\/\/127\.0\.0\.1:\d+, flows in /u) },
    { level: "INFO", message: "stopping: finishing the requests that have begun" },
    { level: "INFO", message: "stopped" },
  ]);
});

test("LIMIT-12: serve counts as many strangers one by one as --max-clients says", async () => {
  const config = write(
    "clients.json5",
    `{ trustedProxies: ["127.0.0.0/8"], routes: { zapier: { sessionKey: "s", secret: "${ROUTE_A.secret}" } } }`,
  );
  const ran = await served(
    ["--config", config, "--db", join(folder, "clients.db"), "--max-clients", "64"],
    async (said) => {
      const statusOf = async (client: number): Promise<number> => {
        const headers = {
          "content-type": "application/json",
          "x-forwarded-for": `10.0.${String(client >> 8)}.${String(client & 255)}`,
        };
        const { status } = await fetch(`${urlIn(said)}/plugins/webhooks/zapier`, {
          method: "POST",
          headers,
          body: "{}",
        });
        return status;
      };
      // 64 have buckets of their own, and all others share one
      const statuses: number[] = [];
      for (let client = 0; client < 64 + 121; client += 1) statuses.push(await statusOf(client));
      expect([new Set(statuses.slice(0, -1)), statuses.at(-1), await statusOf(0)]).toEqual([new Set([401]), 429, 401]);
    },
  );
  expect(ran.status).toBe(0);
});

test("serve: flows survive a restart, by default in the user's state folder", async () => {
  const config = write("routes.json5", `{ routes: { zapier: { sessionKey: "s", secret: "${ROUTE_A.secret}" } } }`);
  const env = { ...SECRET, XDG_STATE_HOME: join(folder, "state") };
  const call = async (said: string, ...args: readonly string[]): Promise<Ran> =>
    cli(["call", "zapier", ...args, "--url", urlIn(said)], { env });
  await served(
    ["--config", config],
    async (said) => expect((await call(said, "create_flow", "goal=kept")).status).toBe(0),
    { env },
  );
  await served(
    ["--config", config],
    async (said) =>
      expect(JSON.parse((await call(said, "find_latest_flow")).out)).toMatchObject({ flow: { goal: "kept" } }),
    { env },
  );
});

test("FILE-3: without --db the database is in an absolute folder, whatever the variables are", () => {
  const word = fc.constantFrom(
    undefined,
    "",
    " ",
    ".",
    "state",
    "./state",
    "../state",
    "~",
    "~/state",
    "/var/lib/x",
    "/",
  );
  const own = join(userInfo().homedir, ".local", "state");
  fc.assert(
    fc.property(word, word, (state, home) => {
      const isAbsolutePath = (path: string | undefined): path is string => path?.startsWith("/") === true;
      const inHome = isAbsolutePath(home) ? join(home, ".local", "state") : own;
      const file = databaseFile(undefined, { XDG_STATE_HOME: state, HOME: home })._unsafeUnwrap();
      expect(file).toBe(join(isAbsolutePath(state) ? state : inHome, "openclaw-webhooks", "flows.db"));
    }),
  );
});

test.each([
  "",
  " ",
  ":memory:",
  ":MEMORY:",
  " :memory:",
  "file:flows.db",
  "file::memory:",
  "FILE:x?mode=memory",
  "sqlite:x",
  "postgres://h/x",
])("FILE-3: --db %j is not the path of a file: it is refused, and no file of that name is made", async (db) => {
  const before = readdirSync(".");
  const { status, error } = await cli(["serve", "--port", "0", "--db", db]);
  expect([status, error]).toEqual([
    1,
    `--db "${db}" is not the path of a file, and flows are kept in files only. Write ./ before a file's name.\n`,
  ]);
  expect(readdirSync(".")).toEqual(before);
});

test("FILE-3: any other name is the path of a file", () => {
  const paths = ["flows.db", "./:memory:", "./file:x", "/srv/a:b", "C:x", "a b", "memory", "-"];
  for (const db of paths) expect(databaseFile(db, {})._unsafeUnwrap()).toBe(resolve(db));
});

test("FILE-4: a taken port changes nothing: no database, no folder for it, no line in one that is there", async () => {
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, "127.0.0.1", done));
  const { port }: { readonly port: number } = Object(taken.address());
  const start = (...args: readonly string[]): Promise<Ran> =>
    cli(["serve", "--port", String(port), ...args], { env: { XDG_STATE_HOME: join(folder, "taken") } });
  const old = write("old.db", "");
  const before = readdirSync(folder);
  for (const args of [[], ["--db", join(folder, "taken.db")], ["--db", old]]) {
    const { status, error } = await start(...args);
    expect([status, error]).toEqual([
      1,
      `127.0.0.1:${String(port)} is used by another program. Choose another port with --port.\n`,
    ]);
  }
  expect([readdirSync(folder), statSync(old).size]).toEqual([before, 0]);
  taken.close();
});

test("STORE-8: a backup from or to an impossible path ends with a sentence, without a control character of the path", async () => {
  const [loop, raw] = [join(folder, "loop"), join(folder, "\u001b[31mred\u0007")];
  symlinkSync(loop, loop);
  const source = join(folder, "source.db");
  openDatabase(source, false)._unsafeUnwrap().flows.close();
  const from = "Check that the current user may read it; if it is damaged, keep your last backup.";
  const to = "Name a file in a folder that the current user may write to, on a disk with room and hard links.";
  const none = "does not exist. Name the server's database with --db.";
  for (const [target, setup, words] of [
    ["/dev/null/x", ["--db", source], "(ENOTDIR). Correct the path, or name another file."],
    [join(folder, "n".repeat(300)), ["--db", source], to],
    [join(loop, "x"), ["--db", source], to],
    [loop, ["--db", source], "exists and was not changed. Name a new file."],
    [join(raw, "x"), ["--db", source], "(ENOENT). Create the folder, or name another file."],
    [join(folder, "new.db"), ["--db", "/dev/null/f"], none],
    [join(folder, "new.db"), ["--db", loop], from],
    [join(folder, "new.db"), ["--db", join(folder, "n".repeat(300))], from],
    [join(folder, "new.db"), ["--db", join(raw, "x")], none],
    [join(folder, "new.db"), "/dev/null", none],
    [join(folder, "new.db"), raw, none],
  ] as const) {
    const env = typeof setup === "string" ? { XDG_STATE_HOME: setup } : {};
    const ran = await cli(["backup", target, ...(typeof setup === "string" ? [] : setup)], { env });
    expect([ran.status, ran.out, ran.error.slice(-words.length - 1)]).toEqual([1, "", `${words}\n`]);
    expect(ran.error).not.toMatch(/[^\P{Cc}\n]/u);
  }
  for (const file of [join(raw, "x.db"), join(folder, "\u001b.d", "x.db")]) {
    expect(openDatabase(file, false)._unsafeUnwrapErr().sentence).not.toMatch(/\p{Cc}/u);
  }
  mkdirSync(raw);
  expect(openDatabase(raw, false)._unsafeUnwrapErr().sentence).not.toMatch(/\p{Cc}/u);
});

test("STORE-9: a first start on a full disk says that there is no room", () => {
  const disk = join(folder, "disk");
  mkdirSync(disk);
  for (const size of ["4k", "8k", "24k", "40k"]) {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", disk]);
    try {
      expect(openDatabase(join(disk, "flows.db"), false)._unsafeUnwrapErr().sentence).toMatch(
        /does not fit on its disk \(.+\)\. Make space there, or choose another file with --db\.$/u,
      );
    } finally {
      execFileSync("umount", ["-l", disk]);
    }
  }
});

const pipe = join(folder, "pipe");
execFileSync("mkfifo", [pipe]);

test.each([
  [
    join(folder, "none", "x.db"),
    "is in a folder that does not exist (ENOENT). Create the folder, or choose another file with --db.",
  ],
  [folder, `is a folder. Choose a file in it, such as ${join(folder, "flows.db")}.`],
  [join(pipe, "x.db"), "is not in a folder (ENOTDIR). Correct the path, or choose another file with --db."],
  [pipe, "is not a regular file. Choose another file with --db."],
  ["/dev/null", "is not a regular file. Choose another file with --db."],
])("serve: --db %s ends with a sentence that says what to do, and the port is free again", async (db, words) => {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, "127.0.0.1", done));
  const { port }: { readonly port: number } = Object(probe.address());
  await new Promise((done) => probe.close(done));
  const { status, error } = await cli(["serve", "--port", String(port), "--db", db]);
  expect([status, error]).toEqual([1, `${db} ${words}\n`]);
  await new Promise<void>((done) => probe.listen(port, "127.0.0.1", done));
  probe.close();
});

test("serve and check: a secret that an env file left in quotation marks is served, with advice", async () => {
  const routes = { a: { sessionKey: "s", secret: { source: "env", provider: "default", id: "QUOTED" } } };
  const config = write("quoted.json", JSON.stringify({ routes }));
  const env = { QUOTED: `"${ROUTE_A.secret}"` };
  const checked = await cli(["check", config], { env });
  expect([checked.status, checked.out]).toEqual([
    0,
    expect.stringMatching(/^route a advice: secret .*quotation mark/u),
  ]);
  const ran = await served(["--config", config, "--db", join(folder, "quoted.db")], async () => undefined, { env });
  expect(ran.error).toContain("route a advice: secret begins and ends with a quotation mark");
  expect(ran.error + checked.out).not.toContain(ROUTE_A.secret);
});

test("serve: a route with run is served, with advice that only a Gateway has agents", async () => {
  const routes = { a: { sessionKey: "s", secret: ROUTE_A.secret, run: { message: "Look at {{flow.goal}}" } } };
  const config = write("with-run.json", JSON.stringify({ routes }));
  const ran = await served(["--config", config, "--db", join(folder, "with-run.db")], async () => undefined);
  expect(ran.error).toContain(
    "route a advice: run starts agents only in a Gateway, because serve and a server of your own have none.",
  );
});

test("serve: at debug level each answer is a JSON line; a terminal gets plain text", async () => {
  const ran = await served(["--db", join(folder, "debug.db"), "--log-level", "debug"], async (said) => {
    const answered = await fetch(`${urlIn(said)}/plugins/webhooks/demo`, { method: "POST" });
    expect(answered.status).toBe(415);
  });
  const lines = ran.error
    .trim()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
  expect(lines).toContainEqual(
    expect.objectContaining({ level: "DEBUG", routeId: "demo", status: 415, code: "unsupported_media_type" }),
  );
  const read = await served(["--db", join(folder, "debug.db")], async () => undefined, { isTerminal: true });
  expect(read.error).toMatch(/INF\S* webhooks: listening on http/u);
});

test("AUDIT-2: a line with braces is logged unchanged", async () => {
  const id = "{demo} {{x}}";
  const config = write(
    "braces.json",
    JSON.stringify({ routes: { ok: { sessionKey: "s", secret: ROUTE_A.secret }, [id]: {} } }),
  );
  const ran = await served(["--config", config, "--db", join(folder, "braces.db")], async () => undefined);
  expect(ran.error).toContain(`route ${id} skipped`);
});

test("SERVE-2: a second request to stop ends at once", async () => {
  const stops: ((isFirst: boolean) => void)[] = [];
  let error = "";
  const done = run(["serve", "--port", "0", "--db", join(folder, "twice.db")], {
    out: () => undefined,
    error: (text) => (error += text),
    env: {},
    input: () => Promise.resolve(new Uint8Array()),
    isTerminal: false,
    onStop: (handle) => {
      stops.push(handle);
      return () => undefined;
    },
  });
  await expect.poll(() => stops.length).toBe(1);
  stops[0]?.(false);
  expect(await done).toBe(1);
  expect(error).toContain("stopped");
});

test("check: each problem is one line, the last line counts them, and the status tells whether there are any", async () => {
  const good = write(
    "good.json",
    JSON.stringify({ routes: { a: { sessionKey: "s", secret: "a-secret-0123456789" } } }),
  );
  expect(await cli(["check", good])).toEqual({
    status: 0,
    out: `route a would be served at /plugins/webhooks/a\n${good}: 1 route, 0 problems.\n`,
    error: "",
  });
  const routes = {
    a: { sessionKey: "s", secret: "a-secret-0123456789" },
    b: { sessionKey: "s", secret: { source: "env", provider: "default", id: "NOT_SET" } },
    c: { sessionKey: "s", secret: "c-secret-0123456789", path: "/plugins/webhooks/A" },
    d: { sessionKey: "s", secret: "" },
    e: { sessionKey: "s", secret: "short" },
  };
  const bad = write("bad.json", JSON.stringify({ trustedProxies: ["10.0.0.0/8", "proxy"], routes }));
  const { status, out } = await cli(["check", bad]);
  expect(status).toBe(1);
  const lines = out.trim().split("\n");
  for (const part of [
    "route b cold: secret",
    "NOT_SET",
    "route c skipped: path is taken by route a",
    "route d cold: secret",
  ]) {
    expect(out).toContain(part);
  }
  expect(out).toContain("route e advice: secret");
  expect(out).toContain("trustedProxies proxy is not an address or a subnet");
  expect(lines.at(-1)).toBe(`${bad}: 2 routes, 4 problems.`);
  for (const id of ["a", "b", "c", "d"]) {
    expect(lines.filter((line) => line.startsWith(`route ${id} `))).toHaveLength(1);
  }
  for (const secret of ["$NOT_SET", "whsec_abcd"]) {
    const told = { ...routes.a, notify: { url: "https://hook.test/x", secret } };
    const mute = write("mute.json", JSON.stringify({ routes: { a: told } }));
    const said = await cli(["check", mute]);
    expect([said.status, said.out.split("\n").length]).toEqual([1, 4]);
    expect(said.out).toMatch(/^route a without callbacks: notify\.secret /u);
    expect(said.out).toContain(`${mute}: 1 route, 1 problem.\n`);
  }
  const open = {
    sessionKey: "agent:main:main",
    secret: "${S}",
    deliveries: [{ do: { action: "create_flow", goal: "g" } }],
  };
  const env = { S: "a-secret-0123456789" };
  const bare = await cli(["check", write("open.json", JSON.stringify({ routes: { a: open } }))], { env });
  expect([bare.status, bare.out.match(/ advice: \w+/gu)]).toEqual([0, [" advice: deliveries"]]);
  const gateway = { plugins: { entries: { webhooks: { config: { routes: { a: open } } } } } };
  const whole = await cli(["check", write("openclaw.json", JSON.stringify(gateway))], { env });
  expect([whole.status, whole.out.match(/ advice: \w+/gu)]).toEqual([
    0,
    [" advice: sessionKey", " advice: deliveries"],
  ]);
  const withRun = { ...routes.a, run: { message: "Look at {{flow.goal}}" } };
  const advised = write("advice.json", JSON.stringify({ routes: { e: routes.e, run: withRun } }));
  const checked = await cli(["check", advised]);
  expect(checked.status).toBe(0);
  expect(checked.out).toContain(
    "route run advice: run starts agents only in a Gateway, because serve and a server of your own have none.\n",
  );
  const none = write("no-routes.json", '{"routes":{}}');
  const empty = await cli(["check", none]);
  expect([empty.status, empty.out]).toEqual([
    1,
    `no route is configured. Add one under routes.\n${none}: 0 routes, 1 problem.\n`,
  ]);
  const off = write("off.json", JSON.stringify({ routes: { a: { ...routes.a, enabled: false } } }));
  expect((await cli(["check", off])).out).toBe(
    `every route has enabled: false. Set it to true or remove it.\n${off}: 0 routes, 1 problem.\n`,
  );
});

test.each([
  ...[
    "0.0.0.0/0",
    "::/0",
    "8.8.8.8/0",
    " 0.0.0.0/1",
    "64.0.0.0/7",
    "2000::/3",
    "2000::/4",
    "::ffff:0:0/96",
    "::/64",
  ].map((entry) => [entry, 1] as const),
  ...["10.0.0.0/8", "192.168.0.0/16", "127.0.0.1", "::1", "fc00::/7", "fe80::/10", "2001:db8::/32", "2a00::/8"].map(
    (entry) => [entry, 0] as const,
  ),
])("LIMIT-8: check and serve advise against the trusted proxy %j: %i lines", async (entry, count) => {
  const routes = { a: { sessionKey: "s", secret: ROUTE_A.secret } };
  const config = write("proxies.json", JSON.stringify({ trustedProxies: [entry], routes }));
  const { status, out } = await cli(["check", config]);
  const lines = (text: string): number =>
    text.split("clients could forge theirs. List no more than your proxies.").length - 1;
  expect([status, lines(out)]).toEqual([0, count]);
  const ran = await served(["--config", config, "--db", join(folder, "proxies.db")], async () => undefined);
  expect(lines(ran.error)).toBe(count);
});

test("serve: a certificate and a key that are both good, but not of each other, do not belong together", async () => {
  const pem = (format: "pkcs8") => ({ type: format, format: "pem" }) as const;
  const keys = [
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export(pem("pkcs8")),
    generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export(pem("pkcs8")),
  ];
  const cert = write("cert.pem", certificates.GOOD);
  for (const text of [...keys, certificates.GOOD, "x"]) {
    const key = write("key.pem", String(text));
    const { status, error } = await cli([
      "serve",
      "--tls-cert",
      cert,
      "--tls-key",
      key,
      "--db",
      join(folder, "tls.db"),
    ]);
    const what = keys.includes(text)
      ? "do not belong together. Give the key that the certificate was made for; of a chain, its certificate comes first"
      : "are not a certificate and its key. Give both as PEM files";
    expect([status, error]).toEqual([1, `${cert} and ${key} ${what}.\n`]);
  }
});

test("serve: a start that makes its database says so, once; backup says which folder does not exist", async () => {
  const start = async (file: string): Promise<readonly [number, number]> => {
    const { error } = await served(["--db", file], async () => undefined);
    return [error.split(`made a new database ${file}`).length - 1, error.split(`flows in ${file}`).length - 1];
  };
  for (const file of [join(folder, "fresh.db"), write("empty.db", "")]) {
    expect(await start(file)).toEqual([1, 1]);
    expect(await start(file)).toEqual([0, 1]);
  }
  const backup = (to: string): Promise<Ran> => cli(["backup", to, "--db", join(folder, "fresh.db")]);
  const [nowhere, below] = [join(folder, "none", "b.db"), join(folder, "empty.db", "b.db")];
  expect(await backup(nowhere)).toEqual({
    status: 1,
    out: "",
    error: `${nowhere} is in a folder that does not exist (ENOENT). Create the folder, or name another file.\n`,
  });
  expect((await backup(below)).error).toBe(
    `${below} is not in a folder (ENOTDIR). Correct the path, or name another file.\n`,
  );
});

test("STORE-8: backup says how many flows it has copied, and of each file that it does not copy why and what to do", async () => {
  const [source, away] = [join(folder, "copied.db"), join(folder, "away.db")];
  const backup = (from: string, to: string): Promise<Ran> => cli(["backup", to, "--db", from]);
  const { flows } = openDatabase(source, false)._unsafeUnwrap();
  for (const counted of ["0 flows", "1 flow", "2 flows"]) {
    const target = join(folder, `${counted}.db`);
    expect(await backup(source, target)).toEqual({
      status: 0,
      out: `${target}: ${counted} of ${source}.\n`,
      error: "",
    });
    await flows.execute("s", { action: "create_flow", goal: "g", controllerId: "c" }, () => undefined);
  }
  flows.close();
  for (const [name, pragma, sentence] of [
    ["other.db", "application_id = 7", "is not a database of openclaw-webhooks. Name the server's database with --db."],
    ["newer.db", "user_version = 9999", "was written by a newer version of openclaw-webhooks. Run that version."],
  ] as const) {
    const file = join(folder, name);
    copyFileSync(source, file);
    const database = new DatabaseSync(file);
    database.exec(`PRAGMA ${pragma}`);
    database.close();
    expect(await backup(file, away)).toEqual({ status: 1, out: "", error: `${file} ${sentence}\n` });
  }
  expect(existsSync(away)).toBe(false);
});

test("serve: a port, a time to keep connections and a number of clients (LIMIT-12) are taken within their ranges, and refused beside them", async () => {
  const serve = (option: string, value: string): Promise<Ran> => cli(["serve", "--tls-cert", "x", option, value]);
  const port = "It must be a number from 0 to 65535.";
  const seconds = "It must be a number of seconds from 1 to 3600.";
  const clients = "It must be a number of clients from 64 to 1,000,000.";
  for (const [option, sentence, good, bad] of [
    ["--port", port, ["0", "8787", "65535"], ["65536", "-1", "1.5", "8787x", "x8787", "", " 1", "0x10", "100000"]],
    [
      "--max-clients",
      clients,
      ["64", "4096", "1000000"],
      ["63", "1000001", "0", "-64", "64.5", "4,096", "4k", "", " 64"],
    ],
    ["--keep-alive", seconds, ["1", "125", "3600"], ["0", "3601", "-1", "1.5", "60s", "s60", "", " 1", "0x10", "1e1"]],
  ] as const) {
    for (const value of good) {
      const { status, error } = await serve(option, value);
      expect([value, status, error]).toEqual([value, 1, "--tls-cert and --tls-key must be given together.\n"]);
    }
    for (const value of bad) {
      const { status, error } = await serve(option, value);
      expect([value, status, error.slice(-sentence.length - 2)]).toEqual([value, 2, ` ${sentence}\n`]);
    }
  }
});

test("a defect ends a command with one line, which says what it is and not what it holds", async () => {
  for (const [thrown, name] of [
    [new RangeError(ROUTE_A.secret), "RangeError"],
    [ROUTE_A.secret, "string"],
  ] as const) {
    const out = (): never => {
      throw thrown;
    };
    expect(await cli(["openapi"], { out })).toEqual({
      status: 1,
      out: "",
      error: `Unexpected error. This is a defect; please report it: ${name}\n`,
    });
  }
});

test("help and version end with status 0, and help names every command and the exit statuses", async () => {
  const help = await cli(["--help"]);
  expect([help.status, help.error]).toEqual([0, ""]);
  for (const name of ["serve", "backup", "check", "call", "sign", "openapi"]) expect(help.out).toContain(name);
  expect((await cli(["call", "--help"])).out).toContain("Exit status: 0 done, 1 refused, 2 wrong usage, 3 no answer.");
  expect((await cli(["serve", "--help"])).out).toContain("GET /healthz");
  expect((await cli(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/u);
  expect((await cli([])).status).toBe(2);
});

test("openapi: the document is printed, with the server that was given", async () => {
  const plain = JSON.parse((await cli(["openapi"])).out) as { openapi: string; servers?: unknown };
  expect(plain.openapi).toMatch(/^3\.1/u);
  const served_ = JSON.parse((await cli(["openapi", "--server", "https://hooks.example"])).out) as { servers: unknown };
  expect(JSON.stringify(served_.servers)).toContain("https://hooks.example");
});
