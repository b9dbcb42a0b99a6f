// The server's log on standard error: lines of JSON, or of text where a person reads along.

import { configureSync, getJsonLinesFormatter, getLogger, getTextFormatter, type LogLevel } from "@logtape/logtape";
import { type AuditEvent, auditLine, printable } from "../../core/index.ts";
import type { Logger } from "../bridge/log.ts";
import type { Io } from "./io.ts";

export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const satisfies readonly LogLevel[];
export type Level = (typeof LOG_LEVELS)[number];

const CATEGORY = "webhooks";

/** The bridge's lines begin with the plugin's name; here every line is the bridge's. */
const bare = (line: string): string => line.replace(/^\[webhooks\] /u, "");

export type ServerLog = { readonly logger: Logger; readonly onAnswer: (event: AuditEvent) => void };

/** Braces in a line are no place for a value. */
const literal = (line: string): string => line.replace(/[{}]/gu, "$&$&");

/** Writes at once, so that nothing is lost when the process ends. */
export const openLog = ({ error: write, isTerminal }: Pick<Io, "error" | "isTerminal">, level: Level): ServerLog => {
  const format = isTerminal
    ? getTextFormatter({ timestamp: "time" })
    : getJsonLinesFormatter({ properties: "flatten" });
  configureSync({
    reset: true,
    sinks: { stderr: (record) => write(format(record)) },
    loggers: [
      { category: CATEGORY, sinks: ["stderr"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "error" },
    ],
  });
  const log = getLogger(CATEGORY);
  const logger: Logger = {
    info: (line) => log.info(literal(bare(line))),
    warn: (line) => log.warn(literal(bare(line))),
    error: (line) => log.error(literal(bare(line))),
  };
  const isVerbose = level === "debug";
  const onAnswer = (event: AuditEvent): void => {
    if (isVerbose) log.debug(literal(auditLine(event)), { ...event, client: printable(event.client ?? "") });
  };
  return { logger, onAnswer };
};
