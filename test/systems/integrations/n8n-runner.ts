// Runs an n8n workflow as far as the documents use one: a manual trigger, then HTTP Request nodes in a row.

import { runInNewContext } from "node:vm";
import * as z from "zod";

/** With the parameters that n8n's own node has, version 4.2. */
const httpRequest = z.strictObject({
  method: z.literal("POST"),
  url: z.url(),
  authentication: z.literal("genericCredentialType"),
  genericAuthType: z.literal("httpHeaderAuth"),
  sendBody: z.literal(true),
  specifyBody: z.literal("json"),
  jsonBody: z.string(),
  options: z.strictObject({}),
});

const place = { id: z.uuid(), name: z.string(), position: z.tuple([z.number(), z.number()]) };
const node = z.discriminatedUnion("type", [
  z.strictObject({
    ...place,
    type: z.literal("n8n-nodes-base.manualTrigger"),
    typeVersion: z.literal(1),
    parameters: z.strictObject({}),
  }),
  z.strictObject({
    ...place,
    type: z.literal("n8n-nodes-base.httpRequest"),
    typeVersion: z.literal(4.2),
    parameters: httpRequest,
  }),
]);

const connection = z.strictObject({ node: z.string(), type: z.literal("main"), index: z.literal(0) });

const workflow = z.strictObject({
  name: z.string(),
  nodes: z.array(node),
  connections: z.record(z.string(), z.strictObject({ main: z.tuple([z.tuple([connection])]) })),
});

/** An expression is JavaScript between `={{` and `}}`; any other text stands for itself. */
const evaluate = (text: string, $json: unknown): string => {
  const code = /^=\{\{(.*)\}\}$/su.exec(text)?.[1];
  return code === undefined ? text : String(runInNewContext(code, { $json, JSON }));
};

export type HeaderCredential = { readonly name: string; readonly value: string };

const perform = async (
  { url, method, jsonBody }: z.infer<typeof httpRequest>,
  { name, value }: HeaderCredential,
  $json: unknown,
): Promise<unknown> => {
  const body = JSON.stringify(JSON.parse(evaluate(jsonBody, $json)));
  const answer = await fetch(url, { method, headers: { "content-type": "application/json", [name]: value }, body });
  if (!answer.ok) throw new Error(`n8n stops here: ${await answer.text()}`);
  return answer.json();
};

/** The answer of each HTTP Request node, in the order of the connections. */
export const runN8n = async (json: string, credential: HeaderCredential): Promise<readonly unknown[]> => {
  const { nodes, connections } = workflow.parse(JSON.parse(json));
  const answers: unknown[] = [];
  let at = nodes.find(({ type }) => type === "n8n-nodes-base.manualTrigger")?.name ?? "";
  for (let next = connections[at]; next !== undefined; next = connections[at]) {
    at = next.main[0][0].node;
    const found = nodes.find(({ name }) => name === at);
    if (found?.type !== "n8n-nodes-base.httpRequest") throw new Error(`${at} is no HTTP Request node`);
    answers.push(await perform(found.parameters, credential, answers.at(-1)));
  }
  return answers;
};
