// A stand-in for what a Gateway gives its plugins, shaped like the real one but for the database and the worker thread
// behind it. `npm run bench -- host` measures both with one probe. OpenClaw 2026.9.6, Node 24.21, microseconds:
//
//                                            Gateway     stand-in
//   runtime.tasks (through two proxies)      0.24–0.35   0.12
//   bindSession, asynchronous, through them  0.38–0.67   0.21
//   bindSession, synchronous, through them   0.32–0.52   0.20
//   bindSession, asynchronous, alone         0.10–0.12   0.09
//   runtime.config.current()                 1.9–2.9     0.65
//   a read, CPU of the thread                253–282     4
//   a write, CPU of the thread               429–596     5–8
//
// A read of the real one passes 14 turns of the microtask queue, waits for a message of the worker that has the
// database, and passes 9 more; a write 15, 3 and 12, with two messages. The stand-in passes as many turns and waits for no
// message: what the real one does for a message costs the same for either plugin, and would hide the plugins.
// The real one makes each record with `deserialize` of `node:v8` out of the worker's bytes, with the same members as here:
// hidden ones, and own ones that are undefined. The stand-in does the same; in process the records of a batch are made
// before the batch is timed. What a plugin asks of the Gateway besides costs less here than there: a plugin that binds a
// session or reads the configuration for each request looks up to 1.5 microseconds better than it is.

import { deserialize, serialize } from "node:v8";
import { runAsPlugin } from "./gateway-scope.ts";

/** Turns of the microtask queue until a promise of the real Gateway is settled. */
const READ_TURNS = 23;
const WRITE_TURNS = 30;

/** One answer of the host, made anew each time that it is given. */
export class FreshAnswers {
  readonly #bytes: Buffer;
  readonly #ready: unknown[] = [];

  constructor(answer: unknown) {
    this.#bytes = serialize(answer);
  }

  /** Makes so many in advance. */
  prepare(times: number): void {
    while (this.#ready.length < times) this.#ready.push(deserialize(this.#bytes));
  }

  take(): unknown {
    return this.#ready.length === 0 ? deserialize(this.#bytes) : this.#ready.pop();
  }
}

type Owner = { readonly sessionKey: string; readonly requesterOrigin?: object };
type Binding = { readonly sessionKey: string; readonly requesterOrigin?: object };

const bind = ({ sessionKey, requesterOrigin }: Owner): Binding => {
  const trimmed = sessionKey?.trim();
  if (!trimmed) throw new Error("Tasks runtime requires a bound sessionKey.");
  return { sessionKey: trimmed, ...(requesterOrigin === undefined ? {} : { requesterOrigin }) };
};

const settle = async (answers: FreshAnswers, turns: number): Promise<unknown> => {
  for (let turn = 1; turn < turns; turn += 1) await undefined;
  return answers.take();
};

/** Asynchronous: four inner closures and 13 methods, as the real one has them. */
const bindAsync = (answers: FreshAnswers, owner: Owner) => {
  const binding = bind(owner);
  const write = (_owner: Binding): Promise<unknown> => settle(answers, WRITE_TURNS);
  const create = (_input: unknown): Promise<unknown> => write(binding);
  const update = (_mutation: string, _input: unknown): Promise<unknown> => write(binding);
  const read = (_lookup: string, _token?: string): Promise<unknown> => settle(answers, READ_TURNS);
  return {
    ...binding,
    tryCreateManaged: (input: unknown) => create(input),
    createManaged: (input: unknown) => create(input),
    setWaiting: (input: unknown) => update("setWaiting", input),
    resume: (input: unknown) => update("resume", input),
    finish: (input: unknown) => update("finish", input),
    fail: (input: unknown) => update("fail", input),
    requestCancel: (input: unknown) => update("requestCancel", input),
    runTask: (input: unknown) => update("runTask", input),
    get: (flowId: string) => read("id", flowId),
    list: () => read("list"),
    findLatest: () => read("latest"),
    resolve: (token: string) => read("resolve", token),
    getTaskSummary: (flowId: string) => read("summary", flowId),
  };
};

/** Synchronous: one inner closure and 14 methods. */
const bindSync = (answers: FreshAnswers, owner: Owner) => {
  const { sessionKey, ...origin } = bind(owner);
  const tryCreateManaged = (_input: unknown): unknown => answers.take();
  return {
    sessionKey,
    ...origin,
    createManaged: (input: unknown) => tryCreateManaged(input),
    tryCreateManaged,
    get: (_flowId: string) => answers.take(),
    list: () => answers.take(),
    findLatest: () => answers.take(),
    resolve: (_token: string) => answers.take(),
    getTaskSummary: (_flowId: string) => answers.take(),
    setWaiting: (_input: unknown) => answers.take(),
    resume: (_input: unknown) => answers.take(),
    finish: (_input: unknown) => answers.take(),
    fail: (_input: unknown) => answers.take(),
    requestCancel: (_input: unknown) => answers.take(),
    cancel: async (_input: unknown) => answers.take(),
    runTask: (_input: unknown) => answers.take(),
  };
};

type Runtime = Record<PropertyKey, unknown>;

/** The Gateway loads its runtime when it is first used: a proxy finds out each time whether it is there. */
const lazily = (runtime: Runtime): Runtime =>
  new Proxy({} as Runtime, {
    get: (target, name, receiver) =>
      Object.hasOwn(target, name) ? Reflect.get(target, name, receiver) : Reflect.get(runtime, name, receiver),
  });

type Config = Readonly<Record<string, (...given: readonly unknown[]) => unknown>>;

/** In front of that a proxy for each plugin, which makes `config` anew each time and runs its functions as the plugin. */
const forPlugin = (runtime: Runtime): Runtime =>
  new Proxy(runtime, {
    get(target, name, receiver) {
      const found: unknown = Reflect.get(target, name, receiver);
      if (name !== "config") return found;
      const config = found as Config;
      return {
        ...config,
        current: () => runAsPlugin(() => config["current"]?.()),
        mutateConfigFile: (params: unknown) => runAsPlugin(() => config["mutateConfigFile"]?.(params)),
        replaceConfigFile: (params: unknown) => runAsPlugin(() => config["replaceConfigFile"]?.(params)),
      };
    },
  });

/** What a plugin sees as `api.runtime`; every method of a bound session gives `answers`. */
export const standInRuntime = (answers: FreshAnswers, config: object): object => {
  const unused = (): void => undefined;
  const bound = { bindSession: (owner: Owner) => bindAsync(answers, owner) };
  const tasks = {
    async: { managedFlows: bound },
    managedFlows: { bindSession: (owner: Owner) => bindSync(answers, owner) },
  };
  const configs = {
    current: () => config,
    loadConfig: unused,
    mutateConfigFile: unused,
    replaceConfigFile: unused,
    writeConfigFile: unused,
  };
  return forPlugin(lazily({ version: "2026.9.6", config: configs, tasks }));
};
