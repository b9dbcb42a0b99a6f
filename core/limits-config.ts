// Checks what a route says of its limits.

import * as z from "zod";
import type { RouteLimits } from "./route.ts";
import { SLOTS } from "./slot.ts";
import { WINDOW } from "./window.ts";

/** Most of each that a route may allow. */
const MOST = { perMinute: 6000, inFlight: 64, maxFlows: 1_000_000, maxTasks: 10_000 } as const;

/** The field as written. */
export const limitsSchema = z.strictObject({
  perMinute: z.int().min(1).max(MOST.perMinute).optional(),
  inFlight: z.int().min(1).max(MOST.inFlight).optional(),
  maxFlows: z.int().min(1).max(MOST.maxFlows).optional(),
  maxTasks: z.int().min(1).max(MOST.maxTasks).optional(),
});

const upTo = (most: number): string => `must be a whole number from 1 to ${String(most)}`;

export const LIMITS_HINTS: Readonly<Record<string, string>> = {
  perMinute: upTo(MOST.perMinute),
  inFlight: upTo(MOST.inFlight),
  maxFlows: upTo(MOST.maxFlows),
  maxTasks: upTo(MOST.maxTasks),
};

/** What the field asks for; undefined when it is not there. */
export const limitsOf = (written: z.infer<typeof limitsSchema> | undefined): RouteLimits | undefined =>
  written === undefined
    ? undefined
    : {
        perMinute: written.perMinute ?? WINDOW.limit,
        inFlight: written.inFlight ?? SLOTS.client,
        maxFlows: written.maxFlows,
        maxTasks: written.maxTasks,
      };
