// What every store of flows must do, as properties. Run them against your own store, under any test runner.

import fc from "fast-check";
import type { FlowStore } from "../flows/flow-store.ts";
import { commands } from "./commands.ts";
import { followsKeys, refusesReuse, remembers, repeatsOnce } from "./deliveries.ts";
import { survives } from "./durability.ts";
import { allOwners, asTheReference, confined, freshOwners } from "./owners.ts";
import { pagesAreStable, pagesAreTheList, pagesAreTheOwners } from "./pages.ts";
import { boundsFlows, boundsTasks } from "./quotas.ts";
import { keepsLargeValues, keepsTheOrder, listsAll, readsAgree, tellsTheTime } from "./reads.ts";
import { countsTasksOnce, refusesByTheBook } from "./refusals.ts";
import type { Owners, Property, StoreUnderTest, TestFunction } from "./store-under-test.ts";
import { sweeps } from "./sweeps.ts";
import { nothingIsLost, oneWins, refusesOneOf } from "./writers.ts";

/** Registers the suite's tests with `test`. */
export const flowStoreSuite = (test: TestFunction, subject: StoreUnderTest): void => {
  const { open, close, reopen, sweep, runs: numRuns = 200, writers = 8, many = 1010, ties = "by_creation" } = subject;
  const owners = (): Owners => subject.owners ?? freshOwners();
  const pairs = (): readonly Owners[] => (subject.owners === undefined ? allOwners() : [subject.owners]);
  const withStore = (name: string, run: (store: FlowStore) => Promise<FlowStore | void>): unknown =>
    test(name, async () => {
      const store = await open();
      const last = (await run(store)) ?? store;
      await close?.(last);
    });

  /** A store that takes no deliveries has the bridge keep records for it. */
  const ifTaken =
    (property: Property) =>
    (store: FlowStore): Promise<void> =>
      store.takesDeliveries === true ? property(store, owners()) : Promise.resolve();

  withStore("what an owner is answered is what the lifecycle says, whatever another owner does meanwhile", (store) =>
    fc.assert(
      fc.asyncProperty(commands, commands, (mine, theirs) => asTheReference(mine, theirs)(store, owners())),
      { numRuns },
    ),
  );
  withStore("list, latest, resolve and get agree", (store) =>
    fc.assert(
      fc.asyncProperty(commands, (mine) => readsAgree(mine, ties)(store, owners())),
      { numRuns: Math.ceil(numRuns / 5) },
    ),
  );
  withStore("the pages of a list are the list, with every filter", (store) =>
    fc.assert(
      fc.asyncProperty(commands, fc.integer({ min: 1, max: 4 }), (mine, limit) =>
        pagesAreTheList(mine, limit)(store, owners()),
      ),
      { numRuns: Math.ceil(numRuns / 10) },
    ),
  );
  withStore("no flow is skipped or repeated while others are made and changed", async (store) => {
    for (const limit of [1, 2, 5]) await pagesAreStable(limit)(store, owners());
  });
  withStore("a page has the owner's flows, whatever the cursor", (store) => pagesAreTheOwners(store, owners()));
  withStore("a flow of another owner, or with an odd id, is as one that does not exist", async (store) => {
    for (const pair of pairs()) await confined(store, pair);
  });
  if (ties === "by_creation") {
    withStore("flows are listed as they were made, newest first", (store) => keepsTheOrder(store, owners()));
  }
  withStore("of simultaneous commands of every kind one is applied", (store) => refusesOneOf(store, owners()));
  withStore("times are milliseconds by the clock", (store) => tellsTheTime(store, owners()));
  withStore("each refusal says all that it has to say", (store) => refusesByTheBook(store, owners()));
  withStore("the same run is one task, and tasks hold a cancel up", (store) => countsTasksOnce(store, owners()));
  withStore("of simultaneous updates of one revision exactly one wins", (store) => oneWins(writers)(store, owners()));
  withStore("many writers that try again lose no update", (store) => nothingIsLost(writers)(store, owners()));
  withStore("large and deep values come back as they were", (store) => keepsLargeValues(store, owners()));
  if (sweep !== undefined) {
    withStore("a sweep ends flows that are to be cancelled, and no other", (store) => sweeps(sweep)(store, owners()));
  }
  withStore("a list has every flow, however many", (store) => listsAll(many, writers)(store, owners()));
  withStore("a repeated request has one effect and one answer", ifTaken(repeatsOnce(writers)));
  withStore(
    "a key is refused for another body, and is another one on another route or of another owner",
    ifTaken(refusesReuse),
  );
  withStore("a key leads to its open flow", ifTaken(followsKeys));
  withStore("a session has no more open flows than its quota", ifTaken(boundsFlows(writers)));
  withStore("a flow has no more tasks than its quota", ifTaken(boundsTasks(writers)));
  if (reopen === undefined) return;
  withStore("repeats and keys are known after a crash", (store) =>
    store.takesDeliveries === true ? remembers(reopen)(store, owners()) : Promise.resolve(store),
  );
  withStore("what was answered is there after a crash", async (store) => {
    let current = store;
    await fc.assert(
      fc.asyncProperty(commands, async (mine) => {
        current = await survives(mine, reopen)(current, owners());
      }),
      { numRuns: Math.ceil(numRuns / 5) },
    );
    return current;
  });
};
