// The limits of `serve`: in memory, or on a server that several processes share.

import { err, ok, type Result } from "neverthrow";
import { printable } from "../../../core/index.ts";
import type { Log } from "../../bridge/log.ts";
import type { Told } from "../../bridge/told.ts";
import type { Limits } from "../../limits/limits.ts";
import { MemoryLimits } from "../../limits/memory.ts";
import { parseServer, type Server, shownServer } from "../../limits/redis/connect.ts";
import { DEFAULT_PREFIX } from "../../limits/redis/keys.ts";
import { type Opened, openShared } from "../../limits/redis/open.ts";
import type { Trouble } from "../../limits/redis/gate.ts";
import type { WhenGone } from "../../limits/redis/shared-limits.ts";
import { type Refusal, reasonOf, refusalOf } from "../../limits/redis/trouble.ts";
import { type CliFault, fault } from "../fault.ts";
import { type Env, EXIT } from "../io.ts";
import { readBytes } from "../read-text.ts";
import { readSecret, rereadSecret } from "./call-secret.ts";

export type LimitsOptions = {
  /** As MAX_CLIENTS of the limits. */
  readonly maxClients: number;
  /** The address of the server that is shared. */
  readonly limits?: string;
  readonly limitsPasswordEnv: string;
  readonly limitsPasswordFile?: string;
  readonly limitsCa?: string;
  readonly limitsPrefix: string;
  readonly limitsWhenGone: WhenGone;
};

/** What the options are that say no more than their absence. */
export const LIMITS_DEFAULTS = { passwordEnv: "REDISCLI_AUTH", prefix: DEFAULT_PREFIX, whenGone: "refuse" } as const;

export type ServedLimits = {
  readonly limits: Limits;
  /** Whether requests are admitted. */
  readonly isReady: () => boolean;
  /** One when the server cannot be asked. */
  readonly told: () => readonly Told[];
  /** Says where the limits are and what is wrong, now and from now on. */
  readonly tell: (log: Log) => void;
  readonly close: () => void;
};

const nothing = (): void => undefined;

const inMemory = (maxClients: number): ServedLimits => ({
  limits: new MemoryLimits(maxClients),
  isReady: () => true,
  told: () => [],
  tell: nothing,
  close: nothing,
});

const CA = { maxBytes: 1024 * 1024, tooLong: "is longer than 1 MiB: give a PEM file" };

/** Milliseconds for which a start waits for the server. */
const START_MS = 2000;

const REFUSED = "Requests are refused with 503 until they do";
const LOCAL = "Until they do, this process counts alone what it serves";

/** What is wrong, and what to do. */
const REFUSALS: Readonly<Record<Refusal, readonly [reason: string, advice: string]>> = {
  no_password: [
    "wants a password",
    "Set the environment variable of --limits-password-env, or use --limits-password-file",
  ],
  wrong_password: [
    "refuses the user or the password",
    "Correct the environment variable of --limits-password-env or the file of --limits-password-file, and the user in the address",
  ],
  no_rights: [
    "does not let this user do what limits need",
    "Give it the rights that docs/scale.md names (ACL SETUSER), or name another user in the address",
  ],
  no_database: ["has no database of this number", "Correct the number at the end of the address, or leave it out"],
};

const usage = (sentence: string): CliFault => ({ ...fault(sentence), status: EXIT.usage });

/** The first flag that says how to reach a server, or how to count there. */
const givenFlag = (options: LimitsOptions): string | undefined => {
  const { limitsPasswordEnv, limitsPasswordFile, limitsCa, limitsPrefix, limitsWhenGone } = options;
  const { passwordEnv, prefix, whenGone } = LIMITS_DEFAULTS;
  const flags: readonly (readonly [flag: string, isGiven: boolean])[] = [
    ["--limits-password-env", limitsPasswordEnv !== passwordEnv],
    ["--limits-password-file", limitsPasswordFile !== undefined],
    ["--limits-ca", limitsCa !== undefined],
    ["--limits-prefix", limitsPrefix !== prefix],
    ["--limits-when-gone", limitsWhenGone !== whenGone],
  ];
  return flags.find(([, isGiven]) => isGiven)?.[0];
};

/** Errs when a flag has no effect: its operator believes that it has one. */
export const checkLimits = (options: LimitsOptions): Result<void, CliFault> => {
  const { limits: url, limitsCa } = options;
  if (url !== undefined)
    return limitsCa !== undefined && /^redis:/iu.test(url)
      ? err(usage("--limits-ca has no effect with redis://, which is not encrypted. Write rediss:// for TLS"))
      : ok();
  const flag = givenFlag(options);
  return flag === undefined
    ? ok()
    : err(usage(`${flag} has no effect without --limits redis://…, which says where Redis or Valkey is`));
};

const PASSWORD_IN_ADDRESS =
  "The address of --limits must have no password, because every user of this machine can read it there. Set the environment variable of --limits-password-env, or use --limits-password-file";

//= LIMIT-17
/** A password that was changed in the file is used for the next connection. */
const passwordOf = async (
  secretEnv: string,
  secretFile: string | undefined,
  env: Env,
): Promise<Result<Server["password"], CliFault>> => {
  if (secretFile !== undefined) return rereadSecret(secretFile);
  return (env[secretEnv]?.trim() ?? "") === "" ? ok(undefined) : readSecret({ secretEnv }, env);
};

//= LIMIT-18
/** The address with the password, from where only this user reads it. */
const serverOf = async (url: string, options: LimitsOptions, env: Env): Promise<Result<Server, CliFault>> => {
  const { limitsPasswordEnv, limitsPasswordFile, limitsCa } = options;
  const parsed = parseServer(url).mapErr((hint) => fault(`The address of --limits ${hint}`));
  if (parsed.isErr()) return err(parsed.error);
  if (parsed.value.password !== undefined) return err(fault(PASSWORD_IN_ADDRESS));
  const password = await passwordOf(limitsPasswordEnv, limitsPasswordFile, env);
  if (password.isErr()) return err(password.error);
  if (limitsCa === undefined) return ok({ ...parsed.value, password: password.value });
  const ca = await readBytes(limitsCa, CA);
  return ca
    .map((bytes) => ({ ...parsed.value, password: password.value, ca: bytes }))
    .mapErr((hint) => fault(`${printable(limitsCa)} ${hint}`));
};

type Words = { readonly where: string; readonly meanwhile: string };

const goneLine = ({ where, meanwhile }: Words, trouble: Trouble): string =>
  `the limits at ${where} do not answer (${reasonOf(trouble)}). ${meanwhile}`;

const served = (
  { limits }: Opened,
  { whenGone, ...words }: Words & { readonly whenGone: WhenGone },
  advice: readonly string[],
  listen: (listener: (trouble: Trouble | undefined) => void) => void,
): ServedLimits => ({
  limits,
  isReady: () => limits.isReady,
  told: () => (limits.trouble === undefined ? [] : [{ line: goneLine(words, limits.trouble) }]),
  tell: (log) => {
    const say = (trouble: Trouble | undefined): void => {
      if (trouble === undefined) log.warnSometimes(`the limits at ${words.where} answer again`, "limits answer");
      else log.warnSometimes(goneLine(words, trouble), "limits are gone");
    };
    listen(say);
    log.write("info", `limits at ${words.where}, shared with all that use it; when it is gone: ${whenGone}`);
    for (const line of advice) log.write("warn", `the server of the limits ${line}`);
    if (limits.trouble !== undefined) say(limits.trouble);
  },
  close: () => limits.close(),
});

/** Why the server cannot be used, and what to do; undefined when it can, or may later. */
const refusedBecause = (trouble: Trouble | undefined): string | undefined => {
  const refusal = refusalOf(trouble);
  if (trouble === undefined || refusal === undefined) return undefined;
  const [reason, advice] = REFUSALS[refusal];
  // Redis goes on for a line of protocol there
  const said = refusal === "no_password" ? "NOAUTH" : reasonOf(trouble).replace(/\.$/u, "");
  return `${reason} (${said}). ${advice}`;
};

/** Errs when the server cannot be used; one that does not answer yet may do so later. */
export const openLimits = async (options: LimitsOptions, env: Env): Promise<Result<ServedLimits, CliFault>> => {
  const { limits: url, maxClients, limitsPrefix: prefix, limitsWhenGone: whenGone } = options;
  if (url === undefined) return ok(inMemory(maxClients));
  const server = await serverOf(url, options, env);
  if (server.isErr()) return err(server.error);
  const where = shownServer(server.value);
  let onChange: (trouble: Trouble | undefined) => void = nothing;
  const changed = (trouble: Trouble | undefined): void => onChange(trouble);
  const opened = await openShared({ server: server.value, maxClients, prefix, whenGone, onChange: changed });
  if (opened.isErr()) return err(fault(`--limits ${opened.error}`));
  const { limits, answered, facts } = opened.value;
  const isThere = await answered(START_MS);
  const { fault: unusable, advice } = isThere ? await facts() : { fault: undefined, advice: [] };
  const refused = refusedBecause(limits.trouble) ?? unusable;
  if (refused !== undefined) {
    limits.close();
    return err(fault(`The server of --limits at ${where} ${refused}`));
  }
  const words = { where, meanwhile: whenGone === "local" ? LOCAL : REFUSED, whenGone };
  return ok(served(opened.value, words, advice, (listener) => void (onChange = listener)));
};
