// The server's log on standard error: JSON lines, or plain text on a terminal.

import {
  configureSync,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type LogLevel,
  type LogRecord,
} from "@logtape/logtape";
import { asciiJson, type AuditEvent, auditLine, escaped, printable } from "../../core/index.ts";
import type { Logger } from "../bridge/log.ts";
import type { Io } from "./io.ts";

export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const satisfies readonly LogLevel[];
export type Level = (typeof LOG_LEVELS)[number];

const CATEGORY = "webhooks";

/** Drops the plugin's name, with which the bridge begins its lines: every line of this log is the bridge's. */
const withoutPrefix = (line: string): string => line.replace(/^\[webhooks\] /u, "");

export type ServerLog = {
  readonly logger: Logger;
  /** Undefined unless the log has a line for each request. */ readonly onEvent:
    ((event: AuditEvent) => void) | undefined;
};

/** Escapes braces, which LogTape would take for placeholders. */
const literal = (line: string): string => line.replace(/[{}]/gu, "$&$&");

//= AUDIT-2
/** JSON lines, or text for a terminal. Names of files and routes may hold any character. */
const formatOf = (isTerminal: boolean): ((record: LogRecord) => string) => {
  const format = isTerminal
    ? getTextFormatter({ timestamp: "time" })
    : getJsonLinesFormatter({ properties: "flatten" });
  const ascii = isTerminal ? escaped : asciiJson;
  return (record) => `${ascii(format(record).replace(/\n$/u, ""))}\n`;
};

type Stderr = Pick<Io, "error" | "isTerminal" | "hasRoom">;

/** Writes synchronously, so that no line is lost when the process ends. Lines that nobody reads are dropped and counted. */
export const openLog = ({ error: write, isTerminal, hasRoom = () => true }: Stderr, level: Level): ServerLog => {
  const format = formatOf(isTerminal);
  let dropped = 0;
  //= SERVE-7
  const sink = (record: LogRecord): void => {
    if (!hasRoom()) return void (dropped += 1);
    const lost = dropped;
    dropped = 0;
    if (lost > 0) log.error(`${String(lost)} lines of this log were dropped, because nobody read standard error`);
    write(format(record));
  };
  configureSync({
    reset: true,
    sinks: { stderr: sink },
    loggers: [
      { category: CATEGORY, sinks: ["stderr"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "error" },
    ],
  });
  const log = getLogger(CATEGORY);
  const logger: Logger = {
    info: (line) => log.info(literal(withoutPrefix(line))),
    warn: (line) => log.warn(literal(withoutPrefix(line))),
    error: (line) => log.error(literal(withoutPrefix(line))),
  };
  const onEvent = (event: AuditEvent): void =>
    log.debug(literal(auditLine(event)), { ...event, client: printable(event.client ?? "") });
  return { logger, onEvent: level === "debug" ? onEvent : undefined };
};
