import fc from "fast-check";
import { expect, test } from "vitest";
import { namesOf } from "../../../adapters/openapi/schema.ts";
import { DELIVERY_STATUSES } from "../../../core/flow.ts";
import { viewFlow, viewSummary, viewTask } from "../../../core/index.ts";
import { flowFields, goodText, summaryFields, taskFields } from "../../core/arbitraries.ts";
import { DOCUMENT, follow, members } from "./document.ts";

const flow = flowFields.map((fields) => viewFlow(fields)._unsafeUnwrap());
const task = fc
  .tuple(taskFields, fc.option(goodText, { nil: undefined }))
  .map(([fields, child]) => viewTask({ ...fields, childSessionKey: child }, child)._unsafeUnwrap());
const summary = summaryFields.map((fields) => viewSummary(fields)._unsafeUnwrap());
const shownBy = <T extends { readonly json: object }>(name: string, views: fc.Arbitrary<T>): void => {
  const shown = fc.sample(views, 200).map(({ json }) => Object.keys(JSON.parse(JSON.stringify(json))));
  const schema = DOCUMENT.components.schemas[name] ?? {};
  const always = shown.reduce((kept, keys) => kept.filter((key) => keys.includes(key)));
  expect([...new Set(shown.flat())].toSorted()).toEqual(Object.keys(members(schema["properties"])).toSorted());
  expect(always.toSorted()).toEqual(Object.values(members(schema["required"])).toSorted());
};

test("views have all documented fields, and always the required ones", () => {
  shownBy("Flow", flow);
  shownBy("Task", task);
  shownBy("Summary", summary);
});

test("a view accepts exactly the values that the document lists", () => {
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

test("the delivery statuses, which the core does not export, are those of the core", () => {
  expect(follow("#/components/schemas/Task/properties/deliveryStatus/enum")).toEqual([...DELIVERY_STATUSES]);
});
