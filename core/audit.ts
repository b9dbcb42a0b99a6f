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
export const auditLine = (event: AuditEvent): string => {
  const { status, code, routeId, action, client } = event;
  const parts = { route: routeId, action, client, status: String(status), code };
  return Object.entries(parts)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${printable(value)}`]))
    .join(" ");
};
