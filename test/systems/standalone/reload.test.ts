// SERVE-3: configuration, secrets and certificate change under a running server, as operators, Kubernetes and certbot do it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { remove, Standalone, tempFolder, until } from "./harness.ts";

const folder = tempFolder();
after(() => remove(folder));

const OLD = "old-secret-0123456789abcdef";
const NEW = "new-secret-0123456789abcdef";
const LIST = { action: "list_flows" };

let names = 0;
const place = (): string => {
  const made = join(folder, String((names += 1)));
  mkdirSync(made);
  return made;
};

const write = (file: string, text: string): void => writeFileSync(file, text, { mode: 0o600 });

/** As an editor or certbot replaces a file. */
const replace = (file: string, text: string): void => {
  write(`${file}.new`, text);
  renameSync(`${file}.new`, file);
};

const routesWith = (secrets: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({
    routes: Object.fromEntries(
      Object.entries(secrets).map(([id, secret]) => [id, { sessionKey: `agent:main:${id}`, secret }]),
    ),
  });

const statusOf = async (server: Standalone, id: string, secret: string): Promise<number> => {
  const answer = await server.post(id, secret, LIST);
  await answer.arrayBuffer();
  return answer.status;
};

test("SERVE-3: SIGHUP exchanges routes, secrets and proxies; a broken file keeps all that is served", async () => {
  const at = place();
  const config = join(at, "routes.json");
  write(config, routesWith({ a: OLD, gone: OLD }));
  const server = await Standalone.start(["--config", config, "--db", join(at, "flows.db"), "--no-watch"]);
  const statuses = () =>
    Promise.all([statusOf(server, "a", OLD), statusOf(server, "a", NEW), statusOf(server, "b", NEW)]);
  assert.deepEqual(await statuses(), [200, 401, 404]);
  const broken: readonly string[] = [
    "{ routes:",
    "{}",
    routesWith({ a: NEW, b: "" }),
    routesWith({ a: NEW, b: { source: "file", provider: "none", id: "value" } }),
    JSON.stringify({ ...JSON.parse(routesWith({ a: NEW, b: NEW })), trustedProxies: ["nonsense"] }),
  ];
  for (const [at_, text] of broken.entries()) {
    replace(config, text);
    server.signal("SIGHUP");
    await server.says("not reloaded", at_ + 1);
    assert.deepEqual(await statuses(), [200, 401, 404], text);
  }
  assert.equal(server.log.filter((line) => line.includes("not reloaded")).length, broken.length);
  assert.ok(!server.log.join().includes(NEW));
  replace(config, routesWith({ a: NEW, b: NEW }));
  server.signal("SIGHUP");
  await server.says("reloaded: 2 routes");
  assert.deepEqual(await statuses(), [401, 200, 200]);
  assert.equal(await statusOf(server, "gone", OLD), 404);
  assert.equal(await server.end("SIGTERM"), 0);
});

test("SERVE-3: a request in flight goes on with its route, and the limits go on counting", async () => {
  const at = place();
  const config = join(at, "routes.json");
  write(config, routesWith({ a: OLD }));
  const server = await Standalone.start(["--config", config, "--db", join(at, "flows.db")]);
  const body = Promise.withResolvers<string>();
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const begun = fetch(`${server.base}/plugins/webhooks/a`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${OLD}` },
    body: new ReadableStream({
      start: async (controller) => {
        controller.enqueue(bytes(" "));
        controller.enqueue(bytes(await body.promise));
        controller.close();
      },
    }),
    duplex: "half",
  });
  for (let n = 0; n < 110; n += 1) await statusOf(server, "a", OLD);
  replace(config, routesWith({ a: NEW }));
  server.signal("SIGHUP");
  await server.says("reloaded");
  body.resolve(JSON.stringify(LIST));
  assert.equal((await begun).status, 200);
  const statuses: number[] = [];
  for (let n = 0; n < 15; n += 1) statuses.push(await statusOf(server, "a", NEW));
  assert.deepEqual([statuses[0], statuses.at(-1)], [200, 429]);
  await server.end("SIGKILL");
});

/** Kubernetes mounts a secret as links through `..data`, which it replaces by a rename. */
const mount = (at: string, version: string, secret: string): void => {
  mkdirSync(join(at, version));
  write(join(at, version, "routes.json"), routesWith({ a: secret }));
  symlinkSync(version, join(at, "..data_tmp"));
  renameSync(join(at, "..data_tmp"), join(at, "..data"));
};

for (const isWatched of [true, false]) {
  test(`SERVE-3: a mount that Kubernetes exchanges is ${isWatched ? "" : "not "}noticed ${isWatched ? "by itself" : "with --no-watch"}`, async () => {
    const at = place();
    mount(at, "..2026_01", OLD);
    symlinkSync("..data/routes.json", join(at, "routes.json"));
    const more = isWatched ? [] : ["--no-watch"];
    const [config, db] = [join(at, "routes.json"), join(at, "flows.db")];
    const server = await Standalone.start(["--config", config, "--db", db, ...more]);
    mount(at, "..2026_02", NEW);
    if (isWatched) await until(async () => (await statusOf(server, "a", NEW)) === 200);
    else await new Promise((resolve) => setTimeout(resolve, 3500));
    assert.equal(await statusOf(server, "a", OLD), isWatched ? 401 : 200);
    await server.end("SIGKILL");
  });
}

test("SERVE-3: a secret in a file of its own is watched; an empty one keeps the secret that works", async () => {
  const at = place();
  const [config, secret] = [join(at, "routes.json"), join(at, "a.secret")];
  const ref = { source: "file", provider: "mine", id: "value" };
  const providers = { mine: { source: "file", path: secret, mode: "singleValue" } };
  write(secret, OLD);
  write(config, JSON.stringify({ ...JSON.parse(routesWith({ a: ref })), secrets: { providers } }));
  const server = await Standalone.start(["--config", config, "--db", join(at, "flows.db")]);
  replace(secret, "");
  await server.says("not reloaded");
  assert.equal(await statusOf(server, "a", OLD), 200);
  replace(secret, NEW);
  await server.says("reloaded: 1 route");
  assert.deepEqual([await statusOf(server, "a", OLD), await statusOf(server, "a", NEW)], [401, 200]);
  await server.end("SIGKILL");
});

test("SERVE-3: a secret file that appears after its configuration is taken by itself", async () => {
  const at = place();
  const [config, secret] = [join(at, "routes.json"), join(at, "b.secret")];
  const ref = { source: "file", provider: "mine", id: "value" };
  const providers = { mine: { source: "file", path: secret, mode: "singleValue" } };
  write(config, routesWith({ a: OLD }));
  const server = await Standalone.start(["--config", config, "--db", join(at, "flows.db")]);
  replace(config, JSON.stringify({ ...JSON.parse(routesWith({ a: OLD, b: ref })), secrets: { providers } }));
  await server.says("not reloaded");
  replace(secret, NEW);
  await server.says("reloaded: 2 routes");
  assert.equal(await statusOf(server, "b", NEW), 200);
  await server.end("SIGKILL");
});

test("SERVE-2, SERVE-3: a reload whose command takes its time does not keep a stopped process, nor go on in it", async () => {
  const at = place();
  const [config, command, sign] = [join(at, "routes.json"), join(at, "slow.sh"), join(at, "sign")];
  write(config, routesWith({ a: OLD }));
  writeFileSync(command, `#!/bin/sh\n/bin/echo $$ > ${sign}\nexec /bin/sleep 30\n`, { mode: 0o700 });
  const server = await Standalone.start(["--config", config, "--db", join(at, "flows.db"), "--no-watch"]);
  const providers = { slow: { source: "exec", command, timeoutMs: 40_000 } };
  const ref = { source: "exec", provider: "slow", id: "a" };
  write(config, JSON.stringify({ ...JSON.parse(routesWith({ a: ref })), secrets: { providers } }));
  server.signal("SIGHUP");
  await until(() => existsSync(sign) && readFileSync(sign, "utf8") !== "");
  server.signal("SIGHUP");
  const begun = performance.now();
  assert.equal(await server.end("SIGTERM"), 0);
  assert.ok(performance.now() - begun < 5000);
  const words = readFile(`/proc/${readFileSync(sign, "utf8").trim()}/cmdline`, "utf8");
  // a process that has ended and that nobody waits for has no words
  assert.equal(await words.catch(() => ""), "");
  assert.ok(!server.log.join().includes("reloaded"));
});

const certify = (at: string, name: string): { readonly cert: string; readonly key: string } => {
  const [cert, key] = [join(at, `${name}.crt`), join(at, `${name}.key`)];
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  const made = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", key, "-out", cert, ...subject];
  execFileSync("openssl", ["req", ...made], { stdio: "ignore" });
  return { cert, key };
};

/** The common name of the certificate that a new connection gets. */
const shownBy = (base: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port: Number(new URL(base).port), host: "127.0.0.1", rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.once("error", reject);
  });

test("SERVE-3: a renewed certificate is taken over while a client stays connected; one that does not fit is not", async () => {
  const at = place();
  const live = { cert: join(at, "chain.pem"), key: join(at, "key.pem") };
  const install = (from: { readonly cert: string; readonly key: string }): void => {
    replace(live.cert, readFileSync(from.cert, "utf8"));
    replace(live.key, readFileSync(from.key, "utf8"));
  };
  const [first, second] = [certify(at, "first"), certify(at, "second")];
  install(first);
  const files = ["--tls-cert", live.cert, "--tls-key", live.key];
  const server = await Standalone.start(["--db", join(at, "flows.db"), ...files]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  /** Status, and the port of the client's side: the same as long as the connection is. */
  const ask = (): Promise<readonly unknown[]> =>
    new Promise((resolve, reject) => {
      const asked = request(`${server.base}/healthz`, { agent }, (answer) => {
        const { localPort } = answer.socket as TLSSocket;
        answer.resume().on("end", () => resolve([answer.statusCode, localPort]));
      });
      asked.on("error", reject).end();
    });
  const connected = await ask();
  assert.equal(await shownBy(server.base), "first");
  replace(live.cert, readFileSync(second.cert, "utf8"));
  await server.says("not reloaded");
  assert.equal(await shownBy(server.base), "first");
  // opening a pipe waits for a writer
  rmSync(live.key);
  execFileSync("mkfifo", [live.key]);
  await server.says("key.pem is not a regular file");
  assert.equal(await shownBy(server.base), "first");
  install(second);
  await until(async () => (await shownBy(server.base)) === "second");
  assert.deepEqual(await ask(), connected);
  agent.destroy();
  assert.equal(await server.end("SIGTERM"), 0);
});
