// What a dry run tells the operator, line by line.

import {
  BOUND_FIELDS,
  type Command,
  explainUnmet,
  printable,
  type Rejection,
  REJECTIONS,
  type Route,
  ruleName,
  shownValue,
  signatureHeaders,
  type Source,
  TOLERANCE_S,
  unmetIn,
  visibleJson,
} from "../../../core/index.ts";
import type { DryRun, Standing } from "./dry-run.ts";

const UNITS: readonly (readonly [name: string, seconds: number])[] = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

const lengthOf = (ms: number): string => {
  const [name, unit] = UNITS.find(([, seconds]) => ms >= seconds * 1000) ?? ["second", 1];
  const count = Math.floor(ms / 1000 / unit);
  return `${String(count)} ${name}${count === 1 ? "" : "s"}`;
};

const proofOf = ({ credential }: Route): { readonly name: string; readonly headers: string } =>
  credential.kind === "secret"
    ? {
        name: "secret",
        headers: ["authorization", credential.header].filter((name) => name !== undefined).join(" or "),
      }
    : { name: "signature", headers: signatureHeaders(credential.scheme).join(" or ") };

const WRONG = "wrong, so the delivery would be refused";

const wrongText = (lacks: readonly string[], { credential }: Route): string => {
  if (credential.kind === "secret") return WRONG;
  return lacks.length > 0
    ? `${WRONG}: the headers do not hold the ${lacks.join(" and the ")} that is signed with the body`
    : `${WRONG}: a signature is over the body byte for byte, and goes with the headers of its delivery`;
};

const lateText = (aheadMs: number): string => {
  const side = aheadMs < 0 ? "behind" : "ahead of";
  return `its time is ${lengthOf(Math.abs(aheadMs))} ${side} this clock, more than ${String(TOLERANCE_S / 60)} minutes, so it would be refused now`;
};

const foreignText = (given: string, { credential }: Route): string => {
  const taken = credential.kind === "secret" ? "its secret" : credential.scheme;
  const hint = credential.kind === "secret" ? "" : " and nothing else";
  return `${WRONG}: the delivery has ${given}; the route takes ${taken}${hint}`;
};

const standingWords = (standing: Exclude<Standing, { kind: "unread" }>, route: Route): string => {
  const previous = "isPrevious" in standing && standing.isPrevious ? ", by previousSecret" : "";
  switch (standing.kind) {
    case "right":
      return `right${previous}`;
    case "late":
      return `right${previous}, but ${lateText(standing.aheadMs)}`;
    case "absent":
      return `not given (${proofOf(route).headers}), so it is not checked`;
    case "timeless":
      return "right, but the body does not hold the time of sending, so the delivery would be refused";
    case "wrong":
      return wrongText(standing.lacks, route);
    case "foreign":
      return foreignText(standing.given, route);
  }
};

/** Nothing when the credential was not looked at. */
export const standingText = (standing: Standing, route: Route): readonly string[] =>
  standing.kind === "unread" ? [] : [`${proofOf(route).name}: ${standingWords(standing, route)}`];

/** The same for a route whose secret is not there. */
export const uncheckedText = (standing: Standing, route: Route, reason: string): readonly string[] =>
  ["unread", "foreign"].includes(standing.kind)
    ? standingText(standing, route)
    : [`${proofOf(route).name}: cannot be checked, because ${reason}`];

/** One line for each rule, down to the one that holds. */
export const rulesText = ({ deliveries }: Route, source: Source): readonly string[] => {
  const lines: string[] = [];
  for (const [place, rule] of (deliveries?.rules ?? []).entries()) {
    const unmet = unmetIn(rule, source);
    if (unmet === undefined) return [...lines, `${ruleName(place)} holds`];
    lines.push(`${ruleName(place)} does not hold: ${explainUnmet(unmet, source)}`);
  }
  return deliveries?.allowActions === true
    ? [...lines, "no rule holds, so the body may be the action of a caller"]
    : lines;
};

const isOfKey = ({ action, delivery }: Command): boolean =>
  delivery.bind !== undefined && action.action !== "create_flow";

/** As the store gets it, less the fields that the flow of the key gives. */
const actionJson = (command: Command): string => {
  const isGiven = (name: string): boolean => isOfKey(command) && BOUND_FIELDS.includes(name);
  const fields = Object.entries(command.action).filter(([name]) => !isGiven(name));
  return visibleJson(JSON.stringify(Object.fromEntries(fields), null, 2));
};

const keyText = (command: Command): string => {
  const { bind } = command.delivery;
  if (bind === undefined) return "key: none";
  const found = isOfKey(command)
    ? ", which gives flowId and expectedRevision; ignored where no open flow is bound to it"
    : "";
  return `key: ${shownValue(bind)}${found}`;
};

const onceText = ({ delivery: { once } }: Command): string =>
  `idempotency key: ${once === undefined ? "none, so a repeat is carried out again" : printable(once.key, 300)}`;

const commandText = (command: Command): readonly string[] => [
  keyText(command),
  onceText(command),
  "action:",
  actionJson(command),
];

const refusalText = ({ code, fault: why }: Rejection): string => {
  const { status, sentence } = REJECTIONS[code];
  const field = why?.field === undefined ? "" : `${printable(why.field)}: `;
  return `refused with ${String(status)} ${code}: ${field}${printable(why?.sentence ?? sentence, 500)}`;
};

const IGNORED = "ignored: no rule takes it, and the answer is 200";

export const outcomeText = (outcome: DryRun["outcome"]): readonly string[] =>
  outcome.match(
    (command) => (command === undefined ? [IGNORED] : commandText(command)),
    (rejection) => [refusalText(rejection)],
  );
