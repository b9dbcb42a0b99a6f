// Where the configuration asks for an audit file.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import type { Fault } from "./rejection.ts";

/** Bytes of the file at which it is put aside. One line is far shorter than the least. */
export const AUDIT_BYTES = { least: 65_536, most: 1_073_741_824, usual: 16_777_216 } as const;

/** Files that were put aside and are kept. */
export const AUDIT_FILES = { least: 1, most: 100, usual: 8 } as const;

const MAX_PATH = 4096;

/** The fields as written. */
export const auditSchema = z.strictObject({
  file: z.string().trim().min(1).max(MAX_PATH),
  maxBytes: z.int().min(AUDIT_BYTES.least).max(AUDIT_BYTES.most).optional(),
  files: z.int().min(AUDIT_FILES.least).max(AUDIT_FILES.most).optional(),
});

/** `file`: as written; whoever opens it knows where a relative one begins. */
export type AuditSettings = { readonly file: string; readonly maxBytes: number; readonly files: number };

const range = ({ least, most }: typeof AUDIT_BYTES | typeof AUDIT_FILES): string =>
  `must be a whole number from ${String(least)} to ${String(most)}`;

const HINTS: Readonly<Record<string, string>> = {
  audit: "must be an object with file, and optionally maxBytes and files, and no other field",
  file: "must be the path of a file",
  maxBytes: range(AUDIT_BYTES),
  files: range(AUDIT_FILES),
};

const faultOf = (place: string): Fault => ({
  field: place === "audit" ? place : `audit.${place}`,
  sentence: `${HINTS[place] ?? ""}. No audit file is written`,
});

const settings = ({ file, maxBytes, files }: z.infer<typeof auditSchema>): AuditSettings => ({
  file,
  maxBytes: maxBytes ?? AUDIT_BYTES.usual,
  files: files ?? AUDIT_FILES.usual,
});

/** The file that is asked for, if one is. Errs with everything that is wrong. */
export const auditOf = (written: unknown): Result<AuditSettings | undefined, readonly Fault[]> => {
  if (written === undefined) return ok(undefined);
  const parsed = auditSchema.safeParse(written);
  if (parsed.success) return ok(settings(parsed.data));
  const places = parsed.error.issues.map(({ path }) => String(path[0] ?? "audit"));
  return err([...new Set(places)].map(faultOf));
};
