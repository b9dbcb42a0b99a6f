// Node's own SHA-256 and UTF-8 decoder behind the core's interface: the same results, native.

import { isAscii, isUtf8 } from "node:buffer";
import { createHmac, hash } from "node:crypto";
import type { HmacSha256, Primitives, Sha256 } from "../../core/index.ts";

/** The digest as a text and back is four times as fast as the digest as a buffer, which Node makes outside its heap. */
const sha256: Sha256 = (bytes) => {
  const text = hash("sha256", bytes, "binary");
  const digest = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) digest[at] = text.charCodeAt(at);
  return digest;
};

/** ASCII, as most bodies are, is copied as it stands. */
const decodeUtf8 = (bytes: Uint8Array): string | undefined => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isAscii(buffer)) return buffer.toString("latin1");
  return isUtf8(buffer) ? buffer.toString("utf8") : undefined;
};

const hmacSha256: HmacSha256 = (key, parts) => {
  const code = createHmac("sha256", key);
  for (const part of parts) code.update(part);
  return code.digest();
};

export const nodePrimitives: Primitives = { sha256, hmacSha256, decodeUtf8 };
