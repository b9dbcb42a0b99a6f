// How `serve` reaches its limits: TLS, passwords, a server that is not there yet, reloads; and what it says when it cannot.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { AUTHORITY, GOOD, KEY } from "../../support/certificates.ts";
import { remove, runCli, Standalone, tempFolder, until } from "../standalone/harness.ts";
import { freePort } from "../../support/free-port.ts";
import { RedisServer } from "./redis-server.ts";

const PASSWORD = "a-password-that-no-log-may-have";
const SECRET = "connection-secret-0123456789";

const folder = tempFolder();
const config = join(folder, "config.json");
let server: RedisServer;
let tlsPort: number;
before(async () => {
  for (const [name, text] of Object.entries({ "ca.pem": AUTHORITY, "cert.pem": GOOD, "key.pem": KEY }))
    writeFileSync(join(folder, name), text);
  writeFileSync(config, JSON.stringify({ routes: { ci: { sessionKey: "agent:main:ci", secret: SECRET } } }));
  writeFileSync(join(folder, "password"), `${PASSWORD}\n`, { mode: 0o600 });
  tlsPort = await freePort();
  const files = ["--tls-cert-file", join(folder, "cert.pem"), "--tls-key-file", join(folder, "key.pem")];
  const tls = ["--tls-port", String(tlsPort), ...files, "--tls-auth-clients", "no"];
  server = await RedisServer.start("--requirepass", PASSWORD, ...tls);
});
after(async () => {
  await server.end();
  remove(folder);
});

let served: Standalone | undefined;
afterEach(async () => {
  if (served?.isRunning === true) await served.end("SIGKILL");
  served = undefined;
});

let databases = 0;
const start = async (args: readonly string[], env: object = {}): Promise<Standalone> => {
  databases += 1;
  const db = join(folder, `${String(databases)}.db`);
  served = await Standalone.start(["--config", config, "--db", db, "--log-level", "debug", ...args], env);
  return served;
};

const statusOf = async (one: Standalone): Promise<number> =>
  (await one.post("ci", SECRET, { action: "list_flows" })).status;

const readyOf = async (one: Standalone): Promise<number> => (await fetch(`${one.base}/readyz`)).status;

const secure = (): string => `rediss://127.0.0.1:${String(tlsPort)}`;

test("LIMIT-18: TLS and a password from the environment or a file; no log has it", async () => {
  const ca = ["--limits-ca", join(folder, "ca.pem")];
  for (const [args, env] of [
    [["--limits", secure(), ...ca], { REDISCLI_AUTH: PASSWORD }],
    [["--limits", secure(), ...ca, "--limits-password-env", "OWN"], { OWN: PASSWORD }],
    [["--limits", server.url, "--limits-password-file", join(folder, "password")], {}],
  ] as const) {
    const one = await start(args, env);
    assert.deepEqual([await statusOf(one), await readyOf(one)], [200, 200]);
    await one.says("shared with all that use it");
    await one.end("SIGTERM");
    assert.deepEqual(
      one.log.filter((line) => line.includes(PASSWORD)),
      [],
    );
  }
});

test("LIMIT-18: an address with a password, or no address, is refused, and not repeated", async () => {
  const cases: readonly (readonly [string, string])[] = [
    [`redis://:${PASSWORD}@127.0.0.1:${String(server.port)}`, "must have no password"],
    [`http://${PASSWORD}.example`, "is not an address like redis://localhost:6379"],
    [`redis://localhost/0?${PASSWORD}`, "has more than a host, a port and the number of a database"],
    [`redis://%zz:${PASSWORD}@localhost`, "is not percent-encoded"],
  ];
  for (const [url, words] of cases) {
    const { status, out, error } = await runCli(["serve", "--config", config, "--port", "0", "--limits", url]);
    assert.deepEqual([status, error.includes(words), `${out}${error}`.includes(PASSWORD)], [1, true, false], error);
  }
});

test("LIMIT-18: a server that refuses the user ends the start, with what is wrong", async () => {
  const args = ["serve", "--config", config, "--port", "0", "--db", join(folder, "refused.db"), "--limits", server.url];
  for (const [env, words, path = ""] of [
    [
      { REDISCLI_AUTH: "wrong-password" },
      /refuses the user or the password \(WRONGPASS .*\)\. Correct .*--limits-password-env/u,
    ],
    [{}, /wants a password \(NOAUTH\)\. Set .*--limits-password-file/u],
    [{ REDISCLI_AUTH: PASSWORD }, /has no database of this number \(ERR .*\)\. Correct/u, "/99"],
  ] as const) {
    const { status, error } = await runCli([...args.slice(0, -1), `${server.url}${path}`], {
      REDISCLI_AUTH: "",
      ...env,
    });
    assert.equal(status, 1);
    assert.match(error, words);
    assert.equal(error.includes("wrong-password"), false);
  }
});

test("LIMIT-18: a user with the rights that docs/scale.md names is enough, and one with fewer ends the start", async () => {
  const [, words = ""] = /`ACL SETUSER webhooks on >… ([^`]*)`/u.exec(readFileSync("docs/scale.md", "utf8")) ?? [];
  const shared = await RedisServer.start();
  await shared.ask("ACL", "SETUSER", "webhooks", "on", `>${PASSWORD}`, ...words.split(" "));
  await shared.ask("ACL", "SETUSER", "other", "on", `>${PASSWORD}`, "~other:*", "+@all");
  await shared.ask("ACL", "SETUSER", "few", "on", `>${PASSWORD}`, "~*", "+@connection", "+@scripting", "+info");
  const as = (user: string): string => shared.url.replace("//", `//${user}@`);
  const one = await start(["--limits", as("webhooks")], { REDISCLI_AUTH: PASSWORD });
  assert.deepEqual([await statusOf(one), await readyOf(one)], [200, 200]);
  await one.end("SIGTERM");
  for (const user of ["other", "few"]) {
    const args = ["serve", "--config", config, "--port", "0", "--db", join(folder, "few.db"), "--limits", as(user)];
    const { status, error } = await runCli(args, { REDISCLI_AUTH: PASSWORD });
    assert.equal(status, 1);
    assert.match(error, /does not let this user do what limits need .*docs\/scale\.md/u);
  }
  await shared.end();
});

test("LIMIT-14: a flag about the limits' server without one, and certificates without TLS, are wrong usage", async () => {
  const cases: readonly (readonly [flags: readonly string[], words: string])[] = [
    [["--limits-password-file", "x"], "--limits-password-file has no effect without --limits"],
    [["--limits-password-env", "X"], "--limits-password-env has no effect without --limits"],
    [["--limits-ca", "x"], "--limits-ca has no effect without --limits"],
    [["--limits-prefix", "x:"], "--limits-prefix has no effect without --limits"],
    [["--limits-when-gone", "local"], "--limits-when-gone has no effect without --limits"],
    [["--limits", server.url, "--limits-ca", "x"], "--limits-ca has no effect with redis://"],
  ];
  for (const [flags, words] of cases) {
    const { status, error } = await runCli(["serve", "--config", config, "--port", "0", ...flags]);
    assert.deepEqual([status, error.startsWith(words)], [2, true], error);
  }
});

test("LIMIT-18: a password that is changed at the server and in its file is used without a restart", async () => {
  const turning = await RedisServer.start("--requirepass", PASSWORD);
  const file = join(folder, "turning");
  writeFileSync(file, PASSWORD, { mode: 0o600 });
  const one = await start(["--limits", turning.url, "--limits-password-file", file]);
  assert.equal(await statusOf(one), 200);
  await turning.kill();
  await turning.again("--requirepass", "another-one");
  await until(async () => (await readyOf(one)) === 503);
  // a moment without the file, and one in which it is empty, end nothing
  rmSync(file);
  await new Promise((resolve) => void setTimeout(resolve, 1000));
  assert.equal(await readyOf(one), 503);
  writeFileSync(file, "", { mode: 0o600 });
  await new Promise((resolve) => void setTimeout(resolve, 500));
  writeFileSync(file, "another-one");
  await until(async () => (await readyOf(one)) === 200);
  assert.equal(await statusOf(one), 200);
  await one.end("SIGTERM");
  await turning.end();
});

test("LIMIT-17, LIMIT-15: a server that is not there at the start is waited for, and needs no restart", async () => {
  const late = await RedisServer.start();
  await late.kill();
  const one = await start(["--limits", late.url]);
  await one.says("do not answer (connect ECONNREFUSED");
  const refused = await one.post("ci", SECRET, { action: "list_flows" });
  assert.deepEqual(
    [refused.status, refused.headers.get("retry-after"), ((await refused.json()) as { code: string }).code],
    [503, "1", "admission_unavailable"],
  );
  assert.equal(await readyOf(one), 503);
  await late.again();
  await until(async () => (await readyOf(one)) === 200);
  assert.equal(await statusOf(one), 200);
  await one.end("SIGTERM");
  await late.end();
});

test("LIMIT-17: a reload keeps the connection", async () => {
  const quiet = await RedisServer.start();
  const one = await start(["--limits", quiet.url]);
  const ids = async (): Promise<readonly string[]> =>
    String(await quiet.ask("CLIENT", "LIST"))
      .split("\n")
      .filter((line) => line.includes("cmd=") && !line.includes("cmd=client"))
      .map((line) => /id=(\d+)/u.exec(line)?.[1] ?? "");
  await statusOf(one);
  const before = await ids();
  assert.equal(before.length, 1);
  one.signal("SIGHUP");
  await one.says("reloaded");
  assert.equal(await statusOf(one), 200);
  assert.deepEqual(await ids(), before);
  await one.end("SIGTERM");
  await quiet.end();
});

test("LIMIT-17: a server without an append-only file, or one that may drop keys, is named in the log", async () => {
  const weak = await RedisServer.start(
    "--appendonly",
    "no",
    "--maxmemory",
    "100mb",
    "--maxmemory-policy",
    "allkeys-lru",
  );
  const one = await start(["--limits", weak.url]);
  await one.says("writes no append-only file");
  await one.says("set noeviction");
  await one.end("SIGTERM");
  await weak.end();
});

/** A server of the test's own on a free port; the function that comes back ends it and its connections. */
const listen = async (onSocket: (socket: Socket) => void): Promise<readonly [port: number, end: () => void]> => {
  const sockets = new Set<Socket>();
  const own: Server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    onSocket(socket);
  }).listen(0, "127.0.0.1");
  await once(own, "listening");
  const end = (): void => {
    own.close();
    for (const socket of sockets) socket.destroy();
  };
  return [(own.address() as AddressInfo).port, end];
};

test("LIMIT-17: where the address leads to another server, and the one before takes no writes any more, the new one is asked", async () => {
  const [first, second] = [await RedisServer.start(), await RedisServer.start()];
  let target = first.port;
  const [port, end] = await listen((socket) => {
    const onward = connect(target, "127.0.0.1").on("error", () => socket.destroy());
    socket.on("close", () => onward.destroy()).pipe(onward);
    onward.on("close", () => socket.destroy()).pipe(socket);
  });
  const one = await start(["--limits", `redis://127.0.0.1:${String(port)}`]);
  assert.equal(await statusOf(one), 200);
  target = second.port;
  // it keeps the connections that it has
  await first.ask("REPLICAOF", "127.0.0.1", String(second.port));
  await until(async () => (await readyOf(one)) === 503, "it takes a replica for a server that can be used");
  await until(async () => (await readyOf(one)) === 200, "it stays at a server that takes no writes");
  assert.equal(await statusOf(one), 200);
  await one.end("SIGTERM");
  end();
  await first.end();
  await second.end();
});

test("LIMIT-17, LIMIT-18: a password that was changed in its file is used by the next connection, and no log has either", async () => {
  const NEXT = "the-next-password-that-no-log-may-have";
  const own = await RedisServer.start("--requirepass", PASSWORD);
  const file = join(folder, "changing");
  writeFileSync(file, PASSWORD, { mode: 0o600 });
  const one = await start(["--limits", own.url, "--limits-password-file", file]);
  assert.equal(await statusOf(one), 200);
  const operator = connect(own.port, "127.0.0.1").resume();
  operator.write(`AUTH ${PASSWORD}\r\nCONFIG SET requirepass ${NEXT}\r\nCLIENT KILL TYPE normal\r\n`);
  await until(async () => (await readyOf(one)) === 503);
  writeFileSync(file, NEXT);
  await until(async () => (await readyOf(one)) === 200, "it needs a restart");
  assert.equal(await statusOf(one), 200);
  operator.destroy();
  await one.end("SIGTERM");
  const told = one.log.filter((line) => [PASSWORD, NEXT].some((word) => line.includes(word)));
  assert.deepEqual(told, []);
  await own.end();
});

test("LIMIT-18: a server that repeats what it was sent, as old ones do, brings the password into no log", async () => {
  const [port, end] = await listen((socket) => {
    const words = (text: string): string =>
      text
        .match(/^[^$*\r\n].*$/gmu)
        ?.map((word) => `\`${word.trim()}\``)
        .join(", ") ?? "";
    socket.on("data", (data) => {
      const [command = "", ...args] = words(String(data)).split(", ");
      socket.write(`-ERR unknown command ${command}, with args beginning with: ${args.join(", ").slice(0, 128)}\r\n`);
    });
  });
  const long = PASSWORD.repeat(5);
  for (const password of [PASSWORD, long]) {
    const one = await start(["--limits", `redis://127.0.0.1:${String(port)}`], { REDISCLI_AUTH: password });
    await one.says("do not answer (ERR unknown command `HELLO`)");
    assert.equal(await readyOf(one), 503);
    await one.end("SIGTERM");
    assert.deepEqual(
      one.log.filter((line) => line.includes(PASSWORD.slice(0, 10))),
      [],
    );
  }
  end();
});
