// Who is told of each request in a Gateway: its diagnostics, and an audit file where the configuration asks for one.

import { mkdirSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type AuditSettings, type Config, printable, type RequestEvent } from "../../core/index.ts";
import { AuditFile } from "../audit/audit-file.ts";
import { AuditTurns } from "../audit/audit-turns.ts";
import { type EventListener, listenerOf } from "../bridge/listeners.ts";
import type { Log } from "../bridge/log.ts";
import { diagnosticsListener, importDiagnostics } from "./diagnostics.ts";

export type RequestWatchOptions = {
  /** The configuration as it was followed last. */
  readonly config: () => Config;
  /** The plugin's own folder, in which a relative path begins. May throw. */
  readonly folder: () => string;
  readonly log: Log;
  /** For tests. Default: the Gateway's own. */
  readonly diagnostics?: typeof importDiagnostics;
};

/** Milliseconds in which the requests end that were there when the plugin stopped. */
const GRACE_MS = 60_000;

/** Most characters of a path in a log line. */
const MAX_PATH = 500;

export class RequestWatch {
  readonly #options: RequestWatchOptions;
  #diagnostics: EventListener | undefined;
  #settings: AuditSettings | undefined;
  readonly #turns = new AuditTurns((events) => this.#write(events));
  #audit: AuditFile | undefined;
  #onEvent: EventListener | undefined;
  #closing: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: RequestWatchOptions) {
    this.#options = options;
    const { diagnostics = importDiagnostics, log } = options;
    void diagnostics().then((found) => {
      this.#diagnostics = found && diagnosticsListener(found, log);
      this.#update();
    });
    this.follow();
  }

  /** Told of each request; undefined while nobody listens. */
  get onEvent(): EventListener | undefined {
    return this.#onEvent;
  }

  /** What an answer waits for. */
  readonly whenKept = (): Promise<void> | undefined => this.#turns.kept;

  //= AUDIT-9
  /** Takes over what the configuration says now. A file that stays the same stays open. */
  follow(): void {
    const { audit } = this.#options.config();
    if (isDeepStrictEqual(audit, this.#settings)) return;
    this.#turns.flush();
    this.#settings = audit;
    this.#audit?.close();
    this.#audit = audit && this.#opened(audit);
    this.#update();
  }

  /** The file stays open for the requests that are not answered yet. */
  end(): void {
    clearTimeout(this.#closing);
    if (this.#settings === undefined) return;
    this.#closing = setTimeout(() => {
      this.#turns.flush();
      this.#audit?.close();
      this.#isClosed = true;
    }, GRACE_MS).unref();
  }

  resume(): void {
    clearTimeout(this.#closing);
    if (this.#isClosed) this.#settings = undefined;
    this.#isClosed = false;
    this.follow();
  }

  #update(): void {
    this.#onEvent = listenerOf([this.#settings && this.#turns.add, this.#diagnostics]);
  }

  /** A file that could not be opened is tried again once a minute. */
  #write(events: readonly RequestEvent[]): void {
    const settings = this.#settings;
    if (this.#audit === undefined && settings !== undefined)
      this.#options.log.sometimes("audit open", () => (this.#audit = this.#opened(settings)));
    this.#audit?.write(events);
  }

  #opened(settings: AuditSettings): AuditFile | undefined {
    const { log } = this.#options;
    try {
      const file = this.#pathOf(settings.file);
      const name = `the audit file ${printable(file, MAX_PATH)}`;
      const opened = AuditFile.open({
        ...settings,
        file,
        onFault: (sentence) => log.errorSometimes(`${name} ${sentence}`, "audit"),
        onSolved: (sentence) => log.write("info", `${name} ${sentence}`),
      });
      if (opened.isErr()) log.write("error", `${name} ${opened.error.sentence}; requests go on without it`);
      return opened.unwrapOr(undefined);
    } catch {
      log.write("error", "the folder of the audit file cannot be made; requests go on without it");
      return undefined;
    }
  }

  #pathOf(file: string): string {
    if (isAbsolute(file)) return file;
    const folder = this.#options.folder();
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return join(folder, file);
  }
}
