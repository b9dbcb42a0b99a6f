// AUDIT-5, AUDIT-7: the server is killed again and again under load. Each request that was answered, refusals included, has one
// line, whole, in one of the files, and no line is of a request that was not sent.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { remove, Standalone, tempFolder } from "./harness.ts";

const KILLS = Number(process.env["AUDIT_KILLS"] ?? 10);
const SENDERS = 16;
/** Answers between two kills. */
const ANSWERS = 150;
const MAX_BYTES = 65_536;
const SECRET = "audit-secret-of-the-route-0123456789";

const folder = tempFolder();
after(() => remove(folder));
const config = join(folder, "config.json5");
const routes = { plain: { sessionKey: "agent:main:audit", secret: SECRET } };
writeFileSync(config, JSON.stringify({ trustedProxies: ["127.0.0.1"], routes }), { mode: 0o600 });
const file = join(folder, "audit.jsonl");
const ARGS = ["--config", config, "--db", join(folder, "flows.db"), "--audit", file];
const SIZES = ["--audit-max-bytes", String(MAX_BYTES), "--audit-files", "100"];

/** Each request comes from an address of its own, by which its line is known. */
let sent = 0;
const answered = new Map<string, number>();

/** What callers do, and what they get: an effect, a read, four refusals. */
const KINDS = [
  { secret: SECRET, body: '{"action":"create_flow","goal":"audit"}', path: "plain" },
  { secret: SECRET, body: '{"action":"find_latest_flow"}', path: "plain" },
  { secret: SECRET, body: '{"action":"nope"}', path: "plain" },
  { secret: SECRET, body: "{", path: "plain" },
  { secret: "wrong", body: "{}", path: "plain" },
] as const;

const ask = async (server: Standalone): Promise<void> => {
  sent += 1;
  const client = `10.${String(sent >> 16)}.${String((sent >> 8) & 255)}.${String(sent & 255)}`;
  const { secret, body, path } = KINDS[sent % KINDS.length] ?? KINDS[0];
  const headers = { "content-type": "application/json", authorization: `Bearer ${secret}`, "x-forwarded-for": client };
  const response = await fetch(`${server.base}/plugins/webhooks/${path}`, { method: "POST", headers, body });
  answered.set(client, response.status);
  await response.arrayBuffer();
};

/** Asks until so many answers have come, then kills the server under what is still on its way. */
const loadAndKill = async (): Promise<void> => {
  const server = await Standalone.start([...ARGS, ...SIZES]);
  const enough = answered.size + ANSWERS;
  let isKilled = false;
  const send = async (): Promise<void> => {
    while (!isKilled) {
      try {
        await ask(server);
      } catch {
        // the server is dead, or dying
      }
      if (answered.size < enough || isKilled) continue;
      isKilled = true;
      await server.end("SIGKILL");
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, send));
};

type Line = { readonly client?: string; readonly status: number };

test("AUDIT-5, AUDIT-7: of a server that is killed under load, each answered request has exactly one line", async () => {
  for (let kill = 0; kill < KILLS; kill += 1) await loadAndKill();
  const names = readdirSync(folder).filter((name) => name.startsWith("audit.jsonl"));
  const lines = names.flatMap((name) =>
    readFileSync(join(folder, name), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Line),
  );
  const told = new Map(lines.map(({ client = "", status }) => [client, status]));
  assert.equal(told.size, lines.length, "a request has two lines");
  for (const [client, status] of answered) assert.equal(told.get(client), status, `the line of ${client}`);
  assert.ok(lines.length <= sent);
  for (const name of names) assert.ok(statSync(join(folder, name)).size <= MAX_BYTES);
  assert.ok(names.length > 1, "no file was put aside");
  assert.ok(!readFileSync(file, "utf8").includes(SECRET));
  console.log(
    `${String(KILLS)} kills, ${String(sent)} requests, ${String(answered.size)} answered, ${String(lines.length)} lines in ${String(names.length)} files`,
  );
});
