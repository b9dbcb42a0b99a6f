// The operator's page of a running server, in a real browser: what it shows, on a phone, in the dark, with a keyboard alone, and that
// nothing in it runs a script of others.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { openBrowser } from "../../support/browser.ts";
import { remove, Standalone, tempFolder } from "./harness.ts";

const SECRET = "Tq7-page-of-serve-Zx3vB9";
const OLD = "Tq7-page-before-Zx3vB9";
const SCRIPT = "<img src=x onerror=document.title='owned'>";

const folder = tempFolder();
let server: Standalone;
let browser: Browser;
let address: string;

before(async () => {
  const config = join(folder, "config.json5");
  const routes = {
    live: { sessionKey: "agent:main:page", secret: SECRET, previousSecret: OLD, actions: ["read", "create_flow"] },
    [SCRIPT]: { sessionKey: "" },
  };
  writeFileSync(config, JSON.stringify({ routes }), { mode: 0o600 });
  server = await Standalone.start(["--config", config, "--db", join(folder, "flows.db"), "--admin", "0"]);
  await server.says("pages for operators at");
  address = /pages for operators at (http:\S+?)[\s"]/u.exec(server.log.join("\n"))?.[1] ?? "";
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await server?.end("SIGKILL");
  remove(folder);
});

const open = async (options: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> => {
  const page = await (await browser.newContext(options)).newPage();
  await page.goto(address);
  await page.locator("#routes tbody tr").first().waitFor();
  return page;
};

test("STATUS-1, STATUS-3: the page shows routes, requests and flows, and runs nothing that stands in a name", async () => {
  await server.post("live", SECRET, { action: "create_flow", goal: "Seen" });
  await server.post("live", "wrong", { action: "list_flows" });
  const page = await open();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => faults.push(message.text()));
  await page.reload();
  await page.getByText("1 carried out, 1 refused, 0 failed").first().waitFor();
  const rows = await page.locator("#routes tbody tr").allInnerTexts();
  assert.equal(rows.length, 2);
  assert.ok((rows[0] ?? "").includes(SCRIPT), "what is broken stands first");
  assert.match(rows[1] ?? "", /^live\s+live\s/u);
  assert.match(await page.locator("#codes").innerText(), /unauthorized\s+1/u);
  assert.match(await page.locator("#flows").innerText(), /queued\s+1/u);
  assert.match(await page.locator("#latest").innerText(), /create_flow/u);
  const html = await page.content();
  for (const hidden of [SECRET, "agent:main:page", "Seen"]) assert.ok(!html.includes(hidden), hidden);
  assert.deepEqual([await page.title(), faults], ["Webhooks", []]);
});

test("the page has news by itself, until it is paused by the keyboard alone", async () => {
  const page = await open();
  await server.post("live", SECRET, { action: "list_flows" });
  await page.getByText("2 carried out").first().waitFor({ timeout: 15_000 });
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const pause = page.getByRole("button", { name: "Pause updates" });
  assert.equal(await pause.getAttribute("aria-pressed"), "true");
  for (const region of ["Routes", "Latest requests"]) {
    await page.getByRole("region", { name: region }).last().focus();
    assert.equal(await page.evaluate("document.activeElement.getAttribute('role')"), "region");
  }
});

test("news leave the keyboard where it is, and a note open", async () => {
  const page = await open();
  const note = page.getByText("What it takes and does");
  await note.focus();
  await page.keyboard.press("Enter");
  const before = await page.locator("#when").innerText();
  await page.evaluate("(window.before = document.querySelector('#routes details'), undefined)");
  await page.locator("#when", { hasNotText: before }).waitFor();
  assert.deepEqual(
    await page.evaluate(
      "[document.activeElement.tagName, document.querySelector('#routes details').open, document.querySelector('#routes details') !== window.before]",
    ),
    ["SUMMARY", true, true],
  );
});

test("the page is readable on a phone and in the dark", async () => {
  const page = await open({ viewport: { width: 360, height: 740 }, colorScheme: "dark" });
  assert.ok(Number(await page.evaluate("document.documentElement.scrollWidth")) <= 360);
  const inner = await page.evaluate(
    "[...document.querySelectorAll('.scroll')].every((one) => one.scrollHeight <= one.clientHeight)",
  );
  assert.equal(inner, true, "nothing scrolls inside of the page");
  const [ink, ground] = (await page.evaluate(
    "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor].map((c) => c.match(/[0-9.]+/g).slice(0, 3).map(Number).reduce((a, b) => a + b))",
  )) as [number, number];
  assert.ok(ink > 600 && ground < 150, `${String(ink)} on ${String(ground)}`);
});

test("the latest requests say why one was refused, and which secret is still used", async () => {
  await server.post("live", OLD, { action: "cancel_flow", flowId: "f" });
  const page = await open();
  // a document is made at most every two seconds
  const row = await page.locator("#latest tbody tr", { hasText: "cancel_flow" }).innerText();
  assert.match(row, /403 action_not_allowed/u);
  assert.match(row, /cancel_flow is not allowed by actions; with the previous secret/u);
});

test("ADMIN-1: nobody changes anything by the page, and it is not at the address of the routes", async () => {
  for (const path of ["/", "/status.json"]) {
    assert.equal((await fetch(`${address}${path}`, { method: "POST" })).status, 405);
    assert.equal((await fetch(`${server.base}${path}`)).status, 404);
  }
});
