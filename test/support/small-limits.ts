// The real limits at a scale at which all states can be visited: the core's admit on the memory table, with small rules.

import { emptyState, MemoryLimits, type LimitsState } from "../../adapters/limits/memory.ts";
import { admit, type Admission, loadConfig, locate, type Located, type Rules, sha256 } from "../../core/index.ts";

export type Request = {
  readonly client: number;
  readonly route: string;
  readonly peer: number;
  readonly isJson: boolean;
  readonly isGood: boolean;
};

const SECRETS: Readonly<Record<string, string>> = { a: "secret-of-route-a", b: "secret-of-route-b" };
const CONFIG = {
  routes: Object.fromEntries(Object.entries(SECRETS).map(([id, secret]) => [id, { sessionKey: id, secret }])),
};
const { routes: ROUTES } = loadConfig(CONFIG, sha256);

const headersOf = ({ route, isJson, isGood }: Request): Readonly<Record<string, string>> => ({
  "content-type": isJson ? "application/json" : "text/plain",
  authorization: `Bearer ${isGood ? (SECRETS[route] ?? "") : "wrong"}`,
});

const located = new Map<string, Located>();

const locateAnew = (request: Request): Located => {
  const headers = headersOf(request);
  return locate(ROUTES, {
    method: "POST",
    target: `/plugins/webhooks/${request.route}`,
    header: (name) => headers[name],
    client: `10.0.0.${String(request.client)}`,
    peer: `127.0.0.${String(request.peer)}`,
  })._unsafeUnwrap();
};

/** Located once for each request that differs. */
export const locatedOf = (request: Request): Located => {
  const key = Object.values(request).join(" ");
  const made = located.get(key) ?? locateAnew(request);
  located.set(key, made);
  return made;
};

/** The key under which the table keeps a client's bucket, and a peer's slots. */
export const windowKeyOf = (client: number, route: string): string => `10.0.0.${String(client)} ${route}`;
export const slotKeyOf = (peer: number, route: string): string => `127.0.0.${String(peer)} ${route}`;

export const copyOf = ({ strangers, known, overflow, slots }: LimitsState): LimitsState => ({
  strangers: new Map(strangers),
  known: new Map(known),
  overflow: new Map(overflow),
  slots: new Map(slots),
});

export class SmallLimits {
  readonly #rules: Rules;
  readonly #capacity: number;
  readonly empty: LimitsState = emptyState();

  constructor(rules: Rules, capacity: number) {
    this.#rules = rules;
    this.#capacity = capacity;
  }

  /** One request up to its body, on a copy of `before`. */
  ask(
    before: LimitsState,
    located: Located,
    now: number,
  ): { readonly after: LimitsState; readonly admission: Admission } {
    const after = copyOf(before);
    const table = new MemoryLimits(this.#capacity, this.#rules.window, after);
    const admission = admit(located, table.look(located, now), now, sha256, this.#rules);
    table.commit(located, admission, now);
    return { after, admission };
  }

  /** One request's end. */
  release(before: LimitsState, located: Located): LimitsState {
    const after = copyOf(before);
    new MemoryLimits(this.#capacity, this.#rules.window, after).release(located);
    return after;
  }
}
