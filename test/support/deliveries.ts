// A bridge with signed and mapped routes, and senders that sign as providers do.

import { randomUUID } from "node:crypto";
import { createFetchHandler, type EmbedOptions, type FetchHandler } from "../../adapters/fetch/index.ts";
import { memoryFlows } from "../../adapters/flows/memory/store.ts";
import { type AuditEvent, hmacSha256, type SchemeName, signDelivery, signingKey } from "../../core/index.ts";
import { bytes } from "../core/arbitraries.ts";

/** A signing secret of each scheme. */
export const SECRETS: Readonly<Record<SchemeName, string>> = {
  standard: `whsec_${Buffer.from("signing key of 32 bytes, not more").toString("base64")}`,
  github: "github-signing-secret-0123456789",
  stripe: "whsec_stripe-signing-secret-0123",
  shopify: "shopify-signing-secret-0123456789",
  linear: "linear-signing-secret-0123456789",
  slack: "slack-signing-secret-0123456789",
};

export type Sent = { readonly status: number; readonly headers: Headers; readonly body: Body; readonly text: string };
export type Body = {
  readonly ok?: boolean;
  readonly code?: string;
  readonly error?: string;
  readonly routeId?: string;
  readonly result?: { readonly [name: string]: unknown; readonly flow?: { readonly flowId?: string } | null };
};

export type Rig = {
  readonly handler: FetchHandler;
  readonly events: readonly AuditEvent[];
  readonly lines: readonly string[];
  readonly send: (
    route: string,
    body: string | Uint8Array,
    headers: Readonly<Record<string, string>>,
    client?: string,
  ) => Promise<Sent>;
};

export const rig = (routes: object, options: Partial<EmbedOptions> = {}): Rig => {
  const [events, lines]: [AuditEvent[], string[]] = [[], []];
  const keep = (line: string): void => void lines.push(line);
  const handler = createFetchHandler({
    config: { routes },
    flows: memoryFlows(),
    logger: { info: keep, warn: keep, error: keep },
    onEvent: (event) => void events.push(event),
    ...options,
  });
  const send: Rig["send"] = async (route, body, headers, client = "203.0.113.7") => {
    const response = await handler(
      new Request(`http://bridge.test/plugins/webhooks/${route}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body,
      }),
      { client },
    );
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: JSON.parse(text) as Body, text };
  };
  return { handler, events, lines, send };
};

/** The header fields with which a sender of `scheme` signs `body`. */
export const signed = (
  scheme: SchemeName,
  body: string | Uint8Array,
  {
    id = randomUUID(),
    now = Date.now(),
    secret = SECRETS[scheme],
  }: { id?: string; now?: number; secret?: string } = {},
): Readonly<Record<string, string>> =>
  signDelivery(
    scheme,
    signingKey(scheme, secret)._unsafeUnwrap(),
    { id, now },
    typeof body === "string" ? bytes(body) : body,
    hmacSha256,
  );
