import fc from "fast-check";
import { expect, test } from "vitest";
import { hideSessions, routeName } from "../../core/index.ts";
import { runs } from "../support/runs.ts";

const hide = (text: string): string => hideSessions(text, "[session]");

const prefix = fc.constantFrom("agent", "hook", "cron", "subagent", "acp", "Agent", "ACP");
const colon = fc.constantFrom(":", "%3A", "%3a", "%253A", "%25253a", "\\u003a", "\\u003A");
const brackets = fc.stringMatching(/^[\w()[\]{},;'"`:.-]{0,12}$/u);
const end = fc.stringMatching(/^[\w.:-]$/u);
/** In front of a key and behind it: what may stand around a word. */
const before = fc.constantFrom("", " ", "(", '"', "'", "=", "/", "%20", "%22", "\\n", "\\t", "\\u0022", "_", "-", "[");
const after = fc.constantFrom("", " ", ")", "'", '"', "`", ",", ";", "]", "}", ")] ");

test("VIEW-2, AUDIT-1: a session key is hidden whole, with brackets in it, encoded, and whatever stands around it", () => {
  fc.assert(
    fc.property(before, prefix, colon, brackets, end, after, (left, kind, separator, middle, last, right) => {
      expect(hide(`run ${left}${kind}${separator}${middle}${last}${right} now`)).toBe(
        `run ${left}[session]${right} now`,
      );
    }),
    { numRuns: runs(1000) },
  );
});

test("VIEW-2: a text without the shape of a session key is as it was", () => {
  const word = fc.stringMatching(/^[A-Za-z0-9 .,()%-]{0,20}$/u);
  fc.assert(fc.property(word, (text) => void expect(hide(text)).toBe(text)));
  for (const text of [
    "useragent:x",
    "\u00e9agent:x",
    "7agent:x",
    "agent: x",
    "agent:)",
    "xn agent",
    "%2agent:x",
    "agent%4a:",
  ]) {
    expect(hide(text)).toBe(text);
  }
  expect(hide("agent:a agent:b")).toBe("[session] [session]");
});

test("AUDIT-1: the log calls a route by its id, unless that holds its session key or has the shape of one", () => {
  const id = fc.stringMatching(/^[a-z0-9 -]{1,12}$/u);
  fc.assert(
    fc.property(id, id, (routeId, sessionKey) => {
      const isHidden = routeId === sessionKey || (sessionKey.length >= 8 && routeId.includes(sessionKey));
      expect(routeName({ id: routeId, sessionKey })).toBe(isHidden ? "[hidden]" : routeId);
      const name = `${routeId}${sessionKey}${routeId}`;
      expect(routeName({ id: name, sessionKey })).toBe(sessionKey.length >= 8 ? "[hidden]" : name);
    }),
  );
  expect(routeName({ id: "for-My-Session-1", sessionKey: "my-session" })).toBe("[hidden]");
  expect(routeName({ id: "7acp:x", sessionKey: "acp:x" })).toBe("[hidden]");
  expect(routeName({ id: "Main", sessionKey: "mAIN" })).toBe("[hidden]");
  expect(routeName({ id: "of agent:main:x", sessionKey: "s" })).toBe("of [hidden]");
});
