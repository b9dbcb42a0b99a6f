// What a person reads who asks for help or gives a wrong option: every command and option has its sentence, each default is
// told, and a refusal names what may be given.

import { expect, test } from "vitest";
import { SCHEME_LIST } from "../../../adapters/cli/commands/sign.ts";
import { WAIT_STATES } from "../../../adapters/cli/commands/wait-state.ts";
import { ACTIONS } from "../../../core/index.ts";
import { cli } from "../../support/cli.ts";

const COMMANDS = ["serve", "backup", "check", "try", "call", "wait", "sign", "openapi"];

const helpOf = async (...command: readonly string[]): Promise<string> => {
  const { status, out, error } = await cli([...command, "--help"]);
  expect([status, error]).toEqual([0, ""]);
  return out;
};

/** The entries of a list in a help, each on one line, by what stands before its sentence. */
const entriesOf = (help: string, title: string): ReadonlyMap<string, string> => {
  const list = new RegExp(`^${title}:\\n((?: {2}.*\\n)+)`, "mu").exec(help)?.[1] ?? expect.fail(`no ${title}`);
  const lines = list
    .replaceAll(/\n {3,}/gu, " ")
    .trimEnd()
    .split("\n");
  return new Map(
    lines.map((line) => {
      const [term = "", ...words] = line.trim().split(/ {2,}/u);
      return [term, words.join(" ")];
    }),
  );
};

/** What stands between the usage and the first list. */
const sentenceOf = (help: string): string | undefined => /^Usage: .*\n\n(.*(?:\n.+)*)\n\n/u.exec(help)?.[1];

const withoutValues = (entry: string): string => entry.replaceAll(/ ?\((?:default|choices): .*\)/gu, "");

test("the help begins with the name of the program and what it is for, and each command has its own sentence there", async () => {
  const help = await helpOf();
  expect(help).toMatch(/^Usage: openclaw-webhooks \[options\] \[command\]\n/u);
  expect(sentenceOf(help)).toMatch(/^[A-Z].* webhook .*\.$/u);
  const commands = entriesOf(help, "Commands");
  expect([...commands.keys()].map((term) => term.split(" ")[0])).toEqual([...COMMANDS, "help"]);
  for (const name of COMMANDS) {
    const [, sentence] = [...commands].find(([term]) => term.split(" ")[0] === name) ?? expect.fail(name);
    expect([name, sentence]).toEqual([name, expect.stringMatching(/^[a-z]+(?: \S+){2}/u)]);
    const own = await helpOf(name);
    expect(own).toMatch(new RegExp(`^Usage: openclaw-webhooks ${name} \\[options\\]`, "u"));
    expect(sentenceOf(own)?.replaceAll("\n", " ")).toBe(sentence);
  }
});

test.each(COMMANDS)("%s --help says what each option is, before its choices and its default", async (command) => {
  const options = entriesOf(await helpOf(command), "Options");
  expect(options.size).toBeGreaterThan(0);
  for (const [option, entry] of options)
    expect([option, withoutValues(entry)]).toEqual([option, expect.stringMatching(/^\S+(?: \S+)+$/u)]);
});

test("each default is told with its option, and call and wait ask where serve listens", async () => {
  const defaults = async (command: string): Promise<object> => {
    const options = [...entriesOf(await helpOf(command), "Options")];
    const told = options.map(([term, entry]) => [
      /--([\w-]+)/u.exec(term)?.[1] ?? term,
      /\bdefault: "?([^")]*)"?\)$/u.exec(entry)?.[1],
    ]);
    return Object.fromEntries(told.filter(([, value]) => value !== undefined)) as object;
  };
  const secret = { "secret-env": "OPENCLAW_WEBHOOK_SECRET" };
  const caller = { url: "http://127.0.0.1:8787", ...secret };
  expect(await defaults("serve")).toEqual({
    port: "8787",
    host: "127.0.0.1",
    public: "false",
    db: "in ~/.local/state/openclaw-webhooks",
    "db-password-file": "the variable PGPASSWORD",
    "db-connections": "10",
    "keep-alive": "125",
    "audit-max-bytes": "16777216",
    "audit-files": "8",
    "admin-token-env": "OPENCLAW_WEBHOOKS_ADMIN_TOKEN",
    "max-clients": "4096",
    "limits-password-env": "REDISCLI_AUTH",
    "limits-ca": "those of Node",
    "limits-prefix": "openclaw-webhooks:",
    "limits-when-gone": "refuse",
    "log-level": "info",
  });
  expect(await defaults("backup")).toEqual({ db: "as for serve" });
  expect(await defaults("try")).toEqual({ header: "none" });
  expect(await defaults("call")).toEqual({ ...caller, json: "false" });
  expect(await defaults("wait")).toEqual({ ...caller, json: "false", until: "ended", timeout: "10m" });
  expect(await defaults("sign")).toEqual({ ...secret, id: "a new one" });
});

test("a command with words of its own lists them all, shows a line to copy, and says what its exit statuses mean", async () => {
  for (const [command, words] of [
    ["call", Object.keys(ACTIONS).join(", ")],
    ["wait", WAIT_STATES.join(", ")],
    ["sign", SCHEME_LIST],
    ["try", "Content-Type is application/json unless it is given"],
  ] as const) {
    const help = await helpOf(command);
    expect(help).toContain(words);
    expect(help).toMatch(new RegExp(`^ {2}openclaw-webhooks ${command} \\S`, "mu"));
    expect(help).toMatch(/Exit status:\s0 \S/u);
    expect(help).toMatch(/\b2 wrong\susage[;,.]/u);
  }
});

test("WAIT-7: a time to wait is taken from 1s to 168h, and refused beside that; states are refused with all that may be given", async () => {
  const wait = async (...args: readonly string[]): Promise<string> => (await cli(["wait", "r", "f", ...args])).error;
  const missing = "The environment variable OPENCLAW_WEBHOOK_SECRET is not set or empty. ";
  const times = "It must be a time from 1s to 168h, such as 90, 90s, 10m or 2h.";
  for (const time of ["1", "1s", "90", "90s", "10m", "168h", "604800", "604800s", "10080m"])
    expect([time, await wait("--timeout", time)]).toEqual([time, expect.stringContaining(missing)]);
  for (const time of ["0", "0h", "169h", "604801", "10081m", "1d", "s", "", "1.5m", "-1", "x90", "90sx", "0604800"])
    expect([time, await wait(`--timeout=${time}`)]).toEqual([time, expect.stringMatching(` ${times}\n$`)]);
  for (const states of WAIT_STATES.flatMap((state) => [state, ` ${state} , ended`]))
    expect(await wait("--until", states)).toContain(missing);
  const all = `It must be one or more of ${WAIT_STATES.join(", ")}, with commas between them.`;
  for (const states of ["done", "ended,", "ended done", ""])
    expect([states, await wait("--until", states)]).toEqual([states, expect.stringMatching(` ${all}\n$`)]);
});

test("CALL-1: too many arguments are counted and not repeated, because one may be a secret", async () => {
  const ran = await cli(["check", ...Array.from({ length: 12 }, () => "pass-word")]);
  expect(ran).toEqual({
    status: 2,
    out: "",
    error: "error: too many arguments for 'check'. Expected 1 argument but got 12.\n",
  });
});
