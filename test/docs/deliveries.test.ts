// docs/deliveries.md and the pages below it, performed from top to bottom as a reader would: a configuration becomes
// routes.json5, a payload delivery.json, commands are run beside them, and what they print is compared with what is shown.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import JSON5 from "json5";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ROOM } from "../../adapters/bridge/body-budget.ts";
import {
  BODY_DEADLINE_MS,
  DELIVERY_ACTIONS,
  MAX_BODY_BYTES,
  MAX_JOINED_TEXT,
  MAX_KEY,
  MAX_MAPPED,
  MAX_RECORDS,
  MOST_BODY_BYTES,
  REJECTIONS,
  SCHEME_NAMES,
  TOLERANCE_S,
  UNPROVED_DEADLINE_MS,
} from "../../core/index.ts";
import { filesIn, read, ROOT } from "../../spec/tools/clauses.ts";
import { follow, members } from "../adapters/openapi/document.ts";
import { rig, signed } from "../support/deliveries.ts";
import { type Block, sectionsOf } from "../support/markdown.ts";
import { type Env, movedTo, type Ran, runIn } from "../systems/integrations/integrations.ts";
import { Standalone } from "../systems/standalone/harness.ts";

const PAGE = "docs/deliveries.md";
const PAGES = [PAGE, ...filesIn("docs/deliveries", ".md")];

/** A key of every scheme, and a plain secret. */
const SECRET = `whsec_${Buffer.alloc(32, "the pages of deliveries").toString("base64")}`;

let folder: string;
let server: Standalone | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "deliveries-"));
  const command = `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, "adapters/cli/main.ts")}" "$@"\n`;
  writeFileSync(join(folder, "openclaw-webhooks"), command, { mode: 0o755 });
});
afterEach(async () => {
  await server?.end("SIGKILL");
  server = undefined;
  rmSync(folder, { recursive: true });
});

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text, { mode: 0o600 });

/** The variables that the configuration names. */
const secretsOf = (config: string): Env =>
  Object.fromEntries([...config.matchAll(/id: "([A-Z_]+)"/gu)].map(([, name = ""]) => [name, SECRET]));

/** What a reader has so far. */
class Reader {
  #env: Env = {};
  #ran: Ran = { status: 0, out: "" };
  #isSent = false;

  async perform({ language, code }: Block): Promise<void> {
    switch (language) {
      case "json5":
        return this.#configure(code);
      case "json":
        if (!this.#isSent) return write("delivery.json", code);
        return expect(JSON.parse(this.#ran.out)).toEqual(JSON.parse(code));
      case "sh":
        return code.includes("curl ") ? this.#send(code) : this.#run(code);
      case "text":
        return expect(this.#ran).toEqual({ status: 0, out: code });
      case "mermaid":
        return expectStatuses(code);
      default:
        throw new Error(`nothing claims a block of ${language}`);
    }
  }

  async #configure(code: string): Promise<void> {
    this.#env = { ...secretsOf(code), PATH: `${folder}:${process.env["PATH"] ?? ""}` };
    write("routes.json5", code);
    await server?.end("SIGKILL");
    server = undefined;
    this.#isSent = false;
    await this.#run("openclaw-webhooks check routes.json5");
    expect(this.#ran).toEqual({ status: 0, out: expect.stringMatching(/^route .*\n[^]*: 1 route, 0 problems\.\n$/u) });
    expect(this.#ran.out).not.toContain("advice");
  }

  async #run(code: string): Promise<void> {
    this.#ran = await runIn(folder, this.#env, "sh", ["-c", code]);
    this.#isSent = false;
  }

  /** Sends it twice, and there is still one flow, or none. */
  async #send(code: string): Promise<void> {
    const args = ["--config", join(folder, "routes.json5"), "--db", join(folder, "flows.db")];
    server ??= await Standalone.start(args, this.#env);
    const moved = movedTo(server.base, code);
    await this.#run(moved);
    const first: unknown = JSON.parse(this.#ran.out);
    expect(first).toMatchObject({ ok: true });
    await this.#run(moved);
    const second: unknown = JSON.parse(this.#ran.out);
    expect(second).toMatchObject({ ok: true });
    const isIgnored = Object.hasOwn(members(first), "code");
    if (!isIgnored) expect(follow("#/result/flow/flowId", second)).toBe(follow("#/result/flow/flowId", first));
    this.#isSent = true;
  }
}

/** Each status that a dotted arrow shows is one that the product answers. */
const expectStatuses = (code: string): void => {
  const shown = [...code.matchAll(/-\.->\|([^|]*)\|/gu)].flatMap(([, label = ""]) => label.match(/\d{3}/gu) ?? []);
  const statuses = [200, ...Object.values(REJECTIONS).map(({ status }) => status)];
  expect(shown.length).toBeGreaterThan(5);
  expect(shown.filter((status) => !statuses.includes(Number(status)))).toEqual([]);
};

test.each(PAGES)("%s: every block works, in its order", { timeout: 60_000 }, async (page) => {
  const blocks = sectionsOf(read(page)).flatMap((section) => section.blocks);
  expect(read(page).match(/^[ >]*(?:```|~~~)/gmu)?.length).toBe(2 * blocks.length);
  const reader = new Reader();
  for (const block of blocks) await reader.perform(block);
  expect(new Set(blocks.map(({ language }) => language))).toEqual(
    new Set(["json5", "json", "sh", "text", ...(page === PAGE ? ["mermaid"] : [])]),
  );
});

const section = (heading: string) => {
  const found = sectionsOf(read(PAGE)).find((one) => one.heading === heading);
  if (found === undefined) throw new Error(`${PAGE} has no section ${heading}`);
  return found;
};

const words = (cell: string): readonly string[] => [...cell.matchAll(/`([^`]+)`/gu)].map(([, word = ""]) => word);

type Written = { readonly routes: { readonly github: object } };

test("BIND-1, BIND-2, ONCE-2: deliveries that arrive as a row of the table says end in the flows that it says", async () => {
  const { rows, text } = section("Keys");
  expect(text.match(/^\|/gmu)?.length).toBe(rows.length + 2);
  expect(rows.length).toBeGreaterThan(6);
  const { github } = JSON5.parse<Written>(section("Rules").blocks[0]?.code ?? "").routes;
  for (const [arrived = "", flows = ""] of rows) {
    const { send } = rig({
      github: { ...github, secret: SECRET },
      reader: { sessionKey: "agent:main:main", secret: "reader-of-the-flows-0123" },
    });
    for (const action of words(arrived)) {
      const body = JSON.stringify({ action, issue: { number: 7, title: "t" }, repository: { full_name: "o/h" } });
      const headers = { ...signed("github", body, { secret: SECRET }), "x-github-event": "issues" };
      expect((await send("github", body, headers)).status).toBe(200);
    }
    const listed = await send("reader", '{"action":"list_flows"}', {
      authorization: "Bearer reader-of-the-flows-0123",
    });
    const statuses = Object.values(members(follow("#/result/flows", listed.body))).map((flow) =>
      follow("#/status", flow),
    );
    expect([arrived, statuses.toReversed().join(", ") || "none"]).toEqual([arrived, flows]);
  }
});

test("SIGN-1, MAP-4: the tables name every scheme and every action of rules", () => {
  const schemes = section("How it works").rows.flatMap(([scheme = ""]) => words(scheme));
  expect(schemes.toSorted()).toEqual([...SCHEME_NAMES].toSorted());
  const repeats = section("Repeats")
    .rows.map(([scheme = ""]) => scheme)
    .join(" ");
  for (const scheme of SCHEME_NAMES) expect(repeats).toContain(scheme);
  const actions = section("Rules").rows.find(([part]) => part === "`do`")?.[1] ?? "";
  expect(words(actions).filter((word) => word.includes("_"))).toEqual(DELIVERY_ACTIONS);
});

test("the figures are those of the code", () => {
  const page = read(PAGE);
  const grouped = (figure: number): string => String(figure).replace(/\B(?=(?:\d{3})+$)/gu, ",");
  const bounds = { MAX_BODY_BYTES, MAX_JOINED_TEXT, MAX_KEY, MAX_MAPPED, MAX_RECORDS, MOST_BODY_BYTES, TOLERANCE_S };
  for (const [name, bound] of Object.entries(bounds))
    expect([name, page]).toEqual([name, expect.stringContaining(grouped(bound))]);
  expect(page).toContain(`${String(ROOM.all / 1024 / 1024)} MiB of memory`);
  expect(page).toContain(
    `${String(ROOM.unproved / 1024 / 1024)} MiB and are at most ${String(ROOM.bodies)}, of one client ${grouped(ROOM.client)}`,
  );
  expect(page).toContain(
    `within ${String(UNPROVED_DEADLINE_MS / 1000)} seconds instead of ${String(BODY_DEADLINE_MS / 1000)}`,
  );
});
