// What a transaction locks before it reads: a key that may have no row yet, and the flows of an owner before they are counted.

import { createHash } from "node:crypto";
import type { KeyName, Needs } from "../../../core/index.ts";
import { type Statement, statement } from "./statement.ts";

/** Every transaction takes the locks of keys in their order, then the owner's, then that of a flow's row: none waits in a circle. */
const LOCK_KEYS = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key";
const LOCK_OWNER = "SELECT pg_advisory_xact_lock(7164783, $1::integer)";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

//= ONCE-8
/** Unambiguous, whatever the three hold. */
const textOf = ({ routeId, owner, key }: KeyName): string => JSON.stringify([routeId, owner, key]);

/** What the row of a key is found by. */
export const nameOf = (name: KeyName): string => digest(textOf(name)).toString("base64url");

const keyLock = (kind: "record" | "binding", name: KeyName): bigint =>
  digest(`${kind} ${textOf(name)}`).readBigInt64BE();

//= QUOTA-1
/** Nobody adds a flow between the count and the commit. */
const lockOwner = (owner: string): Statement => statement(LOCK_OWNER, digest(owner).readInt32BE());

const isBound = (load: Needs["load"][number]): load is Extract<typeof load, { kind: "bound" }> => load.kind === "bound";

/** What must be locked before `needs` is loaded, by a transaction that writes. */
export const locksOf = ({ saved, open, load }: Needs): readonly Statement[] => {
  const records = saved === undefined ? [] : [keyLock("record", saved)];
  const bindings = load.filter(isBound).map((one) => keyLock("binding", one));
  const keys = [...records, ...bindings].toSorted((a, b) => (a < b ? -1 : 1)).map(String);
  return [
    ...(keys.length === 0 ? [] : [statement(LOCK_KEYS, keys)]),
    ...(open === undefined ? [] : [lockOwner(open.owner)]),
  ];
};
