// The limits of `serve`: in memory, or on a server that several processes share.

import { err, ok, type Result } from "neverthrow";
import { printable } from "../../../core/index.ts";
import type { Log } from "../../bridge/log.ts";
import type { Told } from "../../bridge/told.ts";
import type { Limits } from "../../limits/limits.ts";
import { MemoryLimits } from "../../limits/memory.ts";
import { parseServer, type Server, shownServer } from "../../limits/redis/connect.ts";
import { type Opened, openShared } from "../../limits/redis/open.ts";
import type { Trouble } from "../../limits/redis/gate.ts";
import type { WhenGone } from "../../limits/redis/shared-limits.ts";
import { isRefusal, reasonOf } from "../../limits/redis/trouble.ts";
import { type CliFault, fault } from "../fault.ts";
import type { Env } from "../io.ts";
import { readBytes } from "../read-text.ts";
import { readSecret, type SecretSource } from "./call-secret.ts";

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

const REFUSED = "Requests are refused with 503 until it does";
const LOCAL = "Until it does, this process counts alone what it serves";

const PASSWORD_IN_ADDRESS =
  "The address of --limits must have no password, because every user of this machine can read it there. Set the environment variable of --limits-password-env, or use --limits-password-file";

//= LIMIT-17
/** A file is read for each connection, so that a password that was changed is used. */
const readAgain = async (source: SecretSource, env: Env): Promise<string> =>
  (await readSecret(source, env)).match(
    (text) => text,
    ({ sentence }) => Promise.reject(new Error(sentence)),
  );

//= LIMIT-18
/** The address with the password, from where only this user reads it. */
const serverOf = async (url: string, options: LimitsOptions, env: Env): Promise<Result<Server, CliFault>> => {
  const { limitsPasswordEnv, limitsPasswordFile, limitsCa } = options;
  const parsed = parseServer(url).mapErr((hint) => fault(`The address of --limits ${hint}`));
  if (parsed.isErr()) return err(parsed.error);
  if (parsed.value.password !== undefined) return err(fault(PASSWORD_IN_ADDRESS));
  const isGiven = limitsPasswordFile !== undefined || (env[limitsPasswordEnv]?.trim() ?? "") !== "";
  const source = {
    secretEnv: limitsPasswordEnv,
    ...(limitsPasswordFile === undefined ? {} : { secretFile: limitsPasswordFile }),
  };
  const first = isGiven ? await readSecret(source, env) : ok(undefined);
  if (first.isErr()) return err(first.error);
  const password = limitsPasswordFile === undefined ? first.value : () => readAgain(source, env);
  if (limitsCa === undefined) return ok({ ...parsed.value, password });
  const ca = await readBytes(limitsCa, CA);
  return ca
    .map((bytes) => ({ ...parsed.value, password, ca: bytes }))
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
  const { trouble } = limits;
  const refused = trouble !== undefined && isRefusal(trouble) ? `refuses this user (${reasonOf(trouble)})` : unusable;
  if (refused !== undefined) {
    limits.close();
    return err(fault(`The server of --limits at ${where} ${refused}`));
  }
  const words = { where, meanwhile: whenGone === "local" ? LOCAL : REFUSED, whenGone };
  return ok(served(opened.value, words, advice, (listener) => void (onChange = listener)));
};
