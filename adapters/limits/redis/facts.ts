// What a server says of itself that an operator should know before it keeps limits.

/** The oldest version that is supported; Valkey says the one of Redis that it began as, which is newer. */
const OLDEST = 7;

const valueOf = (info: string, name: string): string | undefined =>
  new RegExp(`^${name}:(.*?)\\r?$`, "mu").exec(info)?.[1];

/** `info`: the server's answer to INFO. Undefined when the version will do, or cannot be read. */
export const tooOld = (info: string): string | undefined => {
  const version = valueOf(info, "redis_version");
  const major = Number.parseInt(version ?? "", 10);
  return major < OLDEST ? `is Redis ${version ?? ""}. Use Redis 7 or Valkey 8, or a later one` : undefined;
};

const NO_LOG =
  "writes no append-only file (appendonly yes), so that after a restart of it all windows begin anew: a client may pass twice as often in that minute";

const EVICTS =
  "may drop keys when its memory is full (maxmemory-policy), and a window that is dropped begins anew: set noeviction";

/** What weakens the limits on this server, if anything. */
export const adviceOf = (info: string): readonly string[] => {
  const policy = valueOf(info, "maxmemory_policy");
  const isBounded = Number(valueOf(info, "maxmemory") ?? 0) > 0;
  return [
    ...(valueOf(info, "aof_enabled") === "0" ? [NO_LOG] : []),
    ...(isBounded && policy !== undefined && policy !== "noeviction" ? [EVICTS] : []),
  ];
};
