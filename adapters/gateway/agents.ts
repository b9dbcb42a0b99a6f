// The Gateway's agents behind the port, through its documented calls: a run of a subagent, linked to its flow as a task. All calls
// are made outside of the request that caused them, because inside of one the Gateway refuses them. Answers are read like strangers'.

import { AsyncLocalStorage } from "node:async_hooks";
import { failedResult, mainSession, own, type RunResult, succeeded, type Trace } from "../../core/index.ts";
import { inTime } from "../bridge/deadline.ts";
import type { Agents, Turn } from "../runs/agents.ts";
import type { PluginApi } from "./api.ts";
import { withoutLocalImages } from "./local-images.ts";
import { importSdk } from "./sdk.ts";

/** The slice of the Gateway's runtime that runs need. `subagent` and parts of `tasks` are missing on older Gateways. */
export type AgentRuntime = Pick<PluginApi["runtime"], "subagent" | "tasks">;

/** Marks text as data from outside, in the Gateway's own way. */
export type Fence = (text: string, options: { source: "webhook"; includeWarning?: boolean }) => string;

const isFence = (value: unknown): value is Fence => typeof value === "function";

/** The Gateway's own fence, or undefined when it has none. */
export const importFence = async (): Promise<Fence | undefined> => {
  const { wrapExternalContent } = await importSdk("security-runtime");
  return isFence(wrapExternalContent) ? wrapExternalContent : undefined;
};

/** Whether a runtime has every call that runs need. */
export const canRun = ({ subagent, tasks }: AgentRuntime): boolean =>
  [
    subagent?.run,
    subagent?.waitForRun,
    subagent?.getSessionMessages,
    tasks.runs?.bindSession,
    tasks.async?.runs?.bindSession,
    tasks.async?.managedFlows.bindSession,
  ].every((call) => typeof call === "function");

/** The agent's own tool, by which it reads and moves its flow. */
export const FLOW_TOOL = "webhooks_flow";

/** Messages of a session that are looked at for the reply of a turn that has ended, and for any sign of a turn: all that may be asked for. */
const LAST_MESSAGES = 100;
const ALL_MESSAGES = 1000;

/** Milliseconds for one call, beside those for which it is to wait. The call is not cancelled. */
const CALL_MS = 60_000;

/** How a turn that was cancelled says that it has ended. */
const CANCELLED = "rpc";

const textOfPart = (part: unknown): string => (own(part, "type") === "text" ? String(own(part, "text") ?? "") : "");

const textOf = (content: unknown): string => {
  if (typeof content === "string") return content;
  return Array.isArray(content) ? content.map(textOfPart).join("") : "";
};

/** `runId`: of an agent's message; `key`: of one that was sent to it. */
type Message = { readonly role: unknown; readonly text: string; readonly runId: unknown; readonly key: unknown };

const messageOf = (message: unknown): Message => ({
  role: own(message, "role"),
  text: textOf(own(message, "content")),
  runId: own(own(message, "__openclaw"), "runId"),
  key: own(message, "idempotencyKey") ?? own(own(message, "__openclaw"), "idempotencyKey"),
});

const messagesIn = (answer: unknown): readonly Message[] => {
  const messages = own(answer, "messages");
  return Array.isArray(messages) ? messages.map(messageOf) : [];
};

const ENDED: ReadonlySet<unknown> = new Set(["succeeded", "failed", "timed_out", "cancelled", "lost"]);

const lateGateway = (): Error => new Error("the Gateway did not answer in time");

export class GatewayAgents implements Agents {
  readonly #runtime: AgentRuntime;
  readonly #fence: Fence;
  readonly #config: () => unknown;
  /** Out of the request: taken where the plugin is registered. */
  readonly #outside: ReturnType<typeof AsyncLocalStorage.snapshot>;

  constructor(
    runtime: AgentRuntime,
    fence: Fence,
    config: () => unknown,
    outside: ReturnType<typeof AsyncLocalStorage.snapshot>,
  ) {
    this.#runtime = runtime;
    this.#fence = fence;
    this.#config = config;
    this.#outside = outside;
  }

  /** Rejects when the Gateway does not answer in time. */
  #call<T>(call: (runtime: AgentRuntime) => T | PromiseLike<T>, forMs: number = 0): Promise<T> {
    return inTime(() => this.#outside(() => call(this.#runtime)), forMs + CALL_MS, lateGateway);
  }

  async link({ flowId, runId, session, owner }: Turn): Promise<boolean> {
    const task = {
      flowId,
      runtime: "cli",
      childSessionKey: session,
      runId,
      task: "Agent turn of a webhook's flow",
      status: "running",
      notifyPolicy: "silent",
    };
    // boundary: the Gateway's own type names more runtimes than a caller may ask for.
    const answer = await this.#call(({ tasks }) =>
      tasks.async?.managedFlows.bindSession({ sessionKey: owner }).runTask(task as never),
    );
    return own(answer, "created") === true;
  }

  async start({ runId, session }: Turn, message: string, tools: boolean): Promise<void> {
    const reach = tools
      ? { toolsAlsoAllow: [FLOW_TOOL] }
      : { disableTools: true, promptMode: "minimal" as const, lightContext: true };
    await this.#call(({ subagent }) =>
      subagent?.run({ sessionKey: session, message, deliver: false, idempotencyKey: runId, ...reach }),
    );
  }

  async wait(turn: Turn, forMs: number): Promise<RunResult | undefined> {
    const latest = performance.now() + forMs;
    const asked = { runId: turn.runId, timeoutMs: forMs };
    const answer = await this.#call(({ subagent }) => subagent?.waitForRun(asked), forMs);
    const status = own(answer, "status");
    if (status === "error")
      return failedResult(own(answer, "stopReason") === CANCELLED ? "run_cancelled" : "run_failed");
    if (status !== "ok") return this.#unfinished(turn, latest);
    const shown = own(own(answer, "terminalReply"), "text");
    return succeeded(await this.#reply(turn, typeof shown === "string" ? shown : ""));
  }

  async cancel(turn: Turn): Promise<boolean> {
    const task = await this.#task(turn);
    const taskId = own(task, "id") ?? own(task, "taskId");
    if (typeof taskId !== "string" || ENDED.has(own(task, "status"))) return false;
    const params = { taskId, cfg: this.#config() };
    // boundary: the configuration is the Gateway's own.
    await this.#call(({ tasks }) =>
      tasks.runs?.bindSession({ sessionKey: mainSession(turn.session) }).cancel(params as never),
    );
    return true;
  }

  /**
   * A turn has begun when its message is in its session. The Gateway's task alone says that the turn was taken, which is enough
   * as long as the process lives: the Gateway has it, and will do it.
   */
  async trace(turn: Turn, isOwn: boolean): Promise<Trace> {
    const [task, messages] = [await this.#task(turn), await this.#messages(turn, ALL_MESSAGES)];
    const result = await this.#resultOf(turn, task);
    if (result !== undefined && (isOwn || result.status === "succeeded")) return { kind: "ended", result };
    if (isOwn && task !== undefined) return { kind: "running" };
    // of a long turn the agent's own messages may be all that the Gateway shows
    const isBegun = messages.some(({ key, runId }) => key === `${turn.runId}:user` || runId === turn.runId);
    return isBegun ? { kind: "lost" } : { kind: "not_begun" };
  }

  /** What the fence makes of a text is looked at, because it may leave something out. */
  fence(text: string, isFirst: boolean): string {
    return withoutLocalImages(this.#fence(text, { source: "webhook", includeWarning: isFirst }));
  }

  /**
   * The Gateway answers at once for a turn that it has ended by a limit of its own, and for one that waits in its session. Asked
   * again and again it would do nothing else.
   */
  async #unfinished(turn: Turn, latest: number): Promise<RunResult | undefined> {
    const leftMs = latest - performance.now();
    if (leftMs <= 0) return undefined;
    const result = await this.#resultOf(turn, await this.#task(turn));
    return result ?? new Promise((resolve) => setTimeout(() => resolve(undefined), leftMs));
  }

  /** The result of a turn by its task; undefined while that goes on. */
  async #resultOf(turn: Turn, task: unknown): Promise<RunResult | undefined> {
    const status = own(task, "status");
    if (status === "succeeded") return succeeded(await this.#reply(turn, ""));
    return ENDED.has(status) ? failedResult("run_failed") : undefined;
  }

  /** The task that the Gateway itself keeps of the run, in the main session of the run's agent. */
  async #task({ runId, session }: Turn): Promise<unknown> {
    const task = await this.#call(({ tasks }) =>
      tasks.async?.runs?.bindSession({ sessionKey: mainSession(session) }).resolve(runId),
    );
    // the one that links the run to its flow may come in its place
    return own(task, "runtime") === "subagent" ? task : undefined;
  }

  async #messages({ session }: Turn, limit: number): Promise<readonly Message[]> {
    const answer = await this.#call(({ subagent }) => subagent?.getSessionMessages({ sessionKey: session, limit }));
    return messagesIn(answer);
  }

  /** The whole text, because what the Gateway says of a turn's end is cut. `otherwise`: that one. */
  async #reply(turn: Turn, otherwise: string): Promise<string> {
    const messages = await this.#messages(turn, LAST_MESSAGES);
    const isReply = ({ role, runId, text }: Message): boolean =>
      role === "assistant" && runId === turn.runId && text !== "";
    return messages.findLast(isReply)?.text ?? otherwise;
  }
}
