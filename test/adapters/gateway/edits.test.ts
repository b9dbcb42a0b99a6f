// An edit of the configuration in a Gateway that keeps the plugin. test/systems/gateway/edits.test.ts does it in a real one.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { HttpHandler, HttpRoute, PluginApi, Service } from "../../../adapters/gateway/api.ts";
import { Health } from "../../../adapters/gateway/health.ts";
import type { LateRoute } from "../../../adapters/gateway/ingress.ts";
import { problemLine } from "../../../core/index.ts";
import { GatewayPaths } from "../../../adapters/gateway/paths.ts";
import plugin from "../../../adapters/gateway/plugin.ts";
import { ConfigWatch, LOOK_MS } from "../../../adapters/gateway/watch.ts";
import { ModelHost } from "../../support/model-host.ts";
import { runs } from "../../support/runs.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const handler: HttpHandler = () => Promise.resolve(false);

/** The Gateway's table of paths. It refuses those that another plugin has. */
class Table {
  readonly fixed: string[] = [];
  readonly late = new Set<string>();
  readonly taken = new Set<string>();
  /** How often a path was given back that was not there. */
  lost = 0;

  readonly register = ({ path }: HttpRoute): void => void this.fixed.push(path);

  readonly registerPluginHttpRoute = ({ path, throwOnFailure }: LateRoute): (() => void) => {
    if (this.taken.has(path) || this.late.has(path) || this.fixed.includes(path)) {
      if (throwOnFailure) throw new Error(`route conflict at ${path}`);
      return () => undefined;
    }
    this.late.add(path);
    return () => void (this.late.delete(path) || (this.lost += 1));
  };
}

const ALL = ["/hooks/a", "/hooks/b", "/hooks/c", "/plugins/webhooks/d", "/plugins/webhooks", "/plugins/webhooksy"];
const isElsewhere = (path: string): boolean => path.startsWith("/hooks/") || path === "/plugins/webhooksy";

const pathsOf = (names: readonly string[]): ReadonlyMap<string, string> =>
  new Map(names.map((path) => [path, path.split("/").at(-1) ?? ""]));

test("RELOAD-1, RELOAD-2: whatever edits come, the Gateway has just the paths that it grants, and each other one is named once", async () => {
  const edit = fc.record({ paths: fc.subarray(ALL), taken: fc.subarray(ALL.filter(isElsewhere)) });
  const history = fc.tuple(fc.subarray(ALL), fc.array(edit, { maxLength: 6 }), fc.boolean());
  await fc.assert(
    fc.asyncProperty(history, async ([first, edits, canRegisterLate]) => {
      const table = new Table();
      const told: (readonly string[])[] = [];
      const { register } = table;
      const ingress = Promise.resolve(canRegisterLate ? table : {});
      const paths = new GatewayPaths({
        register,
        ingress,
        handler,
        onProblems: (problems) => void told.push(problems.map(problemLine)),
      });
      paths.register(pathsOf(first));
      const fixed = first.filter(isElsewhere);
      expect(table.fixed).toEqual(["/plugins/webhooks", ...fixed]);
      paths.start();
      await ingress;
      for (const { paths: wanted, taken } of edits) {
        table.taken.clear();
        for (const path of taken) table.taken.add(path);
        const before = new Set(table.late);
        paths.follow(pathsOf(wanted));
        const late = wanted.filter((path) => isElsewhere(path) && !fixed.includes(path));
        const granted = late.filter((path) => before.has(path) || (canRegisterLate && !table.taken.has(path)));
        expect([...table.late].toSorted()).toEqual(granted.toSorted());
        const refused = late.filter((path) => !granted.includes(path));
        const now = told.at(-1) ?? [];
        expect(now.length).toBe(refused.length);
        for (const path of refused) {
          const start = `route ${path.split("/").at(-1) ?? ""} skipped: path is not granted`;
          expect(now.filter((line) => line.startsWith(start)).length).toBe(1);
        }
      }
      paths.stop();
      expect([table.late.size, table.lost]).toEqual([0, 0]);
      paths.start();
      expect(table.late.size > 0).toBe(
        canRegisterLate &&
          (edits.at(-1)?.paths ?? first).some(
            (path) => isElsewhere(path) && !fixed.includes(path) && !table.taken.has(path),
          ),
      );
    }),
    { numRuns: runs(300) },
  );
});

test("RELOAD-2: nothing is registered before the service has started, or after it has stopped", async () => {
  const table = new Table();
  const { register } = table;
  const ingress = Promise.resolve(table);
  const paths = new GatewayPaths({ register, ingress, handler, onProblems: () => undefined });
  paths.register(new Map());
  paths.follow(pathsOf(["/hooks/a"]));
  await ingress;
  expect(table.late.size).toBe(0);
  paths.start();
  expect([...table.late]).toEqual(["/hooks/a"]);
  paths.stop();
  paths.follow(pathsOf(["/hooks/b"]));
  expect(table.late.size).toBe(0);
});

test("RELOAD-1: the configuration is looked at four times a second until the stop, and a look that fails ends nothing", () => {
  let looks = 0;
  const watch = new ConfigWatch(() => {
    looks += 1;
    if (looks === 2) throw new Error("unreadable");
  });
  watch.start();
  watch.start();
  vi.advanceTimersByTime(4 * LOOK_MS);
  expect([looks, LOOK_MS <= 250]).toEqual([4, true]);
  watch.stop();
  vi.advanceTimersByTime(4 * LOOK_MS);
  expect(looks).toBe(4);
});

const ROUTE = { sessionKey: "agent:main:hook:edits", secret: "edits-secret-0123456789" };

/** A plugin that runs, and its Gateway's configuration. `state`: the Gateway's folder. */
const started = (config: unknown, state: string = "/nowhere") => {
  const host = new ModelHost();
  const found = { lines: [] as string[], services: [] as Service[], prefixes: [] as string[], health: [] as string[] };
  let block = config;
  const line = (message: string): void => void found.lines.push(message);
  const bindSession = ({ sessionKey }: { sessionKey: string }) => {
    const { flows, canceller } = host.bind(sessionKey);
    return { ...flows, ...canceller() };
  };
  const api: PluginApi = {
    registrationMode: "full",
    pluginConfig: block,
    logger: { debug: line, info: line, warn: line, error: line },
    runtime: {
      config: { current: () => ({ plugins: { entries: { webhooks: { config: block } } } }) },
      state: { resolveStateDir: () => state },
      tasks: { managedFlows: { bindSession } },
    },
    registerHttpRoute: () => undefined,
    registerService: (service) => void found.services.push(service),
    registerReload: ({ hotPrefixes }) => void found.prefixes.push(...hotPrefixes),
  };
  plugin.register(api);
  const serviceHealth = {
    reportFailure: (error: unknown) => void found.health.push(String(error)),
    clearFailure: () => void found.health.push("clear"),
  };
  for (const service of found.services) service.start({ serviceHealth });
  return {
    ...found,
    edit: (next: unknown) => void (block = next),
    stop: () => {
      for (const service of found.services) service.stop();
    },
  };
};

test("RELOAD-1: an edit of the plugin's own block keeps the plugin, and what it changes is told without a request", async () => {
  const gateway = started({ routes: { a: ROUTE } });
  expect(gateway.prefixes).toEqual(["plugins.entries.webhooks.config"]);
  await vi.advanceTimersByTimeAsync(LOOK_MS);
  expect(gateway.lines.filter((line) => line.includes("route "))).toEqual([]);
  gateway.edit({ routes: { a: ROUTE, wrong: { ...ROUTE, path: "/settings" } } });
  await vi.advanceTimersByTimeAsync(LOOK_MS);
  const told = "route wrong skipped: path belongs to the Gateway. Set another path.";
  const last = (): string | undefined => gateway.lines.findLast((line) => line.includes("route wrong"));
  expect([last(), gateway.health.at(-1)]).toEqual([`[webhooks] ${told}`, `Error: ${told}`]);
  gateway.edit({ routes: { a: ROUTE } });
  await vi.advanceTimersByTimeAsync(LOOK_MS);
  expect([last(), gateway.health.at(-1)]).toEqual([`[webhooks] solved: ${told}`, "clear"]);
  gateway.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("RELOAD-1: callbacks and runs begin with the edit that asks for them, without a request", async () => {
  const state = mkdtempSync(join(tmpdir(), "edits-"));
  const gateway = started({ routes: { a: ROUTE } }, state);
  const file = join(state, "openclaw-webhooks", "deliveries.sqlite");
  await vi.advanceTimersByTimeAsync(4 * LOOK_MS);
  expect(existsSync(file)).toBe(false);
  const notify = { url: "https://127.0.0.1:1/told", secret: `whsec_${Buffer.alloc(32, 7).toString("base64")}` };
  gateway.edit({ routes: { a: { ...ROUTE, notify, run: { message: "Look at {{flow.goal}}" } } } });
  await vi.waitFor(() => {
    expect(existsSync(file)).toBe(true);
    expect(gateway.lines.some((line) => line.includes("cannot start agents for flows"))).toBe(true);
  });
  gateway.stop();
  vi.useRealTimers();
  await vi.waitFor(() => rmSync(state, { recursive: true }));
});

test("RELOAD-2: where the Gateway cannot register a path while it runs, one line says how to bring it to life", async () => {
  const gateway = started({ routes: {} });
  gateway.edit({ routes: { late: { ...ROUTE, path: "/hooks/late" } } });
  // the module that registers paths is looked for in vain, which takes more than the look
  await vi.waitFor(() => expect(gateway.health.at(-1)).toContain("route late skipped: path is not granted"));
  await vi.advanceTimersByTimeAsync(8 * LOOK_MS);
  const lines = gateway.lines.filter((line) => line.includes("route late "));
  expect(lines).toEqual([expect.stringContaining("Run openclaw plugins reload webhooks, or restart the Gateway")]);
  gateway.edit({ routes: {} });
  await vi.advanceTimersByTimeAsync(LOOK_MS);
  const isSolved = gateway.lines.some((line) => line.includes("solved: route late"));
  expect([isSolved, gateway.health.at(-1)]).toEqual([true, "clear"]);
  gateway.stop();
});

test("CONFIG-2: the health joins the lines of all parts, and is clear once none is left; a health that fails costs nothing", () => {
  const told: string[] = [];
  const health = new Health();
  health.set("paths", ["p."]);
  health.attach({
    reportFailure: (error) => void told.push((error as Error).message),
    clearFailure: () => void told.push("clear"),
  });
  health.set("routes", ["r."]);
  health.set("callbacks", ["c."]);
  health.set("paths", []);
  health.set("routes", []);
  health.set("callbacks", []);
  expect(told).toEqual(["p.", "r. p.", "r. p. c.", "r. c.", "c.", "clear"]);
  const boom = (): never => {
    throw new Error("gone");
  };
  health.attach({ reportFailure: boom, clearFailure: boom });
  health.attach(undefined);
});
