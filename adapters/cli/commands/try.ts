// `openclaw-webhooks try`: says what a delivery would do to a route, without doing it.

import { randomBytes } from "node:crypto";
import { err, ok, type Result } from "neverthrow";
import { isObject, type JsonValue, loadConfig, own, parseJson, problemStart, type Route } from "../../../core/index.ts";
import { nodePrimitives } from "../../node/index.ts";
import { readConfigFile, type ServerConfig } from "../config/file.ts";
import { notServed } from "../config/not-served.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { readBody } from "../read-body.ts";
import { type DryRun, dryRun, type Sent } from "./dry-run.ts";
import { outcomeText, rulesText, standingText, uncheckedText } from "./try-text.ts";

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

/** `unset`: why the route's secret could not be read; a key that nobody has stands for it then. */
type Tried = { readonly route: Route; readonly unset: string | undefined };

const served = (config: unknown, id: string): Route | undefined =>
  [...loadConfig(config, nodePrimitives.sha256).routes.values()].find((route) => route.id === id);

/** The route as it would be served if its secret, which could not be resolved, were there. */
const withoutSecret = (id: string, { config, unresolved }: ServerConfig): Tried | undefined => {
  const said = unresolved.find(({ routeId, effect }) => routeId === id && effect === "cold");
  const unset = said?.line.slice(problemStart("cold", id).length);
  const all = own(config, "routes");
  const [name, written] = Object.entries(isObject(all) ? all : {}).find(([one]) => one.trim() === id) ?? [];
  if (unset === undefined || name === undefined || !isObject(written)) return undefined;
  const secret = randomBytes(32).toString("base64");
  const route = served({ routes: { [name]: { ...written, secret, previousSecret: undefined } } }, id);
  return route && { route, unset };
};

/** The live route with that id, as `serve` has it, apart from its secret. Errs with why there is none. */
const routeOf = (file: string, id: string, server: ServerConfig): Result<Tried, CliFault> => {
  const config = loadConfig(server.config, nodePrimitives.sha256);
  const found = [...config.routes.values()].find((route) => route.id === id);
  if (found !== undefined) return ok({ route: found, unset: undefined });
  const cold = withoutSecret(id, server);
  return cold === undefined ? err(fault(notServed(file, id, server, config))) : ok(cold);
};

const jsonOf = (body: Uint8Array): JsonValue | undefined => {
  const text = nodePrimitives.decodeUtf8(body);
  return text === undefined ? undefined : parseJson(text.trim()).unwrapOr(undefined);
};

/** Whether it would be refused whenever it came: not for its time alone, nor for a credential that cannot be looked at. */
const isRefused = ({ standing, outcome }: DryRun, { unset }: Tried): boolean =>
  outcome.isErr() || standing.kind === "foreign" || (standing.kind === "wrong" && unset === undefined);

const show = (tried: Tried, sent: Sent, io: Io): number => {
  const { route, unset } = tried;
  const { payload } = sent;
  const ran = dryRun(route, sent, Date.now());
  const { standing, header, outcome } = ran;
  const stands = unset === undefined ? standingText(standing, route) : uncheckedText(standing, route, unset);
  const rules = payload === undefined ? [] : rulesText(route, { payload, header });
  for (const line of [...stands, ...rules, ...outcomeText(outcome), "Nothing was done."]) io.out(`${line}\n`);
  return isRefused(ran, tried) ? EXIT.refused : EXIT.ok;
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
  return body.map((bytes) => show(route.value, { header: header.value, body: bytes, payload: jsonOf(bytes) }, io));
};
