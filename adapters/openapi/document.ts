// The HTTP interface as an OpenAPI 3.1 document, generated from the core: the schemas of the actions, the tables of
// refusals, and real replies.

import { type ActionName, ACTIONS, DEFAULT_PREFIX, MAX_BODY_BYTES } from "../../core/index.ts";
import { actionAmong, REQUEST_SCHEMAS } from "./requests.ts";
import { REPLY_SCHEMAS, RESPONSE_REFS, RESPONSES } from "./responses.ts";
import { RESULT_SCHEMAS } from "./results.ts";
import { type Json, namesOf, ref } from "./schema.ts";
import { VIEW_SCHEMAS } from "./views.ts";
import { REQUESTS } from "./words.ts";

/** `actions`: what the route allows; undefined: all. */
export type DocumentedRoute = {
  readonly routeId: string;
  readonly path: string;
  readonly actions?: ReadonlySet<ActionName> | undefined;
};

export type OpenapiOptions = {
  /** The base URL, for example `https://hooks.example.org`. Default: the default addresses of server and Gateway. */
  readonly server?: string;
  /** The routes to document. Empty: one path with the route's id as a parameter. */
  readonly paths: readonly DocumentedRoute[];
  readonly version: string;
};

const DESCRIPTION = `Creates and drives TaskFlows over HTTP.

A request is a POST with one JSON object, whose \`action\` names the action. Every answer is JSON with \`ok\` and \`result\`. A refusal also has a stable \`code\` and a sentence in \`error\`. A route acts for one session and sees only the flows of that session.

To change a flow, send the \`revision\` that you read last as \`expectedRevision\`. If several requests name the same revision, one succeeds and the others get 409 \`revision_conflict\`.`;

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
    description: "The route's secret in its own header. If both are sent, only the bearer token counts.",
  },
};

const examplesOf = (names: readonly ActionName[]): Json =>
  Object.fromEntries(names.map((name) => [name, { summary: REQUESTS[name].title, value: REQUESTS[name].example }]));

const requestBody = (schema: Json, names: readonly ActionName[]): Json => ({
  description: `The action, at most ${String(MAX_BODY_BYTES)} bytes.`,
  required: true,
  content: { "application/json": { schema, examples: examplesOf(names) } },
});

const ACTION_NAMES = namesOf(ACTIONS);
const REQUEST_BODY: Json = requestBody(ref("schemas", "Action"), ACTION_NAMES);

/** The body of a route that allows only some actions. */
const confinedBody = (actions: ReadonlySet<ActionName>): Json => {
  const names = ACTION_NAMES.filter((name) => actions.has(name));
  return requestBody(actionAmong(names), names);
};

const IDEMPOTENCY: Json = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description:
    "Makes an action that changes something safe to repeat: for 24 hours the same key on the same route has one effect and one answer. 1 to 255 printable ASCII characters, quoted or not.",
  schema: { type: "string", minLength: 1 },
  example: "order-4711",
};

const operation = (operationId: string, summary: string, actions?: ReadonlySet<ActionName>): Json => ({
  operationId,
  summary,
  description: "Carries out one action on the flows of the route's session.",
  parameters: [ref("parameters", "IdempotencyKey")],
  requestBody: actions === undefined ? ref("requestBodies", "Action") : confinedBody(actions),
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

/** Letters, digits, `-` and single `_`. An id with other characters ends in `__` and a number, so that it stays unique. */
const operationId = (routeId: string, index: number): string => {
  const plain = routeId.replace(/[^A-Za-z0-9-]+/gu, "_");
  return `callRoute_${plain === routeId ? plain : `${plain}__${String(index)}`}`;
};

/** Paths are encoded as URLs, because braces would be parameters. The server decodes them. */
const pathItems = (paths: OpenapiOptions["paths"]): Json =>
  Object.fromEntries(
    paths.map(({ routeId, path, actions }, index) => [
      encodeURI(path),
      { post: operation(operationId(routeId, index), `Call the route ${routeId}`, actions) },
    ]),
  );

/** The document as plain JSON. */
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
    parameters: { IdempotencyKey: IDEMPOTENCY },
    requestBodies: { Action: REQUEST_BODY },
    responses: RESPONSES,
    schemas: { ...REQUEST_SCHEMAS, ...REPLY_SCHEMAS, ...RESULT_SCHEMAS, ...VIEW_SCHEMAS },
  },
});
