// The command line: its commands and options, their help, and the exit status.

import { InvalidArgumentError, Option } from "commander";
import { AUDIT_BYTES, AUDIT_FILES, grouped } from "../../core/index.ts";
import { CLIENT_BOUNDS, MAX_CLIENTS } from "../limits/memory.ts";
import { asCaller, callCommand, tryCommand, waitCommand } from "./caller-commands.ts";
import { backup, type BackupOptions } from "./commands/backup.ts";
import { call, type CallOptions } from "./commands/call.ts";
import { check } from "./commands/check.ts";
import { LIMITS_DEFAULTS } from "./commands/limits.ts";
import { type AdminAddress, adminAddress } from "./commands/listen-address.ts";
import { commandLine } from "./command-line.ts";
import { EXIT, type Io } from "./io.ts";
import { LOG_LEVELS } from "./log.ts";
import { CONNECTIONS } from "./commands/postgres.ts";
import { openapi } from "./commands/openapi.ts";
import { KEEP_ALIVE_MS } from "../server/server.ts";
import { serve, type ServeOptions } from "./commands/serve.ts";
import { SCHEME_LIST, sign, type SignOptions } from "./commands/sign.ts";
import { tryDelivery, type TryOptions } from "./commands/try.ts";
import { wait, type WaitOptions } from "./commands/wait.ts";
import { VERSION } from "./version.ts";

const NAME = "openclaw-webhooks";

const port = (written: string): number => {
  const value = Number(written);
  if (/^\d{1,5}$/u.test(written) && value < 65_536) return value;
  throw new InvalidArgumentError("It must be a number from 0 to 65535.");
};

const seconds = (written: string): number => {
  const value = Number(written);
  if (/^\d{1,4}$/u.test(written) && value >= 1 && value <= 3600) return value;
  throw new InvalidArgumentError("It must be a number of seconds from 1 to 3600.");
};

const whole =
  ({ least, most }: typeof AUDIT_BYTES | typeof AUDIT_FILES) =>
  (written: string): number => {
    const value = Number(written);
    if (/^\d{1,10}$/u.test(written) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${String(least)} to ${String(most)}.`);
  };

const admin = (written: string): AdminAddress => {
  const address = adminAddress(written);
  if (address !== undefined) return address;
  throw new InvalidArgumentError("It must be a port, or an address and a port like 127.0.0.1:9090 or [::1]:9090.");
};

//= LIMIT-12
const clients = (written: string): number => {
  const value = Number(written);
  if (/^\d{1,7}$/u.test(written) && value >= CLIENT_BOUNDS.least && value <= CLIENT_BOUNDS.most) return value;
  const bounds = `${grouped(CLIENT_BOUNDS.least)} to ${grouped(CLIENT_BOUNDS.most)}`;
  throw new InvalidArgumentError(`It must be a number of clients from ${bounds}.`);
};

const connections = (written: string): number => {
  const value = Number(written);
  if (/^\d{1,4}$/u.test(written) && value >= CONNECTIONS.least && value <= CONNECTIONS.most) return value;
  throw new InvalidArgumentError(
    `It must be a number from ${String(CONNECTIONS.least)} to ${String(CONNECTIONS.most)}.`,
  );
};

const SERVE_HELP = `
Without --config it serves one demo route with a new secret. The file is JSON5: a Gateway's configuration, or { routes: … }.
GET /healthz answers 200 while the process runs, GET /readyz while it accepts requests. SIGHUP, or a change of one of its
files, makes it read configuration, secrets and certificate again. After SIGTERM, SIGINT or SIGQUIT it answers the requests
that have begun, then stops.`;

const SIGN_HELP = `
SCHEME is how the provider signs, one of
  ${SCHEME_LIST}
Send the file that was signed, byte for byte, and add what is not signed yourself:
  openclaw-webhooks sign github --body delivery.json |
    curl -s http://127.0.0.1:8787/plugins/webhooks/github -H @- -H 'X-GitHub-Event: push' --data-binary @delivery.json
The secret is the route's. It comes from an environment variable or a file, never from the command line.
A signature that holds a time is good for five minutes. Exit status: 0 done, 2 wrong usage; nothing was printed.`;

/** Runs one command line and returns its exit status. Never throws. */
export const run = (args: readonly string[], io: Io): Promise<number> => {
  const { program, ends, parse } = commandLine(
    NAME,
    "Authenticated webhook routes that create and drive TaskFlows.",
    io,
  );
  program.version(VERSION);
  program
    .command("serve")
    .description("serve the routes of a configuration, with their flows in an SQLite file or in PostgreSQL")
    .option("--config <file>", "configuration with the routes")
    .addOption(new Option("--port <number>", "port to listen on; 0 for a free one").argParser(port).default(8787))
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--public", "allow a --host that other machines can reach", false)
    .option(
      "--db <file>",
      "SQLite file for the flows, or postgres://USER@HOST/DATABASE (default: in ~/.local/state/openclaw-webhooks)",
    )
    .option("--db-password-file <file>", "file with the password for PostgreSQL (default: the variable PGPASSWORD)")
    .addOption(
      new Option(
        "--db-connections <number>",
        `most connections of this process to PostgreSQL (default: ${String(CONNECTIONS.usual)})`,
      ).argParser(connections),
    )
    .option("--tls-cert <file>", "certificate chain, PEM")
    .option("--tls-key <file>", "private key of the certificate, PEM")
    .addOption(
      new Option("--keep-alive <seconds>", "how long an idle connection is kept; longer than a proxy in front keeps it")
        .argParser(seconds)
        .default(KEEP_ALIVE_MS / 1000),
    )
    .option("--audit <file>", "write a line of JSON for each request, refusals included, to this file")
    .addOption(
      new Option("--audit-max-bytes <number>", "bytes at which that file is put aside (default: 16777216)").argParser(
        whole(AUDIT_BYTES),
      ),
    )
    .addOption(
      new Option("--audit-files <number>", "how many files that were put aside are kept (default: 8)").argParser(
        whole(AUDIT_FILES),
      ),
    )
    .addOption(
      new Option(
        "--admin <address>",
        "serve the operator's page and metrics on this PORT of this machine, or HOST:PORT",
      ).argParser(admin),
    )
    .option(
      "--admin-token-env <name>",
      "environment variable with the token that these pages demand",
      "OPENCLAW_WEBHOOKS_ADMIN_TOKEN",
    )
    .option("--admin-token-file <file>", "file with that token")
    .addOption(
      new Option("--max-clients <number>", "most clients of a route, and most strangers, that are counted one by one")
        .argParser(clients)
        .default(MAX_CLIENTS),
    )
    .option(
      "--limits <url>",
      "count on this Redis or Valkey, for several servers: redis://HOST:PORT, or rediss:// for TLS",
    )
    .option(
      "--limits-password-env <name>",
      "environment variable with its password, if it has one",
      LIMITS_DEFAULTS.passwordEnv,
    )
    .option("--limits-password-file <file>", "file with that password")
    .option("--limits-ca <file>", "certificates that it is checked against, PEM (default: those of Node)")
    .option("--limits-prefix <text>", "what its keys begin with", LIMITS_DEFAULTS.prefix)
    .addOption(
      new Option("--limits-when-gone <what>", "while it does not answer: refuse requests, or count here alone")
        .choices(["refuse", "local"])
        .default(LIMITS_DEFAULTS.whenGone),
    )
    .option("--no-watch", "read the files again only after a SIGHUP")
    .addOption(new Option("--log-level <level>", "lowest level to log").choices(LOG_LEVELS).default("info"))
    .addHelpText("after", SERVE_HELP)
    .action(ends((options: ServeOptions) => serve(options, io), EXIT.refused));
  program
    .command("backup <file>")
    .description("copy the flows of a server, which may be running, into a new file")
    .option("--db <file>", "SQLite file of the server (default: as for serve)")
    .action(ends((file: string, options: BackupOptions) => backup(file, options, io), EXIT.refused));
  program
    .command("check <file>")
    .description("list the problems of a configuration; exit status 1 if there is one")
    .action(ends((file: string) => check(file, io), EXIT.refused));
  tryCommand(program.command("try <file> <route>"), `${NAME} try routes.json5`).action(
    ends((file: string, route: string, options: TryOptions) => tryDelivery(file, route, options, io), EXIT.refused),
  );
  const caller = { url: "http://127.0.0.1:8787", secretEnv: "OPENCLAW_WEBHOOK_SECRET" };
  callCommand(asCaller(program.command("call <route> <action> [fields...]"), caller), NAME).action(
    ends(
      (route: string, action: string, fields: readonly string[], options: CallOptions) =>
        call({ route, action, fields }, options, io),
      EXIT.usage,
    ),
  );
  waitCommand(asCaller(program.command("wait <route> <flow>"), caller), NAME).action(
    ends((route: string, flow: string, options: WaitOptions) => wait(route, flow, options, io), EXIT.usage),
  );
  program
    .command("sign <scheme>")
    .description("print the header fields of a signed test delivery, for curl -H @-")
    .requiredOption("--body <file>", "file with the body, as it will be sent; - reads it from standard input")
    .option("--secret-env <name>", "environment variable that holds the secret", "OPENCLAW_WEBHOOK_SECRET")
    .option("--secret-file <file>", "file that holds the secret")
    .option("--id <id>", "id of the delivery (default: a new one)")
    .addHelpText("after", SIGN_HELP)
    .action(ends((scheme: string, options: SignOptions) => sign(scheme, options, io), EXIT.usage));
  program
    .command("openapi")
    .description("print the OpenAPI 3.1 document of the routes")
    .option("--server <url>", "base URL to write into it")
    .action(ends(async (options: { readonly server?: string }) => openapi(options, io), EXIT.usage));
  return parse(args);
};
