// The files of a server that is not root: other users, mounts as Kubernetes, Docker and systemd make them, and programs
// that print secrets. All of it is real, so it needs root and Linux.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, lchownSync, linkSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { asUser, type Ended, isRoot, MAIN, runCli, runToEnd, type User } from "../../support/command-line.ts";
import { remove, tempFolder, until } from "./harness.ts";

const real = { skip: isRoot && process.platform === "linux" ? false : "other users and mounts need root and Linux" };
const top = tempFolder();
after(() => remove(top));
if (isRoot) chmodSync(top, 0o755);

const SECRET = "stable-battery-of-the-right-horse";
const ME: User = { uid: 1000, gid: 1000 };
const STRANGER = 12_345;

/** Owner, group and mode; a symlink has no mode of its own. */
type Rights = readonly [uid: number, gid: number, mode: number];
const OF_ROOT: Rights = [0, 0, 0o755];

const give = (path: string, [uid, gid, mode]: Rights): string => {
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return path;
};
const folder = (path: string, rights: Rights = OF_ROOT): string => {
  mkdirSync(path, { recursive: true });
  return give(path, rights);
};
const file = (path: string, rights: Rights, content: string = SECRET): string => {
  folderIfNone(dirname(path));
  writeFileSync(path, content);
  return give(path, rights);
};
const folderIfNone = (path: string): void => {
  if (!existsSync(path)) folder(path);
};
const link = (path: string, target: string, uid = 0): string => {
  symlinkSync(target, path);
  lchownSync(path, uid, uid);
  return path;
};
const at = (...names: readonly string[]): string => join(top, ...names);

/** A configuration with one route for each file, or command. */
const configOf = (name: string, providers: Readonly<Record<string, object>>): string => {
  const routes = Object.fromEntries(
    Object.entries(providers).map(([id, { source }]: [string, { source?: unknown }]) => [
      id,
      { sessionKey: "s", secret: { source, provider: id, id: "value" } },
    ]),
  );
  return file(at(`${name}.json5`), [0, 1000, 0o640], JSON.stringify({ routes, secrets: { providers } }));
};
const fileAt = (path: string): object => ({ source: "file", mode: "singleValue", path });
const commandAt = (command: string): object => ({ source: "exec", command, jsonOnly: false });

/** What `check` prints about each route, as the user of the server. */
const check = async (config: string): Promise<ReadonlyMap<string, string>> => {
  const { out, error } = await runCli(["check", config], {}, ME);
  assert.equal(error, "");
  assert.ok(!out.includes(SECRET));
  return new Map(out.split("\n").map((line) => [/^route (\S+)/u.exec(line)?.[1] ?? line, line]));
};

const SERVED = /would be served/u;
const OPEN = /is open to group or others: as root run chgrp 1000 and chmod 640 on it, or mount it read-only\.$/u;
const CHANGED = /can be changed by group or others: run chmod go-w on it\.$/u;
const THROUGH = /leads through \S+, which can be changed by group or others/u;
const FOREIGN = /does not belong to the current user or root: change its owner\.$/u;

test("FILE-1, FILE-2: which secret files a server of another user than root takes", real, async () => {
  const f = (name: string, rights: Rights): string => file(at("files", name), rights);
  const inFolder = (name: string, rights: Rights): string => {
    folder(at("files", name), rights);
    return file(at("files", name, "secret"), [0, 1000, 0o640]);
  };
  const cases: readonly (readonly [id: string, path: string, says: RegExp])[] = [
    ["own-0600", f("a", [1000, 1000, 0o600]), SERVED],
    ["own-0400", f("b", [1000, 1000, 0o400]), SERVED],
    ["own-0640", f("c", [1000, 1000, 0o640]), /is open to group or others: run chmod 600 on it\.$/u],
    ["fs-group-0440", f("d", [0, 1000, 0o440]), SERVED],
    ["fs-group-0640", f("e", [0, 1000, 0o640]), SERVED],
    ["root-0600", f("f", [0, 0, 0o600]), /cannot be read: let the current user read it\.$/u],
    ["root-0444", f("g", [0, 0, 0o444]), OPEN],
    ["root-0644", f("h", [0, 1000, 0o644]), OPEN],
    ["root-0460", f("i", [0, 1000, 0o460]), CHANGED],
    ["root-0446", f("j", [0, 1000, 0o446]), CHANGED],
    ["stranger-0640", f("k", [STRANGER, 1000, 0o640]), FOREIGN],
    ["stranger-0444", f("l", [STRANGER, 1000, 0o444]), FOREIGN],
    ["folder-root", inFolder("m", [0, 0, 0o755]), SERVED],
    ["folder-own", inFolder("n", [1000, 1000, 0o700]), SERVED],
    ["folder-sticky", inFolder("o", [0, 0, 0o1777]), SERVED],
    ["folder-fs-group", inFolder("p", [0, 1000, 0o3777]), SERVED],
    ["folder-others", inFolder("q", [0, 0, 0o777]), THROUGH],
    ["folder-group", inFolder("r", [0, 1000, 0o775]), THROUGH],
    ["folder-own-group", inFolder("s", [1000, 1000, 0o770]), THROUGH],
    ["folder-stranger", inFolder("t", [STRANGER, STRANGER, 0o755]), /leads through \S+\/t, which does not belong/u],
    ["folder-stranger-sticky", inFolder("u", [STRANGER, STRANGER, 0o1777]), /which does not belong/u],
    ["link-root", link(at("files", "v"), "d"), SERVED],
    ["link-own", link(at("files", "w"), "d", 1000), SERVED],
    ["link-stranger", link(at("files", "x"), "d", STRANGER), /is a symlink of another user/u],
    ["link-to-link", link(at("files", "y"), "x"), /leads through \S+\/x, which is a symlink of another user/u],
    ["link-into-folder", link(at("files", "z"), "q/secret"), THROUGH],
    ["link-absolute", link(at("files", "A"), `${at("files", "t")}/../d`), /which does not belong/u],
    ["missing", at("files", "none"), /does not exist/u],
  ];
  const said = await check(configOf("files", Object.fromEntries(cases.map(([id, path]) => [id, fileAt(path)]))));
  for (const [id, , says] of cases) assert.match(said.get(id) ?? "", says, id);
});

test("FILE-1: which commands it runs: root's, as in /usr/bin, and its own", real, async () => {
  const c = (name: string, rights: Rights): string =>
    file(at("commands", name), rights, `#!/bin/sh\necho ${SECRET}-$(id -u)\n`);
  folder(at("commands", "open"), [0, 0, 0o777]);
  linkSync(c("hard", [0, 0, 0o755]), join(folder(at("commands", "tmp"), [0, 0, 0o1777]), "hard"));
  const cases: readonly (readonly [id: string, path: string, says: RegExp])[] = [
    ["usr-bin", "/usr/bin/printenv", /\.command wrote nothing/u],
    ["root-0755", c("a", [0, 0, 0o755]), SERVED],
    ["root-0750", c("b", [0, 1000, 0o750]), SERVED],
    ["own-0700", c("c", [1000, 1000, 0o700]), SERVED],
    ["root-0775", c("d", [0, 1000, 0o775]), CHANGED],
    ["root-0757", c("e", [0, 0, 0o757]), CHANGED],
    ["stranger", c("f", [STRANGER, 0, 0o755]), FOREIGN],
    ["in-open-folder", c("open/g", [0, 0, 0o755]), THROUGH],
    ["link-root", link(at("commands", "h"), "a"), SERVED],
    ["link-stranger", link(at("commands", "i"), "a", STRANGER), /is a symlink of another user/u],
    ["link-in-sticky", link(at("commands", "tmp", "j"), "../a", STRANGER), /is a symlink of another user/u],
    ["hard-link", at("commands", "hard"), SERVED],
    ["hard-link-in-sticky", at("commands", "tmp", "hard"), /more than one hard link/u],
  ];
  const said = await check(configOf("commands", Object.fromEntries(cases.map(([id, path]) => [id, commandAt(path)]))));
  for (const [id, , says] of cases) assert.match(said.get(id) ?? "", says, id);
});

test("FILE-1: which configurations and secret files of call it reads", real, async () => {
  const text = `{ routes: { ci: { sessionKey: "s", secret: "${SECRET}" } } }`;
  const c = (name: string, rights: Rights, of: Rights = OF_ROOT): string => {
    folder(at("configs", name), of);
    return file(at("configs", name, "c.json5"), rights, text);
  };
  const configs: readonly (readonly [string, RegExp])[] = [
    [c("a", [0, 0, 0o644]), /1 route, 0 problems/u],
    [c("b", [1000, 1000, 0o664], [1000, 1000, 0o775]), /1 route, 0 problems/u],
    [c("c", [0, 1000, 0o660]), CHANGED],
    [c("d", [0, 0, 0o646]), CHANGED],
    [c("e", [STRANGER, 1000, 0o644]), FOREIGN],
    [c("f", [0, 0, 0o644], [0, 0, 0o777]), THROUGH],
    [link(at("configs", "g"), "a/c.json5"), /1 route, 0 problems/u],
    [link(at("configs", "h"), "a/c.json5", STRANGER), /is a symlink of another user/u],
  ];
  for (const [path, says] of configs) {
    const { out, error } = await runCli(["check", path], {}, ME);
    assert.match((out + error).trimEnd(), says, path);
  }
  const secrets: readonly (readonly [string, number])[] = [
    [file(at("s", "a"), [0, 1000, 0o440]), 3],
    [file(at("s", "b"), [1000, 1000, 0o600]), 3],
    [file(at("s", "c"), [1000, 1000, 0o644]), 2],
    [file(at("s", "d"), [STRANGER, 1000, 0o640]), 2],
    [link(at("s", "e"), "a"), 3],
    [link(at("s", "f"), "a", STRANGER), 2],
  ];
  for (const [path, status] of secrets) {
    const args = ["call", "ci", "list_flows", "--url", "http://127.0.0.1:1", "--secret-file", path];
    const ended = await runCli(args, {}, ME);
    assert.equal(ended.status, status, ended.error);
  }
});

/** Runs `check` as the server's user after `setup`, in which mounts are the test's own. */
const checkAfter = (setup: string, config: string): Promise<Ended> => {
  const asMe = asUser(process.execPath, [MAIN, "check", config], ME);
  return runToEnd("unshare", ["--mount", "sh", "-ec", `${setup}\nexec "$@"`, process.execPath, ...asMe]);
};

test(
  "FILE-2: secrets as Kubernetes, Docker and systemd mount them are taken, with advice if others may read them",
  real,
  async () => {
    const mount = folder(at("mount"));
    const names = ["group", "all", "written", "docker", "acl", "writable"];
    const paths = names.map(
      (name) => [name, fileAt(name === "writable" ? at("rw", name) : join(mount, name))] as const,
    );
    const config = configOf("mounts", Object.fromEntries(paths));
    // an access list as `setfacl -m u:1000:r` makes it: in the mode it is a right of the group
    const list = Buffer.from(
      "02000000 01000400ffffffff 02000400e8030000 04000000ffffffff 10000400ffffffff 20000000ffffffff".replaceAll(
        " ",
        "",
      ),
      "hex",
    );
    const setup = `
    mount -t tmpfs -o mode=1777 tmpfs "${mount}"
    cd "${mount}"
    mkdir ..2026_11_26; chmod 755 ..2026_11_26; ln -s ..2026_11_26 ..data
    for name in group all written; do printf '%s' ${SECRET} > ..data/$name; ln -s ..data/$name $name; done
    chgrp 1000 ..data/group; chmod 440 ..data/group
    chmod 644 ..data/all
    chmod 666 ..data/written
    printf '%s' ${SECRET} > docker; chmod 444 docker
    printf '%s' ${SECRET} > acl; chmod 400 acl
    "$0" -e 'require("node:child_process").execFileSync("python3", ["-c", "import os, sys; os.setxattr(\\"acl\\", \\"system.posix_acl_access\\", bytes.fromhex(sys.argv[1]))", "${list.toString("hex")}"])'
    mkdir "${at("rw")}"; printf '%s' ${SECRET} > "${at("rw", "writable")}"; chmod 444 "${at("rw", "writable")}"
    mount -o remount,bind,ro "${mount}"`;
    const { out, error } = await checkAfter(setup, config);
    assert.equal(error, "");
    const about = (name: string): readonly string[] =>
      out
        .split("\n")
        .filter((line) => new RegExp(`^(?:route ${name} |secrets\\.providers\\.${name}\\.)`, "u").test(line));
    const advice = (name: string): RegExp =>
      new RegExp(`^secrets\\.providers\\.${name}\\.path can be read by other users`, "u");
    for (const name of ["group", "acl"]) assert.doesNotMatch(about(name).join(""), /can be read by other users/u);
    for (const name of ["group", "acl", "all", "docker"]) assert.match(about(name).at(-1) ?? "", SERVED, out);
    for (const name of ["all", "docker"]) assert.match(about(name)[0] ?? "", advice(name), out);
    assert.match(about("written").join(""), /which can be changed by group or others/u);
    assert.match(about("writable").join(""), OPEN);
  },
);

test("a file that Kubernetes replaces again and again is always found", real, async () => {
  const mount = folder(at("rotated"));
  for (const version of ["..a", "..b"]) file(join(mount, version, "zap"), [0, 1000, 0o440]);
  link(join(mount, "..data"), "..a");
  link(join(mount, "zap"), "..data/zap");
  const providers = Object.fromEntries(
    Array.from({ length: 200 }, (_, n) => [`p${String(n)}`, fileAt(join(mount, "zap"))]),
  );
  const config = configOf("rotated", providers);
  const rotate = `while :; do for v in ..a ..b; do ln -s $v tmp; mv -T tmp ..data; done; done`;
  const rotation = spawn("sh", ["-c", rotate], { cwd: mount, detached: true, stdio: "ignore" });
  const { out } = await runCli(["check", config], {}, ME);
  process.kill(-(rotation.pid ?? 0), "SIGKILL");
  assert.match(out, /200 routes, 0 problems\.\n$/u);
});

test("FILE-3: without a home folder, --db must be given; a read-only folder is named as such", real, async () => {
  const serve = (env: object, user: User, ...args: readonly string[]): Promise<Ended> =>
    runCli(["serve", "--port", "0", ...args], { XDG_STATE_HOME: "", ...env }, user);
  const unknown = { uid: 54_321, gid: 54_321 };
  for (const HOME of ["", "relative"]) {
    const { status, error } = await serve({ HOME }, unknown);
    assert.equal(
      error,
      "The current user has no home folder for the database. Choose a file with --db, or set HOME.\n",
    );
    assert.equal(status, 1);
  }
  folder(at("state"));
  const denied = await serve({}, ME, "--db", at("state", "flows.db"));
  assert.match(
    denied.error,
    /state\/flows\.db cannot be written, or no files can be made beside it \(EACCES\)\. Give/u,
  );
  const home = await serve({ HOME: at("state") }, ME);
  assert.match(home.error, /flows\.db cannot be written, or no files can be made beside it \(EACCES\)\. Give/u);
  file(at("state", "old.db"), [1000, 1000, 0o600], "");
  const beside = await serve({}, ME, "--db", at("state", "old.db"));
  assert.match(beside.error, /old\.db cannot be written, or no files can be made beside it \([^)]+\)\. Give/u);
  const readOnly = `mount --bind "${at("state")}" "${at("state")}"; mount -o remount,bind,ro "${at("state")}"
    exec "$0" "${MAIN}" serve --port 0 --db "${at("state", "new.db")}"`;
  const { error } = await runToEnd("unshare", ["--mount", "sh", "-ec", readOnly, process.execPath]);
  assert.match(
    error,
    /new\.db is on a read-only file system \(EROFS\)\. Choose a file on a writable one with --db\.\n$/u,
  );
});

const isRunning = (pid: number): boolean => {
  try {
    // a zombie has ended; only its parent has not been told yet
    return !/^State:\s+Z/mu.test(readFileSync(`/proc/${String(pid)}/status`, "utf8"));
  } catch {
    return false;
  }
};

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const) {
  for (const command of ["serve", "check"]) {
    test(`FILE-5: ${signal} to ${command} ends the command for a secret and its children`, real, async () => {
      const pids = at(`${signal}-${command}.pids`);
      const script = `#!/bin/sh\ntrap '' TERM INT HUP QUIT\n/bin/sleep 600 &\necho "$$ $!" > ${pids}\nwait\n`;
      // a server takes SIGHUP for a reload, and so ends when the command has taken too long
      const timeoutMs = signal === "SIGHUP" && command === "serve" ? 3000 : 100_000;
      const provider = { ...commandAt(file(at(`${signal}-${command}.sh`), [0, 0, 0o755], script)), timeoutMs };
      const config = configOf(`${signal}-${command}`, { slow: provider });
      const args =
        command === "serve" ? ["serve", "--port", "0", "--db", at("x.db"), "--config", config] : ["check", config];
      const child = spawn(process.execPath, [MAIN, ...args], { stdio: "ignore" });
      await until(() => existsSync(pids) && readFileSync(pids, "utf8").endsWith("\n"));
      const [shell = 0, sleep = 0] = readFileSync(pids, "utf8").split(" ").map(Number);
      assert.deepEqual([isRunning(shell), isRunning(sleep)], [true, true]);
      const gone = once(child, "exit");
      child.kill(signal);
      await gone;
      await until(() => !isRunning(shell) && !isRunning(sleep));
    });
  }
}
