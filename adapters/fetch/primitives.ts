// The core's primitives on what every Fetch host has: no Node.

import { hmacSha256, type Primitives, sha256 } from "../../core/index.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const decodeUtf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
};

export const webPrimitives: Primitives = { sha256, hmacSha256, decodeUtf8 };
