// Opens the limits on a server by its address.

import { randomBytes } from "node:crypto";
import { ok, type Result } from "neverthrow";
import { connect, type Server } from "./connect.ts";
import { adviceOf, tooOld } from "./facts.ts";
import type { Trouble } from "./gate.ts";
import { SharedLimits, type SharedOptions } from "./shared-limits.ts";

/** As the limits have them, but for the connection. */
export type OpenOptions = Omit<SharedOptions, "link" | "name"> & { readonly server: Server };

/** What there is to know of the server: why it cannot be used, if so, and what weakens the limits on it. */
export type Facts = { readonly fault: string | undefined; readonly advice: readonly string[] };

export type Opened = {
  readonly limits: SharedLimits;
  /** Whether the server has answered; waits for that, `ms` milliseconds at most. */
  readonly answered: (ms: number) => Promise<boolean>;
  /** Asks the server. Never rejects; a server that does not answer, or does not say, gives nothing. */
  readonly facts: () => Promise<Facts>;
};

const NOTHING: Facts = { fault: undefined, advice: [] };

const late = (ms: number): Promise<boolean> =>
  new Promise((resolve) => void setTimeout(() => resolve(false), ms).unref());

/** Bytes that tell processes apart by chance. */
const NAME_BYTES = 9;

/** Errs with what is missing. A server that does not answer is no error: the limits say what becomes of requests. */
export const openShared = async ({ server, onChange, ...rest }: OpenOptions): Promise<Result<Opened, string>> => {
  const connected = await connect(server);
  return connected.andThen((link): Result<Opened, string> => {
    const first = Promise.withResolvers<boolean>();
    const changed = (trouble: Trouble | undefined): void => {
      if (trouble === undefined) first.resolve(true);
      onChange?.(trouble);
    };
    const name = randomBytes(NAME_BYTES).toString("base64url");
    const limits = new SharedLimits({ ...rest, link, name, onChange: changed });
    const facts = (): Promise<Facts> =>
      link.ask("INFO").then(
        (info) => ({ fault: tooOld(String(info)), advice: adviceOf(String(info)) }),
        () => NOTHING,
      );
    return ok({ limits, answered: (ms) => Promise.race([first.promise, late(ms)]), facts });
  });
};
