// `openclaw-webhooks call`: sends one action to one route.

import { err, ok, Result } from "neverthrow";
import { isObject, printable } from "../../../core/index.ts";
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

/** Milliseconds. Longer than the server's deadlines for body, store and answer together. */
const DEADLINE_MS = 60_000;

/** The secret as UTF-8, one character for each byte, because header fields are bytes. */
const headerValue = (secret: string): string => `Bearer ${Buffer.from(secret, "utf8").toString("latin1")}`;

const parse = Result.fromThrowable(
  (text: string): unknown => JSON.parse(text),
  () => undefined,
);

const PAIR = /^([A-Za-z]+)(:?=)(.*)$/su;

/** `name=text` or `name:=json`. */
const memberOf = (pair: string): Result<readonly [string, unknown], CliFault> => {
  const [, name, operator, value] = PAIR.exec(pair) ?? [];
  if (name === undefined || value === undefined) {
    return err(fault(`${printable(pair)} is not a field. Write name=text or name:=json`));
  }
  if (operator === "=") return ok([name, value]);
  return parse(value)
    .map((json) => [name, json] as const)
    .mapErr(() =>
      fault(`The value of ${name} is not JSON. Write ${name}:='{"a":1}' for JSON, or ${name}=text for a string`),
    );
};

const dataOf = async (data: string | undefined, io: Io): Promise<Result<object, CliFault>> => {
  if (data === undefined) return ok({});
  const text = data === "-" ? await io.input() : data;
  return parse(text)
    .mapErr(() => fault("--data is not JSON. Give a JSON object"))
    .andThen((json) =>
      isObject(json) ? ok(json) : err(fault("--data is not a JSON object. Give one with the fields of the action")),
    );
};

/** `route` is a whole URL, a path below `url`, or the id of a route at its default path. */
const targetOf = (route: string, url: string): Result<URL, CliFault> => {
  const path = route.startsWith("/") ? route : `/plugins/webhooks/${encodeURIComponent(route)}`;
  const target = /^https?:\/\//u.test(route) ? route : URL.canParse(path, url) ? new URL(path, url).href : "";
  if (!URL.canParse(target))
    return err(fault(`${printable(url)} is not a URL. Write --url like http://127.0.0.1:8787`));
  const { protocol, username } = new URL(target);
  if (!/^https?:$/u.test(protocol))
    return err(fault(`${printable(target)} is not an http or https URL. Write it like http://127.0.0.1:8787`));
  return username === ""
    ? ok(new URL(target))
    : err(fault("The URL contains a user name. Remove it; the secret comes from --secret-env or --secret-file"));
};

const unreachable = (sentence: string): CliFault => ({ ...fault(sentence), status: EXIT.unreachable });

type Answer = { readonly status: number; readonly body: unknown };

const causeOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? printable("code" in cause ? String(cause.code) : cause.name) : "unknown";
};

const adviceOn = (cause: string): string =>
  /CERT|SIGNED|VERIFY/u.test(cause)
    ? "The server's certificate is not trusted: set NODE_EXTRA_CA_CERTS to the file of its certificate authority"
    : "Check that the server is running there";

const send = async (target: URL, secret: string, body: object): Promise<Result<Answer, CliFault>> => {
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
    return err(
      unreachable(
        `${target.href} answered ${String(response.status)} without JSON. Check that it is the URL of a webhook route`,
      ),
    );
  } catch (error) {
    const cause = causeOf(error);
    return err(unreachable(`${target.href} cannot be reached (${cause}). ${adviceOn(cause)}`));
  }
};

/** UTF-16 units. A longer sentence is cut. */
const MAX_SENTENCE = 500;

const textOf = (member: unknown): string => (typeof member === "string" ? printable(member, MAX_SENTENCE) : "unknown");

/** Advice that the server cannot give, because it knows neither the URL nor the arguments. */
const hintOf = (code: unknown, target: URL): string => {
  if (code === "route_not_found")
    return ` (called at ${target.href}; give the path instead of the id if the route has its own path)`;
  return code === "invalid_request" ? " (name=text sends a string; name:=7 sends a number or other JSON)" : "";
};

const show = ({ status, body }: Answer, target: URL, { json }: CallOptions, io: Io): number => {
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
    io.error(`${String(status)} ${textOf(envelope.code)}: ${textOf(envelope.error)}${hint}\n`);
    io.out(`${JSON.stringify(envelope.result, undefined, 2)}\n`);
  }
  return isOk ? EXIT.ok : EXIT.refused;
};

/** The arguments of one call. */
export type CallArguments = { readonly route: string; readonly action: string; readonly fields: readonly string[] };

/** Sends one request and prints the answer. Errs when the arguments are wrong or there is no answer. */
export const call = async (
  { route, action, fields }: CallArguments,
  options: CallOptions,
  io: Io,
): Promise<Result<number, CliFault>> => {
  const secret = await readSecret(options, io.env);
  if (secret.isErr()) return err(secret.error);
  const members = Result.combine(fields.map(memberOf));
  if (members.isErr()) return err(members.error);
  const data = await dataOf(options.data, io);
  if (data.isErr()) return err(data.error);
  const target = targetOf(route, options.url);
  if (target.isErr()) return err(target.error);
  const body = { ...data.value, ...Object.fromEntries(members.value), action };
  const answer = await send(target.value, secret.value, body);
  return answer.map((received) => show(received, target.value, options, io));
};
