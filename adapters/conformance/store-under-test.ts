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
  /** For a store whose owners are given; by default two new ones for each run. */
  readonly owners?: readonly [string, string];
  /** How often each property is tried. Default 200. */
  readonly runs?: number;
  /** The order of flows of one millisecond; `any` for a store that does not keep the port's. Default `by_id`. */
  readonly ties?: "by_id" | "any";
  /** Most commands at once; for a store behind HTTP no more than its in-flight limit. Default 8. */
  readonly writers?: number;
};

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
