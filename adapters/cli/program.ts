// The command line: what can be typed, its help, and which status a command ends with.

import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { Result } from "neverthrow";
import { ACTIONS } from "../../core/index.ts";
import { call, type CallOptions } from "./commands/call.ts";
import { check } from "./commands/check.ts";
import type { CliFault } from "./fault.ts";
import { EXIT, type Io } from "./io.ts";
import { LOG_LEVELS } from "./log.ts";
import { openapiDocument } from "../openapi/document.ts";
import { serve, type ServeOptions } from "./commands/serve.ts";
import { VERSION } from "./version.ts";

const port = (written: string): number => {
  const value = Number(written);
  if (/^\d{1,5}$/u.test(written) && value < 65_536) return value;
  throw new InvalidArgumentError("It must be a number from 0 to 65535.");
};

const SERVE_HELP = `
Without --config there is one demo route with a new secret. FILE is a Gateway's own configuration, or { routes: … }, as JSON5.
Health: GET /healthz (the process lives), GET /readyz (it takes requests). SIGTERM and SIGINT stop it once all is answered.`;

const CALL_HELP = `
ROUTE is a route id, a path, or a URL; ACTION one of
  ${Object.keys(ACTIONS).join(", ")}
Fields are name=text or name:=json:
  openclaw-webhooks call demo create_flow goal='Review inbound queue' stateJson:='{"page":1}'
The secret comes from an environment variable or a file, never from the command line.
Exit status: 0 done, 1 refused, 2 wrong usage, 3 no answer.`;

/** Runs one command line to its exit status; prints, and never throws. */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  let status: number = EXIT.ok;
  const ends =
    <Args extends readonly unknown[]>(command: (...args: Args) => Promise<Result<number, CliFault>>, failed: number) =>
    async (...given: Args): Promise<void> => {
      status = (await command(...given)).match(
        (done) => done,
        (found) => {
          io.error(`${found.sentence}\n`);
          return found.status ?? failed;
        },
      );
    };
  const program = new Command("openclaw-webhooks")
    .description("Authenticated webhook routes that create and drive TaskFlows.")
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.error });
  program
    .command("serve")
    .description("serve routes, with their flows in an SQLite file")
    .option("--config <file>", "routes to serve")
    .addOption(new Option("--port <number>", "port to listen on; 0 for a free one").argParser(port).default(8787))
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--public", "allow a --host that other machines can reach", false)
    .option("--db <file>", "SQLite file for the flows (default: in ~/.local/state/openclaw-webhooks)")
    .option("--tls-cert <file>", "certificate chain, PEM")
    .option("--tls-key <file>", "its private key, PEM")
    .addOption(new Option("--log-level <level>", "least level to log").choices(LOG_LEVELS).default("info"))
    .addHelpText("after", SERVE_HELP)
    .action(ends((options: ServeOptions) => serve(options, io), EXIT.refused));
  program
    .command("check <file>")
    .description("say what is wrong with a configuration; exit status 1 when something is")
    .action(ends((file: string) => check(file, io), EXIT.refused));
  program
    .command("call <route> <action> [fields...]")
    .description("send one action to a route")
    .option("--url <base>", "where the server is", "http://127.0.0.1:8787")
    .option("--secret-env <name>", "environment variable with the secret", "OPENCLAW_WEBHOOK_SECRET")
    .option("--secret-file <file>", "file with the secret")
    .option("--data <json>", "fields as one JSON object; - reads it from standard input")
    .option("--json", "print the whole answer as one line of JSON", false)
    .addHelpText("after", CALL_HELP)
    .action(
      ends(
        (route: string, action: string, fields: readonly string[], options: CallOptions) =>
          call({ route, action, fields }, options, io),
        EXIT.usage,
      ),
    );
  program
    .command("openapi")
    .description("print the OpenAPI 3.1 document of the routes")
    .option("--server <url>", "base URL to write into it")
    .action(({ server }: { readonly server?: string }) => {
      const options = { paths: [], version: VERSION, ...(server === undefined ? {} : { server }) };
      io.out(`${JSON.stringify(openapiDocument(options), undefined, 2)}\n`);
    });
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    io.error(`A defect, please report it: ${error instanceof Error ? error.name : typeof error}\n`);
    return EXIT.refused;
  }
};
