// Records of requests and the flows that keys are bound to, in memory.

import { type KeyName, MAX_RECORDS, RECORD_MS, type SavedRecord, type Write } from "../../../core/index.ts";

type Put = Extract<Write, { readonly kind: "put_record" }>;
type Bind = Extract<Write, { readonly kind: "bind_key" }>;

//= ONCE-8
/** Unambiguous, whatever the three hold. */
const textOf = ({ routeId, owner, key }: KeyName): string => JSON.stringify([routeId, owner, key]);

//= ONCE-5
/** Drops what is over from the front, where the oldest stand. */
const trim = (records: Map<string, SavedRecord>, now: number): void => {
  for (const [key, { at }] of records) {
    if (records.size <= MAX_RECORDS && now < at + RECORD_MS) break;
    records.delete(key);
  }
};

export class MemoryRecords {
  /** By route, oldest first. */
  readonly #records = new Map<string, Map<string, SavedRecord>>();
  readonly #bindings = new Map<string, string>();
  readonly #keysOf = new Map<string, Set<string>>();

  find(name: KeyName): SavedRecord | undefined {
    return this.#records.get(name.routeId)?.get(textOf(name));
  }

  put(write: Put): void {
    const { routeId, saved } = write;
    const name = textOf(write);
    const records = this.#records.get(routeId) ?? new Map<string, SavedRecord>();
    this.#records.set(routeId, records);
    records.delete(name);
    records.set(name, saved);
    trim(records, saved.at);
  }

  boundTo(name: KeyName): string | undefined {
    return this.#bindings.get(textOf(name));
  }

  bind(write: Bind): void {
    const name = textOf(write);
    this.#keysOf.get(this.#bindings.get(name) ?? "")?.delete(name);
    this.#bindings.set(name, write.flowId);
    const keys = this.#keysOf.get(write.flowId) ?? new Set();
    this.#keysOf.set(write.flowId, keys.add(name));
  }

  unbind(flowId: string): void {
    for (const name of this.#keysOf.get(flowId) ?? []) this.#bindings.delete(name);
    this.#keysOf.delete(flowId);
  }
}
