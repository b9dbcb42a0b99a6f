// The answers by status: the codes and results that the samples have, and what the caller should do.

import { BODY_DEADLINE_MS, MAX_BODY_BYTES, UNPROVED_DEADLINE_MS } from "../../core/index.ts";
import { type Json, exactly, object, oneOf, ref, describe, TEXT } from "./schema.ts";
import { type Sample, SAMPLES } from "./samples.ts";

/** The name of each status, and what to do about it. */
const STATUSES: Readonly<Record<number, readonly [name: string, advice: string]>> = {
  200: [
    "Done",
    "The action was carried out, now or, with `Idempotent-Replayed: true`, by an earlier request with the same idempotency key. `result` describes the outcome. `ignored`: a delivery that asks for nothing.",
  ],
  202: ["CancelPending", "The cancellation is stored. The flow ends when its tasks have ended."],
  400: ["BadRequest", "Correct the request: `result.field` names the faulty field, `error` says what is wrong."],
  401: ["Unauthorized", "Send the route's secret. The answer is the same for a missing and a wrong secret."],
  403: [
    "Forbidden",
    "The route does not allow the action, or what `result.field` names. Nothing was done; the request will be refused again.",
  ],
  404: ["NotFound", "`route_not_found`: check the path. `not_found`: the route's session has no such flow."],
  405: ["MethodNotAllowed", "Use POST."],
  408: [
    "RequestTimeout",
    `Send the whole body within ${String(BODY_DEADLINE_MS / 1000)} seconds; of a signed route, within ${String(UNPROVED_DEADLINE_MS / 1000)}.`,
  ],
  409: [
    "Conflict",
    "The state of the flow does not allow the action. After `revision_conflict`, read `result.current`, decide again and send its `revision`. After `idempotency_in_progress`, wait the seconds in `Retry-After`, then repeat the request. Do not repeat it after another code.",
  ],
  413: [
    "PayloadTooLarge",
    `Send at most ${String(MAX_BODY_BYTES)} bytes, or what the route's \`maxBodyBytes\` allows. \`list_too_large\`: ask for pages with \`limit\`.`,
  ],
  415: [
    "UnsupportedMediaType",
    "Send `Content-Type: application/json` once, as UTF-8, without `Content-Encoding`. `result.field` names the header.",
  ],
  422: [
    "NotProcessable",
    "`mapping_failed`: the delivery lacks what its rule needs; `result.field` names the rule. `idempotency_key_reused`: use another key for another body.",
  ],
  429: [
    "TooManyRequests",
    "Nothing was done. Wait the seconds in `Retry-After`, then send the request again. `quota_exceeded`: end a flow first, or let a task end; the route allows no more than `result.limit` at once.",
  ],
  500: ["InternalError", "A defect of the bridge. Read the flow before you send the request again."],
  502: ["BadGateway", "The flow store failed. Read the flow before you send the request again."],
  503: [
    "StoreUnavailable",
    "`admission_unavailable`, `overloaded` and `idempotency_unavailable`: nothing was done; wait the seconds in `Retry-After`, then send the request again. Otherwise the store is busy or full, or has lost its file; most likely nothing was written: read the flow before you send the request again.",
  ],
  504: ["OutcomeUnknown", "The flow store did not answer in time. Read the flow before you send the request again."],
};

const HEADERS: Readonly<Record<string, Json>> = {
  "Retry-After": { description: "Seconds to wait.", schema: { type: "integer", minimum: 1 }, example: 42 },
  "WWW-Authenticate": { description: "How to authenticate.", schema: TEXT, example: "Bearer" },
  "Idempotent-Replayed": {
    description: "`true`: the answer of an earlier request.",
    schema: { type: "string", enum: ["true"] },
    example: "true",
  },
  "RateLimit-Policy": {
    description:
      "Only once the secret is verified: requests (`q`) of one client that pass in a window of `w` seconds, and how many may be unfinished.",
    schema: TEXT,
    example: '"default";q=120;w=60',
  },
  RateLimit: {
    description: "Only once the secret is verified: requests (`r`) that are left for the next `t` seconds.",
    schema: TEXT,
    example: '"default";r=37;t=12',
  },
  Allow: { description: "The method that is allowed.", schema: TEXT, example: "POST" },
};

const distinct = <T>(values: readonly T[]): readonly T[] => [...new Set(values)];

const codesOf = (samples: readonly Sample[]): readonly string[] =>
  distinct(samples.flatMap(({ code }) => (code === undefined ? [] : [code])));

const resultOf = (samples: readonly Sample[]): Json => {
  const [first, ...others] = distinct(samples.map(({ result }) => result)).map((name) => ref("schemas", name));
  return first !== undefined && others.length === 0 ? first : { anyOf: [first, ...others] };
};

const routeId = describe(TEXT, "The route's id. Absent until the secret is verified.");

/** The envelope of one status. */
const envelope = (status: number, samples: readonly Sample[]): Json => {
  const codes = codesOf(samples);
  const code = codes.length === 0 ? {} : { code: oneOf(codes) };
  const result = resultOf(samples);
  const isAlways = samples.every((sample) => sample.code !== undefined);
  if (status < 400) {
    const said = { ok: exactly(true), routeId, ...(isAlways ? code : {}), result };
    return object(said, isAlways ? {} : code);
  }
  const error = describe(TEXT, "What is wrong, as a sentence.");
  return object({ ok: exactly(false), ...code, error, result }, { routeId });
};

const examplesOf = (samples: readonly Sample[]): Json => {
  const first = samples.filter(({ name }, index) => samples.findIndex((one) => one.name === name) === index);
  return Object.fromEntries(first.map(({ name, body }) => [name, { value: body }]));
};

const headersOf = (samples: readonly Sample[]): Json => {
  const names = Object.keys(HEADERS).filter((name) => samples.some(({ headers }) => name in headers));
  return names.length === 0 ? {} : { headers: Object.fromEntries(names.map((name) => [name, HEADERS[name]])) };
};

type Part = { readonly status: string; readonly name: string; readonly schema: Json; readonly response: Json };

const partOf = ([status, [name, description]]: [string, readonly [string, string]]): Part => {
  const samples = SAMPLES.filter((sample) => String(sample.status) === status);
  const content = { "application/json": { schema: ref("schemas", name), examples: examplesOf(samples) } };
  return {
    status,
    name,
    schema: envelope(Number(status), samples),
    response: { description, ...headersOf(samples), content },
  };
};

const PARTS = Object.entries(STATUSES).map(partOf);

export const REPLY_SCHEMAS: Json = Object.fromEntries(PARTS.map(({ name, schema }) => [name, schema]));

/** For `components`. */
export const RESPONSES: Json = Object.fromEntries(PARTS.map(({ name, response }) => [name, response]));

/** For an operation. */
export const RESPONSE_REFS: Json = Object.fromEntries(
  PARTS.map(({ status, name }) => [status, ref("responses", name)]),
);
