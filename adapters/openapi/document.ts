// The webhook surface as an OpenAPI 3.1 document, generated from what serves it: the actions' schemas, the tables of
// refusals, and answers that the core made.

import { ACTIONS, DEFAULT_PREFIX, MAX_BODY_BYTES } from "../../core/index.ts";
import { REQUEST_SCHEMAS } from "./requests.ts";
import { REPLY_SCHEMAS, RESPONSE_REFS, RESPONSES } from "./responses.ts";
import { RESULT_SCHEMAS } from "./results.ts";
import { type Json, namesOf, ref } from "./schema.ts";
import { VIEW_SCHEMAS } from "./views.ts";
import { REQUESTS } from "./words.ts";

export type OpenapiOptions = {
  /** Where the paths begin, for example `https://hooks.example.org`. Default: where a server and a Gateway listen. */
  readonly server?: string;
  /** The routes to document. None: one path with the route's id as its parameter. */
  readonly paths: readonly { readonly routeId: string; readonly path: string }[];
  readonly version: string;
};

const DESCRIPTION = `Creates and drives TaskFlows over HTTP.

One POST with one JSON object asks for one action; \`action\` says which. Every answer is JSON with \`ok\`, and \`result\` holds what became of it; a refusal also has a stable \`code\` and a sentence in \`error\`. A route acts for one session and sees its flows only.

A change of a flow names the \`revision\` that the caller read last as \`expectedRevision\`: of several at once one wins, the others get 409 \`revision_conflict\`.`;

const SERVERS: readonly Json[] = [
  { url: "http://127.0.0.1:8787", description: "The standalone server on its default port." },
  { url: "http://127.0.0.1:18789", description: "A Gateway with the plugin, on its default port." },
];

const SECURITY_SCHEMES: Json = {
  bearer: { type: "http", scheme: "bearer", description: "The route's secret as a bearer token." },
  secretHeader: {
    type: "apiKey",
    in: "header",
    name: "x-openclaw-webhook-secret",
    description: "The route's secret in a header of its own. When both are sent, the bearer token decides.",
  },
};

const examples = Object.fromEntries(
  namesOf(ACTIONS).map((name) => [name, { summary: REQUESTS[name].title, value: REQUESTS[name].example }]),
);

const REQUEST_BODY: Json = {
  description: `The action, at most ${String(MAX_BODY_BYTES)} bytes.`,
  required: true,
  content: { "application/json": { schema: ref("schemas", "Action"), examples } },
};

const operation = (operationId: string, summary: string): Json => ({
  operationId,
  summary,
  description: "Carries out one action for the flows of the route's session.",
  requestBody: ref("requestBodies", "Action"),
  responses: RESPONSE_REFS,
});

const ROUTE_ID: Json = {
  name: "routeId",
  in: "path",
  required: true,
  description: "The route's id, as configured.",
  schema: { type: "string", minLength: 1 },
  example: "zapier",
};

const anyRoute: Json = {
  [`${DEFAULT_PREFIX}/{routeId}`]: { parameters: [ROUTE_ID], post: operation("callRoute", "Call a route") },
};

/** Only letters, digits, `-` and single `_`; `__` and a number keep ids apart that would read the same. */
const operationId = (routeId: string, index: number): string => {
  const plain = routeId.replace(/[^A-Za-z0-9-]+/gu, "_");
  return `callRoute_${plain === routeId ? plain : `${plain}__${String(index)}`}`;
};

/** Braces would be parameters, so every character that is none of a URL's is encoded; the server decodes it. */
const pathItems = (paths: OpenapiOptions["paths"]): Json =>
  Object.fromEntries(
    paths.map(({ routeId, path }, index) => [
      encodeURI(path),
      { post: operation(operationId(routeId, index), `Call the route ${routeId}`) },
    ]),
  );

/** A plain JSON value. */
export const openapiDocument = ({ server, paths, version }: OpenapiOptions): object => ({
  openapi: "3.1.0",
  info: {
    title: "OpenClaw webhooks",
    version,
    description: DESCRIPTION,
    license: { name: "MIT", identifier: "MIT" },
  },
  servers: server === undefined ? SERVERS : [{ url: server }],
  security: [{ bearer: [] }, { secretHeader: [] }],
  paths: paths.length === 0 ? anyRoute : pathItems(paths),
  components: {
    securitySchemes: SECURITY_SCHEMES,
    requestBodies: { Action: REQUEST_BODY },
    responses: RESPONSES,
    schemas: { ...REQUEST_SCHEMAS, ...REPLY_SCHEMAS, ...RESULT_SCHEMAS, ...VIEW_SCHEMAS },
  },
});
