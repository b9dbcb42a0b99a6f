import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { namesOf } from "../../../adapters/openapi/schema.ts";
import { viewFlow, viewSummary, viewTask } from "../../../core/index.ts";
import { flowFields, goodText, summaryFields, taskFields } from "../../core/arbitraries.ts";
import { DOCUMENT, follow, members } from "./document.ts";

const flow = flowFields.map((fields) => viewFlow(fields)._unsafeUnwrap());
const task = fc
  .tuple(taskFields, fc.option(goodText, { nil: undefined }))
  .map(([fields, child]) => viewTask({ ...fields, childSessionKey: child }, child)._unsafeUnwrap());
const summary = summaryFields.map((fields) => viewSummary(fields)._unsafeUnwrap());
const shownBy = <T extends { readonly json: object }>(name: string, views: fc.Arbitrary<T>): void => {
  const shown = fc.sample(views, 200).map(({ json }) => Object.keys(json));
  const schema = DOCUMENT.components.schemas[name] ?? {};
  const always = shown.reduce((kept, keys) => kept.filter((key) => keys.includes(key)));
  expect([...new Set(shown.flat())].toSorted()).toEqual(Object.keys(members(schema["properties"])).toSorted());
  expect(always.toSorted()).toEqual(Object.values(members(schema["required"])).toSorted());
};

test("views show every field that the document has, and always those that it requires", () => {
  shownBy("Flow", flow);
  shownBy("Task", task);
  shownBy("Summary", summary);
});

test("a view takes every value that the document lists, and no other", () => {
  const [flowJson = {}] = fc.sample(flowFields, 1);
  const [taskJson = {}] = fc.sample(taskFields, 1);
  const views = {
    Flow: (json: object) => viewFlow({ ...flowJson, ...json }),
    Task: (json: object) => viewTask({ ...taskJson, ...json }),
  };
  for (const name of namesOf(views)) {
    for (const [field, schema] of Object.entries(members(DOCUMENT.components.schemas[name]?.["properties"]))) {
      const values = Object.values(members(follow("#/enum", schema)));
      if (values.length === 0) continue;
      for (const value of values)
        expect([field, value, views[name]({ [field]: value }).isOk()]).toEqual([field, value, true]);
      expect([field, views[name]({ [field]: "another" }).isErr()]).toEqual([field, true]);
    }
  }
});

test("the delivery statuses, which the core keeps to itself, are the core's", () => {
  const source = readFileSync(join(import.meta.dirname, "..", "..", "..", "core", "view.ts"), "utf8");
  const list = /const DELIVERY_STATUSES = \[([^\]]*)\]/u.exec(source)?.[1] ?? "";
  expect(follow("#/components/schemas/Task/properties/deliveryStatus/enum")).toEqual(
    [...list.matchAll(/"(\w+)"/gu)].map(([, status]) => status),
  );
});
