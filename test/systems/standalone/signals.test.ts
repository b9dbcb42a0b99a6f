// Signals, from the first moment on, and what must not end the server as a process.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { remove, Standalone, tempFolder, until } from "./harness.ts";

const MAIN = join(import.meta.dirname, "..", "..", "..", "adapters", "cli", "main.ts");
const SECRET = "a-secret-0123456789abcdef";
const folder = tempFolder();
after(() => remove(folder));

let names = 0;
const place = (): string => {
  const made = join(folder, String((names += 1)));
  mkdirSync(made);
  return made;
};

const configured = (at: string, secret: unknown = SECRET, more: object = {}): string => {
  const config = join(at, "routes.json");
  writeFileSync(config, JSON.stringify({ routes: { a: { sessionKey: "s", secret } }, ...more }), { mode: 0o600 });
  return config;
};

/** A configuration whose secret comes from a command that says that it runs, and takes its time. */
const slowStart = (at: string): { readonly config: string; readonly sign: string } => {
  const [command, sign] = [join(at, "slow.sh"), join(at, "sign")];
  writeFileSync(command, `#!/bin/sh\n/bin/echo begun > ${sign}\nexec /bin/sleep 5\n`);
  chmodSync(command, 0o700);
  const providers = { slow: { source: "exec", command, timeoutMs: 8000 } };
  return { sign, config: configured(at, { source: "exec", provider: "slow", id: "a" }, { secrets: { providers } }) };
};

const exists = (file: string): boolean => {
  try {
    return readFileSync(file).length > 0;
  } catch {
    return false;
  }
};

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  test(`SERVE-4: ${signal} during a slow start ends it at once, with status 0, also for the first process of a container`, async () => {
    for (const isFirst of [false, true]) {
      const at = place();
      const { config, sign } = slowStart(at);
      const serve = [process.execPath, MAIN, "serve", "--port", "0", "--config", config, "--db", join(at, "flows.db")];
      const pid = join(at, "pid");
      // a process namespace of its own, in which a signal without a handler would be dropped
      const shell = `/bin/echo $$ > ${pid}; exec "$@"`;
      const contained = ["unshare", "--pid", "--fork", "--kill-child", "--", ...serve];
      const [command = "", ...args] = isFirst ? contained : ["/bin/sh", "-c", shell, "sh", ...serve];
      const child = spawn(command, args, { stdio: "ignore" });
      const gone = once(child, "exit");
      await until(() => exists(sign));
      const target = isFirst ? childOf(child.pid) : child.pid;
      process.kill(target ?? 0, signal);
      const begun = performance.now();
      assert.deepEqual(await gone, [0, null]);
      assert.ok(performance.now() - begun < 3000);
    }
  });

  test(`SERVE-2: ${signal} answers what has begun, then ends with status 0`, async () => {
    const at = place();
    const server = await Standalone.start(["--config", configured(at), "--db", join(at, "flows.db")]);
    const body = '{"action":"create_flow","goal":"g"}';
    const socket = dial(server.base);
    socket.write(
      `POST /plugins/webhooks/a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n` +
        `authorization: Bearer ${SECRET}\r\ncontent-length: ${String(body.length)}\r\nexpect: 100-continue\r\n\r\n`,
    );
    await once(socket, "data");
    const ended = server.end(signal);
    await server.says("stopping");
    let said = "";
    socket.on("data", (chunk) => (said += String(chunk))).write(body);
    await once(socket, "close");
    assert.match(said, /^HTTP\/1\.1 200 [^]*connection: close/iu);
    assert.equal(await ended, 0);
  });
}

const childOf = (parent: number | undefined): number =>
  Number(readFileSync(`/proc/${String(parent)}/task/${String(parent)}/children`, "utf8").trim());

const dial = (base: string): Socket => connect(Number(new URL(base).port), "127.0.0.1").on("error", () => undefined);

test("SERVE-5: SIGUSR1 does nothing, also while the process starts", async () => {
  const at = place();
  const server = await Standalone.start(["--config", configured(at), "--db", join(at, "flows.db")]);
  for (let times = 0; times < 3; times += 1) server.signal("SIGUSR1");
  assert.equal((await server.post("a", SECRET, { action: "list_flows" })).status, 200);
  assert.ok(!server.log.join().includes("Debugger"));
  await server.end("SIGKILL");
  const early = spawn(process.execPath, [MAIN, "serve", "--port", "0", "--db", join(at, "early.db")]);
  const lines: string[] = [];
  early.stderr.on("data", (chunk) => lines.push(String(chunk)));
  const signals = setInterval(() => early.kill("SIGUSR1"), 5);
  // a signal before Node has installed its own handler ends the process, which is not a debugger either
  await until(
    () => early.exitCode !== null || early.signalCode !== null || lines.join("").includes("listening on http"),
  );
  clearInterval(signals);
  const opened = /Debugger listening on (?:ws:\/\/)([^/]+)/u.exec(lines.join(""))?.[1];
  const answers = (): Promise<boolean> =>
    fetch(`http://${opened ?? ""}/json`).then(
      () => true,
      () => false,
    );
  if (opened !== undefined) await until(async () => !(await answers()), "the inspector stays open");
  early.kill("SIGKILL");
});

test("SERVE-7: more connections than the process may open, a folder that is gone and a log without a reader do not end it", async () => {
  const at = place();
  const inner = join(at, "inner");
  mkdirSync(inner);
  const serve = [process.execPath, MAIN, "serve", "--port", "0", "--config", configured(at)];
  const limited = ["-c", 'ulimit -n 60; exec "$@"', "sh", ...serve, "--db", join(inner, "flows.db")];
  const child = spawn("/bin/sh", limited);
  const lines: string[] = [];
  child.stderr.on("data", (chunk) => lines.push(String(chunk)));
  await until(() => lines.join("").includes("listening on http"));
  const base = /https?:\/\/[^\s,"]+/u.exec(lines.join("").split("listening on ")[1] ?? "")?.[0] ?? "";
  const statusOf = async (path: string): Promise<number> => (await fetch(base + path)).status;
  const many = Array.from({ length: 100 }, () => dial(base));
  await until(() => many.some(({ destroyed, readyState }) => destroyed || readyState === "open"));
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const socket of many) socket.destroy();
  await until(async () => (await statusOf("/healthz").catch(() => 0)) === 200);
  child.stderr.destroy();
  child.stdout.destroy();
  remove(inner);
  writeFileSync(inner, "");
  assert.equal(await statusOf("/readyz"), 503);
  assert.equal(await statusOf("/healthz"), 200);
  for (let times = 0; times < 3; times += 1) child.kill("SIGHUP");
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(await statusOf("/healthz"), 200);
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  assert.deepEqual(await gone, [0, null]);
});

test("SERVE-7, SERVE-2: a log whose reader is stuck neither keeps the process from ending nor fills its memory", async () => {
  const at = place();
  const serve = [MAIN, "serve", "--port", "0", "--config", configured(at), "--db", join(at, "flows.db")];
  const child = spawn(process.execPath, [...serve, "--log-level", "debug"]);
  let said = "";
  child.stderr.on("data", (chunk) => (said += String(chunk)));
  await until(() => said.includes("listening on http"));
  child.stderr.pause();
  const base = /https?:\/\/[^\s,"]+/u.exec(said.split("listening on ")[1] ?? "")?.[0] ?? "";
  const ask = async (): Promise<number> => (await fetch(`${base}/nowhere`)).status;
  for (let times = 0; times < 100; times += 1) {
    const statuses = await Promise.all(Array.from({ length: 10 }, ask));
    assert.deepEqual(new Set(statuses), new Set([404]));
  }
  const gone = once(child, "exit");
  const begun = performance.now();
  child.kill("SIGTERM");
  assert.deepEqual(await gone, [0, null]);
  assert.ok(performance.now() - begun < 5000);
});

test("LIMIT-9: 300 senders that reset their connection at once do not get more than one window, and none is unknown", async () => {
  const at = place();
  const args = ["--config", configured(at), "--db", join(at, "flows.db"), "--log-level", "debug"];
  const server = await Standalone.start(args);
  const body = '{"action":"create_flow","goal":"g"}';
  const head = `POST /plugins/webhooks/a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer ${SECRET}\r\n`;
  for (let sender = 0; sender < 300; sender += 1) {
    const socket = dial(server.base);
    await once(socket, "connect");
    socket.write(`${head}content-length: ${String(body.length)}\r\n\r\n${body}`);
    socket.resetAndDestroy();
  }
  const listed = await fetch(`${server.base}/healthz`);
  assert.equal(listed.status, 200);
  const done = server.log.filter((line) => line.includes('"status":200'));
  assert.ok(done.length <= 120, String(done.length));
  assert.ok(!server.log.join().includes("client=unknown"));
  await server.end("SIGKILL");
});
