// What the log shows for any session key: the product's own sentences whole, the words of other code without the key.

import { err } from "neverthrow";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { hideValues, scrub } from "../../../adapters/bridge/scrub.ts";
import { createFetchHandler } from "../../../adapters/fetch/index.ts";
import { createEmbeddedStore } from "../../../adapters/flows/embedded-store.ts";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { gatewayFlows } from "../../../adapters/managed-flows/store.ts";
import type { AuditEvent } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

const ROUTE = "zapier";
const SECRET = "a-secret-of-sixteen";

type Asked = {
  readonly route?: string;
  readonly sessionKey: string;
  readonly flows?: FlowStore;
  readonly secret?: string;
  readonly limits?: object;
  readonly body?: string;
};
type Logged = { readonly log: readonly string[]; readonly events: readonly AuditEvent[] };

/** What is logged about one request. The body may have been read by other code before. */
const logged = async (
  { route = ROUTE, sessionKey, flows = memoryFlows(), ...asked }: Asked,
  isRead = false,
): Promise<Logged> => {
  const log: string[] = [];
  const events: AuditEvent[] = [];
  const say = (line: string): void => void log.push(line.replace(/^\[webhooks\] /u, ""));
  const path = "/hook";
  const handler = createFetchHandler({
    config: { routes: { [route]: { path, sessionKey, secret: SECRET } } },
    flows,
    logger: { debug: say, info: say, warn: say, error: say },
    onEvent: (event) => void events.push(event),
    ...(asked.limits && { limits: asked.limits as never }),
  });
  const headers = { "content-type": "application/json", authorization: `Bearer ${asked.secret ?? SECRET}` };
  const body = asked.body ?? '{"action":"list_flows"}';
  const request = new Request(`http://h.test${path}`, { method: "POST", headers, body });
  if (isRead) await request.text();
  await handler(request, { client: "10.0.0.1" });
  return { log, events };
};

const throwing = (message: string): FlowStore => ({ execute: () => expect.fail(message) });
const answering = (answer: unknown): FlowStore => ({ execute: () => answer as never });
const gateway = (answer: unknown): FlowStore => {
  const flows = { list: () => answer } as never;
  return gatewayFlows({ bind: () => ({ flows, canceller: () => flows }), hostConfig: () => ({}) });
};
const broken = createEmbeddedStore(
  { transact: () => err({ code: "busy", error: new Error("~") }) as never },
  { now: () => 0, newId: () => "x" },
);

const LIST = `route ${ROUTE} list_flows: `;
const MORE = "; more of these are not shown for a minute";
const SERVED = `route=${ROUTE} action=list_flows client=10.0.0.1 status=`;

/** Each line of the product's own that a request can cause; `~` stands for words of other code. */
const SENTENCES: readonly (readonly [string, (sessionKey: string) => Promise<Logged>])[] = [
  [`${LIST}the host failed: ~${MORE}`, (sessionKey) => logged({ sessionKey, flows: throwing("~") })],
  [
    `${LIST}the host answered nonsense in: the whole answer${MORE}`,
    (sessionKey) => logged({ sessionKey, flows: answering(7) }),
  ],
  [`${LIST}the host answered nonsense in: flowId${MORE}`, (sessionKey) => logged({ sessionKey, flows: gateway([{}]) })],
  [`${LIST}the store failed: ~${MORE}`, (sessionKey) => logged({ sessionKey, flows: broken })],
  [
    "mistake in this host: the body was read before the webhook bridge got it: put the bridge before all body parsers" +
      MORE,
    (sessionKey) => logged({ sessionKey }, true),
  ],
  [
    "mistake in this host: the limits answered with something that is not a verdict" + MORE,
    (sessionKey) => logged({ sessionKey, limits: { admit: () => 7, confirm: () => 0, release: () => 0 } }),
  ],
  [
    `a request with a missing or wrong secret or signature was refused (route=${ROUTE} client=10.0.0.1 status=401 code=unauthorized)${MORE}`,
    (sessionKey) => logged({ sessionKey, secret: "wrong" }),
  ],
  [`${SERVED}200`, (sessionKey) => logged({ sessionKey })],
];

/** Keys that are words of the sentences, single characters, and anything else. */
const sessionKey = fc
  .oneof(
    fc.constantFrom(...new Set(SENTENCES.flatMap(([line]) => line.split(/[^\w]+/u)).filter((word) => word !== ""))),
    fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 1 }),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
  )
  .filter((key) => key.trim() !== "" && key.trim().toLowerCase() !== ROUTE && key.trim() !== "~");

test("AUDIT-4: for any session key the product's own sentences stand whole in the log", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...SENTENCES), sessionKey, async ([line, cause], key) => {
      expect((await cause(key)).log).toContain(line);
    }),
    { numRuns: runs(500) },
  );
});

test("AUDIT-4: the sentence of a deadline stands whole for any session key", async () => {
  for (const key of ["ms", "20000 ms", "the", "not", "t", "route"]) {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const late = logged({ sessionKey: key, flows: { execute: () => new Promise(() => undefined) } });
    await vi.advanceTimersByTimeAsync(20_000);
    vi.useRealTimers();
    expect((await late).log).toContain(`${LIST}the host did not answer in time: 20000 ms${MORE}`);
  }
});

const word = fc.string({ unit: fc.constantFrom(..."abcXYZ019é日-:_."), minLength: 1, maxLength: 14 });
const key = fc.oneof(
  word,
  fc.tuple(word, word).map((words) => words.join(" ")),
  fc.string({ minLength: 1, maxLength: 14 }),
);
const border = fc.constantFrom(" ", "(", ")", '"', "'", "=", "/", ",", ";", "\\n", "%20");

test("AUDIT-1: in the words of other code a session key is hidden as a whole word, in JSON and in a URL, in any case", () => {
  const hides = (text: string, value: string): void => {
    const shown = hideValues(text, [value]);
    expect(shown).toContain("[hidden]");
    expect(shown).not.toContain(` ${value} `);
  };
  fc.assert(
    fc.property(key, border, border, (value, left, right) => {
      hides(`in${left}${value}${right}it`, value);
      hides(`in ${value.toUpperCase()} it`, value.toUpperCase());
      hides(`in ${JSON.stringify(value)} it`, value);
      hides(`in /x/${encodeURIComponent(value.toWellFormed())}/y`, value);
      hides(value, value);
    }),
    { numRuns: runs(1000) },
  );
});

/** One character as other code may write it. */
const writing = fc.constantFrom<(character: string) => string>(
  (character) => character,
  (character) => character.toUpperCase(),
  (character) => JSON.stringify(character).slice(1, -1),
  (character) => character.replace("/", "\\/"),
  (character) => JSON.stringify(JSON.stringify(character)).slice(3, -3),
  (character) => encodeURIComponent(character),
  (character) => encodeURIComponent(encodeURIComponent(character)),
  (character) => new URLSearchParams({ x: character }).toString().slice(2),
  (character) => [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
  (character) =>
    character
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
);

test("AUDIT-1: a session key is hidden however each of its characters is written", () => {
  const character = fc.constantFrom(..."az09 /:-_.+~'\"\\\n\t%é日ü", "\u{1f600}");
  const written = fc.array(fc.tuple(character, writing), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(written, (characters) => {
      const value = characters.map(([one]) => one).join("");
      const text = characters.map(([one, write]) => write(one)).join("");
      expect(hideValues(`for (${text}) it`, [value])).toContain("[hidden]");
      if (value.trim() !== "") expect(hideValues(`for (${text}) it`, [value])).not.toContain(`(${text})`);
    }),
    { numRuns: runs(2000) },
  );
  for (const [text, value] of [
    [String.raw`team\/alpha`, "team/alpha"],
    ["tea+m", "tea m"],
    ["main:%C3%BC", "main:ü"],
  ] as const) {
    expect(hideValues(`for ${text}.`, [value])).toBe("for [hidden].");
  }
});

test("AUDIT-1: what only contains a short session key is another word and stays; a long one is hidden anywhere", () => {
  for (const [text, value, shown] of [
    ["store failed: database is busy", "s", "store failed: database is busy"],
    ["a database of databases", "database", "a [hidden] of databases"],
    ["10 of 100", "10", "[hidden] of 100"],
    ["Main MAIN main", "Main", "[hidden] [hidden] [hidden]"],
    ["x_s_y", "s", "x_[hidden]_y"],
    ["a.b a+b", "a.b", "[hidden] a+b"],
    ["owneragent:main", "agent:main", "owner[hidden]"],
    ["ownera-long-session", "a-long-session", "owner[hidden]"],
    ["as it is", "", "as it is"],
  ] as const) {
    expect(hideValues(text, [value])).toBe(shown);
  }
  expect(hideValues("a b c", ["a", "c"])).toBe("[hidden] b [hidden]");
  expect(scrub(`${"x ".repeat(60)}`, [])).toHaveLength(83);
});

test("AUDIT-1: a route id that is its session key, or has the shape of one, is in no line and no event", async () => {
  for (const [route, sessionKey] of [
    ["my-session", "my-session"],
    ["My-Session", "my-session"],
    ["agent:main:x", "s"],
  ] as const) {
    for (const asked of [{}, { secret: "wrong" }, { body: "{" }, { flows: throwing("no") }, { flows: answering(7) }]) {
      const { log, events } = await logged({ route, sessionKey, ...asked });
      expect(log.length).toBeGreaterThan(0);
      expect(events.map(({ routeId }) => routeId)).toEqual(["[hidden]"]);
      expect(log.join("\n").toLowerCase()).not.toContain(route.toLowerCase());
    }
  }
});

test("AUDIT-1: the words that a store of your own reports are scrubbed even where they sound like the product's", async () => {
  const flows: FlowStore = {
    execute: (owner, action, report) => {
      report(`the host failed for ${owner}`, `of ${owner}`);
      return memoryFlows().execute(owner, action, report);
    },
  };
  const { log } = await logged({ sessionKey: "host", flows });
  expect(log).toContain(`${LIST}the [hidden] failed for [hidden]: of [hidden]${MORE}`);
});
