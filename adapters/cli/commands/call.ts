// `openclaw-webhooks call`: one action of one route, for operators and scripts.

import { err, ok, Result } from "neverthrow";
import { printable } from "../../../core/index.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { readSecret } from "./call-secret.ts";

export type CallOptions = {
  readonly url: string;
  readonly secretEnv: string;
  readonly secretFile?: string;
  readonly data?: string;
  readonly json: boolean;
};

/** Milliseconds: longer than the server may take for body, host and answer together. */
const DEADLINE_MS = 60_000;

/** As bytes in a header field: UTF-8, each byte as one character. */
const headerValue = (secret: string): string => `Bearer ${Buffer.from(secret, "utf8").toString("latin1")}`;

const parse = Result.fromThrowable(
  (text: string): unknown => JSON.parse(text),
  () => undefined,
);

const PAIR = /^([A-Za-z]+)(:?=)(.*)$/su;

/** `name=text` or `name:=json`. */
const memberOf = (pair: string): Result<readonly [string, unknown], CliFault> => {
  const [, name, sign, value] = PAIR.exec(pair) ?? [];
  if (name === undefined || value === undefined) {
    return err(fault(`${printable(pair)} is no field. Write name=text, or name:=json`));
  }
  if (sign === "=") return ok([name, value]);
  return parse(value)
    .map((json) => [name, json] as const)
    .mapErr(() => fault(`${name} is not JSON. Write ${name}:='{"a":1}' or the like, or ${name}=text for a text`));
};

const dataOf = async (data: string | undefined, io: Io): Promise<Result<object, CliFault>> => {
  if (data === undefined) return ok({});
  const text = data === "-" ? await io.input() : data;
  return parse(text)
    .mapErr(() => fault("--data is not JSON"))
    .andThen((json) =>
      typeof json === "object" && json !== null && !Array.isArray(json)
        ? ok(json)
        : err(fault("--data is no JSON object")),
    );
};

/** A route's id below the server's default path, or a path, or a whole URL. */
const targetOf = (route: string, url: string): Result<URL, CliFault> => {
  const path = route.startsWith("/") ? route : `/plugins/webhooks/${encodeURIComponent(route)}`;
  const target = /^https?:\/\//u.test(route) ? route : URL.canParse(path, url) ? new URL(path, url).href : "";
  if (!URL.canParse(target)) return err(fault(`${printable(url)} is no URL. Write --url like http://127.0.0.1:8787`));
  const { protocol, username } = new URL(target);
  if (!/^https?:$/u.test(protocol)) return err(fault(`${printable(target)} is neither http nor https`));
  return username === ""
    ? ok(new URL(target))
    : err(fault("The URL holds a user name. Give the secret by environment or file"));
};

const unreachable = (sentence: string): CliFault => ({ ...fault(sentence), status: EXIT.unreachable });

type Sent = { readonly status: number; readonly body: unknown };

const causeOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? printable("code" in cause ? String(cause.code) : cause.name) : "unknown";
};

const adviceOn = (cause: string): string =>
  /CERT|SIGNED|VERIFY/u.test(cause)
    ? "Its certificate is not trusted: set NODE_EXTRA_CA_CERTS to the file of its authority"
    : "Is the server running there?";

const send = async (target: URL, secret: string, body: object): Promise<Result<Sent, CliFault>> => {
  try {
    const response = await fetch(target, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: headerValue(secret) },
      body: JSON.stringify(body),
      redirect: "error",
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const read = parse(await response.text());
    if (read.isOk()) return ok({ status: response.status, body: read.value });
    return err(unreachable(`${target.href} answered ${String(response.status)} and no JSON. Is it a webhook route?`));
  } catch (error) {
    const cause = causeOf(error);
    return err(unreachable(`${target.href} cannot be reached (${cause}). ${adviceOn(cause)}`));
  }
};

/** UTF-16 units of a refusal's sentence that are shown. */
const MAX_SENTENCE = 500;

const wordOf = (said: unknown): string => (typeof said === "string" ? printable(said, MAX_SENTENCE) : "unknown");

/** What a caller can do about a refusal that the server cannot know of. */
const hintOf = (code: unknown, target: URL): string => {
  if (code === "route_not_found") return ` (${target.href}; a route with a path of its own is called by that path)`;
  return code === "invalid_request" ? " (name=text sends a text, name:=7 a number or other JSON)" : "";
};

const show = ({ status, body }: Sent, target: URL, { json }: CallOptions, io: Io): number => {
  const envelope: {
    readonly ok?: unknown;
    readonly code?: unknown;
    readonly error?: unknown;
    readonly result?: unknown;
  } = Object(body);
  const isOk = envelope.ok === true && status < 400;
  if (json) io.out(`${JSON.stringify(body)}\n`);
  else if (isOk) io.out(`${JSON.stringify(envelope.result, undefined, 2)}\n`);
  else {
    const hint = hintOf(envelope.code, target);
    io.error(`${String(status)} ${wordOf(envelope.code)}: ${wordOf(envelope.error)}${hint}\n`);
    io.out(`${JSON.stringify(envelope.result, undefined, 2)}\n`);
  }
  return isOk ? EXIT.ok : EXIT.refused;
};

/** What was typed for one call. */
export type Asked = { readonly route: string; readonly action: string; readonly fields: readonly string[] };

/** Sends one request and prints its answer. Errs with one sentence when there is nothing to send or nobody answers. */
export const call = async (asked: Asked, options: CallOptions, io: Io): Promise<Result<number, CliFault>> => {
  const secret = readSecret(options, io.env);
  if (secret.isErr()) return err(secret.error);
  const members = Result.combine(asked.fields.map(memberOf));
  if (members.isErr()) return err(members.error);
  const data = await dataOf(options.data, io);
  if (data.isErr()) return err(data.error);
  const target = targetOf(asked.route, options.url);
  if (target.isErr()) return err(target.error);
  const body = { ...data.value, ...Object.fromEntries(members.value), action: asked.action };
  const sent = await send(target.value, secret.value, body);
  return sent.map((answered) => show(answered, target.value, options, io));
};
