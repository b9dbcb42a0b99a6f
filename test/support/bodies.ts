import { BodyBudget, BodyTicket } from "../../adapters/bridge/body-budget.ts";
import { BODY_DEADLINE_MS, type BodyLimits, MAX_BODY_BYTES } from "../../core/index.ts";

/** What a route has that says nothing of bodies. */
export const LIMITS: BodyLimits = { maxBytes: MAX_BODY_BYTES, deadlineMs: BODY_DEADLINE_MS };

/** A ticket of a bridge that has nothing else to hold. */
export const ticket = (): BodyTicket => new BodyTicket(new BodyBudget(), "", true, false);
