// The request schemas of the 13 actions: made by zod from the schemas that parse them, with descriptions.

import * as z from "zod";
import { type ActionName, ACTIONS } from "../../core/index.ts";
import { type Json, namesOf, pointer, ref, describe } from "./schema.ts";
import { FIELDS, FILTERS, REQUESTS } from "./words.ts";

/** `create_flow` is `CreateFlow` in the document. */
const schemaName = (action: string): string =>
  action.replace(/(?:^|_)(\w)/gu, (_, letter: string) => letter.toUpperCase());

const withDescription = (action: ActionName, name: string, schema: unknown): unknown => {
  const help: Readonly<Record<string, string>> = action === "list_flows" ? { ...FIELDS, ...FILTERS } : FIELDS;
  return typeof schema === "object" ? { ...schema, description: help[name] } : schema;
};

/** zod trims a string before it measures it. JSON Schema cannot trim, but it can require a visible character. */
const NOT_BLANK = "\\S";

const schemaOf = (action: ActionName): Json => {
  const { $schema: _, ...schema } = z.toJSONSchema(ACTIONS[action], {
    target: "draft-2020-12",
    io: "input",
    reused: "inline",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === "string") jsonSchema.pattern ??= NOT_BLANK;
    },
  });
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => [
    name,
    withDescription(action, name, field),
  ]);
  const { title, description } = REQUESTS[action];
  return { title, description, ...schema, properties: Object.fromEntries(fields) };
};

const ACTION_NAMES = namesOf(ACTIONS);

/** One of these actions. */
export const actionAmong = (names: readonly ActionName[]): Json => ({
  oneOf: names.map((name) => ref("schemas", schemaName(name))),
  discriminator: {
    propertyName: "action",
    mapping: Object.fromEntries(names.map((name) => [name, pointer("schemas", schemaName(name))])),
  },
});

/** `Action`, and one schema for each of the 13. */
export const REQUEST_SCHEMAS: Json = {
  Action: describe(
    actionAmong(ACTION_NAMES),
    "One of the 13 actions. Strings are trimmed and must not be blank. Unknown fields are refused.",
  ),
  ...Object.fromEntries(ACTION_NAMES.map((name) => [schemaName(name), schemaOf(name)])),
};
