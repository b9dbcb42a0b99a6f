// The port to what counts requests: a rate limit window for each client and route, and the slots of unfinished requests.
// In memory it answers at once. Over a network each function is one step, so that no other request comes between; there the
// server's clock counts, and a slot expires when its process has ended. A request does not wait for release, and for confirm
// only on a signed route.
// A slot is taken before the secret is compared. In memory both happen in one turn; while limits over a network answer,
// strangers hold slots of their peer for that time.

import type { Located, Unavailable, Verdict } from "../../core/index.ts";
import type { Awaitable } from "../flows/awaitable.ts";

export interface Limits {
  /**
   * Counts a request and, if its window has room, takes a slot of its client and of its peer. On a signed route it takes none of
   * the peer, and says whether it knows the client. `now`: monotonic milliseconds.
   */
  admit(located: Located, now: number): Awaitable<Verdict>;
  /**
   * The client has proved itself: from now on, where there is room, strangers cannot push its bucket out. On a signed route it
   * takes a slot of the peer, which strangers so cannot hold; false when there is none left (SIGN-5). Said for signed routes:
   * limits that cannot be asked say so.
   */
  confirm(located: Located, now: number): Awaitable<boolean | Unavailable>;
  /** Whether a further request of the client or the peer would get no slot. Limits over a network need not say it. */
  isFull?(located: Located): boolean;
  /**
   * Gives the slots of an admitted request back; called once for each. `isProved`: whether it has been confirmed, and was not
   * told that there is no slot left.
   */
  release(located: Located, isProved: boolean): Awaitable<void>;
}
