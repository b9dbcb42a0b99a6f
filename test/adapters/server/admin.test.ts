// The operator's listener.

import { request } from "node:http";
import { once } from "node:events";
import { afterAll, expect, test } from "vitest";
import { nodePrimitives } from "../../../adapters/node/index.ts";
import { type AdminPages, startAdmin } from "../../../adapters/server/admin.ts";
import type { RunningServer } from "../../../adapters/server/server.ts";
import { digestSecret } from "../../../core/index.ts";

const TOKEN = "token-of-the-operator-0123456789";
const running: RunningServer[] = [];
afterAll(async () => {
  for (const one of running) await one.stop(0);
});

const errors: unknown[] = [];
const pages: AdminPages = new Map([
  ["/", () => ({ status: 200, headers: { "Content-Type": "text/plain" }, body: "page" })],
  [
    "/broken",
    () => {
      throw new Error("broken");
    },
  ],
]);

const start = async (token?: string): Promise<string> => {
  const digest = token === undefined ? undefined : digestSecret(token, nodePrimitives.sha256);
  const started = await startAdmin({
    host: "127.0.0.1",
    port: 0,
    token: digest,
    pages,
    isReady: () => true,
    onError: (error) => errors.push(error),
  });
  const one = started._unsafeUnwrap();
  running.push(one);
  return one.url;
};

const ask = async (url: string, method = "GET", headers: Readonly<Record<string, string>> = {}): Promise<number> => {
  const sent = request(url, { method, headers }).end();
  const [answer] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
  answer.resume();
  return answer.statusCode ?? 0;
};

const basic = (password: string): string => `Basic ${Buffer.from(`anybody:${password}`).toString("base64")}`;

test("ADMIN-1: only reads of its own pages are answered; a page that fails is told of and ends nothing", async () => {
  const url = await start();
  expect([await ask(`${url}/`), await ask(`${url}/`, "HEAD"), await ask(`${url}/?x=1`)]).toEqual([200, 200, 200]);
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) expect(await ask(`${url}/`, method)).toBe(405);
  for (const path of ["/plugins/webhooks/demo", "/status", "/broken/x"]) expect(await ask(url + path)).toBe(404);
  expect([await ask(`${url}/broken`), errors.length]).toEqual([500, 1]);
  expect([await ask(`${url}/healthz`), await ask(`${url}/readyz`)]).toEqual([200, 200]);
});

test("ADMIN-2: with a token every page demands it, as a bearer's or as a browser's password", async () => {
  const url = await start(TOKEN);
  const wrong = [
    "",
    "Bearer",
    "Bearer wrong",
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(1)}`,
    basic("wrong"),
    basic(""),
    `Digest ${TOKEN}`,
  ];
  for (const authorization of wrong) {
    expect([authorization, await ask(`${url}/`, "GET", { authorization })]).toEqual([authorization, 401]);
    expect(await ask(`${url}/none`, "GET", { authorization })).toBe(401);
  }
  for (const authorization of [`Bearer ${TOKEN}`, `bearer   ${TOKEN}`, basic(TOKEN)])
    expect(await ask(`${url}/`, "GET", { authorization })).toBe(200);
  expect(await ask(`${url}/`, "GET", { authorization: `Bearer ${TOKEN}`, host: "anything.example" })).toBe(200);
});

test("ADMIN-2: without a token a name that a stranger's site leads here is refused", async () => {
  const url = await start();
  for (const host of ["rebound.example", "localhost.example", "rebound.example:9464", "[rebound]"])
    expect([host, await ask(`${url}/`, "GET", { host })]).toEqual([host, 421]);
  for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:9464", "[::1]:9464", "10.0.0.7"])
    expect([host, await ask(`${url}/`, "GET", { host })]).toEqual([host, 200]);
});
