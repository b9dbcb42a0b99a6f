// What the operator reads: one line each, never a secret. A logger that throws must not cost a caller its answer.

import { type AuditEvent, auditLine } from "../../core/index.ts";
import type { Logger } from "./host.ts";

/** A route's refused credentials and limited clients are shown once in this many milliseconds. */
const NOTICE_MS = 60_000;

const NOTEWORTHY: Readonly<Record<string, string>> = {
  unauthorized: "a request with a missing or wrong secret was refused",
  rate_limited: "a client reached the rate limit",
};

type Level = "debug" | "info" | "warn" | "error";

export class Log {
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #noticed = new Map<string, number>();

  constructor(logger: Logger, now: () => number) {
    this.#logger = logger;
    this.#now = now;
  }

  write(level: Level, line: string): void {
    try {
      this.#logger[level]?.(`[webhooks] ${line}`);
    } catch {
      // the request matters more than its log line
    }
  }

  /** Every answer at debug level; refusals that an operator should see also as warnings, at most one a minute. */
  audit(event: AuditEvent): void {
    this.write("debug", auditLine(event));
    const notice = event.code === undefined ? undefined : NOTEWORTHY[event.code];
    if (notice === undefined || !this.#isDue(`${event.code ?? ""} ${event.routeId ?? ""}`)) return;
    this.write("warn", `${notice}; more of these are not shown for a minute (${auditLine(event)})`);
  }

  #isDue(key: string): boolean {
    const last = this.#noticed.get(key);
    if (last !== undefined && this.#now() - last < NOTICE_MS) return false;
    this.#noticed.set(key, this.#now());
    return true;
  }
}
