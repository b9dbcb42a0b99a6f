// The answer to a request of `call` or `wait`: read, told apart from what else may answer, and made fit for a terminal.

import { err, ok, Result } from "neverthrow";
import { ACTIONS, isObject, own, parseJson, printable, visibleJson } from "../../../core/index.ts";
import { hideValues } from "../../bridge/scrub.ts";
import type { CliFault } from "../fault.ts";
import {
  beforeAgain,
  changesNothing,
  explainSend,
  proxyFault,
  type Repeatable,
  unreachable,
  unsure,
} from "./call-fault.ts";
import type { Call } from "./call-request.ts";
import { post, type Received } from "./call-send.ts";
import { shownUrl } from "./call-target.ts";

export type Answer = { readonly status: number; readonly isReplayed: boolean; readonly body: Envelope };

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
export const isDoubtful = (status: number): boolean => status >= 500;

const doubtOf = (sent: Repeatable): string =>
  changesNothing(sent.action)
    ? ` (${sent.action} changes nothing; call it again)`
    : ` (it may have been carried out; ${beforeAgain(sent)})`;

/** The answer of a webhook route. Errs with what else answered. */
export const readAnswer = (received: Received, sent: Call): Result<Answer, CliFault> => {
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

export const send = async (call: Call): Promise<Result<Answer, CliFault>> =>
  (await post(call)).mapErr((failed) => explainSend(call, failed)).andThen((received) => readAnswer(received, call));

/** UTF-16 units. A longer sentence is cut. */
const MAX_SENTENCE = 500;

//= CALL-4
/** A word of the answer for a terminal. The secret must not show even where the server sends it back. */
export const wordOf = (member: unknown, secret: string): string =>
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

const NEEDED = "Actions need a route without deliveries, or one with allowActions: true.\n";

const IGNORED = `The route took this for a delivery that asks for nothing, so nothing was done. ${NEEDED}`;

const MAPPED = `The route took this for a delivery, and a rule made another action of it, which was carried out. ${NEEDED}`;

/** What only an action that writes has in its result. */
const WRITES = ["created", "applied", "cancelled"];

//= CALL-5
/** What a success says that is not one of the action, because rules took the body; undefined of all others. */
export const deliveryLine = ({ body }: Answer, { action }: Repeatable): string | undefined => {
  if (body.code === "ignored") return IGNORED;
  return changesNothing(action) && WRITES.some((name) => own(body.result, name) !== undefined) ? MAPPED : undefined;
};

/** Advice that the server cannot give, because it knows neither the URL nor the arguments. */
const hintOf = (code: unknown, sent: Call): string => {
  if (code === "route_not_found")
    return ` (called at ${shownUrl(sent.target)}; give the path instead of the id if the route has its own path)`;
  if (code !== "invalid_request") return "";
  return unknownFields(sent) || " (name=text sends a string; name:=7 sends a number or other JSON)";
};

/** Why the server refused, and what to do, in one line. */
export const refusalLine = ({ status, body }: Answer, sent: Call): string => {
  const [code, sentence] = [body.code, body.error].map((member) => wordOf(member, sent.secret));
  const hint = isDoubtful(status) ? doubtOf(sent) : hintOf(body.code, sent);
  return `${String(status)} ${code}: ${sentence}${hint}\n`;
};

/** The text for standard output: what stands in `result`, or the whole answer on one line. */
export const resultText = ({ body }: Answer, sent: Call, isWhole: boolean): Result<string, CliFault> =>
  isWhole ? stringify(body, sent.secret) : stringify(body.result, sent.secret, 2);
