// `openclaw-webhooks/redis`: the limits on a Redis or a Valkey, for several processes that serve the same routes. Needs the package
// @redis/client, which you install.

import { parseServer } from "./connect.ts";
import { openShared } from "./open.ts";
import type { WhenGone } from "./shared-limits.ts";
import { reasonOf } from "./trouble.ts";
import type { Limits } from "../limits.ts";

export type { Limits } from "../limits.ts";
export { type Link, scriptRunner, type Send } from "./link.ts";
export { SharedLimits, type SharedOptions, type WhenGone } from "./shared-limits.ts";

export type RedisOptions = {
  /** `redis://user:password@host:port/database`, or `rediss://` for TLS. Redis 7 or later, or Valkey 8 or later. */
  readonly url: string;
  /** In place of one in the address; or what reads it, for each connection. */
  readonly password?: string | (() => Promise<string>);
  /** Certificates that a TLS server's is checked against, PEM. Default: those of Node. */
  readonly ca?: string | Buffer;
  /** What the keys begin with. Default: `openclaw-webhooks:`. */
  readonly prefix?: string;
  /** Clients of a route that are counted one by one: as many strangers, and 64 more known ones; 64 to 1,000,000. Default: 4,096. */
  readonly maxClients?: number;
  /** Requests while the server cannot be asked: refused with 503 (the default), or counted by each process alone. */
  readonly whenGone?: WhenGone;
  /** Told when the server cannot be asked any more, with the reason, and when it answers again, with undefined. */
  readonly onChange?: (reason: string | undefined) => void;
};

export type RedisLimits = Limits & {
  /** Whether requests are admitted: for a readiness probe. */
  readonly isReady: boolean;
  /** Waits until the server has answered, `ms` milliseconds at most; says whether it has. */
  readonly answered: (ms: number) => Promise<boolean>;
  /** Ends the connection. */
  readonly close: () => void;
};

const guarded =
  (listener: RedisOptions["onChange"]) =>
  (reason: string | undefined): void => {
    try {
      listener?.(reason);
    } catch {
      // the embedder's own
    }
  };

/**
 * Resolves at once: a server that does not answer yet is tried until it does, and until then requests are refused or counted
 * locally. Rejects with a RangeError or an Error that says what is wrong with the options, or that the package is not installed.
 */
export const openRedisLimits = async ({ url, password, ca, onChange, ...rest }: RedisOptions): Promise<RedisLimits> => {
  const tell = guarded(onChange);
  const server = parseServer(url).match(
    (parsed) => ({ ...parsed, ...(password === undefined ? {} : { password }), ca }),
    (hint) => {
      throw new Error(`The url ${hint}.`);
    },
  );
  const opened = await openShared({
    ...rest,
    server,
    onChange: (trouble) => tell(trouble && reasonOf(trouble)),
  });
  if (opened.isErr()) throw new Error(`openclaw-webhooks/redis ${opened.error}`);
  const { limits: shared, answered } = opened.value;
  return {
    admit: (located, now) => shared.admit(located, now),
    confirm: (located, now) => shared.confirm(located, now),
    release: (located, isProved) => shared.release(located, isProved),
    get isReady() {
      return shared.isReady;
    },
    answered,
    close: () => shared.close(),
  };
};
