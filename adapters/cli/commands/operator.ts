// What an operator sees of a running `serve`: an audit file, and pages with its metrics. Each is there only if it is asked for.

import { err, ok, type Result } from "neverthrow";
import { printable, type SecretDigest } from "../../../core/index.ts";
import type { AuditFile } from "../../audit/audit-file.ts";
import { AuditTurns } from "../../audit/audit-turns.ts";
import { type EventListener, listenerOf } from "../../bridge/listeners.ts";
import type { Log } from "../../bridge/log.ts";
import type { Told } from "../../bridge/told.ts";
import type { Callbacks } from "../../notify/callbacks.ts";
import { RequestMetrics } from "../../metrics/request-metrics.ts";
import type { AdminPage, AdminPages } from "../../server/admin.ts";
import { Activity } from "../../status/activity.ts";
import type { Awaitable } from "../../flows/awaitable.ts";
import { createStatus, type StatusDocument, type StatusOptions } from "../../status/document.ts";
import { statusPages } from "../../status/page.ts";
import type { RunningServer, ServerOptions, Tls } from "../../server/server.ts";
import type { CliFault } from "../fault.ts";
import { type AdminOptions, metricsPage, openAdmin, TOKEN_UNENCRYPTED } from "./admin.ts";
import { type AuditOptions, openAudit } from "./audit.ts";
import { shown } from "./database.ts";
import { isLoopback } from "./listen-address.ts";
import { metricsLines } from "./metrics.ts";
import type { Live } from "./reload.ts";

export type OperatorParts = {
  readonly options: AuditOptions & AdminOptions;
  readonly live: Live;
  /** What the pages demand. */
  readonly token: SecretDigest | undefined;
  /** The absolute path of the flows' file, or of the one that there would be by default. */
  readonly database: string;
  readonly log: Log;
  readonly isReady: ServerOptions["isReady"];
  /** Counts open flows once the store is there. */
  readonly store: StatusOptions["store"];
  /** A sentence of the store that the operator should know. */
  readonly warning: () => string | undefined;
  /** Why nothing can be kept now, if so. */
  readonly trouble: () => Awaitable<string | undefined>;
  /** Milliseconds since the epoch by the clock that dates callbacks. */
  readonly now: () => number;
  /** Undefined until the store is there. */
  readonly callbacks: () => Callbacks | undefined;
  /** What else is wrong with this process. */
  readonly faults: () => readonly Told[];
  /** Requests that are not answered yet. */
  readonly active: () => number;
  readonly onError: (error: unknown) => void;
};

const AUDIT_BROKEN = "the audit file cannot be written. The log says why";

const linesOf = (line: string | undefined): readonly Told[] => (line === undefined ? [] : [{ line }]);

/** Milliseconds for what is read of the pages when the server stops. */
const STOP_MS = 1000;

export class Operator {
  readonly #parts: OperatorParts;
  readonly #requests = new RequestMetrics();
  readonly #activity = new Activity();
  readonly #turns = new AuditTurns((events) => this.#audit?.write(events));
  #audit: AuditFile | undefined;
  #admin: RunningServer | undefined;

  private constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  /** With its pages, if they are asked for. Errs when their address cannot be listened on. */
  static async open(parts: OperatorParts): Promise<Result<Operator, CliFault>> {
    const operator = new Operator(parts);
    const address = parts.options.admin;
    if (address === undefined) return ok(operator);
    const { token, live, isReady, onError, log } = parts;
    //= AUDIT-3
    const onWrongToken = (peer: string): void =>
      log.warnSometimes(`a request to the operator's pages had a wrong token (peer=${printable(peer)})`, "admin token");
    const { tls } = live.served;
    const admin = await openAdmin({
      address,
      token,
      tls,
      pages: operator.#pages(),
      isReady,
      onError,
      onWrongToken,
    });
    if (admin.isErr()) return err(admin.error);
    operator.#admin = admin.value;
    return ok(operator);
  }

  /** Opens the audit file, if one is asked for. */
  openAudit(): Result<void, CliFault> {
    const { options, live, database, log } = this.#parts;
    return openAudit(options, live.served.config.audit, database, log).map((audit) => void (this.#audit = audit));
  }

  /** What is to be told of each request; undefined when nobody listens. */
  get onEvent(): EventListener | undefined {
    const seen = this.#admin === undefined ? [] : [this.#requests.record, this.#activity.add];
    return listenerOf([this.#audit && this.#turns.add, ...seen]);
  }

  /** What an answer waits for. */
  readonly whenKept = (): Promise<void> | undefined => this.#turns.kept;

  /** Says where everything is. */
  tell(): void {
    const { options, live, log } = this.#parts;
    if (this.#audit !== undefined) log.write("info", `audit file ${shown(this.#audit.path)}`);
    if (options.admin === undefined || this.#admin === undefined) return;
    log.write("info", `pages for operators at ${this.#admin.url}`);
    if (!isLoopback(options.admin.host) && live.served.tls === undefined) log.write("warn", TOKEN_UNENCRYPTED);
  }

  /** The audit file may have been put aside by another program. */
  reopen(): void {
    this.#turns.flush();
    this.#audit?.reopen();
  }

  renew(tls: Tls): Result<void, unknown> {
    return this.#admin?.renew(tls) ?? ok();
  }

  async stop(): Promise<void> {
    await this.#admin?.stop(STOP_MS);
    this.#turns.flush();
    this.#audit?.close();
  }

  #pages(): AdminPages {
    const { live, active, callbacks, now } = this.#parts;
    const lines = () => metricsLines({ requests: this.#requests, active, live, audit: this.#audit, callbacks, now });
    return new Map<string, AdminPage>([
      ...Object.entries(statusPages(this.#status())),
      ["/metrics", metricsPage(lines)],
    ]);
  }

  #status(): () => Promise<StatusDocument> {
    const { live, store, warning, trouble, callbacks, faults } = this.#parts;
    return createStatus({
      config: () => live.served.config,
      told: async () => [
        ...live.served.explained,
        ...linesOf(live.refused),
        ...live.served.further,
        ...linesOf(warning()),
        ...linesOf(await trouble()),
        ...linesOf(this.#audit?.isBroken === true ? AUDIT_BROKEN : undefined),
        ...faults(),
      ],
      activity: this.#activity,
      store,
      callbacks: () => callbacks()?.problems() ?? [],
    });
  }
}
