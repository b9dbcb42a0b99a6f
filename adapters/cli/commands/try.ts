// `openclaw-webhooks try`: says what a delivery would do to a route, without doing it.

import { err, ok, type Result } from "neverthrow";
import { type JsonValue, loadConfig, parseJson, printable, problemName, type Route } from "../../../core/index.ts";
import { nodePrimitives } from "../../node/index.ts";
import { explainOf } from "../config/explain.ts";
import { readConfigFile, type ServerConfig } from "../config/file.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { readBody } from "../read-body.ts";
import { dryRun, type Sent } from "./dry-run.ts";
import { outcomeText, rulesText, standingText } from "./try-text.ts";

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

const jsonOf = (body: Uint8Array): JsonValue | undefined => {
  const text = nodePrimitives.decodeUtf8(body);
  return text === undefined ? undefined : parseJson(text.trim()).unwrapOr(undefined);
};

const show = (route: Route, sent: Sent, payload: JsonValue | undefined, io: Io): number => {
  const { standing, header, outcome } = dryRun(route, sent, Date.now());
  const rules = payload === undefined ? [] : rulesText(route, { payload, header });
  const lines = [...standingText(standing, route), ...rules, ...outcomeText(outcome), "Nothing was done."];
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
