// Checks what a route says of the callbacks that tell of its flows. Sentences never contain a configured value.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import type { Fault } from "./rejection.ts";
import { EVENT_KINDS, type Notify } from "./route.ts";
import { signingKey } from "./signature.ts";

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

/** A name or a password before the host. */
const HAS_USER = /^[a-z]+:\/\/[^/?#]*@/iu;

const isAddress = (url: string): boolean =>
  url.length <= MAX_URL && !HAS_USER.test(url) && (ENCRYPTED.safeParse(url).success || LOCAL.safeParse(url).success);

/** `secret`: resolved, or undefined when it is not. */
export type WrittenNotify = {
  readonly url: string;
  readonly on?: readonly (typeof EVENT_KINDS)[number][] | undefined;
  readonly secret: unknown;
};

const fault = (part: string, sentence: string): Fault => ({ field: `notify.${part}`, sentence });

const NO_CALLBACKS = ", so no callback is sent";

const secretOf = (secret: unknown): Result<string, Fault> =>
  typeof secret === "string" && secret.trim() !== ""
    ? ok(secret.trim())
    : err(
        fault(
          "secret",
          `is empty or could not be resolved${NO_CALLBACKS}. Set it, or repair its reference or provider`,
        ),
      );

/** `skipped`: what the operator wrote is wrong. `idle`: the secret is not there yet; the route lives without callbacks. */
export type NotifyFault = Fault & { readonly effect: "skipped" | "idle" };

/** What the field asks for; undefined when it is not there. */
export const notifyOf = (written: WrittenNotify | undefined): Result<Notify | undefined, NotifyFault> => {
  if (written === undefined) return ok(undefined);
  const { url, on = EVENT_KINDS } = written;
  if (!isAddress(url.trim())) return err({ effect: "skipped", ...fault("url", URL_HINT) });
  return secretOf(written.secret)
    .andThen((secret) => signingKey("standard", secret).mapErr((said) => fault("secret", said + NO_CALLBACKS)))
    .map((key) => ({ url: url.trim(), key, on: new Set(on) }))
    .mapErr((said) => ({ effect: "idle", ...said }));
};
