// Statements, and how several of them make one round trip: all are sent before the first answer is awaited.

import type { QueryConfig } from "pg";
import type { Row, Value } from "../rows.ts";
import { toColumn } from "./text.ts";

/** `values`: bound, never part of the text. */
export type Statement = { readonly text: string; readonly values: readonly (Value | readonly string[])[] };

export const statement = (text: string, ...values: Statement["values"]): Statement => ({ text, values });

/** What a statement gave. `count`: rows that it has read or changed. */
export type Answered = { readonly rows: readonly Row[]; readonly count: number; readonly command: string };

/** The part of a connection that is used here. What is written to its stream while that is corked leaves in one piece. */
export type Connection = {
  readonly connection?: { readonly stream?: { cork?(): void; uncork?(): void; destroy?(): unknown } };
  query(config: QueryConfig): Promise<{
    readonly rows: readonly Row[];
    readonly rowCount: number | null;
    readonly command: string;
  }>;
};

/** The server plans each text once for each connection, by this name. The texts are this program's own, so they are few. */
const names = new Map<string, string>();
const nameOf = (text: string): string => {
  const name = names.get(text) ?? `s${String(names.size)}`;
  names.set(text, name);
  return name;
};

const bound = (value: Value | readonly string[]): Value | string[] =>
  typeof value === "string" ? toColumn(value) : typeof value === "object" && value !== null ? [...value] : value;

/** One round trip. Rejects with the first error; what comes after it in the same transaction was not done. */
export const send = async (connection: Connection, statements: readonly Statement[]): Promise<readonly Answered[]> => {
  const stream = connection.connection?.stream;
  stream?.cork?.();
  const sent = statements.map(({ text, values }) =>
    connection.query({ name: nameOf(text), text, values: values.map(bound) }),
  );
  stream?.uncork?.();
  const settled = await Promise.allSettled(sent);
  return settled.map((one) => {
    if (one.status === "rejected") throw one.reason;
    const { rows, rowCount, command } = one.value;
    return { rows, count: rowCount ?? 0, command };
  });
};
