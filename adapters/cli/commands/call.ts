// `openclaw-webhooks call`: sends one action to one route.

import { err, ok, Result } from "neverthrow";
import {
  ACTIONS,
  IDEMPOTENCY_KEY,
  idempotencyKey,
  isObject,
  own,
  parseJson,
  printable,
  quotedKey,
  visibleJson,
} from "../../../core/index.ts";
import { hideValues } from "../../bridge/scrub.ts";
import { repeatedNames } from "../config/repeated.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import {
  beforeAgain,
  changesNothing,
  explainSend,
  proxyFault,
  type Repeatable,
  unreachable,
  unsure,
} from "./call-fault.ts";
import { proxyFor } from "./call-proxy.ts";
import { readSecret } from "./call-secret.ts";
import { post, type Post, type Received } from "./call-send.ts";
import { shownUrl, targetOf } from "./call-target.ts";

export type CallOptions = {
  readonly url: string;
  readonly secretEnv: string;
  readonly secretFile?: string;
  readonly data?: string;
  readonly idempotencyKey?: string;
  readonly json: boolean;
};

/** The secret as UTF-8, one character for each byte, because header fields are bytes. */
const headerValue = (secret: string): string => `Bearer ${Buffer.from(secret, "utf8").toString("latin1")}`;

const PAIR = /^([A-Za-z]+)(:?=)(.*)$/su;

/** `name=text` or `name:=json`. */
const memberOf = (pair: string): Result<readonly [string, unknown], CliFault> => {
  const [, name, operator, value] = PAIR.exec(pair) ?? [];
  if (name === undefined || value === undefined) {
    return err(fault(`${printable(pair)} is not a field. Write name=text or name:=json`));
  }
  if (operator === "=") return ok([name, value]);
  return parseJson(value)
    .mapErr(() =>
      fault(`The value of ${name} is not JSON. Write ${name}:='{"a":1}' for JSON, or ${name}=text for a string`),
    )
    .andThen((json) => unambiguous(value, `The value of ${name}`).map(() => [name, json] as const));
};

/** Errs when a name stands twice in one object of a JSON text, because the parser would keep the last one in silence. */
const unambiguous = (text: string, where: string): Result<string, CliFault> => {
  const [twice] = repeatedNames(text);
  return twice === undefined
    ? ok(text)
    : err(fault(`${where} has ${printable(twice.path.join("."))} more than once. Keep one`));
};

const dataOf = async (data: string | undefined, io: Io): Promise<Result<object, CliFault>> => {
  if (data === undefined) return ok({});
  const text = data === "-" ? new TextDecoder().decode(await io.input()) : data;
  return parseJson(text)
    .mapErr(() => fault("--data is not JSON. Give a JSON object"))
    .andThen((json) => unambiguous(text, "--data").map(() => json))
    .andThen((json) =>
      isObject(json) ? ok(json) : err(fault("--data is not a JSON object. Give one with the fields of the action")),
    );
};

type Members = readonly (readonly [name: string, value: unknown])[];

/** The fields of the body. Errs when one is given twice, or the action is given as a field. */
const fieldsOf = (action: string, data: object, members: Members): Result<object, CliFault> => {
  const names = members.map(([name]) => name);
  if (names.includes("action") || (own(data, "action") ?? action) !== action)
    return err(
      fault(`action is not a field: ACTION stands after ROUTE, and is ${printable(action)}. Remove the field`),
    );
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined) return err(fault(`${twice} is given more than once. Keep one`));
  const both = names.find((name) => Object.hasOwn(data, name));
  return both === undefined
    ? ok({ ...data, ...Object.fromEntries(members) })
    : err(fault(`${both} is given in --data and as a field. Keep one`));
};

type Answer = { readonly status: number; readonly isReplayed: boolean; readonly body: Envelope };

/** The answer of a webhook route. Its members are what some server sent. */
type Envelope = { readonly ok: boolean; readonly code?: unknown; readonly error?: unknown; readonly result?: unknown };

const isEnvelope = (body: unknown): body is Envelope => isObject(body) && typeof own(body, "ok") === "boolean";

/** UTF-16 units. A shorter secret may be a word of the server's own sentence, which would then show it by its absence. */
const MIN_HIDDEN = 12;

//= CALL-1
const withoutSecret = (text: string, secret: string): string =>
  secret.length < MIN_HIDDEN ? text : hideValues(text, [secret]);

/** Where a redirect points: the URL without what may be a secret, or the text if it is not a URL. */
const locationOf = (location: string, { target, secret }: Call): string => {
  const shown = URL.canParse(location, target.href)
    ? shownUrl(new URL(location, target))
    : "an address that is not a URL";
  return withoutSecret(shown, secret);
};

//= CALL-3
/** Whether the server, or one in front of it, failed at a request that it had taken. */
const isDoubtful = (status: number): boolean => status >= 500;

const doubtOf = (sent: Repeatable): string =>
  changesNothing(sent.action)
    ? ` (${sent.action} changes nothing; call it again)`
    : ` (it may have been carried out; ${beforeAgain(sent)})`;

/** The answer of a webhook route. Errs with what else answered. */
const readAnswer = (received: Received, sent: Call): Result<Answer, CliFault> => {
  const { target, proxy } = sent;
  const { status, location, isReplayed = false, text } = received;
  if (location !== undefined) {
    return err(
      unreachable(
        `${shownUrl(target)} redirects to ${locationOf(location, sent)} (${String(status)}), which is not followed with the secret. Call that URL if it is the right one`,
      ),
    );
  }
  const body = parseJson(text);
  if (body.isOk() && isEnvelope(body.value)) return ok({ status, isReplayed, body: body.value });
  if (proxy !== undefined && status === 407) return err(proxyFault(proxy, target, "refused the request (407)"));
  const what = `${shownUrl(target)} answered ${String(status)} without the JSON of a webhook route`;
  const from = proxy === undefined ? "" : `. The answer may be of the proxy that ${proxy.variable} names`;
  return err(
    isDoubtful(status) || status === 408
      ? unsure(`${what}${from}`, sent)
      : unreachable(`${what}${from}. Check that it is the URL of a webhook route`),
  );
};

/** A request with its secret as it was read, its action, and the names of its fields. */
type Call = Post & Repeatable & { readonly secret: string; readonly fields: readonly string[] };

const send = async (call: Call): Promise<Result<Answer, CliFault>> =>
  (await post(call)).mapErr((failed) => explainSend(call, failed)).andThen((received) => readAnswer(received, call));

/** UTF-16 units. A longer sentence is cut. */
const MAX_SENTENCE = 500;

//= CALL-4
/** A word of the answer for a terminal. The secret must not show even where the server sends it back. */
const wordOf = (member: unknown, secret: string): string =>
  typeof member === "string" ? printable(withoutSecret(member, secret), MAX_SENTENCE) : "unknown";

//= CALL-1
/** The secret as it may stand in JSON, where a quotation mark of its own cannot be taken for one of the JSON. */
const inJson = (secret: string): readonly string[] => [
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret.toWellFormed()),
];

const stringify = Result.fromThrowable(
  (value: unknown, secret: string, indent?: number) => {
    const json = JSON.stringify(value, undefined, indent) ?? "null";
    return `${visibleJson(secret.length < MIN_HIDDEN ? json : hideValues(json, inJson(secret)))}\n`;
  },
  () => unreachable("The answer is nested too deeply to be shown. Check that it is the URL of a webhook route"),
);

const KNOWN: ReadonlyMap<string, { readonly shape: object }> = new Map(Object.entries(ACTIONS));

/** The fields that the action does not have, of which the server names at most one. */
const unknownFields = ({ action, fields, secret }: Call): string => {
  const shape = KNOWN.get(action)?.shape;
  const unknown = fields.filter((name) => shape !== undefined && !Object.hasOwn(shape, name));
  return unknown.length === 0
    ? ""
    : ` (${action} has no field ${unknown.map((name) => printable(withoutSecret(name, secret))).join(", ")})`;
};

/** Advice that the server cannot give, because it knows neither the URL nor the arguments. */
const hintOf = (code: unknown, sent: Call): string => {
  if (code === "route_not_found")
    return ` (called at ${shownUrl(sent.target)}; give the path instead of the id if the route has its own path)`;
  if (code !== "invalid_request") return "";
  return unknownFields(sent) || " (name=text sends a string; name:=7 sends a number or other JSON)";
};

const REPLAYED = "This is the answer of an earlier call with the same key. Nothing was done again.\n";

const show = ({ status, isReplayed, body }: Answer, sent: Call, json: boolean, io: Io): Result<number, CliFault> => {
  const isOk = body.ok && status < 400;
  const doubt = isDoubtful(status) ? doubtOf(sent) : undefined;
  return (json ? stringify(body, sent.secret) : stringify(body.result, sent.secret, 2)).map((text) => {
    const [code, sentence] = [body.code, body.error].map((member) => wordOf(member, sent.secret));
    const hint = doubt ?? hintOf(body.code, sent);
    if (!isOk && (!json || doubt !== undefined)) io.error(`${String(status)} ${code}: ${sentence}${hint}\n`);
    if (isReplayed) io.error(REPLAYED);
    io.out(text);
    return isOk ? EXIT.ok : doubt === undefined ? EXIT.refused : EXIT.unsure;
  });
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
  const given = fieldsOf(action, data.value, members.value);
  if (given.isErr()) return err(given.error);
  const target = targetOf(route, options.url);
  if (target.isErr()) return err(target.error);
  const proxy = proxyFor(target.value, io.env);
  if (proxy.isErr()) return err(proxy.error);
  const key = idempotencyKey(options.idempotencyKey);
  if (key.isErr()) return err(fault(`--idempotency-key ${key.error.sentence}`));
  const body = JSON.stringify({ ...given.value, action });
  const headers = {
    "content-type": "application/json",
    authorization: headerValue(secret.value),
    "content-length": String(Buffer.byteLength(body)),
    ...(key.value === undefined ? {} : { [IDEMPOTENCY_KEY]: quotedKey(key.value) }),
  };
  const sent = {
    target: target.value,
    headers,
    body,
    proxy: proxy.value,
    secret: secret.value,
    action,
    key: key.value,
    fields: Object.keys(given.value).filter((name) => name !== "action"),
  };
  return (await send(sent)).andThen((answer) => show(answer, sent, options.json, io));
};
