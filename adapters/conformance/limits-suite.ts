// What limits must do, as properties. Run them against your own, under any test runner.

import fc from "fast-check";
import type { Located, Verdict } from "../../core/index.ts";
import type { Limits } from "../limits/limits.ts";
import { check, same } from "./check.ts";
import { asInMemory, requests } from "./limits-reference.ts";
import { allowanceIn, freshRoute, type LimitsUnderTest } from "./limits-under-test.ts";
import type { TestFunction } from "./store-under-test.ts";

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

const kinds = (verdicts: readonly Verdict[], kind: Verdict["kind"]): number =>
  verdicts.filter((verdict) => verdict.kind === kind).length;

/** Milliseconds of a window. */
const WINDOW_MS = 60_000;

/** Registers the suite's tests with `test`. */
export const limitsSuite = (test: TestFunction, subject: LimitsUnderTest): void => {
  const { open, close, another, elapse, runs: numRuns = 50, maxClients = 64 } = subject;
  let now = 0;

  /** With each view on the limits: one, or two where processes share them. */
  const onLimits = async (run: (views: readonly [Limits, Limits]) => Promise<void>): Promise<void> => {
    const first = await open();
    const second = another === undefined ? undefined : await another();
    try {
      await run([first, second ?? first]);
    } finally {
      for (const view of [first, second]) if (view !== undefined) await close?.(view);
    }
  };

  const withLimits = (name: string, run: (views: readonly [Limits, Limits]) => Promise<void>): unknown =>
    test(name, () => onLimits(run));

  /** A request that is over at once. */
  const pass = async (view: Limits, located: Located): Promise<Verdict> => {
    const verdict = await view.admit(located, now);
    if (verdict.kind === "admitted") await view.release(located, false);
    return verdict;
  };

  test("each request is told what the reference tells it", () =>
    fc.assert(
      fc.asyncProperty(requests, (commands) => onLimits((views) => asInMemory(commands, views, now))),
      { numRuns },
    ));

  withLimits("a client passes as often as its route says, and is told how often it still does", async (views) => {
    const { request } = freshRoute({ limits: { perMinute: 5 } });
    for (const used of upTo(5)) {
      const { limit, windowMs, remaining, endsInMs } = allowanceIn(await pass(views[used % 2] ?? views[0], request(1)));
      same([limit, windowMs, remaining], [5, WINDOW_MS, 4 - used], "what is left of a window");
      check(endsInMs > 0 && endsInMs <= WINDOW_MS, "the end of the window must lie within its length");
    }
    const refused = await pass(views[0], request(1));
    check(refused.kind === "rate_limited", "one more must be refused");
    const waitMs = refused.kind === "rate_limited" ? refused.retryAfterMs : 0;
    check(waitMs > 0 && waitMs <= WINDOW_MS, "a refused client must be told when its window ends");
    allowanceIn(await pass(views[1], request(2)));
    allowanceIn(await pass(views[1], freshRoute().request(1)));
  });

  withLimits("of many requests at once no more pass than the limit", async (views) => {
    for (const perMinute of [1, 7]) {
      const { request } = freshRoute({ limits: { perMinute, inFlight: 64 } });
      const asked = upTo(40).map((index) => Promise.resolve((views[index % 2] ?? views[0]).admit(request(1), now)));
      const verdicts = await Promise.all(asked);
      same([kinds(verdicts, "admitted"), kinds(verdicts, "rate_limited")], [perMinute, 40 - perMinute], "at once");
    }
  });

  withLimits("of many requests at once no more are unfinished than the limit", async (views) => {
    const { request } = freshRoute({ limits: { inFlight: 3 } });
    const located = upTo(40).map(() => request(1));
    const viewOf = (index: number): Limits => views[index % 2] ?? views[0];
    const verdicts = await Promise.all(located.map((one, index) => Promise.resolve(viewOf(index).admit(one, now))));
    same([kinds(verdicts, "admitted"), kinds(verdicts, "too_many_in_flight")], [3, 37], "at once");
    for (const [index, one] of located.entries())
      if (verdicts[index]?.kind === "admitted") await viewOf(index).release(one, false);
    allowanceIn(await pass(views[1], request(1)));
  });

  withLimits("a slot that is given back twice frees no other one", async ([view]) => {
    const { request } = freshRoute({ limits: { inFlight: 2 } });
    const [one, two] = [request(1), request(1)];
    await view.admit(one, now);
    await view.admit(two, now);
    await view.release(one, false);
    allowanceIn(await view.admit(request(1), now));
    same((await view.admit(request(1), now)).kind, "too_many_in_flight", "both slots are held");
  });

  withLimits("the clients behind one peer have eight times the slots of a client, and 64 at least", async (views) => {
    const { request } = freshRoute();
    const admitted = await Promise.all(upTo(64).map((client) => views[client % 2]?.admit(request(client, 1), now)));
    same(admitted.filter((verdict) => verdict?.kind === "admitted").length, 64, "of 64 clients");
    same((await views[0].admit(request(100, 1), now)).kind, "too_many_in_flight", "the peer's slots are held");
    allowanceIn(await views[1].admit(request(100, 2), now));
  });

  withLimits(
    "a signed request takes no slot of its peer before it is proved, and none when none is left",
    async (views) => {
      const { request } = freshRoute({ isSigned: true });
      const located = upTo(70).map((client) => request(client, 1));
      for (const one of located) allowanceIn(await views[0].admit(one, now));
      const proved: unknown[] = [];
      for (const one of located) proved.push(await views[0].confirm(one, now));
      same(proved.filter((isProved) => isProved === true).length, 64, "slots of the peer");
      const [first] = located;
      if (first !== undefined) await views[0].release(first, true);
      const late = request(200, 1);
      await views[0].admit(late, now);
      same(await views[0].confirm(late, now), true, "one that was given back");
      const again = await views[1].admit(request(3, 2), now);
      same(again.kind === "admitted" && again.isKnown === true, true, "a client that has proved itself is known");
    },
  );

  withLimits("a number of a route that changes applies at once, and an open window keeps its count", async ([view]) => {
    const few = freshRoute({ limits: { perMinute: 3 } });
    for (const _ of upTo(3)) allowanceIn(await pass(view, few.request(1)));
    same((await pass(view, few.request(1))).kind, "rate_limited", "the window is full");
    const more = few.as({ limits: { perMinute: 5 } });
    same(allowanceIn(await pass(view, more.request(1))).remaining, 1, "what a higher limit leaves");
    const fewer = few.as({ limits: { perMinute: 2 } });
    same((await pass(view, fewer.request(1))).kind, "rate_limited", "more have passed than a lower limit allows");
  });

  withLimits("a client that has shown the secret keeps its bucket, however many strangers come", async (views) => {
    const { request } = freshRoute({ limits: { perMinute: 3 } });
    const friend = request(0);
    await views[0].admit(friend, now);
    await views[0].confirm(friend, now);
    await views[0].release(friend, true);
    const strangers = upTo(maxClients).map((client) => request(1000 + client));
    for (const one of strangers) allowanceIn(await pass(views[1], one));
    const newcomers = upTo(4).map((client) => request(9_000_000 + client));
    const verdicts: Verdict[] = [];
    for (const one of newcomers) verdicts.push(await pass(views[0], one));
    same(kinds(verdicts, "admitted"), 3, "newcomers share a bucket while there is no room");
    same(allowanceIn(await pass(views[1], request(0))).remaining, 1, "what is left for the one who is known");
    const [first] = strangers;
    if (first !== undefined) same(allowanceIn(await pass(views[0], first)).remaining, 1, "a stranger keeps its count");
  });

  if (elapse === undefined) return;
  withLimits("a window ends when it was said to, and not before", async ([view]) => {
    const { request } = freshRoute({ limits: { perMinute: 2 } });
    for (const _ of upTo(2)) await pass(view, request(1));
    const refused = await pass(view, request(1));
    const waitMs = refused.kind === "rate_limited" ? refused.retryAfterMs : 0;
    const part = Math.floor(waitMs / 2);
    await elapse(part);
    now += part;
    same((await pass(view, request(1))).kind, "rate_limited", "the window is not over");
    await elapse(waitMs - part);
    now += waitMs - part;
    same(allowanceIn(await pass(view, request(1))).remaining, 1, "of the next window");
  });
};
