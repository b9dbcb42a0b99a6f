// `openclaw-webhooks try`: says what a delivery would do to a route, without doing it.

import { err, ok, type Result } from "neverthrow";
import {
  BOUND_FIELDS,
  type Command,
  explainUnmet,
  type JsonValue,
  loadConfig,
  parseJson,
  printable,
  problemName,
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
import { nodePrimitives } from "../../node/index.ts";
import { explainOf } from "../config/explain.ts";
import { readConfigFile, type ServerConfig } from "../config/file.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { readBody } from "../read-body.ts";
import { type DryRun, dryRun, type Sent, type Standing } from "./dry-run.ts";

export type TryOptions = { readonly body: string; readonly header: readonly string[] };

const HEADER = /^([\w!#$%&'*+.^`|~-]+):[ \t]*(.*?)[ \t]*$/su;

/** The header fields as a server gets them: bytes as characters, a field that was sent twice as one value. */
const headersOf = (lines: readonly string[]): Result<Sent["header"], CliFault> => {
  const fields = new Map([["content-type", ["application/json"]]]);
  const given = new Set<string>();
  for (const [place, line] of lines.entries()) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined)
      return err({
        ...fault(`--header number ${String(place + 1)} is not a header. Write 'Name: value'`),
        status: EXIT.usage,
      });
    const key = name.toLowerCase();
    const bytes = Buffer.from(value, "utf8").toString("latin1");
    fields.set(key, given.has(key) ? [...(fields.get(key) ?? []), bytes] : [bytes]);
    given.add(key);
  }
  return ok((name) => fields.get(name)?.join(", "));
};

/** The live route with that id, as `serve` has it. Errs with why there is none. */
const routeOf = (file: string, id: string, server: ServerConfig): Result<Route, CliFault> => {
  const { routes, problems } = loadConfig(server.config, nodePrimitives.sha256);
  const found = [...routes.values()].find((route) => route.id === id);
  if (found !== undefined) return ok(found);
  const start = `route ${problemName(id)} `;
  const told = problems.filter(({ routeId }) => routeId === id).map(explainOf(server));
  const lines = [...server.unresolved, ...told].filter((line) => line?.startsWith(start) === true);
  if (lines.length > 0) return err(fault(lines.join("\n")));
  const others = [...routes.values()].map((route) => printable(route.id)).join(", ");
  const hint = others === "" ? "No route of it is served" : `It serves ${others}`;
  return err(fault(`There is no route ${printable(id)} in ${printable(file, 500)}. ${hint}`));
};

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

const WRONG =
  "wrong, so the delivery would be refused. A signature is over the body byte for byte, and goes with the headers of its delivery";

const standingText = (standing: Exclude<Standing, { kind: "unread" }>, headers: string): string => {
  const previous = "isPrevious" in standing && standing.isPrevious ? ", by previousSecret" : "";
  switch (standing.kind) {
    case "right":
      return `right${previous}`;
    case "late":
      return `right${previous}, but its time is ${lengthOf(standing.awayMs)} away, more than ${String(TOLERANCE_S / 60)} minutes, so it would be refused now`;
    case "absent":
      return `not given (${headers}), so it is not checked`;
    case "timeless":
      return "right, but the body does not hold the time of sending, so the delivery would be refused";
    case "wrong":
      return standing.lacks.length > 0
        ? `wrong, because the headers do not hold the ${standing.lacks.join(" and the ")} that is signed with the body`
        : WRONG;
  }
};

/** One line for each rule, down to the one that holds. */
const rulesText = ({ deliveries }: Route, source: Source): readonly string[] => {
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

const outcomeText = (outcome: DryRun["outcome"]): readonly string[] =>
  outcome.match(
    (command) => (command === undefined ? [IGNORED] : commandText(command)),
    (rejection) => [refusalText(rejection)],
  );

const jsonOf = (body: Uint8Array): JsonValue | undefined => {
  const text = nodePrimitives.decodeUtf8(body);
  return text === undefined ? undefined : parseJson(text.trim()).unwrapOr(undefined);
};

const show = (route: Route, sent: Sent, payload: JsonValue | undefined, io: Io): number => {
  const { standing, outcome } = dryRun(route, sent, Date.now());
  const { name, headers } = proofOf(route);
  const rules = payload === undefined ? [] : rulesText(route, { payload, header: sent.header });
  const stands = standing.kind === "unread" ? [] : [`${name}: ${standingText(standing, headers)}`];
  const lines = [...stands, ...rules, ...outcomeText(outcome), "Nothing was done."];
  for (const line of lines) io.out(`${line}\n`);
  return outcome.isOk() && standing.kind !== "wrong" ? EXIT.ok : EXIT.refused;
};

/** Errs when the configuration, the route, a header or the body cannot be read. */
export const tryDelivery = async (
  file: string,
  id: string,
  options: TryOptions,
  io: Io,
): Promise<Result<number, CliFault>> => {
  const header = headersOf(options.header);
  if (header.isErr()) return err(header.error);
  const route = (await readConfigFile(file, io.env)).andThen((server) => routeOf(file, id, server));
  if (route.isErr()) return err(route.error);
  const body = await readBody(options.body, io);
  return body.map((bytes) => {
    const payload = jsonOf(bytes);
    return show(route.value, { header: header.value, body: bytes, payload }, payload, io);
  });
};
