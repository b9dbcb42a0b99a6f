// One request of `call` or `wait`, from the options that both have.

import { ok, type Result, safeTry } from "neverthrow";
import { IDEMPOTENCY_KEY, quotedKey } from "../../../core/index.ts";
import type { CliFault } from "../fault.ts";
import type { Env } from "../io.ts";
import type { Repeatable } from "./call-fault.ts";
import { type Proxy, proxyFor } from "./call-proxy.ts";
import { readSecret, type SecretSource } from "./call-secret.ts";
import type { Post } from "./call-send.ts";
import { targetOf } from "./call-target.ts";

/** Where requests go, and with what. */
export type Sender = { readonly target: URL; readonly proxy: Proxy | undefined; readonly secret: string };

/** A request with its secret as it was read, its action, and the names of its fields. */
export type Call = Post & Repeatable & { readonly secret: string; readonly fields: readonly string[] };

/** The secret as UTF-8, one character for each byte, because header fields are bytes. */
const headerValue = (secret: string): string => `Bearer ${Buffer.from(secret, "utf8").toString("latin1")}`;

export type SenderOptions = SecretSource & { readonly url: string };

/** `secret` is read before the rest is looked at. */
export const senderTo = (secret: string, route: string, url: string, env: Env): Result<Sender, CliFault> =>
  safeTry(function* () {
    const target = yield* targetOf(route, url);
    const proxy = yield* proxyFor(target, env);
    return ok({ target, proxy, secret });
  });

/** `key`: the idempotency key, if there is one. */
export const requestOf = (
  { target, proxy, secret }: Sender,
  action: string,
  given: object,
  key: string | undefined = undefined,
): Call => {
  const body = JSON.stringify({ ...given, action });
  const headers = {
    "content-type": "application/json",
    authorization: headerValue(secret),
    "content-length": String(Buffer.byteLength(body)),
    ...(key === undefined ? {} : { [IDEMPOTENCY_KEY]: quotedKey(key) }),
  };
  return { target, headers, body, proxy, secret, action, key, fields: Object.keys(given) };
};

/** The secret and the place that the options name. */
export const openSender = async (
  route: string,
  options: SenderOptions,
  env: Env,
): Promise<Result<Sender, CliFault>> => {
  const secret = await readSecret(options, env);
  return secret.andThen((read) => senderTo(read, route, options.url, env));
};
