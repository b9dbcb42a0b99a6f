// The parts of JSON Schema that the document uses.

/** A schema, or any other part of the document: plain JSON. */
export type Json = { readonly [member: string]: unknown };

type Kind = "schemas" | "responses" | "requestBodies" | "parameters";

export const pointer = (kind: Kind, name: string): string => `#/components/${kind}/${name}`;
export const ref = (kind: Kind, name: string): Json => ({ $ref: pointer(kind, name) });

export const TEXT: Json = { type: "string" };
export const COUNT: Json = { type: "integer", minimum: 0 };
export const TIME: Json = { type: "number", description: "Milliseconds since the epoch." };
export const ANY_JSON: Json = { description: "Any JSON value." };

export const oneOf = (values: readonly string[]): Json => ({ type: "string", enum: values });
export const exactly = (value: boolean): Json => ({ type: "boolean", const: value });
export const orNull = (schema: Json): Json => ({ anyOf: [schema, { type: "null" }] });
export const listOf = (items: Json): Json => ({ type: "array", items });
export const describe = (schema: Json, description: string): Json => ({ ...schema, description });

/** An object with these members. Other members are allowed, because a later version may add some. */
export const object = (required: Json, optional: Json = {}): Json => ({
  type: "object",
  ...(Object.keys(required).length === 0 ? {} : { required: Object.keys(required) }),
  properties: { ...required, ...optional },
});

/** The typed keys of a table. */
export const namesOf = <Name extends string>(table: Readonly<Record<Name, unknown>>): readonly Name[] =>
  Object.keys(table).filter((name): name is Name => Object.hasOwn(table, name));
