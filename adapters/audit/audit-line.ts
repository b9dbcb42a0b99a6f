// One event as one line of JSON in printable ASCII. Written out member by member, because JSON.stringify and a look at the whole
// line cost three times as much, and a request pays for its line before its answer leaves.

import { asciiJson, type RequestEvent } from "../../core/index.ts";

/** Printable ASCII without what JSON escapes. */
const PLAIN = /^[ !#-[\]-~]*$/u;

const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : asciiJson(JSON.stringify(text)));

const member = (name: string, text: string | undefined): string =>
  text === undefined ? "" : `,"${name}":${quoted(text)}`;

//= AUDIT-2, AUDIT-5
export const auditJsonLine = (event: RequestEvent): string => {
  const { time, status, code, routeId, action, client, secret, flowId, rule, replayed, traceparent, fault } = event;
  const which = `{"time":${String(time)},"status":${String(status)}${member("code", code)}${member("routeId", routeId)}`;
  const who = `${member("action", action)}${member("client", client)}${member("secret", secret)}`;
  const what = `${member("flowId", flowId)}${member("rule", rule)}${replayed === true ? ',"replayed":true' : ""}`;
  const more = `${member("traceparent", traceparent)}${member("fault", fault)}`;
  return `${which}${who}${what}${more},"durationMs":${String(event.durationMs)}}\n`;
};
