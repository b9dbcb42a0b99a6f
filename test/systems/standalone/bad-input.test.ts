// Every mistake of a user gives one sentence on standard error and a status that is not 0, and changes no file.

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { remove, runCli, tempFolder } from "./harness.ts";

const folder = tempFolder();
after(() => remove(folder));
const at = (name: string): string => join(folder, name);
const write = (name: string, text: string, mode = 0o600): string => {
  writeFileSync(at(name), text, { mode });
  chmodSync(at(name), mode);
  return at(name);
};

const GOOD = write(
  "good.json5",
  `{ routes: { ci: { sessionKey: "agent:main:ci", secret: "good-secret-0123456789" } } }`,
);
const DB = at("flows.db");

const withSecret = (name: string, secret: string, secrets = "{}"): string =>
  write(name, `{ routes: { ci: { sessionKey: "agent:main:ci", secret: ${secret} } }, secrets: ${secrets} }`);

const execConfig = (name: string, script: string): string => {
  const command = write(`${name}.sh`, `#!/bin/sh\n${script}\n`, 0o700);
  const provider = `{ source: "exec", command: "${command}", timeoutMs: 700 }`;
  return withSecret(
    `${name}.json5`,
    `{ source: "exec", provider: "vault", id: "key" }`,
    `{ providers: { vault: ${provider} } }`,
  );
};

const fileConfig = (name: string, path: string): string =>
  withSecret(
    name,
    `{ source: "file", provider: "keys", id: "/ci" }`,
    `{ providers: { keys: { source: "file", path: "${path}", mode: "json" } } }`,
  );

const database = (name: string, sql: string): string => {
  const created = new DatabaseSync(at(name));
  created.exec(sql);
  created.close();
  return at(name);
};

const newer = database(
  "newer.db",
  "PRAGMA application_id = 1868789608; PRAGMA user_version = 99; CREATE TABLE later (x);",
);
const foreign = database("foreign.db", "CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('one');");
const link = at("link.json");
write("secrets.json", `{ "ci": "file-secret-0123456789" }`);
symlinkSync(at("open.json"), link);
mkdirSync(at("folder"));
mkdirSync(at("writable"));
chmodSync(at("writable"), 0o777);
write("writable/secrets.json", `{ "ci": "file-secret-0123456789" }`);
write("open.json", `{ "ci": "file-secret-0123456789" }`, 0o644);
write("no.pem", "no certificate");

type Case = {
  readonly args: readonly string[];
  readonly says: RegExp;
  readonly status?: number;
  readonly env?: object;
};
const serve = (...args: readonly string[]): readonly string[] => ["serve", "--port", "0", "--db", DB, ...args];

const CASES: Readonly<Record<string, Case>> = {
  "no such configuration file": { args: serve("--config", at("none.json5")), says: /none\.json5/u },
  "a folder for a configuration": { args: serve("--config", at("folder")), says: /folder/u },
  "bad JSON5": { args: serve("--config", write("bad.json5", "{ routes: {\n  ci: }")), says: /bad\.json5.*line 2/u },
  "no routes at all": { args: serve("--config", write("empty.json5", "{}")), says: /routes/u },
  "an unknown flag": { args: ["serve", "--bogus"], says: /unknown option '--bogus'/u, status: 2 },
  "an unknown command": { args: ["sing"], says: /unknown command 'sing'/u, status: 2 },
  "a port that is not a number": { args: ["serve", "--port", "seventy"], says: /--port.*number/u, status: 2 },
  "a secret's variable that is not set": {
    args: serve("--config", withSecret("unset.json5", `{ source: "env", provider: "default", id: "NOT_SET_HERE" }`)),
    says: /NOT_SET_HERE/u,
  },
  "a secret file that does not exist": {
    args: serve("--config", fileConfig("nofile.json5", at("none.json"))),
    says: /keys\.path does not exist/u,
  },
  "a secret file that is a link to one that others may read": {
    args: serve("--config", fileConfig("link.json5", link)),
    says: /keys\.path is open to group or others/u,
  },
  "a secret in a folder that others may write": {
    args: serve("--config", fileConfig("writable.json5", at("writable/secrets.json"))),
    says: /keys\.path leads through \S+, which can be changed by group or others/u,
  },
  "a secret file that others may read": {
    args: serve("--config", fileConfig("open.json5", at("open.json"))),
    says: /keys\.path is open to group or others/u,
  },
  "an exec that fails": { args: serve("--config", execConfig("fails", "echo top-secret >&2; exit 3")), says: /ci/u },
  "an exec that hangs": { args: serve("--config", execConfig("hangs", "sleep 600")), says: /ci/u },
  "an exec that prints garbage": { args: serve("--config", execConfig("garbage", "echo top-secret")), says: /ci/u },
  "a database of a newer version": { args: ["serve", "--port", "0", "--db", newer], says: /newer version/u },
  "another application's database": { args: ["serve", "--port", "0", "--db", foreign], says: /not a database of/u },
  "a file that is not a database": {
    args: ["serve", "--port", "0", "--db", at("secrets.json")],
    says: /secrets\.json/u,
  },
  "a database in a folder that does not exist": {
    args: ["serve", "--port", "0", "--db", at("no/flows.db")],
    says: /no\/flows\.db is in a folder that does not exist/u,
  },
  "a public address without --public": { args: serve("--host", "0.0.0.0"), says: /--public/u },
  "a certificate without a key": { args: serve("--tls-cert", at("no.pem")), says: /--tls-key/u },
  "a file that is not a certificate": {
    args: serve("--tls-cert", at("no.pem"), "--tls-key", at("no.pem")),
    says: /PEM/u,
  },
  "check: no such file": { args: ["check", at("none.json5")], says: /none\.json5/u },
  "call: no secret": { args: ["call", "ci", "list_flows"], says: /OPENCLAW_WEBHOOK_SECRET/u, status: 2 },
  "call: a field without a value": {
    args: ["call", "ci", "get_flow", "flowId"],
    says: /name=text/u,
    status: 2,
    env: { OPENCLAW_WEBHOOK_SECRET: "top-secret" },
  },
  "call: no server": {
    args: ["call", "ci", "list_flows", "--url", "http://127.0.0.1:1"],
    says: /cannot be reached/u,
    status: 3,
    env: { OPENCLAW_WEBHOOK_SECRET: "top-secret" },
  },
};

for (const [name, { args, says, status = 1, env = {} }] of Object.entries(CASES)) {
  test(`${name}: one sentence, status ${String(status)}`, async () => {
    const before = [newer, foreign].map((file) => readFileSync(file).toString("base64"));
    const ended = await runCli(args, env);
    assert.equal(ended.status, status, ended.error);
    assert.match(ended.error, says);
    assert.doesNotMatch(ended.error, /\n {4}at |top-secret|Error:|file-secret|good-secret/u);
    assert.equal(ended.error.trimEnd().split("\n").length, 1, ended.error);
    assert.equal(ended.out, "");
    assert.deepEqual(
      [newer, foreign].map((file) => readFileSync(file).toString("base64")),
      before,
    );
  });
}

test("FILE-4: a port that is in use: one sentence, and no database is left behind", async () => {
  const file = at("unused.db");
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const port = String(Object(taken.address()).port);
  const ended = await runCli(["serve", "--port", port, "--db", file, "--config", GOOD]);
  taken.close();
  assert.equal(ended.status, 1);
  assert.match(ended.error, /is used by another program\. Choose another port with --port\.\n$/u);
  assert.equal(existsSync(file), false);
});
