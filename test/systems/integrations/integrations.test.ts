// Runs docs/integrations.md: each command, workflow and table against a real server over a socket.

import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bodySchemaOf, DOCUMENT, follow, members } from "../../adapters/openapi/document.ts";
import { type Bench, SECRET, startBench } from "./integrations-server.ts";
import { ROOT, sections } from "./integrations.ts";
import { runN8n } from "./n8n-runner.ts";

let bench: Bench;
beforeEach(async () => {
  bench = await startBench();
});
afterEach(() => bench.close());

/** A server in front of another one, which loses the first answers to each body: the action is carried out, and nobody hears of it. */
const losingAnswers = async (base: string, first: number) => {
  const seen = new Map<string, number>();
  let lost = 0;
  const proxy = createServer((request, response) => {
    void text(request).then(async (body) => {
      const headers = Object.entries(request.headers).filter(([name]) => !["host", "content-length"].includes(name));
      const answer = await fetch(`${base}${request.url ?? ""}`, {
        method: "POST",
        headers: headers.map(([name, value]) => [name, String(value)]),
        body,
      });
      const count = (seen.get(body) ?? 0) + 1;
      seen.set(body, count);
      const whole = await answer.text();
      if (count > first) return void response.writeHead(answer.status).end(whole);
      lost += 1;
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port } = proxy.address() as AddressInfo;
  const close = (): void => {
    proxy.close();
    proxy.closeAllConnections();
  };
  return { base: `http://127.0.0.1:${String(port)}`, lost: () => lost, close };
};

test("every example is run below, and every URL of a route exists on the server", async () => {
  const found = sections(bench.base).flatMap(({ heading, blocks }) =>
    blocks.map(({ language }) => `${heading}: ${language}`),
  );
  expect(found).toEqual([
    "curl: sh",
    "curl: sh",
    "curl: sh",
    "GitHub Actions: yaml",
    "GitHub Actions: sh",
    "n8n: json",
    "Postman and other OpenAPI clients: sh",
    "When to send a request again: sh",
  ]);
  const urls = sections(bench.base).flatMap(({ text }) => [...text.matchAll(/https?:\/\/\S*\/plugins\/[^\s"`]*/gu)]);
  expect(urls.length).toBeGreaterThan(8);
  for (const [url] of urls) expect((await bench.ask({ action: "list_flows" }, url)).status).toBe(200);
});

test("curl: a flow is created, read and finished once; a refusal is an exit status", async () => {
  const created: unknown = JSON.parse((await bench.sh(bench.block("curl"))).out);
  expect(created).toMatchObject({ ok: true, result: { created: true, flow: { stateJson: { ticket: 4711 } } } });
  const env = {
    FLOW_ID: String(follow("#/result/flow/flowId", created)),
    REVISION: String(follow("#/result/flow/revision", created)),
  };
  expect(JSON.parse((await bench.sh(bench.block("curl", 1), env)).out)).toMatchObject({
    result: { flow: { flowId: env.FLOW_ID } },
  });
  expect(JSON.parse((await bench.sh(bench.block("curl", 2), env)).out)).toMatchObject({
    result: { flow: { status: "succeeded" } },
  });
  expect(JSON.parse((await bench.sh(bench.block("curl", 2), env)).out)).toMatchObject({ ok: true });
  expect(await bench.flows()).toMatchObject([{ status: "succeeded", revision: 1 }]);
  const refused = await bench.sh(bench.block("curl", 2), { ...env, FLOW_ID: "no-such-flow" });
  expect([refused.status, refused.out]).toEqual([22, expect.stringContaining('"code":"not_found"')]);
});

/** The environment of a shell that finds the command `openclaw-webhooks`. */
const installed = (): { readonly PATH: string } => {
  const command = join(bench.folder, "openclaw-webhooks");
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, "adapters/cli/main.ts")}" "$@"\n`);
  chmodSync(command, 0o755);
  return { PATH: `${bench.folder}:${process.env["PATH"] ?? ""}` };
};

test("WAIT-7: one line in a job waits until others end the flow", async () => {
  const FLOW_ID = String(
    follow("#/result/flow/flowId", (await bench.ask({ action: "create_flow", goal: "Review" })).body),
  );
  const asked = bench.sh(bench.block("GitHub Actions", 1), { ...installed(), FLOW_ID });
  await bench.ask({ action: "finish_flow", flowId: FLOW_ID, expectedRevision: 0 });
  const { status, out } = await asked;
  expect([status, JSON.parse(out)]).toMatchObject([0, { flow: { status: "succeeded" } }]);
});

test("n8n: the workflow creates and finishes a flow, with the credential that the text describes", async () => {
  const { text } = bench.section("n8n");
  const name = /\*\*Header Auth\*\*: name `([^`]+)`, value the secret/u.exec(text)?.[1] ?? "";
  expect(await runN8n(bench.block("n8n"), { name, value: SECRET })).toMatchObject([
    { result: { created: true, flow: { goal: "Review inbound queue" } } },
    { result: { applied: true, flow: { status: "succeeded", revision: 1 } } },
  ]);
  await expect(runN8n(bench.block("n8n"), { name, value: "wrong" })).rejects.toThrow('"code":"unauthorized"');
});

test("n8n: with Retry On Fail an answer that is lost is asked for again, and nothing is done twice", async () => {
  const { text } = bench.section("n8n");
  const name = /\*\*Header Auth\*\*: name `([^`]+)`, value the secret/u.exec(text)?.[1] ?? "";
  const losing = await losingAnswers(bench.base, 2);
  const workflow = bench.block("n8n").replaceAll(bench.base, losing.base);
  const answers = await runN8n(workflow, { name, value: SECRET });
  losing.close();
  expect(answers).toMatchObject([{ result: { created: true } }, { result: { flow: { status: "succeeded" } } }]);
  expect(losing.lost()).toBe(4);
  expect(await bench.flows()).toMatchObject([{ status: "succeeded", revision: 1 }]);
});

test("Zapier: the request of the table creates a flow", async () => {
  const cells = bench
    .section("Zapier")
    .rows.map(([field = "", value = ""]) => [field, value.replaceAll("`", "")] as const);
  const values = Object.fromEntries(cells);
  const headers = cells.filter(([field]) => field === "Headers").map(([, header]) => header.split(": "));
  expect(Object.keys(values)).toEqual(["Method", "URL", "Data", "Headers"]);
  const inserted: Readonly<Record<string, string>> = { "the secret": SECRET, "the id that the trigger gives": "1001" };
  const send = (): Promise<Response> =>
    fetch(values["URL"] ?? "", {
      method: values["Method"] ?? "",
      headers: headers.map(([name = "", value = ""]) => [name, inserted[value] ?? value]),
      body: values["Data"] ?? "",
    });
  const answer = await send();
  const first: unknown = await answer.json();
  expect([answer.status, first]).toMatchObject([200, { routeId: "zapier", result: { created: true } }]);
  const replayed = await send();
  expect([replayed.headers.get("idempotent-replayed"), await replayed.json()]).toEqual(["true", first]);
});

test("OpenAPI: the command writes a document, and the server understands each of its examples", async () => {
  expect(await bench.sh(bench.block("Postman and other OpenAPI clients"), installed())).toEqual({ status: 0, out: "" });
  const written: unknown = JSON.parse(readFileSync(join(bench.folder, "openapi.json"), "utf8"));
  expect(follow("#/components", written)).toEqual(follow("#/components"));
  const [path = ""] = Object.keys(members(follow("#/paths", written)));
  const { examples } = DOCUMENT.components.requestBodies["Action"]?.content["application/json"] ?? {};
  expect(Object.keys(examples ?? {}).length).toBe(13);
  for (const { value } of Object.values(examples ?? {})) {
    const { status } = await bench.ask(members(value), bench.base + path.replace("{routeId}", "demo"));
    expect([value, [200, 404].includes(status)]).toEqual([value, true]);
  }
});

test("retries: the codes of the table have those statuses, and a repeat makes no other flow", async () => {
  const { rows } = bench.section("When to send a request again");
  const said = rows.flatMap(([answer = ""]) =>
    [...answer.matchAll(/(\d{3}) ((?:`\w+`(?:, )?)+)/gu)].flatMap(([, status = "", codes = ""]) =>
      [...codes.matchAll(/`(\w+)`/gu)].map(([, code]) => ({ status, code })),
    ),
  );
  expect(said.length).toBe(15);
  for (const { status, code } of said) {
    const codes = follow("#/properties/code/enum", DOCUMENT.components.schemas[bodySchemaOf(status)]);
    expect([status, codes]).toEqual([status, expect.arrayContaining([code])]);
  }
  expect((await bench.sh(bench.block("When to send a request again"))).out).toBe("200 \n200 true\n");
  expect(await bench.flows()).toHaveLength(1);
});
