// `openclaw-webhooks call`: sends one action to one route.

import { err, ok, Result } from "neverthrow";
import { idempotencyKey, isObject, own, parseJson, printable } from "../../../core/index.ts";
import { repeatedNames } from "../config/repeated.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { type Answer, deliveryLine, isDoubtful, refusalLine, resultText, send } from "./call-answer.ts";
import { type Call, requestOf, senderTo } from "./call-request.ts";
import { readSecret } from "./call-secret.ts";

export type CallOptions = {
  readonly url: string;
  readonly secretEnv: string;
  readonly secretFile?: string;
  readonly data?: string;
  readonly idempotencyKey?: string;
  readonly json: boolean;
};

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

const REPLAYED = "This is the answer of an earlier call with the same key. Nothing was done again.\n";

const show = (answer: Answer, sent: Call, isWhole: boolean, io: Io): Result<number, CliFault> => {
  const { status, isReplayed, body } = answer;
  const isOk = body.ok && status < 400;
  const isUnsure = isDoubtful(status);
  const taken = isOk ? deliveryLine(answer, sent) : undefined;
  return resultText(answer, sent, isWhole).map((text) => {
    if (taken !== undefined) io.error(taken);
    if (!isOk && (!isWhole || isUnsure)) io.error(refusalLine(answer, sent));
    if (isReplayed) io.error(REPLAYED);
    io.out(text);
    if (taken !== undefined) return EXIT.refused;
    return isOk ? EXIT.ok : isUnsure ? EXIT.unsure : EXIT.refused;
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
  const sender = senderTo(secret.value, route, options.url, io.env);
  if (sender.isErr()) return err(sender.error);
  const key = idempotencyKey(options.idempotencyKey);
  if (key.isErr()) return err(fault(`--idempotency-key ${key.error.sentence}`));
  const sent = requestOf(sender.value, action, given.value, key.value);
  return (await send(sent)).andThen((answer) => show(answer, sent, options.json, io));
};
