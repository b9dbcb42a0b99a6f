// What may be logged about a request: names and codes, never a secret, digest, session key, owner or body.

import type { ActionName } from "./action.ts";
import { printable } from "./text.ts";

//= AUDIT-1
export type AuditEvent = {
  readonly status: number;
  /** The code of the reply. Absent on success. */
  readonly code?: string | undefined;
  /** The route of the path, even if the credential was wrong. For the operator only. */
  readonly routeId?: string;
  /** Absent unless the credential was right. */
  readonly action?: ActionName;
  /** The client's network, as `networkOf` gives it. */
  readonly client?: string;
};

//= AUDIT-2
/** The event as one line of printable ASCII. */
export const auditLine = ({ status, code, routeId, action, client }: AuditEvent): string => {
  const route = routeId === undefined ? "" : `route=${printable(routeId)} `;
  const named = action === undefined ? "" : `action=${action} `;
  const from = client === undefined ? "" : `client=${printable(client)} `;
  return `${route}${named}${from}status=${String(status)}${code === undefined ? "" : ` code=${printable(code)}`}`;
};
