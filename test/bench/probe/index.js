// A plugin that measures what `api.runtime` costs a plugin; `probe` alone measures the stand-in in the same way.

const ROUNDS = 9;

const medianOf = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Keeps what was made, so that none of it is optimised away. */
const kept = Array.from({ length: 64 });

const timeOf = (times, run) => {
  const taken = [];
  for (let round = 0; round < ROUNDS + 1; round += 1) {
    const started = performance.now();
    for (let index = 0; index < times; index += 1) kept[index & 63] = run();
    taken.push(((performance.now() - started) * 1000) / times);
  }
  return medianOf(taken.slice(1));
};

/** CPU of this thread alone: the Gateway's database is another one's. */
const cpuOf = async (times, run) => {
  const taken = [];
  for (let round = 0; round < ROUNDS + 1; round += 1) {
    const before = process.threadCpuUsage();
    for (let index = 0; index < times; index += 1) await run();
    const { user, system } = process.threadCpuUsage(before);
    taken.push((user + system) / times);
  }
  return medianOf(taken.slice(1));
};

/** Microseconds of each, by name. */
export const probe = async (runtime) => {
  const owner = { sessionKey: "agent:main:bench" };
  const { managedFlows } = runtime.tasks.async;
  const flows = managedFlows.bindSession(owner);
  const { flowId } = await flows.tryCreateManaged({ controllerId: "webhooks/bench", goal: "Review inbound queue" });
  let expectedRevision = 0;
  const write = async () => {
    const { flow } = await flows.setWaiting({ flowId, expectedRevision, currentStep: "collect" });
    expectedRevision = flow.revision;
  };
  return {
    "runtime.tasks": timeOf(20_000, () => runtime.tasks),
    "bindSession, asynchronous": timeOf(20_000, () => runtime.tasks.async.managedFlows.bindSession(owner)),
    "bindSession, synchronous": timeOf(20_000, () => runtime.tasks.managedFlows.bindSession(owner)),
    "bindSession, asynchronous, held": timeOf(20_000, () => managedFlows.bindSession(owner)),
    "runtime.config.current()": timeOf(20_000, () => runtime.config.current()),
    "a read, CPU of the thread": await cpuOf(1000, () => flows.get(flowId)),
    "a write, CPU of the thread": await cpuOf(500, write),
  };
};

const handle = async (runtime, response) => {
  try {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(await probe(runtime)));
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error));
  }
  return true;
};

export default {
  id: "bench-probe",
  name: "Probe",
  description: "Measures what the Gateway's plugin API costs.",
  register(api) {
    if (api.registrationMode !== "full") return;
    const handler = (_, response) => handle(api.runtime, response);
    api.registerHttpRoute({ path: "/bench-probe", auth: "plugin", match: "exact", handler });
  },
};
