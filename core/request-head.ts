// What is known of a request before its body: plain values, so that any host can make one. And whether the head says that
// the body is JSON as this product reads it: UTF-8, not compressed.

import { err, ok, type Result } from "neverthrow";
import type { Fault, Rejection } from "./rejection.ts";

export type RequestHead = {
  readonly method: string;
  /** The request target as sent: origin or absolute form, query included. */
  readonly target: string;
  /** A header's value by lower-case name, one character per byte; when it was sent several times, all joined by `, `. */
  readonly header: (name: string) => string | undefined;
  /** The attributed IP address of the client, for the rate limit. */
  readonly client: string | undefined;
  /** The socket's remote address, for the in-flight limit. */
  readonly peer: string | undefined;
};

//= LIMIT-7
/** UTF-16 units of a Content-Type. A longer one is not JSON's. */
const MAX_TYPE_LENGTH = 256;

const QUOTED = /"(?:[^"\\]|\\.)*"/gu;
const SEPARATORS = /["\\;,=]/gu;

/** A Content-Type and its parameters, in lower case. What is quoted loses its separators. */
const partsOf = (contentType: string): readonly string[] =>
  contentType
    .toLowerCase()
    .replace(QUOTED, (text) => text.replace(SEPARATORS, ""))
    .split(";")
    .map((part) => part.trim());

/** JSON's own type, written as almost every client does, needs no parsing. */
const PLAIN = "application/json";

//= BODY-1
/**
 * Whether the Content-Type is JSON: `application/json` or any `+json` suffix, parameters aside (M-17). With a comma outside
 * quotes it is several types, or was sent several times.
 */
export const isJsonMediaType = (contentType: string = ""): boolean => {
  if (contentType === PLAIN) return true;
  if (contentType.length > MAX_TYPE_LENGTH) return false;
  const [type = "", ...parameters] = partsOf(contentType);
  const isList = [type, ...parameters].some((part) => part.includes(","));
  return !isList && (type === PLAIN || type.endsWith("+json"));
};

/** Whether the body is said to be a form. */
export const isForm = (header: RequestHead["header"]): boolean =>
  header("content-type")?.toLowerCase().startsWith("application/x-www-form-urlencoded") === true;

const UTF8 = /^charset\s*=\s*utf-?8$/u;

const isUtf8 = (contentType: string = ""): boolean =>
  contentType === PLAIN ||
  partsOf(contentType).every((parameter) => !/^charset\s*=/u.test(parameter) || UTF8.test(parameter));

const isPlain = (contentEncoding: string = ""): boolean =>
  contentEncoding.split(",").every((coding) => ["", "identity"].includes(coding.trim().toLowerCase()));

const refused = (fault: Fault): Rejection => ({ code: "unsupported_media_type", fault });

const CHARSET = refused({ field: "content-type", sentence: "The charset must be utf-8. Send the JSON as UTF-8" });
const ENCODING = refused({
  field: "content-encoding",
  sentence: "Compressed bodies are not read. Send the JSON uncompressed, without this header",
});

const CODING = refused({
  field: "transfer-encoding",
  sentence: "Compressed bodies are not read. Send the JSON uncompressed, with chunked alone in this header",
});

const isChunked = (transferEncoding: string = "chunked"): boolean =>
  transferEncoding.trim().toLowerCase() === "chunked";

//= BODY-6
/** Errs with unsupported_media_type unless the head says that the body is JSON, in UTF-8 and not compressed. */
export const checkMediaType = (header: RequestHead["header"]): Result<void, Rejection> => {
  const type = header("content-type");
  if (!isJsonMediaType(type)) return err({ code: "unsupported_media_type" });
  if (!isUtf8(type)) return err(CHARSET);
  if (!isChunked(header("transfer-encoding"))) return err(CODING);
  return isPlain(header("content-encoding")) ? ok() : err(ENCODING);
};
