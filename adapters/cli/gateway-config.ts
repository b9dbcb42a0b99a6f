// The Gateway's own configuration, from which `openclaw webhook` takes what other callers are told: where the Gateway is, a
// route's path and its secret.

import { join } from "node:path";
import { err, ok, type Result } from "neverthrow";
import { type Config, isObject, loadConfig, own, printable, type Route } from "../../core/index.ts";
import { nodePrimitives } from "../node/index.ts";
import { readConfigFile } from "./config/file.ts";
import { notServed } from "./config/not-served.ts";
import { type CliFault, fault } from "./fault.ts";
import { homeOf } from "./home.ts";
import type { Env } from "./io.ts";
import { at } from "./members.ts";

const textOf = (env: Env, name: string): string | undefined => env[name]?.trim() || undefined;

/** Where the Gateway keeps its configuration. Its command line sets the variables for `--profile`. */
export const gatewayFile = (env: Env): string => {
  const state = textOf(env, "OPENCLAW_STATE_DIR") ?? join(homeOf(env) ?? "", ".openclaw");
  return textOf(env, "OPENCLAW_CONFIG_PATH") ?? join(state, "openclaw.json");
};

const DEFAULT_PORT = 18_789;

/** The address of the Gateway on this machine. */
const addressOf = (root: unknown, env: Env): string => {
  const written = own(own(root, "gateway"), "port");
  const configured = typeof written === "number" ? written : DEFAULT_PORT;
  const port = Number(textOf(env, "OPENCLAW_GATEWAY_PORT") ?? configured);
  const isTls = at(root, "gateway", "tls", "enabled") === true;
  return `${isTls ? "https" : "http"}://127.0.0.1:${String(port)}`;
};

/** What the operator gave. */
export type Given = { readonly url?: string; readonly secretEnv?: string; readonly secretFile?: string };

/** What a command that calls a route needs: a path or URL, the address, and an environment with the secret in it. */
export type Caller = {
  readonly route: string;
  readonly options: { readonly url: string; readonly secretEnv: string; readonly secretFile?: string };
  readonly env: Env;
};

/** Holds the secret of the configuration. Only the command in this process reads it. */
const VARIABLE = "OPENCLAW_WEBHOOK_SECRET";

/** The resolved secret of the route `id`, whose digest alone a `Route` has. */
const secretOf = (config: unknown, id: string): string | undefined => {
  const routes = own(config, "routes");
  const [, written] = Object.entries(isObject(routes) ? routes : {}).find(([name]) => name.trim() === id) ?? [];
  const secret = own(written, "secret");
  return typeof secret === "string" ? secret : undefined;
};

const SIGNED = "takes signed requests only. Make one with openclaw-webhooks sign";

const opened = (config: unknown, { id, credential }: Route): Result<string, CliFault> => {
  if (credential.kind === "signature") return err(fault(`The route ${printable(id)} ${SIGNED}`));
  const secret = secretOf(config, id);
  return secret === undefined
    ? err(fault(`The route ${printable(id)} has no secret. Run openclaw webhook check`))
    : ok(secret);
};

//= CALL-5
/** Errs when the route of the configuration would take the body of an action for a delivery. */
const forActions = ({ id, deliveries }: Route): Result<void, CliFault> =>
  deliveries === undefined || deliveries.allowActions
    ? ok()
    : err(
        fault(
          `The route ${printable(id)} takes deliveries and no actions, so nothing was sent. Set allowActions: true, or use another route`,
        ),
      );

/** `name`: an id or a path, also of a route that is not served. */
const idOf = (name: string, { paths }: Config): string => paths.get(name) ?? name.trim();

//= GATEWAY-2
/** Path, address and secret of the route that is named by its id, its path or a URL, as far as they are not given. */
export const callerOf = async (name: string, given: Given, env: Env): Promise<Result<Caller, CliFault>> => {
  const file = gatewayFile(env);
  const read = await readConfigFile(file, env);
  if (read.isErr()) return err(read.error);
  const loaded = loadConfig(read.value.config, nodePrimitives.sha256);
  const found = [...loaded.routes.values()].find(({ id, path }) => id === name.trim() || path === name);
  const { secretEnv = VARIABLE, secretFile } = given;
  const url = given.url ?? addressOf(read.value.root, env);
  const route = found?.path ?? name;
  const options = { url, secretEnv, ...(secretFile === undefined ? {} : { secretFile }) };
  if (found !== undefined && given.url === undefined) {
    const fit = forActions(found);
    if (fit.isErr()) return err(fit.error);
  }
  if (given.secretEnv !== undefined || secretFile !== undefined) return ok({ route, options, env });
  if (found === undefined) {
    const why = notServed(file, idOf(name, loaded), read.value, loaded).replace(/\.?$/u, ".");
    return err(fault(`${why} Correct it, or give --secret-env or --secret-file`));
  }
  return opened(read.value.config, found).map((secret) => ({ route, options, env: { ...env, [VARIABLE]: secret } }));
};
