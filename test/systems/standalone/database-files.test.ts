// STORE-6, STORE-7, STORE-8: an operator removes, copies and backs up the database file of a running server.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { remove, runCli, Standalone, tempFolder } from "./harness.ts";

const SECRET = "files-secret-0123456789";
const root = tempFolder();
after(() => remove(root));
let folders = 0;
const newFolder = (): string => {
  const folder = join(root, String((folders += 1)));
  mkdirSync(folder);
  return folder;
};
const config = join(root, "config.json5");
writeFileSync(
  config,
  `{ trustedProxies: ["127.0.0.1"], routes: { files: { sessionKey: "agent:main:files", secret: "${SECRET}" } } }`,
);

type Answer = {
  readonly status: number;
  readonly code?: string;
  readonly result?: { readonly flows?: readonly object[] };
};

let asked = 0;
const ask = async (server: Standalone, body: object): Promise<Answer> => {
  // below a client's limit, and with few clients, because a route has room for so many
  const number = Math.floor((asked += 1) / 100);
  const client = `10.0.${String(number >> 8)}.${String(number & 255)}`;
  const headers = { "content-type": "application/json", authorization: `Bearer ${SECRET}`, "x-forwarded-for": client };
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(`${server.base}/plugins/webhooks/files`, init);
  return { ...((await response.json()) as Omit<Answer, "status">), status: response.status };
};

const start = (file: string): Promise<Standalone> => Standalone.start(["--config", config, "--db", file]);
const create = (server: Standalone, state: number): Promise<Answer> =>
  ask(server, { action: "create_flow", goal: "Keep", stateJson: state });
const statesOf = (answer: Answer): readonly number[] =>
  (answer.result?.flows ?? []).map((flow) => Number((flow as { stateJson: unknown }).stateJson));
const ready = async (server: Standalone): Promise<number> => (await fetch(`${server.base}/readyz`)).status;
const until = async (holds: () => Promise<boolean> | boolean): Promise<void> => {
  const latest = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < latest, "it did not come to that");
    await delay(20);
  }
};

const LOST =
  /"level":"ERROR".*(?:was removed|is another file|was cut short).* a backup .*until the server is started again/u;

const ACCIDENTS: Readonly<Record<string, (folder: string) => void>> = {
  "rm flows.db*": (folder) => {
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
  },
  "mv other.db flows.db": (folder) => {
    writeFileSync(join(folder, "other.db"), "");
    renameSync(join(folder, "other.db"), join(folder, "flows.db"));
  },
  "rm flows.db-wal flows.db-shm": (folder) => {
    for (const end of ["-wal", "-shm"]) rmSync(join(folder, `flows.db${end}`));
  },
  ": > flows.db": (folder) => writeFileSync(join(folder, "flows.db"), ""),
};

for (const [name, accident] of Object.entries(ACCIDENTS)) {
  test(`STORE-6: ${name} under load: 503 and one error line, never a 200 that the next start does not know`, async () => {
    const folder = newFolder();
    const file = join(folder, "flows.db");
    const server = await start(file);
    assert.equal((await create(server, 1)).status, 200);
    assert.equal(await ready(server), 200);
    const before = statSync(file).ino;
    // open, so that no new file gets its number
    const held = openSync(file, "r");
    accident(folder);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => create(server, at)));
    assert.deepEqual(
      new Set(answers.map(({ status, code }) => `${String(status)} ${String(code)}`)),
      new Set(["503 persist_failed"]),
    );
    assert.equal((await ask(server, { action: "list_flows" })).status, 503);
    assert.equal(await ready(server), 503);
    assert.equal((await fetch(`${server.base}/healthz`)).status, 200);
    assert.equal(server.log.filter((line) => LOST.test(line)).length, 1, server.log.join("\n"));
    assert.equal(await server.end("SIGKILL"), null);
    if (name !== ": > flows.db") {
      const next = await start(file);
      assert.equal((await create(next, 2)).status, 200);
      assert.ok(name.includes("wal") === (statSync(file).ino === before));
      const states = statesOf(await ask(next, { action: "list_flows" }));
      assert.ok(name.includes("wal") ? states.includes(1) && states[0] === 2 : states.length === 1, String(states));
      assert.equal(await next.end("SIGTERM"), 0);
    }
    closeSync(held);
  });
}

test("STORE-6: a file whose permissions change under a server of another user is refused as soon as it cannot be opened again", async () => {
  const folder = newFolder();
  const file = join(folder, "flows.db");
  const USER = 65_534;
  chownSync(folder, USER, USER);
  chmodSync(root, 0o755);
  chmodSync(config, 0o644);
  const server = await Standalone.start(["--config", config, "--db", file], {}, USER);
  assert.equal((await create(server, 1)).status, 200);
  chmodSync(file, 0o640);
  assert.equal((await create(server, 2)).status, 200);
  chmodSync(file, 0o400);
  assert.equal((await create(server, 3)).status, 503);
  chmodSync(folder, 0o000);
  assert.equal(await ready(server), 503);
  chmodSync(folder, 0o700);
  assert.equal((await create(server, 4)).status, 503);
  assert.ok(
    server.log.some((line) => /may no longer be read and written/u.test(line)),
    server.log.join("\n"),
  );
  await server.end("SIGKILL");
});

test("FLOW-1, STORE-2: on a full disk writes get 503 and change nothing, reads go on, and room is all that is needed", async () => {
  const folder = newFolder();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]);
  try {
    const server = await start(join(folder, "flows.db"));
    assert.equal((await create(server, 1)).status, 200);
    const filling = join(folder, "filling");
    writeFileSync(filling, "");
    assert.throws(() => {
      for (;;) appendFileSync(filling, Buffer.alloc(4096));
    }, /ENOSPC/u);
    const refused = await create(server, 2);
    assert.deepEqual([refused.status, refused.code], [503, "persist_failed"]);
    assert.deepEqual(statesOf(await ask(server, { action: "list_flows" })), [1]);
    assert.equal(await ready(server), 200);
    rmSync(filling);
    assert.equal((await create(server, 3)).status, 200);
    assert.deepEqual(statesOf(await ask(server, { action: "list_flows" })), [3, 1]);
    assert.equal(await server.end("SIGTERM"), 0);
  } finally {
    execFileSync("umount", ["-l", folder]);
  }
});

test("STORE-7: cp of an idle server's file has every flow", async () => {
  const folder = newFolder();
  const file = join(folder, "flows.db");
  const server = await start(file);
  for (let state = 0; state < 5; state += 1) assert.equal((await create(server, state)).status, 200);
  await until(() => statSync(`${file}-wal`).size === 0);
  const copy = join(newFolder(), "flows.db");
  copyFileSync(file, copy);
  const second = await start(copy);
  assert.deepEqual(statesOf(await ask(second, { action: "list_flows" })), [4, 3, 2, 1, 0]);
  assert.equal(await second.end("SIGTERM"), 0);
  assert.equal(await server.end("SIGTERM"), 0);
});

test("STORE-8: backups under load open and hold a prefix of what was created, with all that was answered before", async () => {
  const folder = newFolder();
  const file = join(folder, "flows.db");
  const server = await start(file);
  let answered = 0;
  const stop = new AbortController();
  const load = (async () => {
    // as many as one list shows
    for (let state = 0; !stop.signal.aborted && state < 8000; state += 1) {
      assert.equal((await create(server, state)).status, 200);
      answered = state + 1;
    }
  })();
  const backups = newFolder();
  for (let taken = 0; taken < 5; taken += 1) {
    await until(() => answered >= (taken + 1) * 20);
    const known = answered;
    const target = join(backups, `${String(taken)}.db`);
    const done = await runCli(["backup", target, "--db", file]);
    assert.deepEqual([done.status, done.error], [0, ""]);
    assert.match(done.out, /\d\.db: \d+ flows? of .*flows\.db\.\n$/u);
    assert.equal(statSync(target).mode & 0o777, 0o600);
    const restored = await start(target);
    const states = statesOf(await ask(restored, { action: "list_flows" }));
    assert.ok(states.length >= known, `${String(states.length)} of ${String(known)}`);
    assert.deepEqual(
      states,
      Array.from({ length: states.length }, (_, at) => states.length - 1 - at),
    );
    assert.equal(await restored.end("SIGTERM"), 0);
  }
  stop.abort();
  await load;
  assert.equal(await ready(server), 200);
  assert.equal(await server.end("SIGTERM"), 0);
  assert.deepEqual(readdirSync(backups).toSorted(), ["0.db", "1.db", "2.db", "3.db", "4.db"]);
});

test("STORE-8: a backup overwrites nothing, and says what to do", async () => {
  const folder = newFolder();
  const file = join(folder, "flows.db");
  const server = await start(file);
  const target = join(folder, "backup.db");
  writeFileSync(target, "precious");
  const foreign = join(folder, "songs.db");
  const songs = new DatabaseSync(foreign);
  songs.exec("CREATE TABLE songs (title TEXT)");
  songs.close();
  for (const [args, sentence] of [
    [[target, "--db", file], /backup\.db exists and was not changed\. Name a new file\./u],
    [[join(folder, "new.db"), "--db", foreign], /songs\.db is not a database of openclaw-webhooks\. .*--db/u],
    [[join(folder, "new.db"), "--db", join(folder, "none.db")], /none\.db does not exist\. .*--db/u],
    [
      [join(folder, "no", "new.db"), "--db", file],
      /new\.db is in a folder that does not exist \(ENOENT\)\. Create the folder/u,
    ],
  ] as const) {
    const done = await runCli(["backup", ...args]);
    assert.deepEqual([done.status, done.out], [1, ""]);
    assert.match(done.error, sentence);
  }
  assert.equal(readFileSync(target, "utf8"), "precious");
  assert.equal(await server.end("SIGTERM"), 0);
  assert.deepEqual(readdirSync(folder).toSorted(), ["backup.db", "flows.db", "songs.db"]);
});
