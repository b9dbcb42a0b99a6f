// Node's own SHA-256 and UTF-8 decoder behind the core's interface: the same results, native.

import { hash } from "node:crypto";
import type { Primitives } from "../../core/index.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const decodeUtf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
};

export const nodePrimitives: Primitives = { sha256: (bytes) => hash("sha256", bytes, "buffer"), decodeUtf8 };
