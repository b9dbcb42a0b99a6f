// The command line `openclaw webhook`: the commands that need no file, because the Gateway's own configuration is theirs.

import type { Result } from "neverthrow";
import { withWeaknesses } from "../../core/index.ts";
import type { GatewayLink } from "../gateway/command.ts";
import { asCaller, callCommand, tryCommand, waitCommand } from "./caller-commands.ts";
import { call, type CallOptions } from "./commands/call.ts";
import { check } from "./commands/check.ts";
import { status, type StatusOptions } from "./commands/status.ts";
import { tryDelivery, type TryOptions } from "./commands/try.ts";
import { wait, type WaitOptions } from "./commands/wait.ts";
import { commandLine } from "./command-line.ts";
import type { CliFault } from "./fault.ts";
import { callerOf, gatewayFile, type Given } from "./gateway-config.ts";
import { EXIT, type Io } from "./io.ts";

const NAME = "openclaw webhook";

const SOURCE = `
Path, address and secret of a ROUTE come from the Gateway's configuration unless they are given.`;

/** With the weaknesses of the configuration as it is written, in which a reference is still one. */
const checkGateway = (io: Io): Promise<Result<number, CliFault>> =>
  check(gatewayFile(io.env), io, (config, written) =>
    withWeaknesses(config, written, ["inline", "mainSession", "unsigned"]),
  );

/** A command that calls a route, with what it lacks taken from the Gateway's configuration. */
const calling = async <Options extends Given>(
  route: string,
  given: Options,
  io: Io,
  send: (
    route: string,
    options: Options & { url: string; secretEnv: string },
    io: Io,
  ) => Promise<Result<number, CliFault>>,
): Promise<Result<number, CliFault>> => {
  const caller = await callerOf(route, given, io.env);
  if (caller.isErr()) return caller.map(() => EXIT.ok);
  const { options, env } = caller.value;
  return send(caller.value.route, { ...given, ...options }, { ...io, env });
};

/** Runs one command line of `openclaw webhook` and returns its exit status. Never throws. */
export const runWebhook = (args: readonly string[], link: GatewayLink, io: Io): Promise<number> => {
  const { program, ends, parse } = commandLine(NAME, "The webhook routes of this Gateway.", io);
  program
    .command("status")
    .description("say what the running Gateway serves; exit status 1 if something is not served or not delivered")
    .option("--json", "print the whole document as one line of JSON", false)
    .action(ends((options: StatusOptions) => status(link.status, options, io), EXIT.unreachable));
  program
    .command("check")
    .description("list problems and weaknesses of the configuration; exit status 1 if there is a problem")
    .action(ends(() => checkGateway(io), EXIT.refused));
  tryCommand(program.command("try <route>"), `${NAME} try`).action(
    ends((route: string, options: TryOptions) => tryDelivery(gatewayFile(io.env), route, options, io), EXIT.refused),
  );
  callCommand(asCaller(program.command("call <route> <action> [fields...]"), {}), NAME)
    .addHelpText("after", SOURCE)
    .action(
      ends(
        (route: string, action: string, fields: readonly string[], options: Given & Pick<CallOptions, "json">) =>
          calling(route, options, io, (to, whole, within) => call({ route: to, action, fields }, whole, within)),
        EXIT.usage,
      ),
    );
  waitCommand(asCaller(program.command("wait <route> <flow>"), {}), NAME)
    .addHelpText("after", SOURCE)
    .action(
      ends(
        (route: string, flow: string, options: Given & Pick<WaitOptions, "json" | "until" | "timeout">) =>
          calling(route, options, io, (to, whole, within) => wait(to, flow, whole, within)),
        EXIT.usage,
      ),
    );
  return parse(args);
};
