// `openclaw-webhooks backup`: copies the database while servers work on it.

import { resolve as absolute } from "node:path";
import { err, type Result } from "neverthrow";
import { own } from "../../../core/index.ts";
import { type BackupFault, backUp } from "../../flows/sqlite/backup.ts";
import { isPostgresUrl } from "../../flows/postgres/address.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { databaseFile, shown } from "./database.ts";

export type BackupOptions = { readonly db?: string };

const explain = ({ code, error }: BackupFault, source: string, target: string): string => {
  const reason = error instanceof Error ? ` (${shown(error.message)})` : "";
  switch (code) {
    case "missing":
      return `${source} does not exist. Name the server's database with --db`;
    case "not_ours":
      return `${source} is not a database of openclaw-webhooks. Name the server's database with --db`;
    case "newer":
      return `${source} was written by a newer version of openclaw-webhooks. Run that version`;
    case "unusable":
      return `${source} cannot be copied${reason}. Check that the current user may read it; if it is damaged, keep your last backup`;
    case "exists":
      return `${target} exists and was not changed. Name a new file`;
    case "unwritable":
      if (own(error, "code") === "ENOENT")
        return `${target} is in a folder that does not exist (ENOENT). Create the folder, or name another file`;
      if (own(error, "code") === "ENOTDIR")
        return `${target} is not in a folder (ENOTDIR). Correct the path, or name another file`;
      return `${target} cannot be written${reason}. Name a file in a folder that the current user may write to, on a disk with room and hard links`;
  }
};

const NOT_A_FILE =
  "backup copies SQLite files only. Copy a PostgreSQL database with its own tools, such as pg_dump --schema openclaw_webhooks";

const copyTo = async (source: string, target: string, io: Io): Promise<Result<number, CliFault>> => {
  const copied = await backUp(source, target);
  const [from, to] = [shown(source), shown(target)];
  return copied
    .map((flows) => {
      io.out(`${to}: ${String(flows)} flow${flows === 1 ? "" : "s"} of ${from}.\n`);
      return EXIT.ok;
    })
    .mapErr((backupFault) => fault(explain(backupFault, from, to)));
};

/** Writes the copy to `file` and says how many flows it has. */
export const backup = async (file: string, options: BackupOptions, io: Io): Promise<Result<number, CliFault>> => {
  if (options.db !== undefined && isPostgresUrl(options.db)) return err(fault(NOT_A_FILE));
  const source = databaseFile(options.db, io.env);
  return source.isErr() ? err(source.error) : copyTo(source.value, absolute(file), io);
};
