// The port to what counts requests: a rate limit window for each client and route, and the slots of unfinished requests.
// In memory it answers at once. Over a network each function is one step, so that no other request comes between; there the
// server's clock counts, and a slot expires when its process has ended. The request does not wait for confirm and release.
// A slot is taken before the secret is compared. In memory both happen in one turn; while limits over a network answer,
// strangers hold slots of their peer for that time.

import type { Located, Verdict } from "../../core/index.ts";
import type { Awaitable } from "../flows/awaitable.ts";

export interface Limits {
  /**
   * Counts a request and, if its window has room, takes a slot. On a signed route it says whether it knows the client, and
   * keeps part of the peer's slots free for clients that it knows (SIGN-5). `now`: monotonic milliseconds.
   */
  admit(located: Located, now: number): Awaitable<Verdict>;
  /** The client has shown the route's secret: from now on, where there is room, strangers cannot push its bucket out. */
  confirm(located: Located, now: number): Awaitable<void>;
  /** Gives the slot of an admitted request back; called once for each. `isProved`: whether it has been confirmed. */
  release(located: Located, isProved: boolean): Awaitable<void>;
}
