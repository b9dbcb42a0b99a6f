// What a route says of the turns that its flows start.

import fc from "fast-check";
import { expect, test } from "vitest";
import { parseTemplate, promptOf, runOf, viewFlow } from "../../core/index.ts";
import { runs } from "../support/runs.ts";
import { flowFields, goodText, load, ROUTE_A } from "./arbitraries.ts";

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

const MESSAGE = goodText.map((text) => `${text.replaceAll("{", "(")} {{flow.goal}}`);

test("RUN-7: a turn has no tools, a session of its own, 15 minutes and one place, unless the route says otherwise", () => {
  expect(runOf(undefined)._unsafeUnwrap()).toBeUndefined();
  fc.assert(
    fc.property(
      MESSAGE,
      optional(fc.constantFrom("child", " child ", "agent:main:reviews", " agent:Main:Reviews ")),
      optional(fc.boolean()),
      optional(fc.integer({ min: 1, max: 86_400 })),
      optional(fc.integer({ min: 1, max: 32 })),
      (message, session, tools, timeoutSeconds, concurrency) => {
        expect(runOf({ message, session, tools, timeoutSeconds, concurrency })._unsafeUnwrap()).toEqual({
          message: parseTemplate(message, ["flow"])._unsafeUnwrap(),
          session: session?.trim() === "child" ? undefined : session?.trim().toLowerCase(),
          tools: tools ?? false,
          timeoutMs: (timeoutSeconds ?? 900) * 1000,
          concurrency: concurrency ?? 1,
        });
      },
    ),
    { numRuns: runs(200) },
  );
});

test("RUN-7: a session that no configuration could mean, and a message that cannot be read, are refused with the part and no value", () => {
  const wrong: readonly (readonly [object, string])[] = [
    [{ message: "x", session: "hook" }, "run.session"],
    [{ message: "x", session: "agent:" }, "run.session"],
    [{ message: "x", session: "agent:main:a b" }, "run.session"],
    [{ message: "x", session: "{{flow.goal}}" }, "run.session"],
    [{ message: " " }, "run.message"],
    [{ message: "{{payload.x}}" }, "run.message"],
    [{ message: "{{flow.goal" }, "run.message"],
  ];
  for (const [written, field] of wrong) {
    const fault = runOf(written as { readonly message: string })._unsafeUnwrapErr();
    expect([fault.field, fault.sentence.includes("hook")]).toEqual([field, false]);
  }
});

test("RUN-6, RUN-7: a message of at most 32 placeholders is told whole, and one of more is refused with its field and both numbers", () => {
  const words = fc.constantFrom("", "own words ", "a value, not to be told");
  fc.assert(
    fc.property(fc.array(words, { minLength: 28, maxLength: 36, size: "max" }), flowFields, (texts, fields) => {
      const read = runOf({ message: texts.map((text) => `${text}{{flow.goal}}`).join("") });
      if (texts.length > 32) {
        const { field, sentence } = read._unsafeUnwrapErr();
        expect([field, sentence]).toEqual(["run.message", expect.not.stringContaining("a value")]);
        expect(sentence).toContain(`${String(texts.length)} placeholders; at most 32 are allowed`);
        return;
      }
      const parts = promptOf(read._unsafeUnwrap() ?? expect.fail(), viewFlow(fields)._unsafeUnwrap());
      expect(parts.length - 1).toBe(texts.length + texts.filter((text) => text !== "").length);
    }),
    { numRuns: runs(200) },
  );
});

test("RUN-7: a route takes its turn from its own fields only; a flow's members and unknown fields choose nothing", () => {
  const routesWith = (run: unknown) =>
    load({ routes: { r: { sessionKey: ROUTE_A.sessionKey, secret: ROUTE_A.secret, run } } }).routes;
  for (const more of [{ model: "other" }, { agentId: "root" }, { sessionKey: "agent:main:main" }, { tools: "true" }]) {
    expect(routesWith({ message: "x", ...more }).size).toBe(0);
  }
  expect([...routesWith({ message: "{{flow.stateJson.tools}}" }).values()][0]?.run?.tools).toBe(false);
});
