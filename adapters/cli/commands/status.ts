// `openclaw webhook status`: what the running Gateway says of its routes.

import { err, ok, type Result } from "neverthrow";
import { isNamed, own, printable, visibleJson } from "../../../core/index.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";

export type StatusOptions = { readonly json: boolean };

/** UTF-16 units of one line of the document. */
const MAX_LINE = 2000;

const textOf = (value: unknown): string => (typeof value === "string" ? printable(value, MAX_LINE) : "");

const textsOf = (list: unknown): readonly string[] => (Array.isArray(list) ? list.map(textOf) : []);

const sum = (list: unknown): number =>
  (Array.isArray(list) ? list : []).reduce<number>((all, one) => all + (typeof one === "number" ? one : 0), 0);

/** How many requests of the last hour were done, refused, and failed; undefined when the Gateway counts none. */
const hourOf = (value: unknown): string | undefined => {
  const hour = own(value, "hour");
  if (!isNamed(hour)) return undefined;
  const [done, refused, failed] = ["ok", "refused", "failed"].map((name) => String(sum(own(hour, name))));
  return `last hour: ${done ?? ""} done, ${refused ?? ""} refused, ${failed ?? ""} failed`;
};

const routeLines = (route: unknown): readonly string[] => {
  const path = textOf(own(route, "path"));
  const head = `route ${textOf(own(route, "id"))}: ${textOf(own(route, "state"))}${path === "" ? "" : ` at ${path}`}`;
  const hour = hourOf(route);
  const more = [
    ...textsOf(own(route, "says")),
    ...textsOf(own(route, "problems")),
    ...(hour === undefined ? [] : [hour]),
  ];
  return [head, ...more.map((line) => `  ${line}`)];
};

const codesLine = (codes: unknown): readonly string[] => {
  const all = (Array.isArray(codes) ? codes : []).map(
    (one) => `${textOf(own(one, "code"))} ${String(Number(own(one, "count")))}`,
  );
  return all.length === 0 ? [] : [`refused or failed in the last hour: ${all.join(", ")}`];
};

const listOf = (document: unknown, name: string): readonly unknown[] => {
  const list = own(document, name);
  return Array.isArray(list) ? list : [];
};

/** Whether everything that is configured is served, and every callback delivered. */
const isWell = (document: unknown): boolean =>
  listOf(document, "routes").every((route) => own(route, "state") === "live") &&
  listOf(document, "problems").length === 0 &&
  listOf(document, "callbacks").length === 0;

const linesOf = (document: unknown): readonly string[] => {
  const routes = listOf(document, "routes");
  const none = routes.length === 0 ? ["no route is configured"] : [];
  const rest = [...textsOf(own(document, "problems")), ...textsOf(own(document, "callbacks"))];
  return [...none, ...routes.flatMap(routeLines), ...rest, ...codesLine(own(document, "codes"))];
};

const unanswered = (error: unknown): CliFault => ({
  ...fault(
    `The Gateway does not tell the status: ${printable(error instanceof Error ? error.message : typeof error, 500)}. Is it running, with this plugin? See openclaw gateway status`,
  ),
  status: EXIT.unreachable,
});

//= GATEWAY-1
/** `ask`: gives the document. The status is `refused` if something is not served or not delivered. */
export const status = async (
  ask: () => Promise<unknown>,
  { json }: StatusOptions,
  io: Io,
): Promise<Result<number, CliFault>> => {
  const answer = await ask().then(
    (document) => ok(document),
    (error: unknown) => err(unanswered(error)),
  );
  return answer.map((document) => {
    io.out(
      json
        ? `${visibleJson(JSON.stringify(document ?? null))}\n`
        : linesOf(document)
            .map((line) => `${line}\n`)
            .join(""),
    );
    return isWell(document) ? EXIT.ok : EXIT.refused;
  });
};
