// The files in deploy, performed as far as that works without systemd, Docker and a cluster: the image's steps and
// commands below a read-only root, the unit's command, and real proxies in front of the server.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { endsWithUs } from "../../support/children.ts";
import { MOST_BODY_BYTES } from "../../../core/index.ts";
import { PACKAGE, ROOT } from "../package/entries.ts";
import { freePort } from "../../support/free-port.ts";
import { remove, Standalone, tempFolder } from "./harness.ts";

const SECRET = "deployed-secret-0123456789";
/** The user of the image. */
const USER = 1000;

const HOME = tempFolder();
const CONFIG = join(HOME, "routes.json5");
const STATE = join(HOME, "state");
const PROGRAM = join(HOME, "opt", "package", "dist", "adapters", "cli", "main.js");
const deployed = (file: string): string => readFileSync(join(ROOT, "deploy", file), "utf8");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { readonly version: string };

/** Why a test cannot run here, or false. */
const without = (program: string): string | false =>
  spawnSync(program, ["--help"]).error === undefined ? false : `${program} is not installed`;
const NOT_ROOT = process.geteuid?.() === 0 ? false : "only root can change the user and mount";

/** The arguments of each instruction of the image. */
const instructions = (name: string): readonly string[] =>
  [...deployed("Dockerfile").matchAll(/^([A-Z]+) (.*)$/gmu)].flatMap(([, word, rest = ""]) =>
    word === name ? [rest] : [],
  );

/** A command as the image and the unit write it, with this test's places. */
const here = (words: readonly string[]): readonly string[] =>
  words.map((word) =>
    word
      .replace(/^node$/u, process.execPath)
      .replace("/opt", join(HOME, "opt"))
      .replace("/var/lib/openclaw-webhooks", STATE)
      .replace("${STATE_DIRECTORY}", STATE)
      .replace("/etc/openclaw-webhooks/routes.json5", CONFIG),
  );

const listOf = (json: string | undefined): readonly string[] => here(JSON.parse(json ?? "[]") as string[]);

before(() => {
  const secret = join(HOME, "zap.secret");
  writeFileSync(secret, SECRET, { mode: 0o400 });
  const providers = { zap: { source: "file", path: secret, mode: "singleValue" } };
  const zapier = { sessionKey: "agent:main:main", secret: { source: "file", provider: "zap", id: "value" } };
  writeFileSync(CONFIG, JSON.stringify({ secrets: { providers }, routes: { zapier } }), { mode: 0o644 });
  mkdirSync(join(HOME, "opt"));
  chmodSync(HOME, 0o755);
  if (NOT_ROOT === false) {
    chownSync(secret, USER, USER);
    const [install = "", ...how] = here((instructions("RUN")[1] ?? "").split(" "));
    execFileSync(install, how);
  } else mkdirSync(STATE);
  execFileSync("npm", ["pack", "--silent", "--pack-destination", HOME], { cwd: ROOT });
  const [added = "", place] = (instructions("ADD")[0] ?? "").split(" ");
  assert.deepEqual([added, place], [`${PACKAGE.name}-${version}.tgz`, "/opt/"]);
  execFileSync("tar", ["-xzf", join(HOME, added), "-C", join(HOME, "opt")]);
});
after(() => remove(HOME));

type Running = { readonly child: ChildProcess; readonly base: string; readonly log: readonly string[] };

/** Runs a command that serves; resolves once it listens. */
const serving = async (words: readonly string[]): Promise<Running> => {
  const [program = "", ...args] = [...words, "--port", "0"];
  const child = endsWithUs(
    spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], env: { PATH: process.env["PATH"] } }),
  );
  const log: string[] = [];
  const base = await new Promise<string>((resolve, reject) => {
    createInterface(child.stderr).on("line", (line) => {
      log.push(line);
      const port = /listening on http:\/\/[^\s,]+:(\d+)/u.exec(line)?.[1];
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
    });
    child.once("exit", () => reject(new Error(`it did not start: ${log.join("\n")}`)));
  });
  return { child, base, log };
};

const stopped = async ({ child }: Running): Promise<unknown> => {
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  return (await gone)[0];
};

const post = (base: string, body: object, headers: object = {}, path = "/plugins/webhooks/zapier"): Promise<Response> =>
  fetch(base + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${SECRET}`, ...headers },
    body: JSON.stringify(body),
  });
const CREATE = { action: "create_flow", goal: "Deploy" };

/** A command of user 1000 that can write nothing but the state folder. */
const confined = (words: readonly string[]): readonly string[] => {
  const mounts = 'mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,bind,ro /';
  const user = `setpriv --reuid ${String(USER)} --regid ${String(USER)} --clear-groups --no-new-privs`;
  return ["unshare", "--mount", "sh", "-c", `${mounts} && exec ${user} "$@"`, STATE, ...words];
};

test(
  "the image's server runs as user 1000 below a read-only root, is healthy, and obeys its stop signal",
  {
    skip: NOT_ROOT,
  },
  async () => {
    assert.deepEqual(instructions("USER"), [`${String(USER)}:${String(USER)}`]);
    assert.deepEqual(instructions("STOPSIGNAL"), ["SIGTERM"]);
    const [program = "", ...check] = listOf(instructions("RUN")[0]);
    assert.equal(execFileSync(program, check, { encoding: "utf8" }), `${version}\n`);
    const running = await serving(
      confined([...listOf(instructions("ENTRYPOINT")[0]), ...listOf(instructions("CMD")[0])]),
    );
    assert.equal((await post(running.base, CREATE)).status, 200);
    assert.ok(existsSync(join(STATE, "flows.db")));
    const health = /CMD (\[.*\])$/u.exec(instructions("HEALTHCHECK")[0] ?? "")?.[1] ?? "";
    const [node = "", ...args] = listOf(health.replace("http://127.0.0.1:8787", running.base));
    assert.equal(spawnSync(node, args).status, 0);
    assert.equal(await stopped(running), 0);
    assert.equal(spawnSync(node, args).status, 1);
  },
);

const directive = (name: string): readonly string[] =>
  [...deployed("openclaw-webhooks.service").matchAll(/^(\w+)=(.*)$/gmu)].flatMap(([, word, value = ""]) =>
    word === name ? [value] : [],
  );

test("the unit's command serves from its state folder, and the unit waits longer than a stop takes", async () => {
  const [program, ...args] = (directive("ExecStart")[0] ?? "").split(" ");
  assert.equal(program, "/usr/local/bin/openclaw-webhooks");
  const command = [process.execPath, PROGRAM, ...here(args)];
  const running = await serving(NOT_ROOT === false ? confined(command) : command);
  assert.equal((await post(running.base, CREATE)).status, 200);
  assert.equal(await stopped(running), 0);
  assert.ok(Number(directive("TimeoutStopSec")[0]) > 60);
  assert.match(directive("ExecReload")[0] ?? "", /kill -HUP \$MAINPID$/u);
});

test("systemd takes the unit, and finds little exposed", { skip: without("systemd-analyze") }, () => {
  const unit = join(HOME, "openclaw-webhooks.service");
  writeFileSync(unit, deployed("openclaw-webhooks.service").replace("/usr/local/bin/openclaw-webhooks", "/bin/true"));
  const { stderr, status } = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });
  assert.deepEqual([stderr.split("\n").filter((line) => line.includes("openclaw-webhooks")), status], [[], 0]);
  // Of 100; a unit without any hardening has 96.
  execFileSync("systemd-analyze", ["security", "--offline=true", "--threshold=20", unit], { stdio: "ignore" });
});

test("compose and Kubernetes name the image's folders and port, pages of the server, and a longer stop", async () => {
  const [compose, cluster] = [deployed("compose.yaml"), deployed("kubernetes.yaml")];
  const server = await Standalone.start(["--db", join(HOME, "pages.db")]);
  const pages = [...cluster.matchAll(/path: (\/\w+)$/gmu)].map(([, page = ""]) => page);
  assert.deepEqual(pages, ["/readyz", "/healthz"]);
  for (const page of pages) assert.equal((await fetch(server.base + page)).status, 200);
  assert.equal(await server.end("SIGTERM"), 0);
  const port = instructions("EXPOSE")[0] ?? "";
  assert.ok(compose.includes(`"127.0.0.1:${port}:${port}"`) && cluster.includes(`containerPort: ${port}`));
  for (const folder of ["/etc/openclaw-webhooks", "/var/lib/openclaw-webhooks", "/run/secrets/openclaw-webhooks"]) {
    assert.match(compose, new RegExp(`:${folder}(?::ro)?$`, "mu"));
    assert.match(cluster, new RegExp(`mountPath: ${folder}$`, "mu"));
  }
  assert.ok(Number(/stop_grace_period: (\d+)s/u.exec(compose)?.[1]) > 60);
  assert.ok(Number(/terminationGracePeriodSeconds: (\d+)/u.exec(cluster)?.[1]) > 60);
  assert.match(compose, /read_only: true/u);
  assert.match(cluster, /readOnlyRootFilesystem: true/u);
  assert.match(cluster, new RegExp(`runAsUser: ${String(USER)}`, "u"));
});

type Proxy = { readonly program: string; readonly start: (from: number, to: string) => readonly string[] };

const nginx = (from: number, to: string): readonly string[] => {
  const [key, cert] = [join(HOME, "key.pem"), join(HOME, "cert.pem")];
  const subject = ["-subj", "/CN=hooks.example", "-days", "2", "-nodes"];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", ...subject, "-keyout", key, "-out", cert], {
    stdio: "ignore",
  });
  const site = deployed("nginx.conf")
    .replace("127.0.0.1:8787", to)
    .replace("listen 443 ssl;", `listen 127.0.0.1:${String(from)} ssl;`)
    .replace("listen [::]:443 ssl;", "")
    .replace(/\/etc\/letsencrypt\S*fullchain.pem/u, cert)
    .replace(/\/etc\/letsencrypt\S*privkey.pem/u, key);
  const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(HOME, `nginx-${name}`)};`,
  );
  const main = `daemon off; pid ${join(HOME, "nginx.pid")}; error_log stderr; events {}`;
  const file = join(HOME, "nginx.conf");
  writeFileSync(file, `${main} http { access_log off; ${folders.join(" ")}\n${site}\n}`);
  execFileSync("nginx", ["-t", "-q", "-c", file]);
  return ["nginx", "-c", file];
};

const caddy = (from: number, to: string): readonly string[] => {
  const file = join(HOME, "Caddyfile");
  const site = deployed("Caddyfile")
    .replace("127.0.0.1:8787", to)
    .replace("hooks.example {", `:${String(from)} {`);
  writeFileSync(file, `{\n\tadmin off\n}\n${site}`);
  return ["caddy", "run", "--config", file, "--adapter", "caddyfile"];
};

const PROXIES: readonly Proxy[] = [
  { program: "nginx", start: nginx },
  { program: "caddy", start: caddy },
];

const isUp = async (base: string): Promise<boolean> => {
  try {
    await fetch(base);
    return true;
  } catch {
    return false;
  }
};

for (const { program, start } of PROXIES) {
  test(
    `${program} passes path, secret, a long body and its own word for the client`,
    {
      skip: without(program),
      timeout: 60_000,
    },
    async () => {
      const config = join(HOME, `${program}.json5`);
      const zapier = { sessionKey: "agent:main:main", secret: SECRET };
      const deliveries = [{ when: { "payload.never": true }, do: { action: "create_flow", goal: "x" } }];
      const large = { ...zapier, maxBodyBytes: MOST_BODY_BYTES, deliveries };
      const routes = { zapier, large };
      writeFileSync(config, JSON.stringify({ trustedProxies: ["127.0.0.1"], routes }), { mode: 0o600 });
      const server = await Standalone.start([
        "--config",
        config,
        "--db",
        join(HOME, `${program}.db`),
        "--log-level",
        "debug",
      ]);
      const port = await freePort();
      const [command = "", ...args] = start(port, new URL(server.base).host);
      const proxy = endsWithUs(spawn(command, args, { stdio: "ignore", env: { ...process.env, HOME } }));
      const base = `${program === "nginx" ? "https" : "http"}://127.0.0.1:${String(port)}`;
      process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
      while (!(await isUp(base))) await sleep(20);
      const forged = { "x-forwarded-for": "203.0.113.7" };
      assert.equal((await post(base, CREATE, forged)).status, 200);
      assert.equal((await post(base, CREATE, {}, "/plugins/webhooks/%7Aapier")).status, 200);
      for (const [path, bytes, status, code] of [
        ["zapier", 300 * 1024, 413, "payload_too_large"],
        ["large", MOST_BODY_BYTES, 200, "ignored"],
        ["large", MOST_BODY_BYTES + 1, 413, "payload_too_large"],
      ] as const) {
        const long = await post(base, ["x".repeat(bytes - 4)], {}, `/plugins/webhooks/${path}`);
        const { code: said } = (await long.json()) as { readonly code?: string };
        assert.deepEqual([path, long.status, said], [path, status, code]);
      }
      assert.equal((await fetch(`${base}/readyz`)).status, 404);
      const gone = once(proxy, "exit");
      proxy.kill("SIGTERM");
      await gone;
      assert.equal(await server.end("SIGTERM"), 0);
      assert.ok(server.log.some((line) => line.includes("client=127.0.0.1")));
      assert.ok(!server.log.some((line) => line.includes("203.0.113.7")));
    },
  );
}
