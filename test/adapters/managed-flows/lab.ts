// The store of a Gateway over a model of its host and a real file of the plugin's own, with troubles of the host on request.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { Binding } from "../../../adapters/managed-flows/api.ts";
import { ClaimsFile } from "../../../adapters/managed-flows/claims-file.ts";
import { PluginFile } from "../../../adapters/managed-flows/plugin-file.ts";
import { type GatewayFlows, gatewayFlows } from "../../../adapters/managed-flows/store.ts";
import { type Delivery, type FlowAction, NO_DELIVERY, type Outcome } from "../../../core/index.ts";
import { ModelHost } from "../../support/model-host.ts";

export const folder = mkdtempSync(join(tmpdir(), "deliveries-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
export const newFile = (): string => join(folder, String((files += 1)), "below", "deliveries.sqlite");

export const OWNER = "agent:main:owner-a";
export const CREATE = { action: "create_flow", goal: "Once", controllerId: "webhooks/r" } as const satisfies FlowAction;

export const withKey = (key: string, more: Partial<Delivery> = {}): Delivery => ({
  routeId: "r",
  once: { key, fingerprint: "f" },
  bind: undefined,
  starts: false,
  ...more,
});
export const withBind = (bind: string): Delivery => ({ routeId: "r", once: undefined, bind, starts: false });

/** What a call of the host does besides being carried out. */
export type Trouble = "throws before" | "throws after" | "hangs" | "overtaken" | "shows no flow" | undefined;

const MUTATIONS: ReadonlySet<string> = new Set([
  "tryCreateManaged",
  "setWaiting",
  "resume",
  "finish",
  "fail",
  "requestCancel",
  "cancel",
  "runTask",
]);

type AnyCall = (...args: readonly unknown[]) => unknown;

export class Lab {
  readonly host = new ModelHost(() => this.now);
  readonly file: string;
  /** For each mutation that the host is asked for, in this order. */
  troubles: Trouble[] = [];
  /** Ends the mutations that hang. */
  readonly hanging: (() => void)[] = [];
  readonly calls: string[] = [];
  /** Flows that the host lists besides its own. */
  others: readonly unknown[] = [];
  readonly log: string[] = [];
  now = Date.now();
  /** Called after each mutation that the host has carried out. */
  afterCall = (): void => undefined;
  /** Whether new flows can start agents. */
  canStart = (): boolean => true;
  /** How often runs were said to wait. */
  woken = 0;
  #claims: ClaimsFile;
  #store: GatewayFlows;

  constructor(file: string = newFile()) {
    this.file = file;
    [this.#claims, this.#store] = this.#load();
  }

  get store(): GatewayFlows {
    return this.#store;
  }

  get claims(): ClaimsFile {
    return this.#claims;
  }

  /** Another copy of the plugin in the same process, as after a reload or, once nothing runs any more, after a crash. */
  reload(): void {
    [this.#claims, this.#store] = this.#load();
  }

  #load(): [ClaimsFile, GatewayFlows] {
    const claims = new ClaimsFile(new PluginFile({ file: () => this.file, now: () => this.now }));
    const onRun = (): void => void (this.woken += 1);
    const canStart = (): boolean => this.canStart();
    const bind = (owner: string): Binding => this.#bind(owner);
    return [claims, gatewayFlows({ bind, hostConfig: () => ({}), claims, canStart, onRun })];
  }

  #bind(owner: string): Binding {
    const { flows, canceller } = this.host.bind(owner);
    const watch = <T extends object>(api: T): T =>
      new Proxy(api, {
        get:
          (_, name) =>
          (...args: readonly unknown[]) => {
            const call = Reflect.get(api, name) as AnyCall;
            this.calls.push(String(name));
            if (name === "list") return [...this.others, ...(call() as readonly unknown[])];
            return MUTATIONS.has(String(name)) ? this.#mutate(() => call(...args)) : call(...args);
          },
      });
    return { flows: watch(flows), canceller: () => watch(canceller()) };
  }

  #mutate(call: () => unknown): unknown {
    const trouble = this.troubles.shift();
    if (trouble === "throws before") throw new Error("gone");
    if (trouble === "hangs") return new Promise((resolve) => this.hanging.push(() => resolve(call())));
    if (trouble === "overtaken") this.#overtake();
    const answer = call();
    this.afterCall();
    if (trouble === "throws after") throw new Error("gone");
    return trouble === "shows no flow" ? { ...(answer as object), flow: undefined } : answer;
  }

  /** Another writer is faster. */
  #overtake(): void {
    const { flows } = this.host.bind(OWNER);
    for (const { flowId, revision } of this.host.flows) flows.resume({ flowId, expectedRevision: revision });
  }

  readonly report = (what: string, detail: unknown): void => {
    this.log.push(`${what}: ${(detail as { text?: string }).text ?? String(detail)}`);
  };

  /** The outcome, the failure, or what was thrown. */
  async ask(action: FlowAction, delivery: Delivery = NO_DELIVERY, owner = OWNER): Promise<Outcome | string> {
    try {
      const answer = await this.#store.execute(owner, action, this.report, delivery);
      return answer.isOk() ? answer.value : answer.error;
    } catch (error) {
      return `threw ${String(error)}`;
    }
  }
}

export const kindOf = (answer: Outcome | string): string => (typeof answer === "string" ? answer : answer.kind);
export const flowOf = (answer: Outcome | string) =>
  typeof answer === "object" && "flow" in answer && answer.flow !== null ? answer.flow?.json : undefined;
export const text = (answer: Outcome | string): string => {
  if (typeof answer === "string") return answer;
  const { replayed: _, ...plain } = answer;
  return JSON.stringify(plain);
};
