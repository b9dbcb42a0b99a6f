// The audit file of `serve`: which one, and what is said of it.

import { dirname, resolve } from "node:path";
import { err, ok, type Result } from "neverthrow";
import { AUDIT_BYTES, AUDIT_FILES, type AuditSettings } from "../../../core/index.ts";
import { AuditFile } from "../../audit/audit-file.ts";
import type { Log } from "../../bridge/log.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT } from "../io.ts";
import { shown } from "./database.ts";

export type AuditOptions = {
  readonly audit?: string;
  readonly auditMaxBytes?: number;
  readonly auditFiles?: number;
};

/** The file with its absolute path. A relative one of the configuration begins beside the database, as beside a Gateway's files. */
const settingsOf = (
  { audit, auditMaxBytes, auditFiles }: AuditOptions,
  configured: AuditSettings | undefined,
  database: string,
): AuditSettings | undefined => {
  const file = audit === undefined ? configured && resolve(dirname(database), configured.file) : resolve(audit);
  if (file === undefined) return undefined;
  return {
    file,
    maxBytes: auditMaxBytes ?? configured?.maxBytes ?? AUDIT_BYTES.usual,
    files: auditFiles ?? configured?.files ?? AUDIT_FILES.usual,
  };
};

/** Errs when a flag is about a file that nobody asks for. */
export const checkAudit = (
  { audit, auditMaxBytes, auditFiles }: AuditOptions,
  configured: AuditSettings | undefined,
): Result<void, CliFault> => {
  const isAsked = audit !== undefined || configured !== undefined;
  if (isAsked || (auditMaxBytes === undefined && auditFiles === undefined)) return ok();
  const name = auditMaxBytes === undefined ? "--audit-files" : "--audit-max-bytes";
  return err({
    ...fault(`${name} has no effect without an audit file. Add --audit FILE, or audit to the configuration`),
    status: EXIT.usage,
  });
};

/** Opens the file that the options ask for, or else the configuration. Errs when it cannot be used. */
export const openAudit = (
  options: AuditOptions,
  configured: AuditSettings | undefined,
  database: string,
  log: Log,
): Result<AuditFile | undefined, CliFault> => {
  const settings = settingsOf(options, configured, database);
  if (settings === undefined) return ok(undefined);
  const file = `the audit file ${shown(settings.file)}`;
  const opened = AuditFile.open({
    ...settings,
    onFault: (sentence) => log.errorSometimes(`${file} ${sentence}`, "audit"),
    onSolved: (sentence) => log.write("info", `${file} ${sentence}`),
  });
  return opened.isOk() ? ok(opened.value) : err(fault(`${shown(settings.file)} ${opened.error.sentence}`));
};
