// `serve` as its operator has it: what it prints to be pasted, what it reads again, and what a stop leaves behind.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { demoRoutes, readServed } from "../../../adapters/cli/commands/served.ts";
import { ROUTE_A } from "../../core/arbitraries.ts";
import * as certificates from "../../support/certificates.ts";
import { SECRET } from "../../support/callbacks.ts";
import { cli } from "../../support/cli.ts";
import { Receiver, verify } from "../../support/receiver.ts";
import { served, urlIn } from "../../support/served.ts";

const folder = mkdtempSync(join(tmpdir(), "serve-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, content: unknown): string => {
  const file = join(folder, name);
  writeFileSync(`${file}.new`, typeof content === "string" ? content : JSON.stringify(content), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return file;
};

let databases = 0;
const newDatabase = (): string => join(folder, `flows${String((databases += 1))}.db`);

const route = (more: object = {}) => ({ sessionKey: "s", secret: ROUTE_A.secret, ...more });

/** Sends an action to the route `a`. */
const post = (
  said: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
  id = "a",
): Promise<Response> =>
  fetch(`${urlIn(said)}/plugins/webhooks/${id}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}`, ...headers },
    body: JSON.stringify(body),
  });

const lines = (text: string): readonly string[] =>
  text
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { message: string }).message);

test("serve: the command that it prints to be pasted makes a flow, and it prints nothing when it has a configuration", async () => {
  const ran = await served(["--db", newDatabase()], async (said) => {
    const [, pasted = "", rest = ""] = /\n\n(curl [^]*?)\n\n([^]*)/u.exec(said) ?? [];
    // the shell takes the lines apart, and no program of the machine is needed
    const words = execFileSync("sh", ["-c", `curl() { printf '%s\\0' "$@"; }; ${pasted}`], { encoding: "utf8" });
    const [quiet, url = "", ...options] = words.split("\0").slice(0, -1);
    expect([quiet, url]).toEqual(["-s", `${urlIn(said)}/plugins/webhooks/demo`]);
    const named = (name: string): readonly string[] =>
      options.filter((_, place) => place % 2 === 1 && options[place - 1] === name);
    expect([named("-w"), options.length]).toEqual([["\\n"], 8]);
    const headers = new Headers(named("-H").map((line) => line.split(": ") as [string, string]));
    const answer = await fetch(url, { method: "POST", headers, body: named("-d").join("") });
    expect([answer.status, await answer.json()]).toMatchObject([200, { ok: true, result: { created: true } }]);
    const secret = headers.get("authorization")?.replace("Bearer ", "");
    expect(rest).toContain(`\nexport OPENCLAW_WEBHOOK_SECRET='${String(secret)}'\n`);
    expect(rest).toMatch(/\n\nTo serve your own routes, start with --config FILE\. Stop with Ctrl-C\.\n\n/u);
  });
  expect(ran.out).toMatch(/^\nThe demo route is http:\/\/127\.0\.0\.1:\d+\/plugins\/webhooks\/demo\n/u);
  const config = write("quiet.json", { routes: { a: route() } });
  expect((await served(["--config", config, "--db", newDatabase()], async () => undefined)).out).toBe("");
});

test.each([["--no-watch"], []])(
  "SERVE-2: with %j a stop lets go of the signals and of the files",
  async (...watching) => {
    const file = newDatabase();
    const config = write("plain.json", { routes: { a: route() } });
    const ran = await served(["--config", config, "--db", file, ...watching], async (said) => {
      expect((await post(said, { action: "create_flow", goal: "g" })).status).toBe(200);
      expect(existsSync(`${file}-wal`)).toBe(true);
    });
    expect([ran.status, ran.heard, existsSync(`${file}-wal`)]).toEqual([0, [], false]);
    expect(lines(ran.error).slice(-2)).toEqual(["stopping: finishing the requests that have begun", "stopped"]);
  },
);

test("SERVE-3: nothing is read any more once a stop has begun", async () => {
  const config = write("stopping.json", { routes: { a: route() } });
  const ran = await served(["--config", config, "--db", newDatabase()], async (_, { reload, stop }) => {
    stop();
    reload();
  });
  expect(ran.error).not.toContain("reloaded");
});

test("WAIT-6: a stop answers at once those who wait", async () => {
  const config = write("waiting.json", { routes: { a: route() } });
  await served(["--config", config, "--db", newDatabase()], async (said, { stop }) => {
    const { result } = (await (await post(said, { action: "create_flow", goal: "g" })).json()) as {
      readonly result: { readonly flow: { readonly flowId: string; readonly revision: number } };
    };
    const { flowId, revision } = result.flow;
    const waiting = post(said, { action: "get_flow", flowId, afterRevision: revision, waitSeconds: 20 });
    // a request behind it, so that it has come
    await post(said, { action: "list_flows" });
    const begun = performance.now();
    stop();
    expect([(await waiting).status, performance.now() - begun < 10_000]).toEqual([200, true]);
  });
});

test("SERVE-3: what is written into the configuration is served after a signal, and without one", async () => {
  const config = write("watched.json", { routes: { a: route() } });
  const ran = await served(["--config", config, "--db", newDatabase()], async (said, { reload, text }) => {
    const status = async (id: string): Promise<number> => (await post(said, { action: "list_flows" }, {}, id)).status;
    expect(await status("b")).toBe(404);
    write("watched.json", { routes: { a: route(), b: route() } });
    reload();
    await expect.poll(text).toContain("reloaded: 2 routes");
    expect(await status("b")).toBe(200);
    write("watched.json", { routes: { b: route() } });
    await expect.poll(text, { timeout: 10_000 }).toContain("reloaded: 1 route");
    expect([await status("a"), await status("b")]).toEqual([404, 200]);
  });
  expect(ran.status).toBe(0);
}, 20_000);

test("LIMIT-8: clients behind a trusted proxy are counted apart", async () => {
  const config = write("proxied.json", { trustedProxies: ["127.0.0.1"], routes: { a: route() } });
  await served(["--config", config, "--db", newDatabase()], async (said) => {
    const tried = async (client: string): Promise<number> => {
      const headers = { authorization: "Bearer no", "x-forwarded-for": client };
      return (await post(said, { action: "list_flows" }, headers)).status;
    };
    const first = await Promise.all(Array.from({ length: 121 }, () => tried("192.0.2.1")));
    expect(first).toContain(429);
    expect(await tried("192.0.2.2")).toBe(401);
  });
});

test("NOTIFY-3, NOTIFY-4: callbacks of a route in the configuration are sent", async () => {
  const receiver = await new Receiver().start();
  const notify = { url: `${receiver.origin}/told`, secret: SECRET, on: ["ended"] };
  const config = write("notified.json", { routes: { a: route({ notify }) } });
  await served(["--config", config, "--db", newDatabase()], async (said) => {
    const made = (await (await post(said, { action: "create_flow", goal: "g", status: "running" })).json()) as {
      readonly result: { readonly flow: { readonly flowId: string } };
    };
    const { flowId } = made.result.flow;
    await post(said, { action: "finish_flow", flowId, expectedRevision: 0 });
    await receiver.has(1);
    expect(receiver.got.map(({ path, body }) => [path, body.includes(flowId)])).toEqual([["/told", true]]);
    expect(receiver.got.map((got) => verify(SECRET, got))).toMatchObject([{ type: "flow.ended" }]);
  });
  await receiver.close();
});

test("STORE-6: a database that is taken away under the server is told of once", async () => {
  const file = newDatabase();
  const config = write("lost.json", { routes: { a: route() } });
  const ran = await served(["--config", config, "--db", file], async (said, { text }) => {
    renameSync(file, `${file}.away`);
    await expect.poll(async () => (await fetch(`${urlIn(said)}/readyz`)).status, { timeout: 5000 }).toBe(503);
    await expect.poll(text).toContain("was removed, or its folder was renamed");
  });
  const told = ran.error.split("\n").filter((line) => line.includes("was removed, or its folder was renamed"));
  expect(told.map((line): unknown => JSON.parse(line))).toMatchObject([{ level: "ERROR" }]);
});

test("SERVE-3: certificate and key are served, and given together", async () => {
  const [cert, key] = [write("cert.pem", certificates.GOOD), write("key.pem", certificates.KEY)];
  const config = write("tls.json", { routes: { a: route() } });
  const args = ["--config", config, "--db", newDatabase(), "--tls-cert", cert, "--tls-key", key];
  const ran = await served(args, async (said, { reload, text }) => {
    expect(urlIn(said)).toMatch(/^https:/u);
    const shown = (): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        request(`${urlIn(said)}/healthz`, { ca: certificates.AUTHORITY, agent: false }, (response) => {
          response.resume().on("end", () => resolve(response.statusCode));
        })
          .on("error", reject)
          .end();
      });
    expect(await shown()).toBe(200);
    reload();
    await expect.poll(text).toContain("reloaded: 1 route");
    expect(await shown()).toBe(200);
  });
  expect(ran.error).not.toContain("unencrypted");
  for (const option of ["--tls-cert", "--tls-key"]) {
    expect(await cli(["serve", "--config", config, "--db", newDatabase(), option, cert])).toEqual({
      status: 1,
      out: "",
      error: "--tls-cert and --tls-key must be given together.\n",
    });
  }
  const long = write("long.pem", "x".repeat(1024 * 1024 + 1));
  expect((await cli(["serve", "--db", newDatabase(), "--tls-cert", long, "--tls-key", key])).error).toBe(
    `${long} is longer than 1 MiB: give a PEM file.\n`,
  );
  const whole = write("whole.pem", "x".repeat(1024 * 1024));
  expect((await cli(["serve", "--db", newDatabase(), "--tls-cert", whole, "--tls-key", key])).error).toBe(
    `${whole} and ${key} are not a certificate and its key. Give both as PEM files.\n`,
  );
});

test("serve: a start without any route that works says why of each, once", async () => {
  const config = write("broken.json", { routes: { a: route({ secret: "" }), b: route({ sesionKey: "" }) } });
  const { status, out, error } = await cli(["serve", "--config", config, "--db", newDatabase()]);
  expect([status, out]).toEqual([1, ""]);
  expect(error).toMatch(
    /^No route can be served\. Route a cold: secret is empty [^\n]+?\. Route b skipped: sesionKey is not a field of a route\. [^\n]+\.\n$/u,
  );
  const some = write("some.json", { routes: { a: route(), b: route({ sesionKey: "" }) } });
  const ran = await served(["--config", some, "--db", newDatabase()], async () => undefined);
  expect(ran.error.match(/route b skipped: /gu)).toHaveLength(1);
});

test("serve: without a configuration no file is watched", async () => {
  const { server } = demoRoutes();
  expect([...(await readServed({}, server, {}))._unsafeUnwrap().prints]).toEqual([]);
});
