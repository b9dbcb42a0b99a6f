import { afterEach, expect, test, vi } from "vitest";
import { legacyConfigRules } from "../../../adapters/gateway/doctor-contract-api.ts";

afterEach(() => void vi.unstubAllGlobals());

const WEAK = {
  a: {
    sessionKey: "agent:main:main",
    secret: "short-one",
    deliveries: [{ do: { action: "create_flow", goal: "g" } }],
  },
  b: { sessionKey: "agent:main:hook:b", secret: "short-one" },
  c: { sessionKey: "agent:main:hook:c", secret: "${NOT_SET_ANYWHERE}" },
};
const STRONG = { a: { sessionKey: "agent:main:hook:a", secret: { source: "env", provider: "default", id: "A" } } };

const asProcess = (...words: readonly string[]): void =>
  void vi.stubGlobal("process", { ...process, argv: ["node", "openclaw", ...words] });

const matches = (routes: unknown): number => legacyConfigRules.filter(({ match }) => match(routes)).length;

test("WEAK-1: the doctor is told of each weakness with its field and the command that names the routes", () => {
  asProcess("doctor", "--non-interactive");
  expect([matches(WEAK), matches(STRONG), matches({}), matches(undefined)]).toEqual([6, 0, 0, 0]);
  expect(legacyConfigRules.length).toBe(6);
  for (const { path, message } of legacyConfigRules) {
    expect(path.join(".")).toBe("plugins.entries.webhooks.config.routes");
    expect(message).toMatch(/^of one route or more, (?:secret|sessionKey|deliveries) .* openclaw webhook check /u);
  }
});

test("WEAK-1: no rule matches outside of the doctor, where it would pass for a key to be migrated, or throws", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  for (const words of [["gateway", "run"], ["plugins", "install"], ["config", "validate"], []]) {
    asProcess(...words);
    expect(matches(WEAK)).toBe(0);
  }
  asProcess("doctor");
  expect(matches(proxy)).toBe(0);
});
