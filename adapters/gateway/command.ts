// `openclaw webhook`: adds the root command to the Gateway's command line, and asks the running Gateway for its status.

import type { PluginApi } from "./api.ts";

export const METHOD = "webhooks.status";

/** The command's name and what the Gateway's help says of it, as in the manifest. */
export const DESCRIPTOR = {
  name: "webhook",
  description: "Webhook routes: their status and configuration, trial deliveries, calls",
  hasSubcommands: true,
} as const;

/** What the Gateway lends the commands. */
export type GatewayLink = {
  /** The answer of the running Gateway to METHOD. Rejects without one. */
  readonly status: () => Promise<unknown>;
};

/** Runs a command line without its first word, and gives the exit status. */
export type RunCommand = (args: readonly string[], link: GatewayLink) => Promise<number>;

/** As much of a command of the Gateway's own Commander as is used. */
export type HostCommand = {
  command(name: string): HostCommand;
  description(text: string): HostCommand;
  helpOption(flags: false): HostCommand;
  allowUnknownOption(): HostCommand;
  argument(name: string, description: string): HostCommand;
  action(run: (words: string[]) => Promise<void>): HostCommand;
};

export type CallGateway = (
  method: string,
  options: { readonly json: boolean; readonly timeout: string },
  params: object,
  extra: { readonly progress: boolean; readonly scopes: "operator.read"[] },
) => Promise<unknown>;

/** Not literals: the Gateway provides the first at run time, and the second is a bundle that only its command line loads. */
const RPC: string = "openclaw/plugin-sdk/gateway-runtime";
const COMMANDS: string = "../cli/in-gateway.js";

const isCall = (value: unknown): value is CallGateway => typeof value === "function";
const isRun = (value: unknown): value is RunCommand => typeof value === "function";

const TIMEOUT_MS = 30_000;

const askStatus = async (): Promise<unknown> => {
  const { callGatewayFromCli: call }: { readonly callGatewayFromCli?: unknown } = await import(RPC);
  if (!isCall(call)) throw new Error("this OpenClaw offers plugins no calls of its Gateway");
  const options = { json: true, timeout: String(TIMEOUT_MS) };
  return call(METHOD, options, {}, { progress: false, scopes: ["operator.read"] });
};

const runCommand = async (words: readonly string[]): Promise<void> => {
  const commands: { readonly runInGateway?: unknown } = await import(new URL(COMMANDS, import.meta.url).href);
  if (isRun(commands.runInGateway)) process.exitCode = await commands.runInGateway(words, { status: askStatus });
};

/** In every mode, because the Gateway's command line registers plugins in modes of its own. All words go on to the commands. */
export const offerCommand = (api: PluginApi): void => {
  const add = ({ program }: { readonly program: unknown }): void => {
    // boundary: the Gateway's own Commander
    (program as HostCommand)
      .command(DESCRIPTOR.name)
      .description(DESCRIPTOR.description)
      .helpOption(false)
      .allowUnknownOption()
      .argument("[words...]", "command and its arguments; --help shows them")
      .action(runCommand);
  };
  api.registerCli?.(add, { descriptors: [{ ...DESCRIPTOR }] });
};

//= GATEWAY-1
/** `status`: what the method answers. */
export const offerStatus = (api: PluginApi, status: () => unknown): void =>
  api.registerGatewayMethod?.(
    METHOD,
    async ({ respond }) => {
      try {
        respond(true, await status());
      } catch {
        respond(false, undefined, { code: "UNAVAILABLE", message: "the status cannot be told. The log may say why" });
      }
    },
    { scope: "operator.read" },
  );
