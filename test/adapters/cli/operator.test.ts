// What an operator sees of `serve`: its audit file, and its pages.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { adminAddress } from "../../../adapters/cli/commands/listen-address.ts";
import type { Io } from "../../../adapters/cli/io.ts";
import { cli, type Ran } from "../../support/cli.ts";

const SECRET = "Zk3vQ9sLx72hPw4TtB8n";
const TOKEN = "operators-token-0123456789";
const ROUTES = { zapier: { sessionKey: "agent:main:owner-a", secret: SECRET } };

let folder = "";
const stops: (() => Promise<Ran>)[] = [];
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "operator-"))));
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
  rmSync(folder, { recursive: true, force: true });
});

const configFile = (more: object = {}): string => {
  const file = join(folder, "config.json5");
  writeFileSync(file, JSON.stringify({ routes: ROUTES, ...more }), { mode: 0o600 });
  return file;
};

type Running = {
  readonly base: string;
  readonly pages: string;
  readonly log: () => string;
  readonly hup: () => void;
  readonly stop: () => Promise<Ran>;
};

/** Resolves once it listens. */
const serve = async (
  args: readonly string[],
  { config = configFile(), env = {} }: { config?: string; env?: Io["env"] } = {},
): Promise<Running> => {
  let [log, end, hup] = ["", (): void => undefined, (): void => undefined];
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  const ended = cli(
    ["serve", "--config", config, "--db", join(folder, "flows.db"), "--port", "0", "--no-watch", ...args],
    {
      env,
      error: (text) => {
        log += text;
        if (log.includes("listening on")) resolve();
      },
      onStop: (handle) => {
        end = () => handle(true);
        return () => undefined;
      },
      onReload: (handle) => {
        hup = handle;
        return () => undefined;
      },
    },
  );
  const stop = async (): Promise<Ran> => {
    end();
    return ended;
  };
  stops.push(stop);
  await Promise.race([listening, ended.then(() => expect.fail(log))]);
  const urlAfter = (words: string): string => new RegExp(`${words} (https?://[^",\\s]+)`, "u").exec(log)?.[1] ?? "";
  return { base: urlAfter("listening on"), pages: urlAfter("operators at"), log: () => log, hup: () => hup(), stop };
};

const post = (base: string, secret = SECRET, body: object = { action: "list_flows" }): Promise<Response> =>
  fetch(`${base}/plugins/webhooks/zapier`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${secret}` },
    body: JSON.stringify(body),
  });

const linesIn = (file: string): readonly { readonly status: number }[] =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { status: number });

test("AUDIT-5: --audit has a line for each request, refusals included, before its answer", async () => {
  const file = join(folder, "audit.jsonl");
  const { base, log } = await serve(["--audit", file]);
  for (const [n, secret] of [SECRET, "wrong", SECRET].entries()) {
    const { status } = await post(base, secret);
    expect(linesIn(file)[n]?.status).toBe(status);
  }
  await fetch(`${base}/nope`);
  expect(linesIn(file).map(({ status }) => status)).toEqual([200, 401, 200, 404]);
  expect(log()).toContain(`audit file ${file}`);
});

test("AUDIT-5: without --audit and --admin nothing listens, and no file is made", async () => {
  const { base, pages } = await serve([]);
  await post(base);
  expect(pages).toBe("");
  expect(readdirSync(folder).filter((name) => name.startsWith("audit"))).toEqual([]);
});

test("AUDIT-7: --audit-max-bytes and --audit-files bound what is kept", async () => {
  const file = join(folder, "audit.jsonl");
  const { base } = await serve(["--audit", file, "--audit-max-bytes", "65536", "--audit-files", "1"]);
  writeFileSync(file, "x".repeat(65_530), { flag: "a" });
  expect((await post(base)).status).toBe(200);
  for (const name of ["--audit-max-bytes", "--audit-files"]) {
    for (const value of ["0", "-1", "x", "1e9", "99999999999"]) {
      const { status, error } = await cli(["serve", name, value]);
      expect([status, error.split("\n").length]).toEqual([2, 2]);
    }
  }
});

test("AUDIT-7: a size or a number of files without a file is wrong usage", async () => {
  const [plain, asked] = [configFile(), configFile({ audit: { file: "asked.jsonl" } })];
  for (const args of [
    ["--audit-max-bytes", "65536"],
    ["--audit-files", "2"],
  ]) {
    const config = configFile();
    const { status, error } = await cli(["serve", "--config", config, "--db", join(folder, "no.db"), ...args]);
    expect([plain, status, error]).toEqual([
      plain,
      2,
      expect.stringContaining(`${String(args[0])} has no effect without`),
    ]);
  }
  configFile({ audit: { file: "asked.jsonl" } });
  const { base } = await serve(["--audit-files", "2"], { config: asked });
  expect((await post(base)).status).toBe(200);
});

test("AUDIT-9: the configuration may ask for the file, beside the database; a flag goes before it, field by field", async () => {
  const config = configFile({ audit: { file: "asked.jsonl", files: 2 } });
  const first = await serve([], { config });
  await post(first.base);
  await first.stop();
  expect(linesIn(join(folder, "asked.jsonl"))).toHaveLength(1);
  const second = await serve(["--audit", join(folder, "given.jsonl")], { config });
  await post(second.base);
  expect(
    [linesIn(join(folder, "asked.jsonl")), linesIn(join(folder, "given.jsonl"))].map(({ length }) => length),
  ).toEqual([1, 1]);
});

test("AUDIT-9: a wrong part of audit is a problem with its name, and the routes are served", async () => {
  const { log, base } = await serve([], { config: configFile({ audit: { file: "x", maxBytes: 1 } }) });
  expect(log()).toContain(
    "skipped: audit.maxBytes must be a whole number from 65536 to 1073741824. No audit file is written",
  );
  expect((await post(base)).status).toBe(200);
  expect(existsSync(join(folder, "x"))).toBe(false);
});

test("AUDIT-7: a file that cannot be used ends the start with what to do, and nothing is listened on or made", async () => {
  mkdirSync(join(folder, "folder"));
  const config = configFile();
  const args = [
    "serve",
    "--config",
    config,
    "--db",
    join(folder, "new.db"),
    "--port",
    "0",
    "--audit",
    join(folder, "folder"),
  ];
  const { status, error } = await cli(args);
  expect([status, error.trimEnd().split("\n").at(-1)]).toEqual([
    1,
    `${join(folder, "folder")} is a folder. Give the path of a file in it.`,
  ]);
  expect(existsSync(join(folder, "new.db"))).toBe(false);
});

test("AUDIT-7: after a SIGHUP lines go to a new file of the path, as logrotate wants it", async () => {
  const file = join(folder, "audit.jsonl");
  const { base, hup } = await serve(["--audit", file]);
  await post(base);
  renameSync(file, `${file}.moved`);
  hup();
  await post(base, "wrong");
  expect([linesIn(`${file}.moved`), linesIn(file)].map(([line]) => line?.status)).toEqual([200, 401]);
});

test("ADMIN-1, METRIC-1: --admin offers the metrics of the server's requests at an address that the log tells", async () => {
  const { base, pages, stop } = await serve(["--admin", "0"]);
  await post(base);
  await post(base, "wrong");
  const metrics = await (await fetch(`${pages}/metrics`)).text();
  expect(metrics).toContain(
    'http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="200",http_route="zapier"} 1',
  );
  expect(metrics).toContain(
    'http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="401",http_route="zapier",error_type="unauthorized"} 1',
  );
  expect(metrics).toContain('openclaw_webhooks_actions_total{http_route="zapier",openclaw_action="list_flows"} 1');
  expect(metrics).toContain("\nhttp_server_active_requests 0\n");
  expect(metrics).toContain('openclaw_webhooks_routes{state="live"} 1');
  // what Prometheus takes: help and type of each name once, then its samples
  const names = [...metrics.matchAll(/^# TYPE (\S+) \w+$/gmu)].map(([, name]) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const line of metrics.trimEnd().split("\n"))
    expect(line).toMatch(/^(?:# (?:HELP|TYPE) |[a-z_]+(?:\{.*\})? [\d.e+-]+$)/u);
  expect(new URL(pages).hostname).toBe("127.0.0.1");
  expect((await fetch(`${pages}/plugins/webhooks/zapier`)).status).toBe(404);
  await stop();
  await expect(fetch(`${pages}/healthz`)).rejects.toThrow();
});

test("NOTIFY-9: the metrics tell of callbacks that wait, and of routes whose callbacks nobody gets", async () => {
  const key = `whsec_${Buffer.alloc(24, "a key of 24 bytes").toString("base64")}`;
  const told = (secret: string, url = "http://127.0.0.1:1/x") => ({ ...ROUTES.zapier, notify: { url, secret } });
  const routes = { zapier: told(key), mute: { ...told("$NOT_SET"), secret: `${SECRET}2` } };
  const { base, pages } = await serve(["--admin", "0"], { config: configFile({ routes }) });
  const metrics = async (): Promise<string> => (await fetch(`${pages}/metrics`)).text();
  const before = await metrics();
  expect(before).toContain("\nopenclaw_webhooks_callbacks_failing 1\n");
  expect(before).not.toContain("openclaw_webhooks_callbacks_oldest_seconds{");
  await post(base, SECRET, { action: "create_flow", goal: "g", status: "blocked" });
  // the text of the metrics is as old as a second
  await expect
    .poll(metrics, { timeout: 10_000 })
    .toMatch(/^openclaw_webhooks_callbacks_oldest_seconds\{http_route="zapier"\} [\d.e-]+$/mu);
  const { callbacks }: { readonly callbacks: unknown } = Object(await (await fetch(`${pages}/status.json`)).json());
  expect(callbacks).toEqual([expect.stringMatching(/^route mute without callbacks: notify\.secret could not be /u)]);
});

test("STATUS-4: a reload that is refused stands on the page and in the metrics until one succeeds", async () => {
  const config = configFile();
  const { base, pages, hup } = await serve(["--admin", "0"], { config });
  const gauge = async (): Promise<string | undefined> =>
    /^openclaw_webhooks_config_refused (\d)$/mu.exec(await (await fetch(`${pages}/metrics`)).text())?.[1];
  const problems = async (): Promise<readonly string[]> => {
    const { problems: lines }: { readonly problems: readonly string[] } = Object(
      await (await fetch(`${pages}/status.json`)).json(),
    );
    return lines;
  };
  const soon = { timeout: 10_000 };
  expect([await gauge(), await problems()]).toEqual(["0", []]);
  writeFileSync(config, "{ routes: ");
  hup();
  await expect.poll(gauge, soon).toBe("1");
  await expect
    .poll(problems, soon)
    .toEqual([expect.stringMatching(/^the configuration was not taken over at 2\S+Z: /u)]);
  expect((await post(base)).status).toBe(200);
  configFile();
  hup();
  await expect.poll(gauge, soon).toBe("0");
  await expect.poll(problems, soon).toEqual([]);
});

test("ADMIN-2: beyond this machine the pages need a strong token; without one nothing is started or made", async () => {
  const config = configFile();
  const start = (env: Io["env"], ...args: readonly string[]): Promise<Ran> =>
    cli(["serve", "--config", config, "--db", join(folder, "new.db"), "--port", "0", "--admin", "0.0.0.0:0", ...args], {
      env,
    });
  const short = join(folder, "short");
  writeFileSync(short, "0123456789", { mode: 0o600 });
  const open = join(folder, "open");
  writeFileSync(open, TOKEN, { mode: 0o644 });
  const name = "OPENCLAW_WEBHOOKS_ADMIN_TOKEN";
  for (const [env, args, words] of [
    [{}, [], `so it needs a token. Set ${name} to a long random text, or use --admin-token-file`],
    [{ [name]: "  " }, [], "so it needs a token"],
    [{ [name]: "0123456789" }, [], "is shorter than 16 characters"],
    [{ [name]: "a token with spaces in it" }, [], "must be ASCII without spaces"],
    [{}, ["--admin-token-file", short], "is shorter than 16 characters"],
    [{}, ["--admin-token-file", join(folder, "none")], "does not exist"],
    [{}, ["--admin-token-file", open], "is open to group or others"],
  ] as const) {
    const { status, error } = await start(env, ...args);
    expect([status, error]).toEqual([1, expect.stringContaining(words)]);
    expect(error).not.toContain("0123456789");
  }
  expect(existsSync(join(folder, "new.db"))).toBe(false);
});

test("ADMIN-2: with a token the pages demand it, also of this machine; it is in no line of the log", async () => {
  const { pages, log } = await serve(["--admin", "0.0.0.0:0"], { env: { OPENCLAW_WEBHOOKS_ADMIN_TOKEN: TOKEN } });
  const { port } = new URL(pages);
  const ask = (headers: Record<string, string>): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/metrics`, { headers });
  expect((await ask({})).status).toBe(401);
  expect((await ask({ authorization: `Bearer ${TOKEN}` })).status).toBe(200);
  expect(log()).not.toContain("wrong token");
  for (const wrong of ["Bearer x", `Bearer ${TOKEN}y`, "Basic x"])
    expect((await ask({ authorization: wrong })).status).toBe(401);
  expect(log().match(/a request to the operator's pages had a wrong token \(peer=[^)]*127\.0\.0\.1\)/gu)).toHaveLength(
    1,
  );
  expect(log()).toContain("crosses the network unencrypted");
  expect(log()).not.toContain(TOKEN);
});

test("ADMIN-1: a port that is taken ends the start with what to do, and the routes' port is not listened on", async () => {
  const holder = createServer();
  await new Promise<void>((done) => holder.listen(0, "127.0.0.1", done));
  const { port }: { readonly port: number } = Object(holder.address());
  const args = [
    "serve",
    "--config",
    configFile(),
    "--db",
    join(folder, "new.db"),
    "--port",
    "0",
    "--admin",
    String(port),
  ];
  const { status, error } = await cli(args);
  expect([status, error.trimEnd().split("\n").at(-1)]).toEqual([
    1,
    `127.0.0.1:${String(port)} is used by another program. Choose another port with --admin.`,
  ]);
  expect(existsSync(join(folder, "new.db"))).toBe(false);
  await new Promise((done) => holder.close(done));
});

test("ADMIN-2: an address is a port of this machine, or a host with a port; all else is refused", () => {
  expect(adminAddress("9090")).toEqual({ host: "127.0.0.1", port: 9090 });
  expect(adminAddress("0.0.0.0:9090")).toEqual({ host: "0.0.0.0", port: 9090 });
  expect(adminAddress("[::1]:9090")).toEqual({ host: "::1", port: 9090 });
  expect(adminAddress("LOCALHOST:1")).toEqual({ host: "localhost", port: 1 });
  for (const wrong of [
    "",
    ":9090",
    "::1:9090",
    "localhost",
    "localhost:",
    "1:65536",
    "http://x:1",
    "a/b:1",
    "x:1:2",
    "-1",
    "[::1]",
    "9090 ",
  ])
    expect([wrong, adminAddress(wrong)]).toEqual([wrong, undefined]);
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const { port = 0 } = adminAddress(text) ?? {};
      expect(port).toBeLessThan(65_536);
    }),
  );
});
