// What a route may say of its runs and callbacks, and what each mistake says.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addressOf,
  explainRoute,
  FLOW_FIELDS,
  hmacSha256,
  loadConfig,
  originOf,
  problemLine,
  sha256,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";

const SECRET = `whsec_${Buffer.from("a key of callbacks, 32 bytes long").toString("base64")}`;
const URL_OK = "https://hook.test/path?query";

const load = (fields: object) =>
  loadConfig({ routes: { r: { sessionKey: "s", secret: "a long and random secret", ...fields } } }, sha256);
const notify = (fields: object) => load({ notify: { url: URL_OK, secret: SECRET, ...fields } });
const linesOf = (config: ReturnType<typeof load>): readonly string[] => config.problems.map(problemLine);
const live = (config: ReturnType<typeof load>) => [...config.routes.values()][0];

test("CONFIG-12: a route with notify lives with its address, its key and its events, by default all", () => {
  expect(linesOf(notify({}))).toEqual([]);
  expect([...(live(notify({}))?.notify?.on ?? [])]).toEqual(["ended", "waiting", "blocked"]);
  expect([...(live(notify({ on: ["blocked"] }))?.notify?.on ?? [])]).toEqual(["blocked"]);
  expect(live(load({}))?.notify).toBeUndefined();
  expect(live(notify({ secret: ` ${SECRET} ` }))?.notify).toBeDefined();
});

test.each([
  [{ notify: 5 }, "notify must be an object with url and secret"],
  [{ notify: { secret: SECRET } }, "notify.url must be an address"],
  [{ notify: { url: URL_OK } }, "notify.secret is missing, or is neither a string nor a SecretRef"],
  [{ notify: { url: URL_OK, secret: { source: "x" } } }, "notify.secret is not a SecretRef: there is no such source"],
  [{ notify: { url: 7, secret: SECRET } }, "notify.url must be an address"],
  [{ notify: { url: URL_OK, secret: SECRET, on: [] } }, "notify.on must be a list of ended, waiting, blocked"],
  [{ notify: { url: URL_OK, secret: SECRET, on: ["created"] } }, "notify.on must be a list of ended, waiting, blocked"],
  [
    { notify: { url: URL_OK, secret: SECRET, retries: 5 } },
    "notify.retries does not belong to notify. It has url, secret, on",
  ],
  [{ run: {} }, "run.message must be a text"],
  [{ run: "x" }, "run must be an object with a message"],
  [
    { run: { message: "m", tool: true } },
    "run.tool does not belong to run. It has message, session, tools, timeoutSeconds, concurrency",
  ],
  [{ run: { message: "m", tools: "yes" } }, "run.tools must be true or false"],
  [{ run: { message: "m", session: "main" } }, 'run.session is neither "child" nor the key of a session'],
  [
    { run: { message: "m", timeoutSeconds: 0 } },
    "run.timeoutSeconds must be a whole number of seconds from 1 to 86400",
  ],
  [{ run: { message: "m", concurrency: 33 } }, "run.concurrency must be a whole number from 1 to 32"],
  [{ run: { message: " " } }, "run.message is blank"],
  [
    { run: { message: "{{payload.x}}" } },
    "run.message has a placeholder that cannot be read at character 1. Only flow.… can stand there, like {{flow.goal}}",
  ],
  [{ run: { message: "a {{goal}}" } }, "run.message has a placeholder that cannot be read at character 3. Only flow.…"],
  [
    { run: { message: "do {{flow.gaol}}" } },
    "run.message has a placeholder at character 4 that names no field of a flow. A flow has flowId, syncMode, controllerId, currentStep, blockedTaskId, blockedSummary, revision, status, notifyPolicy, goal, stateJson, waitJson, cancelRequestedAt, createdAt, updatedAt, endedAt",
  ],
  [
    { run: { message: '{{flow.goal}} {{flow.waitJson.x ?? flow["state"] ?? "-"}}' } },
    "run.message has a placeholder at character 15 that names no field",
  ],
  [{ run: { message: "{{flow[0]}}" } }, "run.message has a placeholder at character 1 that names no field"],
])("CONFIG-12, CONFIG-2: %j skips the route, with the part named", (fields, sentence) => {
  const config = load(fields);
  expect(config.routes.size).toBe(0);
  expect(linesOf(config)).toEqual([expect.stringContaining(`route r skipped: ${sentence}`)]);
});

test("CONFIG-12: a message may name each field of a flow, all that is below it, and the flow itself", () => {
  const names = FLOW_FIELDS.map(([name]) => `{{flow.${name}}} {{ flow["${name}"].below[0] ?? 1 }}`);
  for (const message of [...names, "{{flow}}", "no placeholder"])
    expect(linesOf(load({ run: { message } }))).toEqual([]);
});

test.each([
  "http://hook.test/",
  "http://127.0.0.1.hook.test/",
  "http://localhost.hook.test/",
  "http://10.0.0.1/",
  "https://user:word@hook.test/",
  "https://user@hook.test/",
  "http://127.0.0.1@hook.test/",
  "https:hook.test",
  "https:///",
  "ftp://hook.test/",
  "file:///etc/passwd",
  "//hook.test/",
  "hook.test",
  "https://${HOST}/",
  "https://hook.test/{{id}}",
  "https://hook.test/a b",
  "https://hook.test/\u0000",
  `https://hook.test/${"x".repeat(2031)}`,
  "httpsx://hook.test/",
  "xhttps://hook.test/",
  "httpx://127.0.0.1/",
  "xhttp://127.0.0.1/",
  "http://xlocalhost/",
  "http://hook.test/http://localhost",
])("NOTIFY-5, CONFIG-12: %s is not an address for callbacks", (url) => {
  const config = notify({ url });
  expect(config.routes.size).toBe(0);
  expect(linesOf(config)).toEqual([expect.stringMatching(/^route r skipped: notify\.url must be an address/u)]);
});

test.each([
  "https://hook.test",
  "https://hook.test:8443/a?b=c",
  "HTTPS://HOOK.test/%AB%CD",
  " https://hook.test/ ",
  "http://127.0.0.1:5/x",
  "http://127.1.2.3/",
  "http://localhost:8080/",
  "http://[::1]:8080/",
  "http://127.255.10.200/",
  `https://hook.test/${"x".repeat(2030)}`,
  "https://hook.test/mailto://a@b",
])("NOTIFY-5: %s is an address for callbacks", (url) => {
  expect(linesOf(notify({ url }))).toEqual([]);
  expect(live(notify({ url }))?.notify?.url).toBe(url.trim());
});

test.each([
  ["", "is empty or could not be resolved, so no callback is sent"],
  [{ source: "env", provider: "env", id: "X" }, "is empty or could not be resolved, so no callback is sent"],
  ["${CALLBACKS_SECRET}", "is a reference that was not replaced by its value, so no callback is sent"],
  ["whsec_${CALLBACKS_SECRET}", "is a reference that was not replaced by its value, so no callback is sent"],
  [`whsec_${"abcd".repeat(8)}`, "is one character, or a few, repeated, so no callback is sent"],
  ["whsec_abcd", "is not whsec_ and the base64 of 24 to 64 bytes, so no callback is sent"],
  ["whsec_changeme", "is not whsec_ and the base64 of 24 to 64 bytes, so no callback is sent"],
  ["abcd", "is an example that anyone can guess, so no callback is sent"],
  ["whsec_your_secret", "is an example that anyone can guess, so no callback is sent"],
  ["whsec_", "is not whsec_ and the base64 of 24 to 64 bytes, so no callback is sent"],
  [`x${SECRET}`, "is not whsec_ and the base64 of 24 to 64 bytes, so no callback is sent"],
  ["axwhsec_axaxaxax", "is not whsec_ and the base64 of 24 to 64 bytes, so no callback is sent"],
  ["${CALLBACKS_SECRET}whsec_abcd", "is a reference that was not replaced by its value, so no callback is sent"],
  ["a long and random secret", "is not whsec_ and the base64 of 24 to 64 bytes, so no callback is sent"],
  [`whsec_${Buffer.from("too short").toString("base64")}`, "is not whsec_ and the base64 of 24 to 64 bytes"],
])(
  "CONFIG-12, CONFIG-8: with the secret %j the route lives without callbacks, with one line that counts as a problem",
  (secret, sentence) => {
    const config = notify({ secret });
    expect([config.routes.size, live(config)?.notify]).toEqual([1, undefined]);
    expect(linesOf(config)).toEqual([expect.stringContaining(`route r without callbacks: notify.secret ${sentence}`)]);
  },
);

test("CONFIG-3, NOTIFY-9: no problem shows what was configured, and what a route does is told with the origin alone", () => {
  const secret = fc.string({ unit: "grapheme-ascii", minLength: 12 }).filter((text) => /[a-z]{6}/iu.test(text));
  fc.assert(
    fc.property(secret, (value) => {
      const said = [...linesOf(notify({ secret: value })), ...linesOf(notify({ url: value }))].join("\n");
      expect(said).not.toContain(value);
    }),
    { numRuns: runs(100) },
  );
  const [route] = notify({ url: "https://hook.test:8443/path-secret?query-secret#x" }).routes.values();
  expect(route && explainRoute(route)).toEqual([
    "takes actions with its secret",
    "tells https://hook.test:8443 when a flow is ended, waiting, blocked",
  ]);
});

test("NOTIFY-6: an address is another one when its url or its secret is, and shows neither", () => {
  const other = `whsec_${Buffer.from("another key of callbacks, as long").toString("base64")}`;
  const texts = [{}, { url: "https://hook.test/other" }, { secret: other }].map((fields) => {
    const told = live(notify(fields))?.notify;
    return told === undefined ? "" : addressOf(told, hmacSha256);
  });
  expect(new Set(texts).size).toBe(3);
  for (const text of texts) expect(text).toMatch(/^[0-9a-f]{64}$/u);
  expect(originOf({ url: "https://hook.test?x" })).toBe("https://hook.test");
});
