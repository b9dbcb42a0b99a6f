import fc from "fast-check";
import { expect, test } from "vitest";
import {
  FLOW_FIELDS,
  isView,
  type JsonValue,
  type Shown,
  TASK_FIELDS,
  viewFlow,
  viewFlows,
  viewSummary,
  viewTask,
  viewTasks,
} from "../../core/index.ts";
import { dress, flowFields, hiddenFields, type Json, summaryFields, taskFields } from "./arbitraries.ts";
import { runs } from "../support/runs.ts";

const shown = (view: ReturnType<typeof viewFlow | typeof viewTask | typeof viewSummary>): string =>
  view.match(
    ({ json }) => JSON.stringify(json),
    ({ field }) => `refused: ${field}`,
  );

const kinds = fc.constantFrom(
  { fields: flowFields, view: viewFlow, of: "flow" },
  { fields: taskFields, view: (record: unknown) => viewTask(record), of: "task" },
  { fields: summaryFields as fc.Arbitrary<Json>, view: viewSummary, of: "summary" },
);

/** A record and the same record with other hidden fields, each in some shape of its own. */
const twins = kinds.chain(({ fields, view, of }) =>
  fc.record({
    view: fc.constant(view),
    of: fc.constant(of),
    visible: fields,
    hidden: fc.tuple(hiddenFields, hiddenFields),
    dress: fc.tuple(dress, dress),
  }),
);

test("VIEW-1: records that agree in the visible fields give byte-identical views, whatever else they hold", () => {
  fc.assert(
    fc.property(twins, ({ view, visible, hidden, dress: [one, two] }) => {
      expect(shown(view(one(visible, hidden[0])))).toBe(shown(view(two(visible, hidden[1]))));
    }),
    { numRuns: runs(1000) },
  );
});

test("VIEW-1: hidden values at any depth of a summary do not show", () => {
  fc.assert(
    fc.property(summaryFields, hiddenFields, (summary, hidden) => {
      const deep = {
        ...hidden,
        ...summary,
        byStatus: { ...hidden, ...summary.byStatus },
        byRuntime: { ...hidden, ...summary.byRuntime },
      };
      expect(shown(viewSummary(deep))).toBe(shown(viewSummary(summary)));
    }),
  );
});

test("VIEW-1: a good record shows all of its visible fields, and a view kind", () => {
  fc.assert(
    fc.property(twins, ({ view, of, visible }) => {
      const seen = view(visible)._unsafeUnwrap();
      expect(seen.json).toEqual(visible);
      expect(seen.kind).toBe(of);
    }),
  );
});

test("VIEW-2: a task shows its child session exactly when that is the one asked for", () => {
  const key = fc.constantFrom("agent:main:child", "agent:main:other");
  fc.assert(
    fc.property(taskFields, key, fc.option(key, { nil: undefined }), (task, actual, asked) => {
      const seen = viewTask({ ...task, childSessionKey: actual }, asked)._unsafeUnwrap().json;
      expect(seen).toEqual(actual === asked ? { ...task, childSessionKey: actual } : task);
    }),
  );
});

test.each([
  ["a longer key", "agent:main:acp:worker", "agent:main:acp:worker-2"],
  ["a shorter key", "agent:main:acp:worker", "agent:main:acp:work"],
  ["another case", "agent:main:acp:worker", "agent:main:acp:Worker"],
  ["white space", "agent:main:acp:worker", "agent:main:acp:worker "],
  ["a pattern", "agent:main:acp:%", "agent:main:acp:worker"],
  ["another normal form", "agent:main:acp:\u00e9", "agent:main:acp:e\u0301"],
])("VIEW-2: %s is another child session than the one that was named", (_, asked, actual) => {
  fc.assert(
    fc.property(taskFields, (task) => {
      for (const [one, other] of [
        [asked, actual],
        [actual, asked],
      ] as const) {
        const seen = viewTask({ ...task, childSessionKey: other }, one)._unsafeUnwrap().json;
        expect(seen).not.toHaveProperty("childSessionKey");
        expect(viewTask({ ...task, childSessionKey: one }, one)._unsafeUnwrap().json["childSessionKey"]).toBe(one);
      }
    }),
    { numRuns: runs(5) },
  );
});

test("VIEW-2: the view of a task that names its child session is a task's view", () => {
  fc.assert(
    fc.property(taskFields, (task) => {
      expect(isView(viewTask(task, "agent:main:child")._unsafeUnwrap(), "task")).toBe(true);
    }),
  );
});

test("VIEW-2: what the host tells of a task hides the sessions it names", () => {
  const [task] = fc.sample(taskFields, 1);
  const told = {
    error: 'Session "agent:main:acp:worker-7" changed.',
    progressSummary: "at Agent:Main:x, waiting",
    terminalSummary: "(agent:a:b)",
  };
  const seen = viewTask({ ...task, ...told })._unsafeUnwrap().json;
  expect([seen["error"], seen["progressSummary"], seen["terminalSummary"]]).toEqual([
    'Session "[session]" changed.',
    "at [session], waiting",
    "([session])",
  ]);
});

test("VIEW-2: of a flow that mirrors a run, the texts that the host wrote hide sessions; a managed flow's are as written", () => {
  const session = fc.constantFrom("agent:main:sub:7", "cron:nightly", "hook:x", "Subagent:a.b");
  fc.assert(
    fc.property(flowFields, session, (flow, key) => {
      const written = { ...flow, goal: `run of ${key}`, blockedSummary: `waits for ${key}`, currentStep: key };
      const seen = (syncMode: string) => viewFlow({ ...written, syncMode })._unsafeUnwrap().json;
      const mirrored = seen("task_mirrored");
      expect(mirrored).toEqual({
        ...written,
        syncMode: "task_mirrored",
        goal: "run of [session]",
        blockedSummary: "waits for [session]",
      });
      expect(seen("managed")).toEqual({ ...written, syncMode: "managed" });
    }),
  );
});

test("VIEW-1: an optional text that is empty or not a string, and a time that is null, are left out", () => {
  fc.assert(
    fc.property(flowFields, fc.constantFrom("", null, undefined, 1, {}), (flow, nothing) => {
      const { controllerId: _a, currentStep: _b, blockedTaskId: _c, blockedSummary: _d, ...rest } = flow;
      const blanked = {
        ...rest,
        controllerId: nothing,
        currentStep: nothing,
        blockedTaskId: nothing,
        blockedSummary: nothing,
      };
      expect(viewFlow(blanked)._unsafeUnwrap().json).toEqual(rest);
      const { endedAt: _e, cancelRequestedAt: _f, ...timeless } = flow;
      expect(viewFlow({ ...timeless, endedAt: null, cancelRequestedAt: undefined })._unsafeUnwrap().json).toEqual(
        timeless,
      );
    }),
  );
});

const BAD_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  flowId: ["", 1, null, undefined],
  syncMode: ["other", "", null],
  revision: [-1, 0.5, "0", NaN, undefined, 2 ** 53],
  status: ["done", "", undefined, ["queued"]],
  notifyPolicy: ["loud", null],
  goal: [1, null, undefined],
  stateJson: [() => 1, Symbol("x"), new Date(), 1n, NaN],
  waitJson: [() => 1, [undefined]],
  cancelRequestedAt: ["1", NaN, Infinity],
  createdAt: ["1", null, undefined, NaN],
  updatedAt: [Infinity, {}],
  endedAt: ["x", -Infinity],
};

test("VIEW-4: the refusal of a record with one wrong field names the field", () => {
  for (const [field, values] of Object.entries(BAD_VALUES)) {
    fc.assert(
      fc.property(flowFields, fc.constantFrom(...values), (flow, value) => {
        expect(shown(viewFlow({ ...flow, [field]: value }))).toBe(`refused: ${field}`);
      }),
      { numRuns: runs(30) },
    );
  }
  for (const field of [
    "runtime",
    "scopeKind",
    "status",
    "deliveryStatus",
    "notifyPolicy",
    "taskId",
    "task",
    "createdAt",
  ]) {
    const [task] = fc.sample(taskFields, 1);
    expect(shown(viewTask({ ...task, [field]: 7n }))).toBe(`refused: ${field}`);
  }
  for (const field of ["total", "active", "terminal", "failures", "byStatus", "byRuntime"]) {
    const [summary] = fc.sample(summaryFields, 1);
    expect(shown(viewSummary({ ...summary, [field]: -1 }))).toBe(`refused: ${field}`);
    expect(shown(viewSummary({ ...summary, [field]: { queued: 1 } }))).toBe(`refused: ${field}`);
  }
});

test("VIEW-4: every status, policy and mode of the Gateway is understood", () => {
  const [flow] = fc.sample(flowFields, 1);
  const [task] = fc.sample(taskFields, 1);
  const takes = (field: string, values: readonly string[], of: (record: object) => boolean): void =>
    expect(values.filter((value) => !of({ [field]: value }))).toEqual([]);
  const ofFlow = (change: object): boolean => viewFlow({ ...flow, ...change }).isOk();
  const ofTask = (change: object): boolean => viewTask({ ...task, ...change }).isOk();
  takes("status", ["queued", "running", "waiting", "blocked", "succeeded", "failed", "cancelled", "lost"], ofFlow);
  takes("syncMode", ["managed", "task_mirrored"], ofFlow);
  takes("notifyPolicy", ["done_only", "state_changes", "silent"], ofFlow);
  takes("status", ["queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"], ofTask);
  takes("runtime", ["subagent", "acp", "cli", "cron"], ofTask);
  takes("scopeKind", ["session", "system"], ofTask);
  takes(
    "deliveryStatus",
    ["pending", "delivered", "session_queued", "failed", "dismissed", "parent_missing", "not_applicable"],
    ofTask,
  );
});

/** A record whose fields are counted when they are read, own or inherited, and whatever else it holds. */
const countingReads = (record: Readonly<Record<string, unknown>>, reads: string[]): object => {
  const counted = {};
  for (const name of Object.keys(record)) {
    const get = (): unknown => {
      reads.push(name);
      return record[name];
    };
    Object.defineProperty(counted, name, { get, enumerable: true });
  }
  return counted;
};

test("VIEW-5: each visible field of a record is read once, and no other field at all", () => {
  fc.assert(
    fc.property(twins, ({ view, visible, hidden: [hidden] }) => {
      const reads: string[] = [];
      const whole = { ...hidden, ...visible };
      expect(shown(view(countingReads(whole, reads)))).toBe(shown(view(visible)));
      expect(new Set(reads).size).toBe(reads.length);
      expect(reads.filter((name) => !Object.hasOwn(visible, name))).toEqual([]);
    }),
    { numRuns: runs(300) },
  );
});

test("VIEW-5: a field that changes shows what was read, which is what was checked", () => {
  const [flow] = fc.sample(flowFields, 1);
  let turn = 0;
  const changing = Object.defineProperty({ ...flow }, "goal", {
    get: () => ((turn += 1) === 1 ? "first" : { ownerKey: "agent:main:main" }),
    enumerable: true,
  });
  const seen = viewFlow(changing)._unsafeUnwrap();
  expect([seen.json["goal"], JSON.stringify(seen.json).includes("first"), turn]).toEqual(["first", true, 1]);
});

test("VIEW-5: a field that a record inherits is not its own, and is not shown", () => {
  fc.assert(
    fc.property(twins, ({ view, of, visible }) => {
      for (const name of Object.keys(visible)) {
        const { [name]: inherited, ...rest } = visible as Readonly<Record<string, unknown>>;
        const record: unknown = Object.assign(Object.create({ [name]: inherited }) as object, rest);
        expect(shown(view(record))).toBe(shown(view(rest)));
      }
      expect(of).not.toBe("");
    }),
    { numRuns: runs(30) },
  );
});

const wildRecord = fc.record(
  Object.fromEntries(
    FLOW_FIELDS.map(([name]) => [
      name,
      fc.oneof(
        fc.constantFrom<unknown>(undefined, null, "", "x", 0, -1, 1.5, Number.NaN, 2 ** 60, true, [], {}, () => 1),
        fc.constantFrom("managed", "task_mirrored", "queued", "blocked", "done_only", "silent", "agent:main:x"),
        fc.jsonValue(),
      ),
    ]),
  ),
  { requiredKeys: [] },
);

const NOT_SHOWN = viewFlow({ flowId: 1 })._unsafeUnwrapErr();

/** What the table says of a record, field by field. A reader gives its bad value for a symbol. */
const byTheTable = (record: Readonly<Record<string, unknown>>): Shown | { readonly field: string } => {
  const json: Record<string, JsonValue> = {};
  for (const [field, read] of FLOW_FIELDS) {
    const value = read(Object.hasOwn(record, field) ? record[field] : undefined);
    if (value !== undefined && value === BAD_VALUE) return { field };
    if (value !== undefined) json[field] = value;
  }
  return json;
};
const BAD_VALUE = FLOW_FIELDS[0]?.[1](7);

test("VIEW-1, VIEW-4: the view of a flow is what the table of its fields says, for any record", () => {
  expect(NOT_SHOWN).toEqual({ field: "flowId" });
  fc.assert(
    fc.property(
      fc.oneof(
        wildRecord,
        fc.tuple(flowFields, wildRecord).map(([good, bad]) => ({ ...bad, ...good })),
      ),
      (record) => {
        fc.pre((record as { syncMode?: unknown }).syncMode !== "task_mirrored");
        const seen = viewFlow(record).match<unknown>(
          ({ json }) => JSON.parse(JSON.stringify(json)),
          (bad) => bad,
        );
        expect(seen).toEqual(JSON.parse(JSON.stringify(byTheTable(record))));
      },
    ),
    { numRuns: runs(1000) },
  );
  for (const [field] of FLOW_FIELDS) {
    for (const value of [undefined, null, "", "x", -1, Number.NaN, [], () => 1]) {
      const [flow] = fc.sample(flowFields, 1);
      const record = { ...flow, syncMode: "managed", [field]: value };
      if (field === "syncMode" && value === "task_mirrored") continue;
      const seen = viewFlow(record).match<unknown>(
        ({ json }) => JSON.parse(JSON.stringify(json)),
        (bad) => bad,
      );
      expect([field, seen]).toEqual([field, JSON.parse(JSON.stringify(byTheTable(record)))]);
    }
  }
});

test("VIEW-1: the tables name the visible fields and no other", () => {
  expect(FLOW_FIELDS.map(([name]) => name)).toEqual([
    "flowId",
    "syncMode",
    "controllerId",
    "currentStep",
    "blockedTaskId",
    "blockedSummary",
    "revision",
    "status",
    "notifyPolicy",
    "goal",
    "stateJson",
    "waitJson",
    "cancelRequestedAt",
    "createdAt",
    "updatedAt",
    "endedAt",
  ]);
  expect(TASK_FIELDS.map(([name]) => name)).not.toContain("childSessionKey");
});

test("TOTAL-1, VIEW-4: a record that throws when it is read is a refusal", () => {
  const trap = (): never => {
    throw new Error("owner");
  };
  const [flow] = fc.sample(flowFields, 1);
  const [task] = fc.sample(taskFields, 1);
  const getter = Object.defineProperty({ ...flow }, "goal", { get: trap, enumerable: true });
  expect(shown(viewFlow(getter))).toBe("refused: ");
  const deep = { ...flow, stateJson: { a: Object.defineProperty({}, "b", { get: trap, enumerable: true }) } };
  expect(shown(viewFlow(deep))).toBe("refused: ");
  for (const traps of [{ getOwnPropertyDescriptor: trap }, { get: trap, getOwnPropertyDescriptor: trap }]) {
    const proxy = new Proxy({ ...flow }, traps);
    expect(shown(viewFlow(proxy))).toBe("refused: ");
    expect(shown(viewTask(proxy))).toBe("refused: ");
    expect(shown(viewSummary(proxy))).toBe("refused: ");
    expect(viewFlows([proxy]).isErr()).toBe(true);
    expect(viewTasks([proxy]).isErr()).toBe(true);
  }
  expect(viewFlows(new Proxy([flow], { get: trap }))._unsafeUnwrapErr()).toEqual({ field: "" });
  expect(
    viewTasks([task])
      ._unsafeUnwrap()
      .map(({ json }) => json),
  ).toEqual([task]);
});

test("VIEW-4: a list is shown whole and in order, or refused whole", () => {
  fc.assert(
    fc.property(fc.array(flowFields, { maxLength: 5 }), fc.nat(), (flows, at) => {
      expect(
        viewFlows(flows)
          ._unsafeUnwrap()
          .map(({ json }) => json),
      ).toEqual(flows);
      const bad = flows.toSpliced(at % (flows.length + 1), 0, { goal: 1 });
      expect(viewFlows(bad)._unsafeUnwrapErr()).toEqual({ field: "flowId" });
    }),
  );
  for (const list of [undefined, null, "x", { length: 0 }, 1])
    expect(viewFlows(list)._unsafeUnwrapErr()).toEqual({ field: "" });
  expect(viewFlows(new Array(3)).isErr()).toBe(true);
});

test("TOTAL-1: any value gives a view or a fault", () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (value) => {
      expect(viewFlow(value).isErr()).toBe(true);
      expect(viewTask(value).isErr()).toBe(true);
      expect(viewSummary(value).isErr()).toBe(true);
    }),
  );
});

test("VIEW-4: an empty id, a value that is not a record and a record that throws have their own faults", () => {
  const throwing = new Proxy({}, { getOwnPropertyDescriptor: () => expect.fail("asked") });
  const [flow] = fc.sample(flowFields, 1);
  expect(viewFlow({ ...flow, flowId: "" })._unsafeUnwrapErr()).toEqual({ field: "flowId" });
  for (const odd of ["text", 7, null, undefined, () => flow, throwing]) {
    expect(viewFlow(odd)._unsafeUnwrapErr()).toEqual({ field: "" });
    expect(viewTask(odd)._unsafeUnwrapErr()).toEqual({ field: "" });
    expect(viewSummary(odd)._unsafeUnwrapErr()).toEqual({ field: "" });
    expect(viewFlows(odd)._unsafeUnwrapErr()).toEqual({ field: "" });
  }
});

test("VIEW-1: a view has the members that the record shows, and no empty ones", () => {
  fc.assert(
    fc.property(flowFields, taskFields, (flow, task) => {
      const { controllerId: _a, currentStep: _b, ...less } = flow;
      for (const one of [flow, less]) {
        const sent = JSON.parse(JSON.stringify(viewFlow(one)._unsafeUnwrap().json)) as object;
        expect(Object.keys(sent).toSorted()).toEqual(Object.keys(one).toSorted());
      }
      expect(Object.keys(viewTask(task)._unsafeUnwrap().json).toSorted()).toEqual(Object.keys(task).toSorted());
    }),
  );
});

test("VIEW-4: only what this module made is a view, and only of its own kind", () => {
  const visible = { flow: flowFields, task: taskFields, summary: summaryFields };
  fc.assert(
    fc.property(fc.record(visible), ({ flow, task, summary }) => {
      const made = {
        flow: viewFlow(flow)._unsafeUnwrap(),
        task: viewTask(task)._unsafeUnwrap(),
        summary: viewSummary(summary)._unsafeUnwrap(),
      };
      for (const kind of ["flow", "task", "summary"] as const) {
        for (const of of ["flow", "task", "summary"] as const) expect(isView(made[kind], of)).toBe(kind === of);
        expect(isView({ ...made[kind] }, kind)).toBe(false);
        expect(isView({ kind, json: made[kind].json }, kind)).toBe(false);
      }
    }),
    { numRuns: runs(50) },
  );
});
