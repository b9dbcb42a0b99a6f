// One request through the runner: whatever fails, exactly one answer, and the slot is given back exactly once.

import fc from "fast-check";
import { err, ok, type Result } from "neverthrow";
import { expect, test } from "vitest";
import { type Bridge, exchange } from "../../../adapters/bridge/exchange.ts";
import { type Limits, MemoryLimits } from "../../../adapters/limits/memory.ts";
import { nodePrimitives } from "../../../adapters/node/primitives.ts";
import type {
  Answer,
  BodyFault,
  Command,
  HostFailure,
  Located,
  Outcome,
  RequestHead,
  Routes,
} from "../../../core/index.ts";
import { bytes, decodeUtf8, goodBody, head, PATH_A, ROUTE_A, ROUTES, wildText } from "../../core/arbitraries.ts";
import { runs } from "../../support/runs.ts";

/** The memory table, with a count of what each request took and gave back. */
class CountedLimits implements Limits {
  readonly #table = new MemoryLimits();
  taken = 0;
  released = 0;

  look(located: Located, now: number) {
    return this.#table.look(located, now);
  }

  commit(located: Located, admission: Parameters<Limits["commit"]>[1], now: number): void {
    if (admission.verdict.isOk()) this.taken += 1;
    this.#table.commit(located, admission, now);
  }

  release(located: Located): void {
    this.released += 1;
    this.#table.release(located);
  }

  get held(): number {
    return this.#table.state.slots.size;
  }
}

type Host = (command: Command) => Promise<Result<Outcome, HostFailure>>;
type Read = () => Promise<Result<Uint8Array, BodyFault>>;

const bridgeOf = (limits: Limits, execute: Host, defects: unknown[]): Bridge => ({
  limits,
  host: { execute },
  primitives: nodePrimitives,
  now: () => 0,
  onDefect: (error) => defects.push(error),
});

/** The one answer of an exchange. */
const answerTo = async (bridge: Bridge, routes: Routes, request: RequestHead, body: Read): Promise<Answer> => {
  const answers: Answer[] = [];
  await exchange(bridge, routes, request, body, (one) => void answers.push(one));
  const [only, ...more] = answers;
  if (only === undefined || more.length > 0) return expect.fail("REPLY-4: not exactly one answer");
  return only;
};

const boom = (): never => {
  throw new Error("boom");
};
const later = <T>(value: T): Promise<T> => new Promise((resolve) => setImmediate(() => resolve(value)));

const host = fc.constantFrom<Host>(
  () => Promise.resolve(ok({ kind: "flow", flow: null })),
  () => later(ok({ kind: "flow", flow: null })),
  () => Promise.resolve(err("bad_host_answer")),
  () => Promise.resolve(err("outcome_unknown")),
  () => Promise.reject(new Error("boom")),
  boom,
);
const read: fc.Arbitrary<Read> = fc.oneof(
  goodBody.map(
    (body): Read =>
      () =>
        later(ok(bytes(JSON.stringify(body)))),
  ),
  fc.uint8Array().map(
    (data): Read =>
      () =>
        Promise.resolve(ok(data)),
  ),
  fc.constantFrom<BodyFault>("too_large", "timeout", "gone").map(
    (fault): Read =>
      () =>
        later(err(fault)),
  ),
  fc.constant<Read>(() => Promise.reject(new Error("boom"))),
  fc.constant<Read>(boom),
);
const authorization = fc.oneof(fc.constant(`Bearer ${ROUTE_A.secret}`), wildText);
const target = fc.constantFrom(PATH_A, PATH_A, PATH_A, "/nope");

test("SLOT-2, REPLY-4: every request of any mix gets one answer, and every slot taken is released once", async () => {
  const one = fc.record({ authorization, target, read, host });
  await fc.assert(
    fc.asyncProperty(fc.array(one, { maxLength: 30 }), async (requests) => {
      const limits = new CountedLimits();
      const defects: unknown[] = [];
      const answers = await Promise.all(
        requests.map((request) => {
          const headers = { "content-type": "application/json", authorization: request.authorization };
          return answerTo(
            bridgeOf(limits, request.host, defects),
            ROUTES,
            head({ target: request.target, headers }),
            request.read,
          );
        }),
      );
      expect(
        answers
          .map(({ reply }) => JSON.parse(reply.body) as { ok: boolean })
          .every(({ ok: fine }) => typeof fine === "boolean"),
      ).toBe(true);
      expect([limits.released, limits.held]).toEqual([limits.taken, 0]);
      expect(answers.filter(({ reply }) => reply.code === "internal").length).toBe(defects.length);
    }),
    { numRuns: runs(300) },
  );
});

test("REPLY-4: a defect of ours gives internal, with nothing of the error", async () => {
  const defects: unknown[] = [];
  const { reply } = await answerTo(bridgeOf(new MemoryLimits(), boom, defects), ROUTES, head(), () =>
    Promise.resolve(ok(bytes('{"action":"list_flows"}'))),
  );
  expect([reply.status, reply.body.includes("boom"), defects.length]).toEqual([500, false, 1]);
});

test("AUTH-1, BODY-1: the body of a request without the secret is not read", async () => {
  let reads = 0;
  const { reply } = await answerTo(
    bridgeOf(new MemoryLimits(), boom, []),
    ROUTES,
    head({ headers: { "content-type": "application/json" } }),
    () => {
      reads += 1;
      return Promise.resolve(ok(bytes("")));
    },
  );
  expect([reply.code, reads]).toEqual(["unauthorized", 0]);
});

test("BODY-5: Node's decoder is the strict one, and its digest the default's", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (data) => {
      expect(nodePrimitives.decodeUtf8(data)).toBe(decodeUtf8(data));
    }),
  );
});

test("SLOT-2: a slot is held until the answer has left, and given back when it cannot", async () => {
  const limits = new CountedLimits();
  const defects: unknown[] = [];
  const bridge = bridgeOf(limits, () => Promise.resolve(ok({ kind: "flow", flow: null })), defects);
  const body = (): Promise<Result<Uint8Array, BodyFault>> => Promise.resolve(ok(bytes('{"action":"list_flows"}')));
  await exchange(bridge, ROUTES, head(), body, () => expect(limits.held).toBe(1));
  expect(limits.held).toBe(0);
  await exchange(bridge, ROUTES, head(), body, boom);
  expect([limits.held, limits.released, defects.length]).toEqual([0, 2, 1]);
});

test("REPLY-4: limits that fail before a slot is taken are a defect: one answer, and nothing given back", async () => {
  const defects: unknown[] = [];
  const limits = new CountedLimits();
  const broken = new Error("table");
  const failing: Limits = {
    look: () => {
      throw broken;
    },
    commit: (...args) => limits.commit(...args),
    release: (...args) => limits.release(...args),
  };
  const bridge = bridgeOf(failing, () => Promise.resolve(ok({ kind: "flows", flows: [] })), defects);
  const { reply } = await answerTo(bridge, ROUTES, head(), () => Promise.resolve(ok(bytes("{}"))));
  expect([reply.status, reply.code, defects, limits.released]).toEqual([500, "internal", [broken], 0]);
});
