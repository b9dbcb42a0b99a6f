// `openclaw webhook` against a server, with the configuration of a Gateway. test/systems/gateway/operator.test.ts runs it in a real one.

import { createServer, type IncomingMessage } from "node:http";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runWebhook } from "../../../adapters/cli/gateway-program.ts";
import type { Ran } from "../../support/cli.ts";

const SECRET = "the-secret-of-the-filed-route";
const PLAIN = "the-secret-in-the-configuration";

const DELIVERIES = [{ do: { action: "create_flow", goal: "g" } }];

let folder: string;
let seen: IncomingMessage[];
let port: number;
let stop: () => void;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "webhook-"));
  seen = [];
  const server = createServer((request, response) => {
    seen.push(request);
    response.setHeader("content-type", "application/json").end('{"ok":true,"result":{"flows":[]}}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
  stop = () => void server.close();
  const secrets = join(folder, "secrets.json");
  writeFileSync(secrets, JSON.stringify({ filed: SECRET }), { mode: 0o600 });
  configure({
    filed: {
      sessionKey: "agent:main:hook:filed",
      path: "/hooks/filed",
      secret: { source: "file", provider: "files", id: "/filed" },
    },
    wide: { sessionKey: "agent:main:main", secret: PLAIN },
    signed: { sessionKey: "agent:main:hook:signed", secret: `${PLAIN}-2`, signature: "github" },
    cold: { sessionKey: "agent:main:hook:cold", secret: { source: "file", provider: "files", id: "/missing" } },
    deaf: { sessionKey: "agent:main:hook:deaf", secret: `${PLAIN}-3`, signature: "github", deliveries: DELIVERIES },
    wrong: { sessionKey: "", secret: `${PLAIN}-4`, path: "/hooks/wrong" },
  });
});
afterEach(() => {
  stop();
  rmSync(folder, { recursive: true, force: true });
});

const configure = (routes: unknown): void => {
  const providers = { files: { source: "file", path: join(folder, "secrets.json"), mode: "json" } };
  const config = {
    gateway: { port },
    secrets: { providers },
    plugins: { entries: { webhooks: { enabled: true, config: { routes } } } },
  };
  writeFileSync(join(folder, "openclaw.json"), JSON.stringify(config), { mode: 0o600 });
};

const webhook = async (
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  ask: () => Promise<unknown> = () => Promise.reject(new Error("connect ECONNREFUSED")),
): Promise<Ran> => {
  let [out, error] = ["", ""];
  const status = await runWebhook(
    args,
    { status: ask },
    {
      out: (text) => (out += text),
      error: (text) => (error += text),
      env: { OPENCLAW_STATE_DIR: folder, ...env },
      input: () => Promise.resolve(new TextEncoder().encode('{"kind":"new"}')),
      isTerminal: false,
      onStop: () => () => undefined,
    },
  );
  return { status, out, error };
};

const sent = (): readonly (string | undefined)[] => [seen.at(-1)?.url, seen.at(-1)?.headers.authorization];

test("GATEWAY-2: path, address and secret of a route come from the Gateway's configuration, by its id or its path", async () => {
  for (const name of ["filed", "/hooks/filed"]) {
    expect((await webhook(["call", name, "list_flows"])).status).toBe(0);
    expect(sent()).toEqual(["/hooks/filed", `Bearer ${SECRET}`]);
  }
  expect((await webhook(["call", "wide", "list_flows"])).status).toBe(0);
  expect(sent()).toEqual(["/plugins/webhooks/wide", `Bearer ${PLAIN}`]);
});

test("GATEWAY-2: what the operator gives goes before the configuration", async () => {
  const env = { OPENCLAW_WEBHOOK_SECRET: "of-the-environment", MINE: "given-by-the-operator" };
  await webhook(["call", "filed", "list_flows"], env);
  expect(sent()[1]).toBe(`Bearer ${SECRET}`);
  await webhook(["call", "cold", "list_flows", "--secret-env", "MINE"], env);
  expect(sent()).toEqual(["/plugins/webhooks/cold", "Bearer given-by-the-operator"]);
  const elsewhere = await webhook(["call", "filed", "list_flows", "--url", "http://127.0.0.1:1"], env);
  expect(elsewhere.status).toBe(3);
  const other = await webhook(["call", "filed", "list_flows"], { OPENCLAW_GATEWAY_PORT: "1" });
  expect(other.status).toBe(3);
});

test("GATEWAY-2: a route without a secret that can be read, and one that takes signatures alone, are not called", async () => {
  const said = async (name: string): Promise<string> => {
    const { status, error } = await webhook(["call", name, "list_flows"]);
    expect(status).toBe(2);
    return error;
  };
  expect(await said("nope")).toMatch(/^There is no route nope in \S+\. It serves filed, wide, signed, deaf\./u);
  expect(await said("cold")).toMatch(/^route cold cold: secret could not be resolved/u);
  expect(await said("/plugins/webhooks/cold")).toMatch(/^route cold cold: secret could not be resolved/u);
  expect(await said("wrong")).toMatch(/^route wrong skipped: sessionKey is missing/u);
  expect(await said("wrong")).not.toContain("cold");
  expect(await said("signed")).toContain("takes signed requests only");
  expect(await said("http://127.0.0.1:1/elsewhere")).toContain("There is no route http");
  expect(seen).toEqual([]);
});

test("CALL-5: a route that takes deliveries alone is not called, unless another server is named", async () => {
  for (const args of [
    ["call", "deaf", "list_flows"],
    ["wait", "deaf", "some-flow"],
  ]) {
    const { status, error } = await webhook([...args, "--secret-env", "MINE"], { MINE: "given-by-the-operator" });
    expect([status, error]).toEqual([
      2,
      expect.stringContaining("takes deliveries and no actions, so nothing was sent"),
    ]);
  }
  expect(seen).toEqual([]);
  const url = `http://127.0.0.1:${String(port)}`;
  await webhook(["call", "deaf", "list_flows", "--url", url, "--secret-env", "MINE"], {
    MINE: "given-by-the-operator",
  });
  expect(sent()).toEqual(["/plugins/webhooks/deaf", "Bearer given-by-the-operator"]);
});

test("WEAK-1: check names the weaknesses of the file as it is written, where a reference is none", async () => {
  const { status, out } = await webhook(["check"]);
  const advice = out.split("\n").filter((line) => line.includes(" advice: "));
  expect(advice.map((line) => line.replace(/^route (\S+) advice: (\S+) .*$/u, "$1 $2")).toSorted()).toEqual([
    "deaf secret",
    "signed secret",
    "wide secret",
    "wide sessionKey",
  ]);
  expect([status, out.includes("route cold cold")]).toEqual([1, true]);
  expect(out).not.toContain(PLAIN);
});

test("GATEWAY-2: try tries a delivery on a route of the Gateway's configuration", async () => {
  const { out } = await webhook(["try", "wide", "--body", "-"]);
  expect(out).toContain("Nothing was done.");
});

const DOCUMENT = {
  routes: [
    {
      id: "a\u001b[2J",
      state: "live",
      path: "/hooks/a",
      says: ["takes deliveries"],
      problems: [],
      hour: { ok: [1, 2], refused: [3], failed: [] },
    },
  ],
  problems: [],
  callbacks: [],
  codes: [{ code: "unauthorized", count: 3 }],
};

test("GATEWAY-1: status prints the document, as lines that a terminal can show or whole, and says whether all is well", async () => {
  const lines = await webhook(["status"], {}, () => Promise.resolve(DOCUMENT));
  expect(lines.status).toBe(0);
  expect(lines.out.split("\n")).toEqual([
    "route a\\u{1b}[2J: live at /hooks/a",
    "  takes deliveries",
    "  last hour: 3 done, 3 refused, 0 failed",
    "refused or failed in the last hour: unauthorized 3",
    "",
  ]);
  const whole = await webhook(["status", "--json"], {}, () => Promise.resolve(DOCUMENT));
  expect(JSON.parse(whole.out)).toEqual(DOCUMENT);
  const cold = { routes: [{ id: "b", state: "cold", problems: ["route b cold: secret is empty."] }] };
  const worse = await webhook(["status"], {}, () => Promise.resolve(cold));
  expect([worse.status, worse.out]).toEqual([1, "route b: cold\n  route b cold: secret is empty.\n"]);
  for (const odd of [undefined, null, 7, [], { routes: 1 }]) {
    expect((await webhook(["status"], {}, () => Promise.resolve(odd))).out).toBe("no route is configured\n");
  }
});

test("GATEWAY-1: without a Gateway that answers, status says so with an exit status of its own", async () => {
  const { status, error } = await webhook(["status"]);
  expect([status, error]).toEqual([3, expect.stringContaining("does not tell the status: connect ECONNREFUSED")]);
  expect((await webhook(["status"], {}, () => Promise.reject(new Error("a\nb")))).error).toContain("a\\u{a}b");
});

test("CALL-1: a wrong command line is told on one line, without what may be a secret", async () => {
  for (const args of [["nope"], ["call", "filed", "list_flows", "--secret=xyzzy"], ["call"], []]) {
    const { status, error } = await webhook(args);
    expect(status).toBe(2);
    expect(error).not.toContain("xyzzy");
  }
  expect((await webhook(["--help"])).status).toBe(0);
});
