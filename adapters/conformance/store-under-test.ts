// The store that a suite tests, and what its properties have in common.

import type { FlowStore } from "../flows/flow-store.ts";
import { type Ask, type Seen, seenIn } from "./transcript.ts";

/** `test` of node:test, vitest, Bun or Deno. */
export type TestFunction = (name: string, run: () => Promise<void>) => unknown;

export type StoreUnderTest = {
  /** Called for each test; flows of earlier tests may still be there. */
  readonly open: () => FlowStore | Promise<FlowStore>;
  readonly close?: (store: FlowStore) => void | Promise<void>;
  /** For a store that promises durability: ends `store` as a crash would, and opens what it left. */
  readonly reopen?: (store: FlowStore) => FlowStore | Promise<FlowStore>;
  /** For a store that cleans up: runs its sweep once. Nothing else may sweep meanwhile. */
  readonly sweep?: (store: FlowStore) => unknown;
  /** For a store whose owners are given; by default two new ones for each run. */
  readonly owners?: readonly [string, string];
  /** How often each property is tried. Default 200. */
  readonly runs?: number;
  /** How many flows a list is tried with. Default 1010, more than a page of most databases. */
  readonly many?: number;
  /** The order of flows of one millisecond. Default `by_creation`, the newest first. */
  readonly ties?: Ties;
  /** Most commands at once; for a store behind HTTP no more than its in-flight limit. Default 8. */
  readonly writers?: number;
};

/** `by_id`: the smaller id first, as a Gateway does. `any`: nothing is promised. */
export type Ties = "by_creation" | "by_id" | "any";

export type Owners = readonly [string, string];
export type Property = (store: FlowStore, owners: Owners) => Promise<void>;

/** A new flow. */
export const create = async (ask: Ask, stateJson: number | null = null): Promise<Seen> => {
  const { flow } = await ask({
    action: "create_flow",
    goal: "Conformance",
    controllerId: "conformance",
    stateJson,
  });
  return seenIn(flow);
};

export const idsOf = (views: readonly { readonly flowId?: unknown }[]): readonly string[] =>
  views.map(({ flowId }) => String(flowId));
