// The Gateway's agents behind the port, over a Gateway that answers as the real one does, or as it likes.

import { AsyncLocalStorage } from "node:async_hooks";
import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { type AgentRuntime, GatewayAgents } from "../../../adapters/gateway/agents.ts";
import type { Turn } from "../../../adapters/runs/agents.ts";
import { runs } from "../../support/runs.ts";

afterEach(() => {
  vi.useRealTimers();
});

const TURN: Turn = { flowId: "f", runId: "f", session: "agent:main:subagent:webhooks-f", owner: "agent:main:hook" };

/** What the Gateway says of a turn, its task and its session. */
type Said = {
  readonly waitForRun?: () => unknown;
  readonly task?: () => unknown;
  readonly messages?: readonly unknown[];
};

/** The fence leaves the text as it is, so that what the tests see is what the product does. */
const agentsOf = ({ waitForRun, task, messages = [] }: Said): GatewayAgents => {
  const never = (): Promise<never> => new Promise(() => undefined);
  const runtime: unknown = {
    subagent: {
      run: never,
      waitForRun: async () => waitForRun?.(),
      getSessionMessages: async ({ limit }: { limit: number }) => ({ messages: messages.slice(-limit) }),
    },
    tasks: {
      async: {
        runs: { bindSession: () => ({ resolve: async () => task?.() }) },
        managedFlows: { bindSession: () => ({ runTask: never }) },
      },
    },
  };
  return new GatewayAgents(
    runtime as AgentRuntime,
    (text) => text,
    () => ({}),
    AsyncLocalStorage.snapshot(),
  );
};

const FAILED = { status: "failed", code: "run_failed" };

test("RUN-2, RUN-5: a turn that the Gateway has ended by its own limit has failed, as soon as the Gateway says so", async () => {
  const agents = agentsOf({
    waitForRun: () => ({ runId: "f", status: "timeout", endedAt: 1, timeoutPhase: "provider" }),
    task: () => ({ runtime: "subagent", status: "timed_out" }),
  });
  expect(await agents.wait(TURN, 5000)).toEqual(FAILED);
});

test.each([{ status: "pending" }, { status: "timeout" }, {}, undefined])(
  "RUN-5: a Gateway that answers %j at once is not asked again before the time is over",
  async (answer) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    let asked = 0;
    const agents = agentsOf({
      waitForRun: () => {
        asked += 1;
        return answer;
      },
      task: () => ({ runtime: "subagent", status: "running" }),
    });
    const isOver = vi.fn<() => void>();
    const waiting = agents.wait(TURN, 5000).then((result) => {
      isOver();
      return result;
    });
    await vi.advanceTimersByTimeAsync(4900);
    expect([asked, isOver.mock.calls.length]).toEqual([1, 0]);
    await vi.advanceTimersByTimeAsync(200);
    expect(await waiting).toBeUndefined();
  },
);

test("RUN-5: a call that the Gateway never answers fails after a minute, so that no turn keeps its place for ever", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const agents = agentsOf({ waitForRun: () => new Promise(() => undefined) });
  const failures = Promise.allSettled([agents.link(TURN), agents.start(TURN, "m", false), agents.wait(TURN, 5000)]);
  await vi.advanceTimersByTimeAsync(65_000);
  expect((await failures).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
});

const mine = { role: "user", content: "m", idempotencyKey: "f:user" };
const ofTurn = { role: "assistant", content: "one more", __openclaw: { runId: "f" } };
const ofOther = { role: "assistant", content: "another", __openclaw: { runId: "g" } };

test.each([
  ["long", [mine, ...Array.from({ length: 600 }, () => [ofTurn, { role: "toolResult", content: "read" }]).flat()]],
  ["in a busy session", [mine, ofTurn, ...Array.from({ length: 900 }, () => ofOther)]],
])("RUN-8: a turn that was cut off is lost, and not begun again, however %s it was", async (_, messages) => {
  expect(await agentsOf({ messages }).trace(TURN, false)).toEqual({ kind: "lost" });
  expect(await agentsOf({ messages: [ofOther] }).trace(TURN, false)).toEqual({ kind: "not_begun" });
});

/** As the Gateway finds the local images that it puts beside a prompt (2026.9.6). */
const EXTENSIONS = "png|jpg|jpeg|gif|webp|bmp|tiff|tif|heic|heif";
const LOCAL_IMAGES = [
  new RegExp(`file://[^\\s<>"'\`\\]]+\\.(?:${EXTENSIONS})`, "gi"),
  new RegExp(`(?:^|\\s|["'\`(])([A-Za-z]:[\\\\/][^\\s"'\`()\\[\\]]*\\.(?:${EXTENSIONS}))`, "gi"),
  new RegExp(`(?:^|\\s|["'\`(])((\\.\\.?/|[~/])[^\\s"'\`()\\[\\]]*\\.(?:${EXTENSIONS}))`, "gi"),
];
const found = (text: string): readonly string[] => LOCAL_IMAGES.flatMap((pattern) => text.match(pattern) ?? []);

const piece = fc.oneof(
  fc.constantFrom(
    "/",
    "./",
    "../",
    "~/",
    "file://",
    "FILE:///",
    "C:\\",
    "http://",
    "https://",
    "a",
    "/tmp/b",
    ".",
    " ",
  ),
  fc.constantFrom(
    "\n",
    '"',
    "'",
    "`",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    "\u{200b}",
    ".png",
    ".PNG",
    ".jpeg",
    ".tif",
    "png",
  ),
  fc.string({ maxLength: 2 }),
);

test("RUN-6: no text from outside names a local image that the Gateway would show to the model", () => {
  const agents = agentsOf({});
  const texts = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(texts, (text) => {
      expect(found(agents.fence(text, true))).toEqual([]);
    }),
    { numRuns: runs(2000) },
  );
});

test("RUN-6: only the point before the ending is marked, and addresses in the web stay", () => {
  const agents = agentsOf({});
  expect(agents.fence('See /a/b.png, "../c.JPEG" and file:///d.heic', true)).toBe(
    'See /a/b[.]png, "../c[.]JPEG" and file:///d[.]heic',
  );
  const plain = "v1.2 of a/b.ts: ![badge](https://example.com/a.png?x=/b.gif), 3.5.";
  expect(agents.fence(plain, false)).toBe(plain);
});
