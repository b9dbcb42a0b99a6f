// Checks what a route says of the callbacks that tell of its flows. Sentences never contain a configured value.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import type { Fault } from "./rejection.ts";
import { EVENT_KINDS, type Notify } from "./route.ts";
import { coldness } from "./secret-config.ts";
import { type SigningKey, signingKey } from "./signature.ts";

/** UTF-16 units of an address. */
const MAX_URL = 2048;

/** The parts as written, but for the secret, whose shape all secrets share. */
export const notifyShape = {
  url: z.string().min(1),
  on: z.array(z.enum(EVENT_KINDS)).min(1).optional(),
};

const URL_HINT =
  "must be an address that begins with https://, or with http:// on this machine, without a user name and a password";

export const NOTIFY_HINTS: Readonly<Record<string, string>> = {
  url: URL_HINT,
  secret:
    "is missing, or is neither a string nor a SecretRef. Set whsec_ and the base64 of 24 to 64 random bytes, or a SecretRef",
  on: `must be a list of ${EVENT_KINDS.join(", ")}`,
};

const ENCRYPTED = z.url({ protocol: /^https$/u });
const LOCAL = z.url({ protocol: /^http$/u, hostname: /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/u });

/** What no address holds as it stands, such as the brackets of a reference that nothing has filled in. */
const NOT_IN_URLS = /[\s\p{Cc}<>{}|\\^`"]/u;

const HAS_HOST = /^https?:\/\/[^/?#]/iu;

/** A name or a password before the host. */
const HAS_USER = /^[a-z]+:\/\/[^/?#]*@/iu;

const isAddress = (url: string): boolean =>
  url.length <= MAX_URL &&
  !NOT_IN_URLS.test(url) &&
  HAS_HOST.test(url) &&
  !HAS_USER.test(url) &&
  (ENCRYPTED.safeParse(url).success || LOCAL.safeParse(url).success);

/** `secret`: resolved, or undefined when it is not. */
export type WrittenNotify = {
  readonly url: string;
  readonly on?: readonly (typeof EVENT_KINDS)[number][] | undefined;
  readonly secret: unknown;
};

const fault = (part: string, sentence: string): Fault => ({ field: `notify.${part}`, sentence });

const NO_CALLBACKS = ", so no callback is sent";

/** Why it cannot sign. `signingKey` speaks of a secret that a provider shows; this one the operator makes. */
const WHY_NO_KEY = `is not whsec_ and the base64 of 24 to 64 bytes${NO_CALLBACKS}. Set "whsec_" and what openssl rand -base64 32 prints`;

/** Of this form nothing is wrong but the length. */
const FORM = /^whsec_[A-Za-z0-9+/]+={0,2}$/u;

//= CONFIG-8, CONFIG-12
/** The key; errs with why no callback can be signed. A placeholder is one with and without the prefix. */
const keyOf = (written: unknown): Result<SigningKey, Fault> => {
  const secret = typeof written === "string" ? written.trim() : "";
  const bare = secret.replace(/^whsec_/u, "");
  const key = signingKey("standard", secret).mapErr(() => fault("secret", WHY_NO_KEY));
  if (key.isErr() && FORM.test(secret)) return key;
  const cold = coldness(secret, NO_CALLBACKS) ?? (bare === "" ? undefined : coldness(bare, NO_CALLBACKS));
  return cold === undefined ? key : err(fault("secret", cold));
};

/** `skipped`: what the operator wrote is wrong. `idle`: the secret is not there yet; the route lives without callbacks. */
export type NotifyFault = Fault & { readonly effect: "skipped" | "idle" };

//= CONFIG-12, NOTIFY-5
/** What the field asks for; undefined when it is not there. */
export const notifyOf = (written: WrittenNotify | undefined): Result<Notify | undefined, NotifyFault> => {
  if (written === undefined) return ok(undefined);
  const { url, on = EVENT_KINDS } = written;
  if (!isAddress(url.trim())) return err({ effect: "skipped", ...fault("url", URL_HINT) });
  return keyOf(written.secret)
    .map((key) => ({ url: url.trim(), key, on: new Set(on) }))
    .mapErr((said) => ({ effect: "idle", ...said }));
};
