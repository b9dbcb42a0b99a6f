// The server's log: ASCII on one line, whatever a file, a route or a message is called.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openLog } from "../../../adapters/cli/log.ts";
import { cli } from "../../support/cli.ts";

test("AUDIT-2: each line of the log is printable ASCII, also at debug level, and as JSON says what was meant", () => {
  const text = fc.string({ unit: "binary", maxLength: 20 });
  fc.assert(
    fc.property(text, text, fc.boolean(), (message, routeId, isTerminal) => {
      const lines: string[] = [];
      const log = openLog({ error: (line) => lines.push(line), isTerminal }, "debug");
      log.logger.info(message);
      log.onEvent?.({ status: 200, routeId });
      expect(lines).toHaveLength(2);
      for (const line of lines) expect(line).toMatch(/^[\x20-\x7e]*\n$/u);
      if (isTerminal) return;
      const [said, event] = lines.map((line): unknown => JSON.parse(line));
      expect(said).toMatchObject({ message: message.replace(/^\[webhooks\] /u, "") });
      expect(event).toMatchObject({ routeId, status: 200 });
    }),
  );
});

test("SERVE-7: lines that nobody reads are dropped, and counted in the next one that is read", () => {
  const lines: string[] = [];
  let hasRoom = true;
  const log = openLog({ error: (line) => lines.push(line), isTerminal: false, hasRoom: () => hasRoom }, "error");
  log.logger.error("first");
  hasRoom = false;
  for (let n = 0; n < 7; n += 1) log.logger.error("lost");
  hasRoom = true;
  log.logger.error("next");
  log.logger.error("last");
  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual([
    "first",
    "7 lines of this log were dropped, because nobody read standard error",
    "next",
    "last",
  ]);
});

/** Runs `serve` with one route until it listens, and returns its log. */
const served = async (config: object, more: readonly string[] = []): Promise<readonly string[]> => {
  const folder = mkdtempSync(join(tmpdir(), "log-"));
  const file = join(folder, "routes \u00e9.json");
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  let stop = (): void => undefined;
  const { error } = await cli(["serve", "--port", "0", "--config", file, "--db", join(folder, "\u00e9.db"), ...more], {
    onStop: (handle) => {
      stop = () => handle(true);
      setImmediate(stop);
      return () => undefined;
    },
  });
  rmSync(folder, { recursive: true });
  return error.trim().split("\n");
};

const SECRET = "a-secret-of-sixteen";

test("AUDIT-1, AUDIT-2: the line of a route shows neither a session key that is its id nor the key in its path", async () => {
  for (const id of ["my-session", "My-Session", "agent:main:x"]) {
    const lines = await served({ routes: { [id]: { sessionKey: "my-session", secret: SECRET } } });
    for (const line of lines) expect(line).toMatch(/^[\x20-\x7e]*$/u);
    const messages = lines.map((line) => (JSON.parse(line) as { message: string }).message);
    expect(messages[0]).toBe("route [hidden] at /plugins/webhooks/[hidden]");
    expect(messages[1]).toContain("\u00e9.db");
  }
  for (const [id, path, sessionKey, shown] of [
    ["r", "/in/agent:main:main", "agent:main:main", "route r at /in/[hidden]"],
    ["r", "/in/agent:other:x", "s", "route r at /in/[hidden]"],
    ["r", "/in/My-Session/x", "my-session", "route r at /in/[hidden]/x"],
    ["r", "/inmy-sessionx", "my-session", "route r at [hidden]"],
    ["r", "/in/team/x", "team", "route r at /in/[hidden]/x"],
    ["r", "/teams", "team", "route r at /teams"],
    ["for-my-session-1", undefined, "My-Session", "route [hidden] at /plugins/webhooks/for-[hidden]-1"],
    ["for-my-session-1", "/in", "my-session", "route [hidden] at /in"],
  ] as const) {
    const [line = ""] = await served({ routes: { [id]: { path, sessionKey, secret: SECRET } } });
    expect(JSON.parse(line)).toMatchObject({ message: shown });
  }
  const [line = ""] = await served({ routes: { demo: { sessionKey: "webhooks", secret: SECRET } } });
  expect(JSON.parse(line)).toMatchObject({ message: "route demo at /plugins/webhooks/demo" });
});

test("serve: an entry of trustedProxies that is not an address is logged with the advice that check gives", async () => {
  const routes = { demo: { sessionKey: "s", secret: SECRET } };
  const lines = await served({ trustedProxies: ["proxy"], routes });
  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toContain(
    "trustedProxies proxy is not an address or a subnet. Write it like 10.0.0.1 or 10.0.0.0/8.",
  );
});

test("serve says at its start what each rule does, without the session key", async () => {
  const deliveries = [{ key: "of agent:main:x", do: { action: "finish_flow" } }];
  const lines = await served({ routes: { r: { sessionKey: "agent:main:x", secret: SECRET, deliveries } } });
  const infos = lines.map((line) => JSON.parse(line) as object).slice(0, 3);
  expect(infos).toEqual(
    [
      "route r at /plugins/webhooks/r",
      "route r: takes deliveries with its secret",
      'route r: deliveries[0]: always: finish_flow of the flow that is bound to key "of [hidden]"',
    ].map((message) => expect.objectContaining({ level: "INFO", message })),
  );
});
