import fc from "fast-check";
import { expect, test } from "vitest";
import { ACTIONS, credentialOf, parseAction } from "../../../core/index.ts";
import { goodBody, goodJson, wildText } from "../../core/arbitraries.ts";
import { DOCUMENT, faultsOf, follow, members, RAW, walk } from "./document.ts";
import { runs } from "../../support/runs.ts";

const request = DOCUMENT.components.requestBodies["Action"]?.content["application/json"];
const requestFaults = faultsOf("Action");
const NAMES = Object.keys(ACTIONS);
const FIELDS = [...new Set(Object.values(ACTIONS).flatMap((schema) => Object.keys(schema.shape)))];
const asSent = (body: unknown): unknown => JSON.parse(JSON.stringify(body));

test("the document is plain JSON without a blank text, and every reference in it resolves", () => {
  expect(asSent(RAW)).toStrictEqual(RAW);
  expect(JSON.stringify(RAW)).not.toContain('""');
  const references: string[] = [];
  walk(RAW, (container) => {
    if ("$ref" in container) references.push(String(container.$ref));
    if ("mapping" in container) references.push(...Object.values(members(container.mapping)).map(String));
  });
  expect(references.length).toBeGreaterThan(80);
  expect(references.filter((pointer) => !pointer.startsWith("#/") || follow(pointer) === undefined)).toEqual([]);
});

const KNOWN =
  "type properties required additionalProperties enum const anyOf oneOf discriminator title description minLength pattern minimum maximum items $ref";

const wordsOf = (schema: unknown): readonly string[] => {
  const { anyOf, oneOf, properties, items, ...plain } = members(schema);
  const lists = Object.entries({ anyOf, oneOf, properties }).filter(([, inner]) => inner !== undefined);
  const inner = lists.flatMap(([word, list]) => [word, ...Object.values(members(list)).flatMap(wordsOf)]);
  return [...Object.keys(plain), ...inner, ...(items === undefined ? [] : ["items", ...wordsOf(items)])];
};

test("the schemas use only those keywords of JSON Schema that importers know", () => {
  const words = new Set(Object.values(DOCUMENT.components.schemas).flatMap(wordsOf));
  expect([...words].toSorted()).toEqual(KNOWN.split(" ").toSorted());
});

test("there is a schema for each action, which the discriminator names", () => {
  const { oneOf, discriminator } = DOCUMENT.components.schemas["Action"] ?? {};
  const mapping = NAMES.map((name) => {
    const pascal = name.split("_").map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`);
    return [name, `#/components/schemas/${pascal.join("")}`] as const;
  });
  expect(discriminator).toEqual({ propertyName: "action", mapping: Object.fromEntries(mapping) });
  expect(oneOf).toEqual(mapping.map(([, $ref]) => ({ $ref })));
  for (const [name, pointer] of mapping) expect(follow(`${pointer}/properties/action`)).toMatchObject({ const: name });
});

test("every field of every action has a description", () => {
  const actions = Object.values(DOCUMENT.components.schemas).filter((schema) => follow("#/properties/action", schema));
  expect(actions.length).toBe(NAMES.length);
  for (const { title, description, properties } of actions) {
    expect([title, description]).toEqual([expect.stringMatching(/^[A-Z]/u), expect.stringMatching(/\.$/u)]);
    for (const field of Object.entries(members(properties)))
      expect(field).toEqual([field[0], expect.objectContaining({ description: expect.stringMatching(/\.$/u) })]);
  }
});

test("the document accepts every body that the core accepts", () => {
  fc.assert(
    fc.property(goodBody, (body) => {
      expect(requestFaults(asSent(body))).toBe(undefined);
    }),
    { numRuns: runs(300) },
  );
});

const wrongValue = fc.oneof(
  wildText,
  goodJson,
  fc.constantFrom(
    undefined,
    null,
    true,
    -1,
    0.5,
    2 ** 53,
    1e300,
    " ",
    "\u2028\ufeff",
    "queued",
    "running",
    "acp",
    "cli",
  ),
);
const changed = fc.tuple(
  goodBody,
  fc.array(fc.tuple(fc.oneof(fc.constantFrom(...FIELDS), wildText), wrongValue), { minLength: 1, maxLength: 2 }),
);
const RUNNING_ONLY = "status must be running when";

test("the document refuses every body that the core refuses, except for the rule that links two fields of run_task", () => {
  const seen = new Set<boolean>();
  fc.assert(
    fc.property(changed, ([body, changes]) => {
      const sent = asSent({ ...body, ...Object.fromEntries(changes) });
      const parsed = parseAction(sent);
      const isLinked = parsed.isErr() && parsed.error.sentence.startsWith(RUNNING_ONLY);
      seen.add(parsed.isOk());
      expect([sent, requestFaults(sent) === undefined]).toEqual([sent, parsed.isOk() || isLinked]);
    }),
    { numRuns: runs(1500) },
  );
  expect(seen.size).toBe(2);
});

test("a body that is not an action is refused", () => {
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.record({ action: fc.jsonValue() })), (body) => {
      expect(requestFaults(body)).not.toBe(undefined);
    }),
  );
});

test("each action has an example that the core parses unchanged", () => {
  const examples = Object.entries(request?.examples ?? {});
  expect(examples.map(([name]) => name)).toEqual(NAMES);
  for (const [name, { value, summary }] of examples) {
    expect([
      name,
      parseAction(value)
        .map(({ action }) => action as string)
        ._unsafeUnwrap(),
    ]).toEqual([name, name]);
    expect(parseAction(value)._unsafeUnwrap()).toEqual(value);
    expect([name, requestFaults(value)]).toEqual([name, undefined]);
    expect(summary).toMatch(/^[A-Z]/u);
  }
});

test("the core reads a credential that is sent by either security scheme", () => {
  const { bearer, secretHeader } = DOCUMENT.components.securitySchemes;
  expect(DOCUMENT.security).toEqual([{ bearer: [] }, { secretHeader: [] }]);
  expect(bearer).toMatchObject({ type: "http", scheme: "bearer" });
  expect(secretHeader).toMatchObject({ type: "apiKey", in: "header" });
  const own = secretHeader?.["name"];
  expect(credentialOf((name) => (name === own ? "s3cret" : undefined))).toBe("s3cret");
  expect(credentialOf((name) => (name === "authorization" ? `${bearer?.["scheme"] ?? ""} s3cret` : undefined))).toBe(
    "s3cret",
  );
});
