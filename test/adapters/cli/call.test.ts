// `call` against real sockets: where the request goes, what is said when there is no answer, and what of an answer shows.

import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { hostname, networkInterfaces } from "node:os";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import type { Env } from "../../../adapters/cli/io.ts";
import { own } from "../../../core/index.ts";
import { proxyFor } from "../../../adapters/cli/commands/call-proxy.ts";
import { memoryFlows } from "../../../adapters/flows/memory/index.ts";
import { REJECTIONS } from "../../../core/rejection.ts";
import * as certificates from "../../support/certificates.ts";
import { cli, type Ran } from "../../support/cli.ts";
import { runs } from "../../support/runs.ts";
import { startServer } from "../../support/server.ts";

const SECRET = "the-secret-of-the-route";
const ENVELOPE = JSON.stringify({ ok: true, result: {} });

const open: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const { server, sockets } of open.splice(0)) {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
});

/** Listens on a free port, or on the given one, until the test ends. */
const listen = async <T extends Server>(server: T, port = 0): Promise<number> => {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => undefined)));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  open.push({ server, sockets });
  return (server.address() as AddressInfo).port;
};

const at = (port: number): string => `http://127.0.0.1:${String(port)}`;

const http = async (listener: RequestListener): Promise<string> => at(await listen(createHttpServer(listener)));

/** A server that does with each connection what `handle` does. */
const tcp = (handle: (socket: Socket) => void): Promise<number> => listen(createTcpServer(handle));

const call = (args: readonly string[], env: Env = {}): Promise<Ran> =>
  cli(["call", ...args], { env: { OPENCLAW_WEBHOOK_SECRET: SECRET, ...env } });

const list = (url: string, env: Env = {}): Promise<Ran> => call(["zapier", "list_flows", "--url", url], env);

/** An action that writes. */
const create = (url: string): Promise<Ran> => call(["zapier", "create_flow", "goal=x", "--url", url]);

/** A server that notes the requests it gets and answers all of them. */
const noting = async (): Promise<{ readonly url: string; readonly seen: IncomingMessage[] }> => {
  const seen: IncomingMessage[] = [];
  const url = await http((request, response) => {
    seen.push(request);
    response.end(ENVELOPE);
  });
  return { url, seen };
};

test("CALL-2: the request goes below the path of --url, however that is written, and nowhere else", async () => {
  const { url, seen } = await noting();
  const name = fc.stringMatching(/^[a-z0-9~_-]{1,8}$/u);
  const route = fc.oneof(
    name.map((id) => [id, `/plugins/webhooks/${id}`] as const),
    fc
      .array(name, { minLength: 1, maxLength: 3 })
      .map((parts) => [`/${parts.join("/")}`, `/${parts.join("/")}`] as const),
    name.map((part) => [`//${part}.example/x`, `//${part}.example/x`] as const),
    name.map((part) => [`/${part}?key=${part}`, `/${part}?key=${part}`] as const),
  );
  const base = fc.array(name, { maxLength: 3 }).map((parts) => parts.map((part) => `/${part}`).join(""));
  await fc.assert(
    fc.asyncProperty(base, fc.constantFrom("", "/", "//"), route, async (path, end, [written, expected]) => {
      seen.length = 0;
      const { status, error } = await call([written, "list_flows", "--url", `${url}${path}${end}`]);
      expect([status, error]).toEqual([0, ""]);
      expect(seen.map((request) => request.url)).toEqual([`${path}${expected}`]);
      expect(seen[0]?.headers.authorization).toBe(`Bearer ${SECRET}`);
    }),
    { numRuns: runs(60) },
  );
});

test.each([
  ["localhost:8080", "--url localhost:8080 does not begin with http:// or https://"],
  ["example.com/x", "--url example.com/x does not begin with http:// or https://"],
  ["[::1]:80", "--url [::1]:80 does not begin with http:// or https://"],
  ["//host/x", "--url //host/x does not begin with http:// or https://"],
  ["http:/x", "--url http:/x does not begin with http:// or https://"],
  ["", "--url does not begin with http:// or https://"],
  ["me:pass-word@host", "--url does not begin with http:// or https://"],
  ["file:///etc/passwd", "--url file:///etc/passwd begins with file://. Only http:// and https:// can be called"],
  ["ftp://me:pass-word@host", "--url begins with ftp://"],
  ["http://", "--url http:// is not a URL"],
  ["http://h:99999", "--url http://h:99999 is not a URL"],
  ["http://me:pass-word@h:99999", "--url is not a URL"],
  ["http://me:pass-word%40h/", "--url is not a URL"],
  ["http://me:pass-word@127.0.0.1:1", "--url contains a user name or password"],
  ["http://:pass-word@127.0.0.1:1", "--url contains a user name or password"],
  ["https://pass-word@127.0.0.1:1", "--url contains a user name or password"],
  ["http://127.0.0.1:1/?token=pass-word", "--url has a query (?)"],
  ["http://127.0.0.1:1/#pass-word", "--url has a fragment (#)"],
])("CALL-2: --url %s is refused with a sentence that does not repeat what may be a password", async (url, sentence) => {
  const { status, out, error } = await list(url);
  expect([status, out]).toEqual([2, ""]);
  expect(error.startsWith(sentence)).toBe(true);
  expect(error).toMatch(/\.\n$/u);
  expect(error).not.toContain("pass-word");
  if (url === "") return;
  const asRoute = await call([url, "list_flows", "--url", at(1)]);
  if (/^(?:\w+:\/\/|\S+:\d+$|[\w.]+\/)/u.test(url) && !url.includes("?")) expect(asRoute.status).toBe(2);
  expect(asRoute.error).not.toContain("pass-word@");
  expect(asRoute.error).not.toContain(":pass-word");
});

test("openapi: --server is the address of a server", async () => {
  for (const server of ["nonsense", "localhost:1", "ftp://x", "http://a:pass-word@h", "http://h?x", "http://"]) {
    const { status, out, error } = await cli(["openapi", "--server", server]);
    expect([server, status, out]).toEqual([server, 2, ""]);
    expect(error).toMatch(/^--server .*\.\n$/u);
    expect(error).not.toContain("pass-word");
  }
  const { out } = await cli(["openapi", "--server", "https://h.example/sub/"]);
  expect(JSON.parse(out)).toMatchObject({ servers: [{ url: "https://h.example/sub" }] });
});

test.each([301, 302, 303, 307, 308])("CALL-2: a redirect with %i is named and not followed", async (code) => {
  const { url: other, seen } = await noting();
  let location = "";
  const url = await http((_, response) => response.writeHead(code, { location }).end("moved"));
  for (const [to, named] of [
    [`${other}/x`, `${other}/x`],
    ["/login", `${url}/login`],
    ["//me:pass-word@127.0.0.1:1/x?token=pass-word#pass-word", at(1) + "/x"],
    ["http://127.0.0.1:1/\u0085\u009b31m", at(1) + "/%C2%85%C2%9B31m"],
    [`http://127.0.0.1:1/${SECRET}`, at(1) + "/[hidden]"],
    ["http://", "an address that is not a URL"],
  ] as const) {
    location = to;
    expect(await list(url)).toEqual({
      status: 3,
      out: "",
      error: `${url}/plugins/webhooks/zapier redirects to ${named} (${String(code)}), which is not followed with the secret. Call that URL if it is the right one.\n`,
    });
  }
  expect(seen).toEqual([]);
});

test("CALL-2: an answer is a redirect only if its status is one from 300 to 399 and it has a Location", async () => {
  for (const [code, headers, isRedirect] of [
    [300, { location: "/x" }, true],
    [399, { location: "/x" }, true],
    [302, {}, false],
    [200, { location: "/x" }, false],
    [201, { location: "/x" }, false],
    [299, { location: "/x" }, false],
    [400, { location: "/x" }, false],
    [503, { location: "/x" }, false],
  ] as const) {
    const url = await http((_, response) => response.writeHead(code, headers).end(ENVELOPE));
    const { out, error } = await list(url);
    expect([code, error.includes(" redirects to "), out]).toEqual([code, isRedirect, isRedirect ? "" : "{}\n"]);
  }
});

test("CALL-2: of a redirect nothing more is read: its connection is closed", async () => {
  const closed = Promise.withResolvers<void>();
  const url = await http((_, response) => {
    response.once("close", closed.resolve).writeHead(302, { location: "/x" }).write("moved");
  });
  expect((await list(url)).status).toBe(3);
  await closed.promise;
});

test("CALL-2: each request is a POST with its whole body, with TLS and without", async () => {
  const seen: unknown[] = [];
  const listener: RequestListener = (request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      seen.push([request.method, request.headers["content-type"], JSON.parse(String(Buffer.concat(pieces)))]);
      response.end(ENVELOPE);
    });
  };
  const trusted = getCACertificates("default");
  setDefaultCACertificates([certificates.AUTHORITY]);
  try {
    const secure = createHttpsServer({ cert: certificates.GOOD, key: certificates.KEY }, listener);
    const goal = "gr\u00fc\u00dfe";
    for (const url of [await http(listener), `https://127.0.0.1:${String(await listen(secure))}`])
      expect((await call(["zapier", "create_flow", `goal=${goal}`, "--url", url])).error).toBe("");
    const sent = ["POST", "application/json", { action: "create_flow", goal }];
    expect(seen).toEqual([sent, sent]);
  } finally {
    setDefaultCACertificates(trusted);
  }
});

test.each([
  ["www.example.com/x", "www.example.com/x"],
  ["localhost:8787", "localhost:8787"],
  ["[::1]:80/x", "[::1]:80/x"],
  ["a.b.c.example/x?token=pass-word", "a.b.c.example/x"],
  ["h:1/?x\ny=pass-word", "h:1/"],
])("CALL-2: ROUTE %s looks like a URL, and is named without its query", async (route, named) => {
  const sentence = `ROUTE ${named} looks like a URL without http:// or https://. Add it, or give the path.\n`;
  expect(await call([route, "list_flows"])).toEqual({ status: 2, out: "", error: sentence });
});

test("CALL-2: what looks like a URL further on in a path or a query is a part of them; a fragment is refused", async () => {
  const { url, seen } = await noting();
  const paths = ["/in?next=http://h.example/x", "/a:1/b", "/x:80", "/www.example.com/x", "/x?a.b/c"];
  for (const path of paths) expect(await call([path, "list_flows", "--url", url])).toMatchObject({ status: 0 });
  expect(seen.map((request) => request.url)).toEqual(paths);
  expect(await call(["/x#y", "list_flows", "--url", url])).toEqual({
    status: 2,
    out: "",
    error: "ROUTE has a fragment (#), which is never sent. Remove it.\n",
  });
});

test("CALL-2: a proxy of the environment is used, in either case, and one that refuses is named", async () => {
  const paths: string[] = [];
  const proxy = createHttpServer((request, response) => {
    paths.push(request.url ?? "");
    if (request.url?.startsWith("http://refused.example/") === true) response.writeHead(407).end("no");
    else response.end(ENVELOPE);
  }).on("connect", (request, socket) => {
    paths.push(request.url ?? "");
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  const port = await listen(proxy);
  for (const variable of ["http_proxy", "HTTP_PROXY"]) {
    for (const value of [at(port), `127.0.0.1:${String(port)}`, `http://me:pass-word@localhost:${String(port)}/`]) {
      expect(await list("http://hooks.example/sub", { [variable]: value })).toMatchObject({ status: 0, error: "" });
      expect(paths.splice(0)).toEqual(["http://hooks.example/sub/plugins/webhooks/zapier"]);
    }
  }
  expect(await list("http://refused.example", { HTTP_PROXY: at(port) })).toEqual({
    status: 3,
    out: "",
    error:
      "The proxy that HTTP_PROXY names refused the request (407). Correct HTTP_PROXY, or name refused.example in NO_PROXY.\n",
  });
  paths.length = 0;
  const tunnel = await list("https://hooks.example", { https_proxy: `http://me:pass-word@127.0.0.1:${String(port)}` });
  expect(tunnel).toEqual({
    status: 3,
    out: "",
    error:
      "The proxy that https_proxy names refused the request (403). Correct https_proxy, or name hooks.example in NO_PROXY.\n",
  });
  expect(paths).toEqual(["hooks.example:443"]);
  for (const url of ["http://hooks.example", "https://hooks.example"]) {
    const variable = `${new URL(url).protocol.slice(0, -1)}_proxy`.toUpperCase();
    const gone = await list(url, { [variable]: "http://me:pass-word@127.0.0.1:1" });
    expect(gone.status).toBe(3);
    expect(gone.error).toContain(`The proxy that ${variable} names cannot be reached (ECONNREFUSED)`);
    expect(gone.error).not.toContain("pass-word");
    for (const value of ["socks5://me:pass-word@127.0.0.1:1", "http://me:pass-word@:1"]) {
      const odd = await list(url, { [variable]: value });
      expect([odd.status, odd.error]).toEqual([
        2,
        `${variable} does not name an http or https proxy. Correct it, or name hooks.example in NO_PROXY.\n`,
      ]);
    }
  }
});

test("CALL-3: an answer without the JSON of a route may be of the proxy, which is named", async () => {
  const proxy = await http((request, response) =>
    response.writeHead(request.url?.startsWith("http://failing.example/") === true ? 503 : 404).end("no"),
  );
  const what = (host: string, status: number): string =>
    `http://${host}/plugins/webhooks/zapier answered ${String(status)} without the JSON of a webhook route. The answer may be of the proxy that HTTP_PROXY names`;
  expect(await list("http://hooks.example", { HTTP_PROXY: proxy })).toMatchObject({
    status: 3,
    error: `${what("hooks.example", 404)}. Check that it is the URL of a webhook route.\n`,
  });
  expect(await list("http://failing.example", { HTTP_PROXY: proxy })).toMatchObject({
    status: 4,
    error: `${what("failing.example", 503)}. list_flows changes nothing: call it again.\n`,
  });
});

test("call: an answer without a result shows null, and one without words shows unknown ones", async () => {
  const bare = await http((_, response) => response.end('{"ok":true}'));
  expect(await list(bare)).toEqual({ status: 0, out: "null\n", error: "" });
  const wordless = await http((_, response) => response.writeHead(400).end('{"ok":false,"code":7,"result":{}}'));
  expect(await list(wordless)).toEqual({ status: 1, out: "{}\n", error: "400 unknown: unknown\n" });
});

test("call: an answer is a success only if both its status and its JSON say so", async () => {
  for (const [code, isOk, status] of [
    [399, true, 0],
    [400, true, 1],
    [200, false, 1],
  ] as const) {
    const url = await http((_, response) => response.writeHead(code).end(JSON.stringify({ ok: isOk, result: {} })));
    expect([code, isOk, (await list(url)).status]).toEqual([code, isOk, status]);
  }
  const asking = await http((_, response) => response.writeHead(407).end("no"));
  expect(await list(asking)).toMatchObject({ status: 3, error: expect.stringContaining(" answered 407 without ") });
  const failing = await http((_, response) => response.writeHead(500).end('{"ok":false,"code":"x","error":"y"}'));
  expect((await list(failing)).error).toBe("500 x: y (list_flows changes nothing; call it again)\n");
});

test("CALL-1: a secret of 12 characters that is sent back is hidden, a shorter one is not told from other words", async () => {
  for (const [secret, shown] of [
    ["x2f-9kd-7aq", "x2f-9kd-7aq"],
    ["x2f-9kd-7aqz", "[hidden]"],
  ] as const) {
    const url = await http((_, response) =>
      response.writeHead(400).end(JSON.stringify({ ok: false, code: "x", error: secret, result: secret })),
    );
    expect(await list(url, { OPENCLAW_WEBHOOK_SECRET: secret })).toEqual({
      status: 1,
      out: `"${shown}"\n`,
      error: `400 x: ${shown}\n`,
    });
  }
});

test("CALL-2: a server on this machine is not called through a proxy elsewhere", async () => {
  const { url, seen } = await noting();
  for (const proxy of ["http://192.0.2.1:3128", "proxy.example", "socks5://proxy.example:1"]) {
    expect((await list(url, { HTTP_PROXY: proxy, http_proxy: proxy })).status).toBe(0);
  }
  expect(seen.map((request) => request.url)).toEqual(Array.from({ length: 3 }, () => "/plugins/webhooks/zapier"));
});

const OWN_ADDRESSES = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .map(({ address, family }) => (family === "IPv6" ? `[${address}]` : address));

const HERE = `localhost LOCALHOST localhost. x.localhost localhost.localdomain localhost6.localdomain6 ip6-localhost
  ip6-loopback 127.1 127.255.255.254 2130706433 0.0.0.0 0 [::1] [::] [::ffff:127.0.0.1] [::ffff:0.0.0.0]`;

test.each([...HERE.split(/\s+/u), hostname(), ...OWN_ADDRESSES])("CALL-2: %s is this machine", (host) => {
  for (const scheme of ["http", "https"]) {
    const env = { HTTP_PROXY: "socks5://proxy.example:1", HTTPS_PROXY: "socks5://proxy.example:1" };
    expect(proxyFor(new URL(`${scheme}://${host}:1`), env)._unsafeUnwrap()).toBeUndefined();
  }
});

test("CALL-2: an address that nothing answers is this machine all the same", () => {
  const env = { HTTP_PROXY: "http://proxy.example:1" };
  expect(proxyFor(new URL("http://[::127.0.0.1]:1"), env)._unsafeUnwrap()).toBeUndefined();
  expect(proxyFor(new URL("http://[2001:db8::1]:1"), env)._unsafeUnwrap()).toEqual({
    variable: "HTTP_PROXY",
    url: "http://proxy.example:1",
  });
});

test.each([
  ["*", true],
  ["hooks.example", true],
  ["HOOKS.EXAMPLE", true],
  ["example", true],
  [".example", true],
  ["*.example", true],
  ["a.b,  hooks.example:80", true],
  ["hooks.example:81", false],
  ["ooks.example", false],
  ["hooks.example.org", false],
  ["10.0.0.0/8", false],
  ["", false],
])("CALL-2: NO_PROXY=%s", async (noProxy, isExempt) => {
  const port = await listen(createHttpServer((_, response) => response.end(ENVELOPE)));
  for (const variable of ["no_proxy", "NO_PROXY"]) {
    const env = { HTTP_PROXY: at(port), [variable]: noProxy };
    // a server that no proxy stands before would have to be looked up in the DNS
    const proxy = proxyFor(new URL("http://hooks.example"), env)._unsafeUnwrap();
    expect(proxy?.url).toBe(isExempt ? undefined : at(port));
    if (!isExempt) expect((await list("http://hooks.example", env)).status).toBe(0);
  }
});

test.each([
  ["127.0.0.1", "127.0.0.0/8", true],
  ["127.0.0.1", "127.0.0.1", true],
  ["127.0.0.1", "127.0.0.1:1", true],
  ["127.0.0.1", "10.0.0.0/8", false],
  ["127.0.0.1", "127.0.0.1/99", false],
  ["[::1]", "::1", true],
  ["[::1]", "[::1]", true],
  ["[::1]", "[::1]:1", true],
  ["[::1]", "[::1]:2", false],
  ["[::1]", "::/64", true],
  ["[::1]", "::2", false],
])("CALL-2: for http://%s:1, NO_PROXY=%s", async (host, noProxy, isExempt) => {
  const port = await listen(createHttpServer((_, response) => response.end(ENVELOPE)));
  const { status } = await list(`http://${host}:1`, { HTTP_PROXY: at(port), NO_PROXY: noProxy });
  expect(status).toBe(isExempt ? 3 : 0);
});

const LATE =
  "was reached: no answer within 60 s; it may have been carried out. Look at the flow before you call again.\n";

/** The clock of `call` alone: sockets keep theirs. */
const ownClock = (): void => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });

const settles = async (calling: Promise<unknown>): Promise<boolean> =>
  Promise.race([calling.then(() => true), new Promise<false>((resolve) => setImmediate(() => resolve(false)))]);

test("CALL-3: silence for 60 seconds, and an answer that never ends, may have been carried out", async () => {
  const kinds: RequestListener[] = [
    () => undefined,
    (_, response) => void response.flushHeaders(),
    (_, response) => void response.write('{"ok":true,'),
    (_, response) => {
      const drip = setInterval(() => response.write(" "), 5);
      response.on("close", () => clearInterval(drip));
    },
    (_, response) => void response.writeContinue(),
  ];
  for (const kind of kinds) {
    ownClock();
    let asked = (): void => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    const url = await http((request, response) => {
      kind(request, response);
      request.resume().on("end", asked);
    });
    const calling = create(url);
    await isAsked;
    vi.advanceTimersByTime(59_999);
    expect(await settles(calling)).toBe(false);
    vi.advanceTimersByTime(1);
    expect(await calling).toEqual({ status: 4, out: "", error: `${url}/plugins/webhooks/zapier ${LATE}` });
    vi.useRealTimers();
  }
});

test("CALL-3: a server that lets the client wait before the request is sent has carried nothing out", async () => {
  ownClock();
  let met = (): void => undefined;
  const isMet = new Promise<void>((resolve) => (met = resolve));
  const port = await tcp((socket) => socket.once("data", met));
  const calling = list(`https://127.0.0.1:${String(port)}`);
  await isMet;
  vi.advanceTimersByTime(60_000);
  const { status, error } = await calling;
  expect([status, error]).toEqual([3, expect.stringContaining("could not be reached within 60 s.")]);
  const gone = await tcp((socket) => socket.destroy());
  expect(await list(`https://127.0.0.1:${String(gone)}`)).toMatchObject({
    status: 3,
    error: expect.stringContaining("closed the connection before the request was sent (ECONNRESET). Check the port.\n"),
  });
});

test("CALL-3: a proxy that makes no tunnel has carried nothing out", async () => {
  ownClock();
  let met = (): void => undefined;
  const isMet = new Promise<void>((resolve) => (met = resolve));
  const port = await tcp((socket) => socket.once("data", met));
  const calling = list("https://hooks.example", { HTTPS_PROXY: at(port) });
  await isMet;
  vi.advanceTimersByTime(60_000);
  expect(await calling).toEqual({
    status: 3,
    out: "",
    error:
      "The proxy that HTTPS_PROXY names did not connect within 60 s. Correct HTTPS_PROXY, or name hooks.example in NO_PROXY.\n",
  });
});

test.each<readonly [string, (socket: Socket) => void]>([
  ["closes", (socket) => socket.end()],
  ["resets", (socket) => socket.resetAndDestroy()],
  ["closes in the head", (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-")],
  ["closes in a counted body", (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")],
  ["closes in a chunk", (socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{")],
])("CALL-3: a server that %s after the request may have carried it out", async (_, end) => {
  const port = await tcp((socket) => socket.once("data", () => end(socket)));
  const { status, out, error } = await create(at(port));
  expect([status, out]).toEqual([4, ""]);
  expect(error).toContain(
    "closed the connection before its answer was complete (ECONNRESET); it may have been carried out. Look at the flow before you call again.\n",
  );
});

test.each([408, 500, 502, 503, 504, 524])("CALL-3: %i of a proxy in front may have been carried out", async (code) => {
  const url = await http((_, response) => response.writeHead(code).end("<html>Bad Gateway</html>"));
  const { status, error } = await create(url);
  expect([status, error]).toEqual([
    4,
    `${url}/plugins/webhooks/zapier answered ${String(code)} without the JSON of a webhook route; it may have been carried out. Look at the flow before you call again.\n`,
  ]);
});

test.each(["outcome_unknown", "bad_host_answer", "internal", "persist_failed"] as const)(
  "CALL-3: the server's own %s may have been carried out",
  async (code) => {
    const { status: number, sentence } = REJECTIONS[code];
    const body = JSON.stringify({ ok: false, code, error: sentence, result: {} });
    const url = await http((_, response) => response.writeHead(number).end(body));
    const line = `${String(number)} ${code}: ${sentence} (it may have been carried out; look at the flow before you call again)\n`;
    expect(await create(url)).toEqual({ status: 4, out: "{}\n", error: line });
    expect(await call(["zapier", "create_flow", "--url", url, "--json"])).toEqual({
      status: 4,
      out: `${body}\n`,
      error: line,
    });
  },
);

test("CALL-3: an answer that changes the protocol is an answer at once", async () => {
  const upgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
  const port = await tcp((socket) => socket.once("data", () => socket.write(upgrade)));
  const { status, error } = await list(at(port));
  expect([status, error]).toEqual([3, expect.stringContaining("answered 101 without the JSON of a webhook route")]);
});

test("CALL-1: a server that sends the secret back in its result does not make it show", async () => {
  for (const secret of [SECRET, 'a-"quoted"\\secret-of-the-route', "ein-l\u00e4ngeres-geheimnis"]) {
    for (const isOk of [true, false]) {
      const result = { echo: `Bearer ${secret}`, [secret]: [secret, encodeURIComponent(secret)] };
      const url = await http((_, response) =>
        response.end(JSON.stringify({ ok: isOk, code: "x", error: "x", result })),
      );
      for (const more of [[], ["--json"]]) {
        const { out } = await call(["zapier", "list_flows", "--url", url, ...more], {
          OPENCLAW_WEBHOOK_SECRET: secret,
        });
        const shown: unknown = JSON.parse(out);
        const hidden = { echo: "Bearer [hidden]", "[hidden]": ["[hidden]", "[hidden]"] };
        expect(more.length === 0 ? shown : own(shown, "result")).toEqual(hidden);
      }
    }
  }
});

test.each(["<html></html>", "[1]", "null", "7", '{"message":"not found"}', '{"ok":"yes"}', ""])(
  "call: the answer %j is not of a webhook route",
  async (body) => {
    for (const code of [200, 404]) {
      const url = await http((_, response) => response.writeHead(code).end(body));
      const { status, out, error } = await list(url);
      expect([status, out]).toEqual([3, ""]);
      expect(error).toBe(
        `${url}/plugins/webhooks/zapier answered ${String(code)} without the JSON of a webhook route. Check that it is the URL of a webhook route.\n`,
      );
    }
  },
);

test("call: each way not to reach a server has its own sentence", async () => {
  const trusted = getCACertificates("default");
  setDefaultCACertificates([certificates.AUTHORITY]);
  const tls = async (cert: string): Promise<string> => {
    const server = createHttpsServer({ cert, key: certificates.KEY }, (_, response) => response.end(ENVELOPE));
    return `https://127.0.0.1:${String(await listen(server))}`;
  };
  const about = async (url: string): Promise<unknown> => {
    const { status, error } = await list(url);
    return [status, error.replace(`${url}/plugins/webhooks/zapier `, "")];
  };
  try {
    const good = await tls(certificates.GOOD);
    expect(await about(good)).toEqual([0, ""]);
    expect(await about(await tls(certificates.EXPIRED))).toEqual([
      3,
      "was reached, but its certificate has expired. Renew it on the server, or check the clock of this machine (CERT_HAS_EXPIRED).\n",
    ]);
    expect(await about(await tls(certificates.EARLY))).toEqual([
      3,
      "was reached, but its certificate is not valid yet. Check the clock of this machine and of the server (CERT_NOT_YET_VALID).\n",
    ]);
    expect(await about(await tls(certificates.OTHER_NAME))).toEqual([
      3,
      "was reached, but its certificate is for another name. Use a name that stands in the certificate (ERR_TLS_CERT_ALTNAME_INVALID).\n",
    ]);
    setDefaultCACertificates([]);
    expect(await about(good)).toEqual([
      3,
      expect.stringContaining("certificate is not trusted here. Set NODE_EXTRA_CA_CERTS"),
    ]);
    const plain = (await noting()).url;
    expect(await about(plain.replace("http:", "https:"))).toEqual([
      3,
      expect.stringContaining("does not speak TLS there"),
    ]);
    expect(await about(good.replace("https:", "http:"))).toEqual([4, expect.stringContaining("closed the connection")]);
  } finally {
    setDefaultCACertificates(trusted);
  }
  expect(await about("http://no-such-name.invalid")).toEqual([
    3,
    expect.stringMatching(/^cannot be reached \((?:ENOTFOUND|EAI_AGAIN)\)\. .*DNS of this machine\.\n$/u),
  ]);
  const other = await tcp((socket) => void socket.end("220 mail.example ESMTP\r\n"));
  expect(await about(at(other))).toEqual([3, expect.stringContaining("does not answer in HTTP (HPE_")]);
});

test("call: ports that browsers refuse can be called", async () => {
  const listening = async (port: number): Promise<string | undefined> => {
    const server = createHttpServer((_, response) => response.end(ENVELOPE));
    return listen(server, port).then(at, () => undefined);
  };
  for (const port of [10080, 6667, 6566, 5061, 4190]) {
    const url = await listening(port);
    if (url === undefined) continue;
    expect(await list(url)).toMatchObject({ status: 0, error: "" });
    return;
  }
  expect.fail("none of the ports is free");
});

/** Characters that turn, hide or break what a terminal shows, and such as it shows. */
const odd = fc.constantFrom(
  ..."\u0000\u001b\u007f\u0080\u0085\u009b\u009f\u00ad\u034f\u061c\u115f\u1160\u180e\u2800\uffa0\u200b\u200c\u200d\u200e\u200f\u2028\u2029",
  ..."\u202a\u202b\u202c\u202d\u202e\u2060\u2064\u2066\u2067\u2068\u2069\u206f\u3164\ufe0f\ufeff\ufff9\u{e0001}\u{e007f}",
  ...'a"\\\n\u00e9\u65e5\u{1f600} ',
);
const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;

test("CALL-4: no character of an answer reaches the terminal that does not show there, and the JSON is the same", async () => {
  let body = "";
  const url = await http((_, response) => response.end(body));
  const text = fc.string({ unit: odd, maxLength: 12 });
  const value = fc.oneof(
    text,
    fc.dictionary(text, text),
    fc.array(text),
    fc.json().map((json): unknown => JSON.parse(json)),
  );
  await fc.assert(
    fc.asyncProperty(value, fc.boolean(), text, text, async (result, isOk, code, error) => {
      const envelope = isOk ? { ok: true, result } : { ok: false, code, error, result };
      body = JSON.stringify(envelope);
      const whole = await call(["zapier", "list_flows", "--url", url, "--json"]);
      const shown = await call(["zapier", "list_flows", "--url", url]);
      expect(whole.out + shown.out + whole.error + shown.error).not.toMatch(UNSEEN);
      expect(whole.out).toMatch(/^.*\n$/u);
      expect([whole.error, whole.status]).toEqual(["", isOk ? 0 : 1]);
      expect(JSON.parse(whole.out)).toEqual(JSON.parse(body));
      expect(JSON.parse(shown.out)).toEqual(JSON.parse(JSON.stringify(result)));
      expect(shown.error).toMatch(isOk ? /^$/u : /^[\x20-\x7e]*\n$/u);
    }),
    { numRuns: runs(150) },
  );
});

test("CALL-4, CALL-3: an endless answer ends at 64 MiB", async () => {
  let sent = 0;
  const chunk = Buffer.alloc(1024 * 1024, " ");
  const url = await http((_, response) => {
    const more = (): void => {
      while (response.write(chunk)) sent += chunk.length;
      sent += chunk.length;
    };
    response.on("drain", more);
    more();
  });
  expect(await create(url)).toEqual({
    status: 4,
    out: "",
    error: `${url}/plugins/webhooks/zapier answered with more than 64 MiB; it may have been carried out. Look at the flow before you call again.\n`,
  });
  expect(sent).toBeLessThan(128 * 1024 * 1024);
});

test("CALL-4: an answer that is nested too deeply to be shown ends with a sentence", async () => {
  const deep = `{"ok":true,"result":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
  const url = await http((_, response) => response.end(deep));
  const { status, out, error } = await list(url);
  expect([status, out, error]).toEqual([
    3,
    "",
    "The answer is nested too deeply to be shown. Check that it is the URL of a webhook route.\n",
  ]);
});

test("CALL-1: a server that sends the secret back does not make it show in a sentence", async () => {
  const url = await http((request, response) => {
    const error = `You sent ${String(request.headers.authorization)}`;
    response.writeHead(400).end(JSON.stringify({ ok: false, code: SECRET, error, result: null }));
  });
  const { status, error } = await list(url);
  expect([status, error]).toEqual([1, "400 [hidden]: You sent Bearer [hidden]\n"]);
});

test.each([
  ["get_flow", true],
  ["list_flows", true],
  ["find_latest_flow", true],
  ["resolve_flow", true],
  ["get_task_summary", true],
  ["create_flow", false],
  ["cancel_flow", false],
  ["an_action_of_later", false],
])("CALL-3: %s without an answer may have been carried out only if it writes", async (action, isRead) => {
  const url = await http((_, response) => response.writeHead(504).end());
  const { status, error } = await call(["zapier", action, "--url", url]);
  const advice = isRead
    ? `. ${action} changes nothing: call it again.`
    : "; it may have been carried out. Look at the flow before you call again.";
  expect([status, error.slice(error.indexOf("route") + "route".length)]).toEqual([4, `${advice}\n`]);
});

test.each([
  ["zapier", "/plugins/webhooks", "/plugins/webhooks"],
  ["zapier", "/plugins/webhooks/", "/plugins/webhooks/"],
  ["zapier", "/plugins/webhooks/demo", "/plugins/webhooks/demo"],
  ["/plugins/webhooks/zapier?x=1", "/api/plugins/webhooks", "/plugins/webhooks"],
  ["/plugins/webhooks?x=1", "/api/plugins/webhooks", "/plugins/webhooks"],
  ["zapier", "/Plugins//Webhooks", "/Plugins//Webhooks"],
  ["zapier", "//plugins/webhooks", "//plugins/webhooks"],
])(
  "call: the route %s below --url …%s is refused, because its path would be there twice",
  async (route, path, named) => {
    const { url, seen } = await noting();
    expect(await call([route, "list_flows", "--url", `${url}${path}`])).toEqual({
      status: 2,
      out: "",
      error: `--url is the address of the server alone. Remove ${named} from --url.\n`,
    });
    expect(seen).toEqual([]);
  },
);

test("call: other paths below /plugins are those of the operator's proxy", async () => {
  const { url, seen } = await noting();
  await call(["/hooks/x", "list_flows", "--url", `${url}/plugins/webhooks`]);
  await call(["/x?next=/plugins/webhooks/y", "list_flows", "--url", `${url}/plugins/webhooks`]);
  await call(["zapier", "list_flows", "--url", `${url}/plugins/webhooks-too`]);
  expect(seen.map((request) => request.url)).toEqual([
    "/plugins/webhooks/hooks/x",
    "/plugins/webhooks/x?next=/plugins/webhooks/y",
    "/plugins/webhooks-too/plugins/webhooks/zapier",
  ]);
});

test.each([
  [["goal=1", "goal=2"], "goal is given more than once. Keep one."],
  [["goal=1", "goal:=2"], "goal is given more than once. Keep one."],
  [["goal=1", "--data", '{"goal":"2"}'], "goal is given in --data and as a field. Keep one."],
  [["--data", '{"goal":"1","go\\u0061l":"2"}'], "--data has goal more than once. Keep one."],
  [["--data", '{"goal":"1","stateJson":{"a":1,"a":2}}'], "--data has stateJson.a more than once. Keep one."],
  [['stateJson:={"a":1,"a":2}'], "The value of stateJson has a more than once. Keep one."],
  [["action=get_flow"], "action is not a field: ACTION stands after ROUTE, and is create_flow. Remove the field."],
  [["action=create_flow"], "action is not a field: ACTION stands after ROUTE, and is create_flow. Remove the field."],
  [
    ["--data", '{"action":"get_flow"}'],
    "action is not a field: ACTION stands after ROUTE, and is create_flow. Remove the field.",
  ],
])("call: %j is refused before anything is sent", async (fields, sentence) => {
  const { url, seen } = await noting();
  const ran = await call(["zapier", "create_flow", ...fields, "--url", url]);
  expect([ran, seen]).toEqual([{ status: 2, out: "", error: `${sentence}\n` }, []]);
});

test("call: a body as curl sends it may name the same action; an unknown field is named beside the server's fault", async () => {
  const { url } = await noting();
  expect(
    (await call(["zapier", "create_flow", "--data", '{"action":"create_flow","goal":"x"}', "--url", url])).status,
  ).toBe(0);
  const refusing = await http((_, response) =>
    response
      .writeHead(400)
      .end(JSON.stringify({ ok: false, code: "invalid_request", error: "goal: Invalid input", result: {} })),
  );
  const refused = async (...args: readonly string[]): Promise<string> =>
    (await call(["zapier", ...args, "--url", refusing])).error;
  expect(await refused("create_flow", "gaol=x", "--data", '{"now":1}')).toBe(
    "400 invalid_request: goal: Invalid input (create_flow has no field now, gaol)\n",
  );
  expect(await refused("run_task", "statu=x")).toContain("(run_task has no field statu)");
  expect(await refused("run_task", "--data", '{"action":"run_task","statu":"x"}')).toContain(
    "(run_task has no field statu)",
  );
  expect(await refused("an_action_of_later", "gaol=x")).toContain("(name=text sends a string;");
});

test("CALL-3, ONCE-4: with an idempotency key the call is made safe to repeat, and the advice is to repeat it", async () => {
  const keys: unknown[] = [];
  const url = await http((request, response) => {
    keys.push(request.headers["idempotency-key"]);
    request.resume().on("end", () => response.socket?.destroy());
  });
  const keyed = (key: string): Promise<Ran> =>
    call(["zapier", "create_flow", "goal=x", "--url", url, "--idempotency-key", key]);
  const ended = await keyed('order "7"');
  expect([ended.status, ended.error]).toEqual([
    4,
    expect.stringContaining("it may have been carried out. Call again with the same --idempotency-key.\n"),
  ]);
  expect(keys).toEqual([String.raw`"order \"7\""`]);
  expect(await keyed("\u00e9")).toMatchObject({
    status: 2,
    error: "--idempotency-key must be 1 to 255 printable ASCII characters, quoted or not.\n",
  });
  expect(keys.length).toBe(1);
});

test("ONCE-2: call says that an answer is that of an earlier call, and prints and ends as the first one", async () => {
  const answers = fc.constantFrom(
    [200, { ok: true, result: { flow: null } }] as const,
    [409, { ok: false, code: "terminal", error: "The flow has ended.", result: {} }] as const,
  );
  let [replayed, status, body] = [false, 200, {}];
  const url = await http((_, response) => {
    const fields = replayed ? { "Idempotent-Replayed": "true" } : {};
    response.writeHead(status, fields).end(JSON.stringify(body));
  });
  await fc.assert(
    fc.asyncProperty(answers, fc.boolean(), async ([code, envelope], isJson) => {
      const args = [
        "zapier",
        "create_flow",
        "goal=x",
        "--url",
        url,
        "--idempotency-key",
        "k",
        ...(isJson ? ["--json"] : []),
      ];
      [replayed, status, body] = [false, code, envelope];
      const first = await call(args);
      replayed = true;
      expect(await call(args)).toEqual({
        ...first,
        error: `${first.error}This is the answer of an earlier call with the same key. Nothing was done again.\n`,
      });
    }),
    { numRuns: runs(10) },
  );
});

const RULES = {
  never: { when: { "payload.kind": "never" }, do: { action: "create_flow", goal: "x" } },
  always: { do: { action: "create_flow", goal: "x" } },
};

test("CALL-5: a route that takes the body for a delivery is told from one that carries the action out", async () => {
  const one = (deliveries: object) => ({ sessionKey: "agent:main:a", secret: SECRET, ...deliveries });
  const routes = {
    never: one({ deliveries: [RULES.never] }),
    always: one({ deliveries: [RULES.always] }),
    both: one({ deliveries: [RULES.never], allowActions: true }),
  };
  const server = await startServer({ routes }, memoryFlows());
  try {
    const said = async (command: string, ...args: readonly string[]): Promise<readonly unknown[]> => {
      const env = { OPENCLAW_WEBHOOK_SECRET: SECRET };
      const { status, error } = await cli([command, ...args, "--url", server.base], { env });
      return [status, error];
    };
    const ignored = [1, expect.stringContaining("asks for nothing, so nothing was done")];
    const mapped = [1, expect.stringContaining("a rule made another action of it")];
    expect(await said("call", "never", "create_flow", "goal=x")).toEqual(ignored);
    expect(await said("call", "never", "list_flows")).toEqual(ignored);
    expect(await said("call", "never", "list_flows", "--json")).toEqual(ignored);
    expect(await said("wait", "never", "some-flow")).toEqual(ignored);
    expect(await said("call", "always", "get_flow", "flowId=f")).toEqual(mapped);
    expect(await said("wait", "always", "some-flow")).toEqual(mapped);
    expect(await said("call", "both", "list_flows")).toEqual([0, ""]);
  } finally {
    await server.close();
  }
});
