import fc from "fast-check";
import { expect, test } from "vitest";
import {
  fill,
  mapDelivery,
  MAX_JOINED_TEXT,
  parseAction,
  parsePath,
  type JsonValue,
  parseRules,
  parseTemplate,
  readPath,
  type Rule,
  type Source,
} from "../../core/index.ts";
import { wildText } from "./arbitraries.ts";

/** Any JSON, of which fast-check has a type of its own. */
const source = (payload: unknown, headers: Readonly<Record<string, string>> = {}): Source => ({
  payload: payload as JsonValue,
  header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
});

const budget = () => ({ left: 100_000 });

const filled = (text: string, from: Source) => {
  const template = parseTemplate(text)._unsafeUnwrap();
  return fill(template, from, budget());
};

const json = fc.jsonValue({ noNegativeZero: true } as fc.JsonSharedConstraints);
const member = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "B", "_", "0", "-", "é"), minLength: 1, maxLength: 6 }),
  fc.nat({ max: 20 }),
);
const written = (members: readonly (string | number)[]): string =>
  `payload${members.map((one) => (typeof one === "number" ? `[${String(one)}]` : `.${one}`)).join("")}`;

/** A payload in which `value` stands at `members`. */
const nest = (members: readonly (string | number)[], value: unknown): unknown =>
  members.reduceRight<unknown>((inner, one) => {
    if (typeof one === "string") return { [one]: inner };
    const items: unknown[] = Array.from({ length: one + 1 }, () => null);
    items[one] = inner;
    return items;
  }, value);

test("MAP-1: a path reads what stands there, and nothing that is inherited", () => {
  fc.assert(
    fc.property(fc.array(member, { maxLength: 8 }), json, (members, value) => {
      const path = parsePath(written(members));
      expect(path).toBeDefined();
      if (path === undefined) return;
      expect(readPath(path, source(nest(members, value)))).toEqual(value);
    }),
  );
  const inherited = ["__proto__", "constructor", "toString", "length.constructor", "a.__proto__.polluted", "a[0].at"];
  for (const name of inherited) {
    const path = parsePath(`payload.${name}`);
    if (path !== undefined) expect(readPath(path, source({ a: ["x"], length: "x" })), name).toBeUndefined();
  }
  const odd = parsePath('payload["a b"].c');
  if (odd !== undefined) expect(readPath(odd, source({ "a b": { c: 1 } }))).toBe(1);
  expect(odd).toBeDefined();
});

test("MAP-1: any other text is not a path", () => {
  const bad = [
    "",
    "payloads.a",
    "payload.",
    "payload..a",
    "payload.a[",
    "payload.a[01]",
    "payload.a[-1]",
    "payload.a[x]",
    "payload a",
  ];
  const worse = [
    "headers.",
    "headers.a b",
    "headers.{",
    "query.a",
    "body.a",
    "payload.a?",
    'payload["a',
    ".a",
    `payload${".a".repeat(33)}`,
  ];
  for (const text of [...bad, ...worse]) expect(parsePath(text), text).toBeUndefined();
});

test("MAP-2: a text without placeholders is itself, and no text makes the parser throw or hang", () => {
  fc.assert(
    fc.property(fc.oneof(wildText, fc.stringMatching(/^[{}?"a. payload[\]\\]*$/u)), (text) => {
      const parsed = parseTemplate(text);
      if (!text.includes("{{")) expect(parsed._unsafeUnwrap()).toEqual(text === "" ? [] : [text]);
      if (parsed.isErr()) expect(text.slice(parsed.error - 1, parsed.error + 1)).toBe("{{");
    }),
  );
});

test("MAP-2: a text that is one placeholder keeps the value's type; all others are joined", () => {
  fc.assert(
    fc.property(json, fc.string({ unit: "grapheme-ascii" }), (value, around) => {
      // with one more brace the placeholder would begin a place earlier
      fc.pre(!`${around}{`.includes("{{"));
      const from = source({ value });
      expect(filled("{{payload.value}}", from)._unsafeUnwrap()).toEqual(value);
      const joined = filled(`x${around}{{ payload.value }}`, from);
      const text = typeof value === "string" ? value : JSON.stringify(value);
      if (value === null) expect(joined.isErr()).toBe(true);
      else expect(joined._unsafeUnwrap()).toBe(`x${around}${text}`);
    }),
  );
});

test("MAP-2: the first value that is there is taken, a literal when none is; without one the fault names the placeholder", () => {
  const from = source({ a: null, b: 0, c: "" }, { "x-event": "push" });
  const cases: readonly (readonly [string, JsonValue])[] = [
    ["{{payload.a ?? payload.b}}", 0],
    ["{{payload.z??payload.c ?? 1}}", ""],
    ['{{payload.z ?? "no}}ne ?? \\"x\\""}}', 'no}}ne ?? "x"'],
    ["{{payload.z ?? -1.5}}", -1.5],
    ["{{payload.a ?? null}}", null],
    ["{{payload.a}}", null],
    ["{{payload.z ?? true}}", true],
    ["{{headers.X-Event}}", "push"],
    ["{{ headers.x-event }}-{{payload.b}}", "push-0"],
    ["{{payload}}", { a: null, b: 0, c: "" }],
    ["}} {", "}} {"],
  ];
  for (const [text, value] of cases) expect(filled(text, from)._unsafeUnwrap(), text).toEqual(value);
  for (const text of [
    "{{payload.z}}",
    "a {{payload.z}}",
    "a {{payload.a}}",
    "{{headers.y}}",
    "{{payload.b.c ?? headers.q}}",
  ]) {
    expect(filled(text, from)._unsafeUnwrapErr().reason, text).toBe("missing");
  }
  for (const text of [
    "{{",
    "{{}}",
    "{{payload.a",
    "{{payload.a}",
    "{{1 ?? payload.a}}",
    "{{payload.a | upper}}",
    "{{ payload.a payload.b }}",
    "{{payload.a ?? }}",
    "{{a}}",
  ]) {
    expect(parseTemplate(text).isErr(), text).toBe(true);
  }
});

test("MAP-2: a text beyond the bound, or a payload that a template multiplies, is a fault and costs no more than the bound", () => {
  const long = "x".repeat(MAX_JOINED_TEXT);
  expect(filled("{{payload}}", source(long)).isOk()).toBe(true);
  expect(filled("{{payload}}y", source(long))._unsafeUnwrapErr()).toEqual({ path: "", reason: "too_large" });
  const many = Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`f${String(at)}`, "{{payload}}"]));
  const [rule] = rulesOf([{ do: { action: "create_flow", goal: "g", stateJson: many } }]);
  const big = Array.from({ length: 50_000 }, (_, at) => at);
  expect(rule).toBeDefined();
  expect(mapDelivery([rule as Rule], source(big))?.isErr()).toBe(true);
});

const rulesOf = (rules: readonly unknown[]): readonly Rule[] => parseRules(rules, ["authorization"])._unsafeUnwrap();

const GITHUB = [
  {
    when: { "headers.x-github-event": "pull_request", "payload.action": ["opened", "reopened"] },
    key: "pr {{payload.repository.full_name}}#{{payload.number}}",
    do: {
      action: "create_flow",
      goal: "Review {{payload.pull_request.title}}",
      stateJson: { url: "{{payload.pull_request.html_url}}", number: "{{payload.number}}" },
    },
  },
  {
    when: { "headers.x-github-event": "pull_request", "payload.action": "closed" },
    key: "pr {{payload.repository.full_name}}#{{payload.number}}",
    do: { action: "finish_flow" },
  },
  {
    when: { "headers.x-github-event": true, "payload.draft": [true], "payload.note": true },
    do: { action: "create_flow", goal: "draft" },
  },
];

test("MAP-4: the first rule whose conditions hold makes the action; none makes nothing", () => {
  const rules = rulesOf(GITHUB);
  const event = { "x-github-event": "pull_request" };
  const payload = {
    action: "opened",
    number: 7,
    repository: { full_name: "a/b" },
    pull_request: { title: "T", html_url: "u" },
  };
  const opened = mapDelivery(rules, source(payload, event))?._unsafeUnwrap();
  expect(opened).toEqual({
    rule: 0,
    key: "pr a/b#7",
    body: { action: "create_flow", goal: "Review T", stateJson: { url: "u", number: 7 } },
  });
  expect(parseAction(opened?.body).isOk()).toBe(true);
  expect(mapDelivery(rules, source({ ...payload, action: "closed" }, event))?._unsafeUnwrap().rule).toBe(1);
  expect(mapDelivery(rules, source({ ...payload, action: "labeled" }, event))).toBeUndefined();
  expect(mapDelivery(rules, source(payload))).toBeUndefined();
  expect(mapDelivery(rules, source({ action: "opened" }, event))?._unsafeUnwrapErr()).toEqual({
    rule: 0,
    path: "{{payload.repository.full_name}}",
    reason: "missing",
  });
  expect(mapDelivery(rules, source({ draft: true, note: null }, event))?._unsafeUnwrap().rule).toBe(2);
  expect(mapDelivery(rules, source({ draft: false, note: 1 }, event))).toBeUndefined();
});

test("MAP-4: a payload cannot change the action, nor add a field that its rule does not write", () => {
  const rules = rulesOf([{ do: { action: "create_flow", goal: "{{payload.goal}}", stateJson: "{{payload}}" } }]);
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (goal, more) => {
      const payload = {
        goal,
        action: "cancel_flow",
        controllerId: more,
        sessionKey: "agent:other",
        ...(Object(more) as object),
      };
      const body = mapDelivery(rules, source(payload))?.unwrapOr(undefined)?.body;
      if (body === undefined) return;
      expect(Object.keys(body)).toEqual(["action", "goal", "stateJson"]);
      expect(body["action"]).toBe("create_flow");
    }),
  );
});

test("MAP-3: a rule that is malformed, reads a credential, names an unknown field or can never be reached is a fault that says where", () => {
  const create = { action: "create_flow", goal: "g" };
  const bad: readonly (readonly [readonly unknown[], RegExp])[] = [
    [[1], /must be an object/u],
    [[{}], /must be an object/u],
    [[{ do: create, extra: 1 }], /^extra is not a part of a rule/u],
    [[{ do: { action: "list_flows" } }], /^do must be an object with an action: create_flow, /u],
    [[{ do: { action: "{{payload.action}}" } }], /^do must be an object with an action/u],
    [[{ do: 7 }], /^do must be an object/u],
    [[{ when: [], do: create }], /^when must be an object of paths/u],
    [[{ when: { "payload.a": [] }, do: create }], /^when must be an object of paths/u],
    [[{ key: 7, do: create }], /^key must be a text/u],
    [[{ key: " ", do: create }], /^key is blank/u],
    [[{ when: JSON.parse('{"__proto__":"x"}'), do: create }], /has a member that cannot be read/u],
    [[{ do: { action: "create_flow" } }], /^do\.goal is missing\. create_flow needs it/u],
    [[{ do: { ...create, goal: 5 } }], /^do\.goal: /u],
    [[{ do: { ...create, goal: " " } }], /^do\.goal: /u],
    [[{ do: { ...create, status: "done" } }], /^do\.status: /u],
    [[{ key: "k", do: { action: "run_task", task: "t" } }], /^do\.runtime is missing/u],
    [[{ do: { action: "finish_flow", flowId: "{{payload.id}}" } }], /^do\.expectedRevision is missing/u],
    [[{ when: { "headers.x-n": 1 }, do: create }], /^when\.headers\.x-n never holds/u],
    [[{ do: { ...create, flowid: "x" } }], /do\.flowid is not a field of create_flow/u],
    [[{ do: { action: "finish_flow" } }], /needs key, or do\.flowId/u],
    [[{ key: "k", do: { action: "finish_flow", expectedRevision: 1 } }], /given by key/u],
    [
      [{ do: { ...create, goal: "a {{payload.}}" } }],
      /^do\.goal has a placeholder that cannot be read at character 3/u,
    ],
    [[{ do: { ...create, stateJson: [1, { a: "{{oops}}" }] } }], /^do\.stateJson\[1\]\.a has a placeholder/u],
    [[{ key: "{{headers.authorization}}", do: create }], /credential/u],
    [[{ do: { ...create, goal: "{{payload.a ?? headers.Authorization}}" } }], /credential/u],
    [[{ when: { "headers.authorization": true }, do: create }], /credential/u],
    [[{ when: { "payload..a": 1 }, do: create }], /is not a path/u],
    [[{ do: create }, { do: create }], /never reached.*Remove one of the two/u],
    [
      [
        { when: { "payload.a": [1, 2] }, do: create },
        { when: { "payload.a": 2, "payload.b": 1 }, do: create },
      ],
      /never reached/u,
    ],
    [
      [
        { when: { "payload.a": true }, do: create },
        { when: { "payload.a": 2 }, do: create },
      ],
      /never reached/u,
    ],
  ];
  for (const [rules, said] of bad) {
    const faults = parseRules(rules, ["authorization"])._unsafeUnwrapErr();
    expect(
      faults.map(({ sentence }) => sentence),
      JSON.stringify(rules),
    ).toEqual([expect.stringMatching(said)]);
    expect(faults[0]?.field).toBe(`deliveries[${String(rules.length - 1)}]`);
  }
  const all = parseRules([{ do: create }, 7, { doo: create }, { do: create }], [])._unsafeUnwrapErr();
  expect(all.map(({ field }) => field)).toEqual(["deliveries[1]", "deliveries[2]", "deliveries[3]"]);
  const good = [
    { when: { "payload.a": 1 }, do: create },
    { when: { "payload.a": [1, 2] }, do: create },
    { when: { "payload.b": 1 }, do: create },
  ];
  expect(parseRules(good, []).isOk()).toBe(true);
});
