// Runs docs/integrations.md: each command, workflow and table against a real server over a socket.

import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

test("every example is run below, and every URL of a route exists on the server", async () => {
  const found = sections(bench.base).flatMap(({ heading, blocks }) =>
    blocks.map(({ language }) => `${heading}: ${language}`),
  );
  expect(found).toEqual([
    "curl: sh",
    "curl: sh",
    "curl: sh",
    "GitHub Actions: yaml",
    "n8n: json",
    "Postman and other OpenAPI clients: sh",
    "When to send a request again: sh",
  ]);
  const urls = sections(bench.base).flatMap(({ text }) => [...text.matchAll(/https?:\/\/\S*\/plugins\/[^\s"`]*/gu)]);
  expect(urls.length).toBeGreaterThan(8);
  for (const [url] of urls) expect((await bench.ask({ action: "list_flows" }, url)).status).toBe(200);
});

test("curl: a flow is created, read and finished; a refusal is an exit status", async () => {
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
  const again = await bench.sh(bench.block("curl", 2), env);
  expect([again.status, again.out]).toEqual([22, expect.stringContaining('"code":"revision_conflict"')]);
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

test("Zapier: the request of the table creates a flow", async () => {
  const cells = bench
    .section("Zapier")
    .rows.map(([field = "", value = ""]) => [field, value.replaceAll("`", "")] as const);
  const values = Object.fromEntries(cells);
  const headers = cells.filter(([field]) => field === "Headers").map(([, header]) => header.split(": "));
  expect(Object.keys(values)).toEqual(["Method", "URL", "Data", "Headers"]);
  const answer = await fetch(values["URL"] ?? "", {
    method: values["Method"] ?? "",
    headers: headers.map(([name = "", value = ""]) => [name, value === "the secret" ? SECRET : value]),
    body: values["Data"] ?? "",
  });
  expect([answer.status, await answer.json()]).toMatchObject([200, { routeId: "zapier", result: { created: true } }]);
});

test("OpenAPI: the command writes a document, and the server understands each of its examples", async () => {
  const command = join(bench.folder, "openclaw-webhooks");
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, "adapters/cli/main.ts")}" "$@"\n`);
  chmodSync(command, 0o755);
  expect(
    await bench.sh(bench.block("Postman and other OpenAPI clients"), {
      PATH: `${bench.folder}:${process.env["PATH"] ?? ""}`,
    }),
  ).toEqual({
    status: 0,
    out: "",
  });
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

test("retries: the codes of the table have those statuses, and a lost create_flow is found", async () => {
  const { rows } = bench.section("When to send a request again");
  const said = rows.flatMap(([answer = ""]) =>
    [...answer.matchAll(/(\d{3}) ((?:`\w+`(?:, )?)+)/gu)].flatMap(([, status = "", codes = ""]) =>
      [...codes.matchAll(/`(\w+)`/gu)].map(([, code]) => ({ status, code })),
    ),
  );
  expect(said.length).toBe(9);
  for (const { status, code } of said) {
    const codes = follow("#/properties/code/enum", DOCUMENT.components.schemas[bodySchemaOf(status)]);
    expect([status, codes]).toEqual([status, expect.arrayContaining([code])]);
  }
  expect((await bench.sh(bench.block("When to send a request again"))).out).toBe("none\n");
  const created: unknown = JSON.parse((await bench.sh(bench.block("curl"))).out);
  const { out } = await bench.sh(bench.block("When to send a request again"));
  expect(out.trim()).toBe(follow("#/result/flow/flowId", created));
});
