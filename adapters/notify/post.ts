// One POST to a receiver. No redirect is followed, and nothing of the answer's body is read.

import type { Answered } from "../../core/index.ts";
import { retryAfterOf } from "./retry-after.ts";

export type Posted = {
  readonly answered: Answered;
  /** Why there is no answer: a code of the system, or a word. */
  readonly reason: string;
};

export type PostOptions = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Ends the request. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

const CODE = /^[A-Z][A-Z0-9_]{1,40}$/u;

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" && CODE.test(error.code)
    ? error.code
    : undefined;

const reasonOf = (error: unknown, isOver: boolean): string => {
  if (isOver) return "no answer in time";
  return codeOf(error) ?? (error instanceof Error ? codeOf(error.cause) : undefined) ?? "the connection failed";
};

const ignore = (): void => undefined;

//= NOTIFY-5, NOTIFY-8
/** Never rejects. */
export const post = async ({ url, headers, bytes, signal, now }: PostOptions): Promise<Posted> => {
  try {
    const response = await fetch(url, { method: "POST", headers, body: bytes, redirect: "manual", signal });
    response.body?.cancel().catch(ignore);
    const retryAfterMs = retryAfterOf(response.headers.get("retry-after"), now());
    return { answered: { status: response.status, retryAfterMs }, reason: "" };
  } catch (error) {
    return { answered: undefined, reason: reasonOf(error, signal.aborted) };
  }
};
