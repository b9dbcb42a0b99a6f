// Runs an n8n workflow as far as the documents use one: a manual trigger, then HTTP Request nodes in a row.

import { randomUUID } from "node:crypto";
import { runInNewContext } from "node:vm";
import * as z from "zod";

/** With the parameters that n8n's own node has, version 4.2. */
const httpRequest = z.strictObject({
  method: z.literal("POST"),
  url: z.url(),
  authentication: z.literal("genericCredentialType"),
  genericAuthType: z.literal("httpHeaderAuth"),
  sendHeaders: z.literal(true),
  headerParameters: z.strictObject({
    parameters: z.array(z.strictObject({ name: z.string(), value: z.string() })),
  }),
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
    retryOnFail: z.literal(true),
    // n8n takes no more
    maxTries: z.int().min(2).max(5),
    waitBetweenTries: z.int().min(0).max(5000),
  }),
]);

const connection = z.strictObject({ node: z.string(), type: z.literal("main"), index: z.literal(0) });

const workflow = z.strictObject({
  name: z.string(),
  nodes: z.array(node),
  connections: z.record(z.string(), z.strictObject({ main: z.tuple([z.tuple([connection])]) })),
});

/** What an expression knows: the output of the node before, and where it is. */
type Scope = {
  readonly $json: unknown;
  readonly $workflow: { readonly id: string };
  readonly $execution: { readonly id: string };
  readonly $runIndex: number;
  readonly $itemIndex: number;
};

/** An expression is JavaScript between `={{` and `}}`; any other text stands for itself. */
const evaluate = (text: string, scope: Scope): string => {
  const code = /^=\{\{(.*)\}\}$/su.exec(text)?.[1];
  return code === undefined ? text : String(runInNewContext(code, { ...scope, JSON }));
};

export type HeaderCredential = { readonly name: string; readonly value: string };

const perform = async (
  { url, method, jsonBody, headerParameters }: z.infer<typeof httpRequest>,
  { name, value }: HeaderCredential,
  scope: Scope,
): Promise<unknown> => {
  const body = JSON.stringify(JSON.parse(evaluate(jsonBody, scope)));
  const more = headerParameters.parameters.map((header) => [header.name, evaluate(header.value, scope)]);
  const headers = { "content-type": "application/json", [name]: value, ...Object.fromEntries(more) };
  const answer = await fetch(url, { method, headers, body });
  if (!answer.ok) throw new Error(`n8n stops here: ${await answer.text()}`);
  return answer.json();
};

/** Does it again when it fails, whatever the failure is. */
const persist = async <T>(tries: number, attempt: () => Promise<T>): Promise<T> => {
  try {
    return await attempt();
  } catch (error) {
    if (tries <= 1) throw error;
    return persist(tries - 1, attempt);
  }
};

/** The answer of each HTTP Request node, in the order of the connections; tries do not wait for each other. */
export const runN8n = async (json: string, credential: HeaderCredential): Promise<readonly unknown[]> => {
  const { nodes, connections } = workflow.parse(JSON.parse(json));
  const answers: unknown[] = [];
  const where = { $workflow: { id: randomUUID() }, $execution: { id: "1" }, $runIndex: 0, $itemIndex: 0 };
  let at = nodes.find(({ type }) => type === "n8n-nodes-base.manualTrigger")?.name ?? "";
  for (let next = connections[at]; next !== undefined; next = connections[at]) {
    at = next.main[0][0].node;
    const found = nodes.find(({ name }) => name === at);
    if (found?.type !== "n8n-nodes-base.httpRequest") throw new Error(`${at} is no HTTP Request node`);
    const scope: Scope = { $json: answers.at(-1), ...where };
    answers.push(await persist(found.maxTries, () => perform(found.parameters, credential, scope)));
  }
  return answers;
};
