// What the operator reads: one line each, never a secret. A logger that throws must not cost a caller its answer.

import { type AuditEvent, auditLine } from "../../core/index.ts";
import { adopt, isPromiseLike } from "../flows/awaitable.ts";

/** Where the lines go: the Gateway's logger, `console`, or one of your own. */
export interface Logger {
  readonly debug?: (message: string) => void;
  readonly info: (message: string) => void;
  readonly warn: (message: string) => void;
  readonly error: (message: string) => void;
}

/** A warning that callers can cause is shown once in this many milliseconds for each topic. */
const NOTICE_MS = 60_000;

/** Topics that are warned of in that time. Warnings of further ones are counted, and share one line. */
const MAX_TOPICS = 1000;

/** Refusals by which a sender that does not read answers loses what it sent, that the operator's own numbers cause, or strangers. */
const NOTEWORTHY: ReadonlyMap<string, string> = new Map([
  ["unauthorized", "a request with a missing or wrong secret or signature was refused"],
  ["admission_unavailable", "a request was refused, because the limits cannot be checked"],
  ["rate_limited", "a client reached the rate limit"],
  ["too_many_in_flight", "a request was refused, because too many of its client or its proxy are unfinished"],
  ["too_many_waiting", "a request was refused, because too many already wait for flows"],
  ["quota_exceeded", "a request was refused, because a quota of its route is full"],
  ["unsupported_media_type", "a body that is not plain JSON in UTF-8 was refused"],
  ["payload_too_large", "a body that is longer than its route allows was refused"],
  ["overloaded", "a body was refused, because too many are being received at once"],
  ["action_not_allowed", "a request was refused, because its route does not allow what it asks for"],
  ["mapping_failed", "a delivery was refused, because its rule makes no valid action of it"],
  ["idempotency_key_reused", "a request was refused, because its name was used for another body or action"],
  ["idempotency_unavailable", "a request was refused, because no record of it can be kept"],
]);

/** Whether a warning of that moment still keeps the next one back. */
const isLive = (last: number | undefined, now: number): boolean => last !== undefined && now - last < NOTICE_MS;

type Level = "debug" | "info" | "warn" | "error";

export class Log {
  readonly #logger: Logger;
  readonly #now: () => number;
  /** When each topic was shown last, oldest first. */
  readonly #noticed = new Map<string, number>();
  #unshown = 0;
  #unshownSaid: number | undefined;

  constructor(logger: Logger, now: () => number) {
    this.#logger = logger;
    this.#now = now;
  }

  write(level: Level, line: string): void {
    this.#say(level, () => line);
  }

  /** Makes the line only when the logger has that level. The request matters more than its line: failures are ignored. */
  #say(level: Level, line: () => string): void {
    try {
      const said: unknown = this.#logger[level]?.(`[webhooks] ${line()}`);
      if (isPromiseLike(said)) adopt(said).catch(() => undefined);
    } catch {
      // as above
    }
  }

  /** Every answer at debug level; refusals that an operator should see also as warnings. */
  audit(event: AuditEvent): void {
    this.#say("debug", () => auditLine(event));
    const { code = "", routeId = "", secret, fault = "" } = event;
    if (secret === "previous" && this.#isDue(`previous secret ${routeId}`))
      this.#rationed("info", `a sender still uses the previousSecret of its route (${auditLine(event)})`);
    const notice = NOTEWORTHY.get(code);
    if (notice !== undefined && this.#isDue(`${code} ${routeId} ${fault}`))
      this.#rationed("warn", `${notice} (${auditLine(event)})`);
  }

  //= AUDIT-3
  /** A warning that callers can cause again and again: at most one a minute for each topic. */
  warnSometimes(line: string, topic: string): void {
    if (this.#isDue(topic)) this.#rationed("warn", line);
  }

  /** The same for an error. */
  errorSometimes(line: string, topic: string): void {
    if (this.#isDue(topic)) this.#rationed("error", line);
  }

  /** Calls `tell` at most once a minute for the topic. */
  sometimes(topic: string, tell: () => void): void {
    if (this.#isDue(topic)) tell();
  }

  #rationed(level: "info" | "warn" | "error", line: string): void {
    this.write(level, `${line}; more of these are not shown for a minute`);
  }

  #isDue(topic: string): boolean {
    const now = this.#now();
    if (isLive(this.#noticed.get(topic), now)) return false;
    this.#forgetOld(now);
    if (this.#noticed.size >= MAX_TOPICS) {
      this.#countUnshown(now);
      return false;
    }
    this.#noticed.set(topic, now);
    return true;
  }

  /** No topic of the last minute is forgotten, because its next warning would then be shown too soon. */
  #forgetOld(now: number): void {
    for (const [topic, last] of this.#noticed) {
      if (isLive(last, now)) return;
      this.#noticed.delete(topic);
    }
  }

  #countUnshown(now: number): void {
    this.#unshown += 1;
    if (isLive(this.#unshownSaid, now)) return;
    this.#rationed("warn", `too many different warnings at once; not shown so far: ${String(this.#unshown)}`);
    this.#unshown = 0;
    this.#unshownSaid = now;
  }
}
