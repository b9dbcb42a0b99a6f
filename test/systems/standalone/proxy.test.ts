// SERVE-6: behind a real nginx that keeps its connections to the server, as operators set it up.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { endsWithUs } from "../../support/children.ts";
import { freePort } from "../../support/free-port.ts";
import { remove, Standalone, tempFolder, until } from "./harness.ts";

const SECRET = "a-secret-0123456789abcdef";
const folder = tempFolder();
const proxies: ChildProcess[] = [];
after(async () => {
  for (const proxy of proxies) {
    const gone = once(proxy, "exit");
    proxy.kill("SIGTERM");
    await gone;
  }
  remove(folder);
});

/** The base URL of an nginx in front of `upstream`, with the settings that docs/server.md names. */
const startNginx = async (name: string, upstream: string): Promise<string> => {
  const at = join(folder, name);
  mkdirSync(at);
  const port = String(await freePort());
  const temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${at}/${kind};`);
  const config = `daemon off; pid ${at}/pid; error_log ${at}/error.log; events {}
http { access_log off; ${temps.join(" ")}
  upstream webhooks { server ${upstream.replace("http://", "")}; keepalive 16; keepalive_timeout 60s; }
  server { listen 127.0.0.1:${port};
    location / { proxy_pass http://webhooks; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`;
  writeFileSync(join(at, "nginx.conf"), config);
  const words = ["-e", join(at, "error.log"), "-c", join(at, "nginx.conf")];
  const proxy = endsWithUs(spawn("nginx", words, { stdio: "inherit" }));
  const missing = await Promise.race([once(proxy, "spawn").then(() => false), once(proxy, "error").then(() => true)]);
  assert.ok(!missing, "nginx is missing: install it, for example with apt-get install nginx-light");
  proxies.push(proxy);
  const base = `http://127.0.0.1:${port}`;
  const answers = (): Promise<boolean> =>
    fetch(`${base}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(answers, "nginx does not answer");
  return base;
};

const serve = (name: string): Promise<Standalone> => {
  const config = join(folder, `${name}.json`);
  const routes = { a: { sessionKey: "s", secret: SECRET } };
  writeFileSync(config, JSON.stringify({ trustedProxies: ["127.0.0.1"], routes }), { mode: 0o600 });
  return Standalone.start(["--config", config, "--db", join(folder, `${name}.db`)]);
};

const ask = async (base: string, client: number, body: object): Promise<Response> =>
  fetch(`${base}/plugins/webhooks/a`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${SECRET}`,
      "x-forwarded-for": `192.0.2.${String(client)}`,
    },
    body: JSON.stringify(body),
  });

const create = async (base: string, client: number): Promise<number> => {
  const answer = await ask(base, client, { action: "create_flow", goal: "g" });
  await answer.arrayBuffer();
  return answer.status;
};

test("SERVE-6: POSTs with the gaps after which Node closes idle connections by itself are all answered", async () => {
  const server = await serve("gaps");
  const base = await startNginx("gaps-proxy", server.base);
  const gaps = [4900, 4990, 5000, 5010, 5900, 5990, 6000, 6010, 6100, 7000];
  const statuses = await Promise.all(
    gaps.map(async (gap, client) => {
      const first = await create(base, client);
      await new Promise((resolve) => setTimeout(resolve, gap));
      return [first, await create(base, client)];
    }),
  );
  assert.deepEqual(
    statuses,
    gaps.map(() => [200, 200]),
  );
  assert.equal(await server.end("SIGTERM"), 0);
});

test("SERVE-2, REPLY-5: under load through nginx a stop carries out exactly what it answers", async () => {
  const server = await serve("stop");
  const base = await startNginx("stop-proxy", server.base);
  let created = 0;
  const stop = new AbortController();
  const clients = Array.from({ length: 8 }, async (_, client) => {
    for (let times = 0; times < 100 && !stop.signal.aborted; times += 1) {
      const status = await create(base, client);
      if (status === 200) created += 1;
      else assert.equal(status, 502);
    }
  });
  await until(() => created > 40);
  assert.equal(await server.end("SIGTERM"), 0);
  stop.abort();
  await Promise.all(clients);
  const again = await serve("stop");
  const listed = (await (await ask(again.base, 99, { action: "list_flows" })).json()) as {
    result: { flows: readonly unknown[] };
  };
  assert.equal(listed.result.flows.length, created);
  await again.end("SIGKILL");
});
