// The real limits at a scale at which all states can be visited: the memory table and the core's admit, with small rules.

import type { Places } from "../../adapters/limits/known-clients.ts";
import { emptyState, type LimitsState, MemoryLimits, type Rules } from "../../adapters/limits/memory.ts";
import { OldestFirst } from "../../adapters/limits/oldest-first.ts";
import { admit, type Allowance, type Bucket, loadConfig, locate, type Located, sha256 } from "../../core/index.ts";

export type Request = {
  readonly client: number;
  readonly route: string;
  readonly peer: number;
  readonly isJson: boolean;
  readonly isGood: boolean;
};

const SECRETS: Readonly<Record<string, string>> = {
  a: "secret-of-route-a",
  b: "secret-of-route-b",
  c: "secret-of-route-c",
};
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
    client: `10.0.${String(request.client >> 8)}.${String(request.client & 255)}`,
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

/** The same of a route with limits of its own. */
export const limitedTo = (located: Located, perMinute: number, inFlight: number): Located => {
  const limits = { perMinute, inFlight, maxFlows: undefined, maxTasks: undefined };
  return { ...located, route: { ...located.route, limits } };
};

/** The keys under which the table keeps a client's bucket and slots, and a peer's slots. */
export const clientKeyOf = (client: number, route: string): string => `10.0.0.${String(client)} ${route}`;
export const peerKeyOf = (peer: number, route: string): string => `127.0.0.${String(peer)} ${route}`;

export const copyOf = ({ strangers, known, overflow, clientSlots, peerSlots }: LimitsState): LimitsState => ({
  strangers: new OldestFirst(strangers),
  known: new OldestFirst([...known].map(([route, clients]) => [route, new OldestFirst(clients)])),
  overflow: new Map(overflow),
  clientSlots: new Map(clientSlots),
  peerSlots: new Map(peerSlots),
});

/** What one request was told, and where it was counted. */
export type Asked = {
  readonly after: LimitsState;
  readonly verdict: string;
  readonly place: "own" | "overflow";
  readonly bucket: Bucket;
  /** What the client may be told. */
  readonly allowance: Allowance | undefined;
};

/** The bucket that the last request wrote: the client's own, or its route's shared one. */
const written = (counted: LimitsState, { clientKey, route }: Located): Pick<Asked, "place" | "bucket"> => {
  const own = counted.known.get(route.id)?.get(clientKey) ?? counted.strangers.get(clientKey);
  if (own !== undefined) return { place: "own", bucket: own };
  return { place: "overflow", bucket: counted.overflow.get(route.id) ?? { endsAt: 0, count: 0 } };
};

/** `strangers`: places for those; `known`: for clients that have shown a secret. */
export type Room = { readonly strangers: number; readonly known: Places };

export class SmallLimits {
  readonly #rules: Rules;
  readonly #room: Room;
  readonly empty: LimitsState = emptyState();

  constructor(rules: Rules, room: Room) {
    this.#rules = rules;
    this.#room = room;
  }

  #limits(state: LimitsState): MemoryLimits {
    return new MemoryLimits(this.#room.strangers, { rules: this.#rules, state, places: this.#room.known });
  }

  /** One request up to its body, on a copy of `before`, as the bridge runs it. */
  ask(before: LimitsState, located: Located, now: number): Asked {
    const after = copyOf(before);
    const table = this.#limits(after);
    const verdict = table.admit(located, now);
    const counted = written(after, located);
    const admitted = admit(located, verdict, sha256, 0);
    if (admitted.isOk()) table.confirm(located, now);
    else if (verdict.kind === "admitted") table.release(located, false);
    if (admitted.isErr()) return { after, ...counted, verdict: admitted.error.code, allowance: undefined };
    const { proof } = admitted.value;
    const allowance = proof.kind === "authenticated" ? proof.authenticated.allowance : undefined;
    return { after, ...counted, verdict: "admitted", allowance };
  }

  /** One request's end. */
  release(before: LimitsState, located: Located): LimitsState {
    const after = copyOf(before);
    this.#limits(after).release(located, true);
    return after;
  }
}
