// The 13 actions as request schemas: made by zod from the schemas that parse them, with words for the reader.

import * as z from "zod";
import { type ActionName, ACTIONS } from "../../core/index.ts";
import { type Json, namesOf, pointer, ref, said } from "./schema.ts";
import { FIELDS, REQUESTS } from "./words.ts";

/** `create_flow` is `CreateFlow` in the document. */
const schemaName = (action: string): string =>
  action.replace(/(?:^|_)(\w)/gu, (_, letter: string) => letter.toUpperCase());

const described = (name: string, schema: unknown): unknown => {
  const help: Readonly<Record<string, string>> = FIELDS;
  return typeof schema === "object" ? { ...schema, description: help[name] } : schema;
};

/** zod trims before it measures; JSON Schema cannot trim, but it can ask for a character that is no white space. */
const NOT_BLANK = "\\S";

const schemaOf = (action: ActionName): Json => {
  const { $schema: _, ...schema } = z.toJSONSchema(ACTIONS[action], {
    target: "draft-2020-12",
    io: "input",
    reused: "inline",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === "string") jsonSchema.pattern = NOT_BLANK;
    },
  });
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => [name, described(name, field)]);
  const { title, description } = REQUESTS[action];
  return { title, description, ...schema, properties: Object.fromEntries(fields) };
};

const ACTION_NAMES = namesOf(ACTIONS);
const anyAction: Json = {
  oneOf: ACTION_NAMES.map((name) => ref("schemas", schemaName(name))),
  discriminator: {
    propertyName: "action",
    mapping: Object.fromEntries(ACTION_NAMES.map((name) => [name, pointer("schemas", schemaName(name))])),
  },
};

/** `Action`, and one schema for each of the 13. */
export const REQUEST_SCHEMAS: Json = {
  Action: said(
    anyAction,
    "One of the 13 actions. Texts are trimmed and must not be blank; unknown fields are refused.",
  ),
  ...Object.fromEntries(ACTION_NAMES.map((name) => [schemaName(name), schemaOf(name)])),
};
