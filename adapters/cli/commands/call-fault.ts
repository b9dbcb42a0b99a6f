// What `call` says when there is no answer: what happened, whether the action may have been carried out, what to do.

import { type ActionName, printable } from "../../../core/index.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT } from "../io.ts";
import type { Proxy } from "./call-proxy.ts";
import { DEADLINE_MS, MAX_ANSWER_BYTES, type Post, type SendFault } from "./call-send.ts";
import { shownUrl } from "./call-target.ts";

/** Nothing was carried out, as far as this side can tell. */
export const unreachable = (sentence: string): CliFault => ({ ...fault(sentence), status: EXIT.unreachable });

/** `key`: the idempotency key that the request has, if it has one. */
export type Repeatable = { readonly action: string; readonly key: string | undefined };

/** Actions that change nothing. */
const READS: ReadonlySet<string> = new Set([
  "get_flow",
  "list_flows",
  "find_latest_flow",
  "resolve_flow",
  "get_task_summary",
] satisfies readonly ActionName[]);

export const changesNothing = (action: string): boolean => READS.has(action);

/** What to do before the same call is made again. */
export const beforeAgain = ({ key }: Repeatable): string =>
  key === undefined ? "look at the flow before you call again" : "call again with the same --idempotency-key";

//= CALL-3
/** The request was sent and its outcome is not known. An action of no known name may write. */
export const unsure = (what: string, sent: Repeatable): CliFault => {
  const next = beforeAgain(sent);
  return {
    ...fault(
      changesNothing(sent.action)
        ? `${what}. ${sent.action} changes nothing: call it again`
        : `${what}; it may have been carried out. ${next.charAt(0).toUpperCase()}${next.slice(1)}`,
    ),
    status: EXIT.unsure,
  };
};

const codeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return "unknown";
  return printable("code" in error && typeof error.code === "string" ? error.code : error.name);
};

/** A request and the name of its action. */
type Asked = Post & Repeatable;

const NO_WAY = "There is no way to that address from here. Check the address, the network and the firewall";

/** Advice on trouble before the request was sent. */
const UNREACHED: Readonly<Record<string, string>> = {
  ENOTFOUND: "No such name is known. Check the name, or the DNS of this machine",
  EAI_AGAIN: "The name could not be looked up. Try again, or check the DNS of this machine",
  ETIMEDOUT: NO_WAY,
  EHOSTUNREACH: NO_WAY,
  ENETUNREACH: NO_WAY,
};

const NOT_TRUSTED =
  "is not trusted here. Set NODE_EXTRA_CA_CERTS to the file of the authority that signed it, or to the certificate itself";
const EXPIRED = "has expired. Renew it on the server, or check the clock of this machine";

/** What is wrong with the server's certificate, and what to do. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: NOT_TRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: NOT_TRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: NOT_TRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: NOT_TRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: NOT_TRUSTED,
  CERT_UNTRUSTED: NOT_TRUSTED,
  CERT_HAS_EXPIRED: EXPIRED,
  CERT_NOT_YET_VALID: "is not valid yet. Check the clock of this machine and of the server",
  ERR_TLS_CERT_ALTNAME_INVALID: "is for another name. Use a name that stands in the certificate",
};

const OTHER_CERTIFICATE = /CERT|SIGNATURE|CRL/u;

const certificateFault = (code: string): string | undefined =>
  CERTIFICATE[code] ?? (OTHER_CERTIFICATE.test(code) ? "cannot be used. Check it on the server" : undefined);

/** Node's codes for an answer that is not TLS, and for one that is not HTTP. */
const NOT_TLS = /^(?:EPROTO|ERR_SSL_)/u;
const NOT_HTTP = /^HPE_/u;

/** What a proxy did instead of passing the request on, such as `refused the request (407)`. */
export const proxyFault = ({ variable }: Proxy, { hostname }: URL, what: string): CliFault =>
  unreachable(`The proxy that ${variable} names ${what}. Correct ${variable}, or name ${hostname} in NO_PROXY`);

const tunnelStatus = (error: unknown): string =>
  error instanceof Error && "statusCode" in error ? String(error.statusCode) : "no status";

const failedBefore = ({ target, proxy }: Post, code: string, error: unknown): CliFault => {
  const shown = shownUrl(target);
  const certificate = certificateFault(code);
  if (certificate !== undefined)
    return unreachable(`${shown} was reached, but its certificate ${certificate} (${code})`);
  if (NOT_TLS.test(code))
    return unreachable(`${shown} was reached, but does not speak TLS there (${code}). Check the port, or use http://`);
  if (proxy !== undefined && code === "ERR_PROXY_TUNNEL")
    return proxyFault(proxy, target, `refused the request (${tunnelStatus(error)})`);
  if (proxy !== undefined) return proxyFault(proxy, target, `cannot be reached (${code})`);
  if (code === "ECONNRESET")
    return unreachable(`${shown} closed the connection before the request was sent (${code}). Check the port`);
  return unreachable(
    `${shown} cannot be reached (${code}). ${UNREACHED[code] ?? "Check that the server is running there"}`,
  );
};

const lateFault = (post: Asked, wasSent: boolean, afterMs: number): CliFault => {
  const { target, proxy } = post;
  const inTime = `within ${String(Math.ceil(afterMs / 1000))} s`;
  if (wasSent) return unsure(`${shownUrl(target)} was reached: no answer ${inTime}`, post);
  return proxy === undefined
    ? unreachable(`${shownUrl(target)} could not be reached ${inTime}. ${NO_WAY}`)
    : proxyFault(proxy, target, `did not connect ${inTime}`);
};

/** Why a request got no whole answer. */
export const explainSend = (post: Asked, { kind, wasSent, error, afterMs = DEADLINE_MS }: SendFault): CliFault => {
  const shown = shownUrl(post.target);
  const code = codeOf(error);
  if (kind === "too_long")
    return unsure(`${shown} answered with more than ${String(MAX_ANSWER_BYTES / 1024 / 1024)} MiB`, post);
  if (kind === "late") return lateFault(post, wasSent, afterMs);
  if (!wasSent) return failedBefore(post, code, error);
  return NOT_HTTP.test(code)
    ? unreachable(
        `${shown} was reached, but does not answer in HTTP (${code}). Check that it is the URL of a webhook route`,
      )
    : unsure(`${shown} closed the connection before its answer was complete (${code})`, post);
};
