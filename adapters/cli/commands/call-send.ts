// One request of `call`, by `node:http`: it follows no redirect and knows no forbidden ports, as `fetch` does.

import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { err, ok, type Result } from "neverthrow";
import type { Proxy } from "./call-proxy.ts";

/** Milliseconds for the whole exchange. Longer than the server's deadlines for body, store and answer together. */
export const DEADLINE_MS = 60_000;

/** Bytes. Longer than an answer that is of use to a reader; of a list that has more, ask for single flows. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export type Post = {
  readonly target: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly proxy: Proxy | undefined;
};

/** `location`: where the answer redirects to. `isReplayed`: it is the answer of an earlier request. `retryAfter`: the header. */
export type Received = {
  readonly status: number;
  readonly location?: string;
  readonly isReplayed?: boolean;
  readonly retryAfter?: string | undefined;
  readonly text: string;
};

/**
 * `wasSent`: the request had left, so it may have been carried out. `error`: of Node, for `failed`. `afterMs`: for how long there
 * was no answer, for `late`.
 */
export type SendFault = {
  readonly kind: "late" | "too_long" | "failed";
  readonly wasSent: boolean;
  readonly error?: unknown;
  readonly afterMs?: number;
};

/** Milliseconds after which Node gives up a proxy's tunnel, which does not end with its request and keeps the process alive. */
const TUNNEL_MS = DEADLINE_MS + 1000;

const open = ({ target, headers, proxy }: Post): ClientRequest => {
  const proxyEnv = proxy === undefined ? {} : { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url };
  return target.protocol === "https:"
    ? httpsRequest(target, { method: "POST", headers, agent: new HttpsAgent({ proxyEnv, timeout: TUNNEL_MS }) })
    : httpRequest(target, { method: "POST", headers, agent: new HttpAgent({ proxyEnv }) });
};

/** The text of the answer; `failed` gets why there is none. */
const readText = (
  response: IncomingMessage,
  done: (text: string) => void,
  failed: (fault: Omit<SendFault, "wasSent">) => void,
): void => {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) failed({ kind: "too_long" });
    else chunks.push(chunk);
  });
  response.once("end", () => done(new TextDecoder().decode(Buffer.concat(chunks))));
  response.on("error", (error) => failed({ kind: "failed", error }));
};

//= CALL-2, CALL-3, CALL-4
/** Sends the request and reads the whole answer, unless it is a redirect. Never rejects. `deadlineMs`: for the whole exchange. */
export const post = (request: Post, deadlineMs: number = DEADLINE_MS): Promise<Result<Received, SendFault>> =>
  new Promise((resolve) => {
    const sending = open(request);
    let wasSent = false;
    const end = (result: Result<Received, SendFault>): void => {
      clearTimeout(timer);
      resolve(result);
      sending.destroy();
    };
    const failed = (fault: Omit<SendFault, "wasSent">): void => end(err({ ...fault, wasSent }));
    const timer = setTimeout(() => failed({ kind: "late", afterMs: deadlineMs }), deadlineMs);
    sending.once("finish", () => (wasSent = true));
    sending.on("error", (error) => failed({ kind: "failed", error }));
    const closed = (): void => failed({ kind: "failed" });
    sending.once("close", closed);
    sending.once("upgrade", ({ statusCode: status = 0 }) => end(ok({ status, text: "" })));
    sending.once("response", (response) => {
      sending.off("close", closed);
      const { statusCode: status = 0, headers } = response;
      const { location } = headers;
      if (status >= 300 && status < 400 && location !== undefined) end(ok({ status, location, text: "" }));
      else {
        const isReplayed = headers["idempotent-replayed"] === "true";
        const retryAfter = headers["retry-after"];
        readText(response, (text) => end(ok({ status, isReplayed, retryAfter, text })), failed);
      }
    });
    sending.end(request.body);
  });
