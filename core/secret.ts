// A route keeps the SHA-256 digest of its secret, not the secret. A credential is hashed, and all bytes of the digests
// are compared, so that the time shows neither its length nor its first wrong character.

import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { utf8ToBytes } from "@noble/hashes/utils.js";

/** The 32 bytes of a SHA-256. A platform's native digest may replace the default. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

export const sha256: Sha256 = nobleSha256;

/** Bytes of UTF-8. Longer secrets are not accepted, and longer credentials are not hashed. */
export const MAX_SECRET_BYTES = 4096;

/** Whether a secret is short enough to be accepted as a credential. */
export const isSendable = (secret: string): boolean => utf8ToBytes(secret).length <= MAX_SECRET_BYTES;

/** A header's value must not contain these, so servers refuse a request that does. */
const CONTROL = /[^\t\x20-\x7e\x80-\u{10ffff}]/u;

/** Whether a header can carry the secret. */
export const isOneLine = (secret: string): boolean => !CONTROL.test(secret);

const BEYOND_ASCII = /[^ -~]/u;
const BEYOND_LATIN1 = /[\u0100-\u{10ffff}]/u;

//= AUTH-3
/** The digest of a route's secret. Only this file can make one or read it. */
class Digest {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Compares all bytes, wherever they differ. */
  equals(other: Uint8Array): boolean {
    let difference = other.length ^ this.#bytes.length;
    for (let i = 0; i < this.#bytes.length; i += 1) difference |= (this.#bytes[i] ?? 0) ^ (other[i] ?? 0);
    return difference === 0;
  }
}

export type SecretDigest = Digest;

export const digestSecret = (secret: string, hash: Sha256): SecretDigest => new Digest(hash(utf8ToBytes(secret)));

/** One byte for each character. For ASCII this is the same as UTF-8. */
const latin1 = (text: string): Uint8Array => {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
};

const isUtf8Form = (digest: SecretDigest, credential: string, hash: Sha256): boolean =>
  !BEYOND_LATIN1.test(credential) && digest.equals(hash(latin1(credential)));

//= AUTH-4
/**
 * Whether `credential`, a header value with one character per byte, is the secret. Clients send a secret beyond ASCII
 * as Latin-1, which is trimmed, or as UTF-8, which is not, because its bytes may look like white space.
 */
export const isSecret = (digest: SecretDigest, credential: string, hash: Sha256): boolean => {
  const trimmed = credential.trim();
  if (!BEYOND_ASCII.test(credential)) return digest.equals(hash(latin1(trimmed)));
  const matches = digest.equals(hash(utf8ToBytes(trimmed)));
  return isUtf8Form(digest, credential, hash) || matches;
};
