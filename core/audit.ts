// What an operator may log of a request: names and codes. No secret, digest, session key, owner or body.

import type { ActionName } from "./action.ts";
import { printable } from "./text.ts";

//= AUDIT-1
export type AuditEvent = {
  readonly status: number;
  /** The envelope's code; absent on a plain success. */
  readonly code?: string | undefined;
  /** The route that the path named, whether or not the credential was right: for the operator only. */
  readonly routeId?: string;
  /** Absent while the credential is unverified. */
  readonly action?: ActionName;
  /** The counting key of the client's network. */
  readonly client?: string;
};

//= AUDIT-2
/** The event as one line of printable ASCII. */
export const auditLine = ({ status, code, routeId, action, client }: AuditEvent): string => {
  const route = routeId === undefined ? "" : `route=${printable(routeId)} `;
  const asked = action === undefined ? "" : `action=${action} `;
  const from = client === undefined ? "" : `client=${printable(client)} `;
  return `${route}${asked}${from}status=${String(status)}${code === undefined ? "" : ` code=${printable(code)}`}`;
};
