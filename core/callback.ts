// How events are sent: what a request carries, what an answer means, and when the next try is due.

import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { Notify } from "./route.ts";
import { type HmacSha256, signDelivery } from "./signature.ts";

/** Milliseconds after which an event is given up: 7 days. */
export const EVENT_MS = 604_800_000;

/** Undelivered events that one route keeps; the oldest gives way. */
export const MAX_EVENTS = 10_000;

const FIRST_WAIT_MS = 5000;

/** Milliseconds of the longest wait, and the longest that a receiver may ask for: a day. */
export const MAX_WAIT_MS = 86_400_000;

/** How far a wait is moved by chance, so that the events of an outage do not all come back at once. */
const JITTER = 0.1;

/** The next wait is doubled so often at most. */
const MAX_DOUBLINGS = 15;

/** Milliseconds by which a due time may be ahead of the clock. One that is further ahead is of a wrong clock. */
export const MAX_AHEAD_MS = MAX_WAIT_MS * (1 + JITTER);

/** Whether a try that was set for `dueAt` may be made. What is due later than any wait lasts was set by a wrong clock. */
export const isDueAt = (dueAt: number, now: number): boolean => dueAt <= now || dueAt > now + MAX_AHEAD_MS;

/** What came of a try: the status and the `Retry-After` in milliseconds, or no answer. */
export type Answered = { readonly status: number; readonly retryAfterMs: number | undefined } | undefined;

/** What becomes of the event. `later`: after so many milliseconds; `gone`: the address gets nothing more. */
export type Fate =
  { readonly kind: "taken" | "given_up" | "gone" } | { readonly kind: "later"; readonly waitMs: number };

/** The tries that an event has had, and when it happened. `hasMoved`: the route has another address than the one that was asked. */
export type Tried = { readonly tries: number; readonly at: number; readonly hasMoved: boolean };

//= NOTIFY-6
/** Milliseconds to the next try after `tries` that failed. `chance`: from 0 to 1. */
const waitAfter = (tries: number, chance: number): number => {
  const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(tries - 1, MAX_DOUBLINGS), MAX_WAIT_MS);
  return Math.round(wait * (1 - JITTER + 2 * JITTER * chance));
};

//= NOTIFY-6
/**
 * What an answer means. `tries`: with this one; `now`: milliseconds since the epoch; `chance`: from 0 to 1. A redirect is a
 * failure as any other, because nothing is sent to an address that the operator has not set. So is the 410 of an address that the
 * route has left, because the events that wait are for the next one.
 */
export const fateOf = (answered: Answered, { tries, at, hasMoved }: Tried, now: number, chance: number): Fate => {
  const status = answered?.status ?? 0;
  if (status >= 200 && status < 300) return { kind: "taken" };
  if (status === 410 && !hasMoved) return { kind: "gone" };
  const asked = Math.min(answered?.retryAfterMs ?? 0, MAX_WAIT_MS);
  const waitMs = Math.max(waitAfter(tries, chance), asked);
  return now + waitMs - at >= EVENT_MS ? { kind: "given_up" } : { kind: "later", waitMs };
};

/** The part of an address that may be shown: a path or a query may be a secret. */
export const originOf = ({ url }: Pick<Notify, "url">): string => /^[a-z]+:\/\/[^/?#]*/iu.exec(url)?.[0] ?? "";

/** Another text for each address and key, which tells neither. */
export const addressOf = ({ url, key }: Notify, hmac: HmacSha256): string =>
  bytesToHex(key.digest(hmac, [utf8ToBytes(url)]));

//= NOTIFY-4
/** The header fields and the bytes of one try. `now`: milliseconds since the epoch. */
export const callbackRequest = (
  { eventId, body }: { readonly eventId: string; readonly body: string },
  { key }: Notify,
  now: number,
  hmac: HmacSha256,
): { readonly headers: Readonly<Record<string, string>>; readonly bytes: Uint8Array<ArrayBuffer> } => {
  const bytes = Uint8Array.from(utf8ToBytes(body));
  const signature = signDelivery("standard", key, { id: eventId, now }, bytes, hmac);
  return {
    headers: { "content-type": "application/json", "user-agent": "openclaw-webhooks", ...signature },
    bytes,
  };
};
