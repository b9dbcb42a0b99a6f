// Reads an OpenAPI document for tests, and validates JSON values against its schemas.

import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";
import * as z from "zod";
import { openapiDocument } from "../../../adapters/openapi/document.ts";

const member = z.record(z.string(), z.unknown());
const content = z.object({
  "application/json": z.object({
    schema: z.object({ $ref: z.string() }),
    examples: z.record(z.string(), z.object({ summary: z.string().optional(), value: z.unknown() })),
  }),
});
const response = z.object({ description: z.string(), headers: member.optional(), content });
const operation = z.object({
  operationId: z.string(),
  summary: z.string(),
  requestBody: z.object({ $ref: z.string() }),
  responses: z.record(z.string(), z.object({ $ref: z.string() })),
});

const shape = z.object({
  servers: z.array(z.object({ url: z.string() })),
  info: z.object({ version: z.string() }),
  security: z.array(z.record(z.string(), z.array(z.never()))),
  paths: z.record(z.string(), z.strictObject({ parameters: z.array(member).optional(), post: operation })),
  components: z.object({
    securitySchemes: z.record(z.string(), z.record(z.string(), z.string())),
    requestBodies: z.record(z.string(), z.object({ content })),
    responses: z.record(z.string(), response),
    schemas: z.record(z.string(), member),
  }),
});

export type OpenapiDocument = z.infer<typeof shape>;

export const RAW: object = openapiDocument({ version: "1.2.3", paths: [] });
export const DOCUMENT: OpenapiDocument = shape.parse(RAW);

export const readDocument = (raw: object): OpenapiDocument => shape.parse(raw);

/** Visits every object and array of a JSON value. */
export const walk = (value: unknown, visit: (container: object) => void): void => {
  if (typeof value !== "object" || value === null) return;
  visit(value);
  for (const one of Object.values(value)) walk(one, visit);
};

/** The members of an object or array; none of anything else. */
export const members = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};

/** The value at a `#/…` pointer in the document, or undefined. */
export const follow = (pointer: string, root: unknown = RAW): unknown =>
  pointer
    .slice(2)
    .split("/")
    .reduce((at, name) => members(at)[name], root);

const nameOf = (pointer: string): string => pointer.split("/").at(-1) ?? "";

/** Objects that forbid members that they do not name, so that an undocumented field is noticed. */
const closed = (key: string, value: unknown): unknown => {
  const isObject = typeof value === "object" && value !== null && "properties" in value && "type" in value;
  if (isObject) return { additionalProperties: false, ...value };
  return key === "$ref" ? String(value).replace("#/components/schemas/", "#/$defs/") : value;
};

/** ajv does not accept `mapping`; the tests check it themselves. */
const plain = (key: string, value: unknown): unknown => (key === "discriminator" ? undefined : closed(key, value));

const { schemas } = DOCUMENT.components;
const $defs: unknown = JSON.parse(JSON.stringify(schemas, plain));
const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: false });
ajv.addSchema({ $id: "document", $defs });

export type Faults = readonly ErrorObject[] | undefined;

/** Why a value does not match the schema of this name, or undefined. Undocumented fields are faults. */
export const faultsOf = (name: string): ((value: unknown) => Faults) => {
  const validate = ajv.getSchema(`document#/$defs/${name}`);
  if (validate === undefined) throw new Error(`no schema ${name}`);
  return (value) => (validate(value) === true ? undefined : (validate.errors ?? []));
};

const [{ post }] = Object.values(DOCUMENT.paths) as [OpenapiDocument["paths"][string]];
export const OPERATION = post;

/** The response that the operation has for a status. */
export const responseOf = (status: string): z.infer<typeof response> => {
  const found = DOCUMENT.components.responses[nameOf(post.responses[status]?.$ref ?? "")];
  if (found === undefined) throw new Error(`no response ${status}`);
  return found;
};

/** The name of the schema of that response's body. */
export const bodySchemaOf = (status: string): string =>
  nameOf(responseOf(status).content["application/json"].schema.$ref);
