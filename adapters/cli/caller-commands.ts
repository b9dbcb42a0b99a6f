// The commands that call a route or try a delivery: their options and help, for each command line that has them.

import { type Command, InvalidArgumentError, Option } from "commander";
import { ACTIONS } from "../../core/index.ts";
import { WAIT_STATES, type WaitState } from "./commands/wait-state.ts";
import type { WaitOptions } from "./commands/wait.ts";

const callHelp = (name: string): string => `
ROUTE is a route id, a path or a URL. ACTION is one of
  ${Object.keys(ACTIONS).join(", ")}
FIELDS are name=text for a string and name:=json for any other value:
  ${name} call demo create_flow goal='Review inbound queue' stateJson:='{"page":1}'
The secret comes from an environment variable or a file, never from the command line.
HTTP_PROXY, HTTPS_PROXY and NO_PROXY are honoured, but the secret for a server on this machine never leaves it.
Exit status: 0 done, 1 refused, 2 wrong usage, 3 no answer. 4: no answer, or a 5xx: the action may have been carried out.`;

const SECONDS_IN: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600 };
const MAX_TIMEOUT_SECONDS = 7 * 24 * 3600;

const duration = (written: string): WaitOptions["timeout"] => {
  const [, digits = "", unit = ""] = /^(\d{1,6})([smh]?)$/u.exec(written) ?? [];
  const value = Number(digits) * (SECONDS_IN[unit] ?? 0);
  if (value >= 1 && value <= MAX_TIMEOUT_SECONDS)
    return { text: unit === "" ? `${digits}s` : written, ms: value * 1000 };
  throw new InvalidArgumentError("It must be a time from 1s to 168h, such as 90, 90s, 10m or 2h.");
};

const isWaitState = (word: string): word is WaitState => WAIT_STATES.some((state) => state === word);

const waitStates = (written: string): readonly WaitState[] => {
  const words = written.split(",").map((word) => word.trim());
  if (words.every(isWaitState)) return words;
  throw new InvalidArgumentError(`It must be one or more of ${WAIT_STATES.join(", ")}, with commas between them.`);
};

const waitHelp = (name: string): string => `
ROUTE is a route id, a path or a URL. FLOW is the id that create_flow has answered.
STATES are ${WAIT_STATES.join(", ")}: one or more, with commas between them.
A flow that ends always ends the wait. A server that is busy, is restarted or does not answer is tried again
until the timeout.
  ${name} wait demo "$FLOW" --timeout 30m && deploy
The flow is printed as by call ROUTE get_flow. On a terminal, standard error says how it goes.
Exit status: 0 it succeeded, or has come to one of STATES; 1 refused; 2 wrong usage; 3 no answer; 5 it failed; 6 it was
cancelled; 7 it is lost, or there is none; 8 the time is over.`;

const tryHelp = (example: string): string => `
Checks the signature, tries the rules of the route and prints the action, and does nothing. A header is one of the delivery's:
  ${example} github --body delivery.json --header 'X-GitHub-Event: pull_request'
Content-Type is application/json unless it is given. An old delivery, one without its signature, and a route whose secret is
not set can be tried: the first line says what stands against it.
Exit status: 0 it would be carried out or ignored, were its time right and its signature there; 1 it would be refused, or cannot
be tried; 2 wrong usage.`;

/** For an option that may be given several times. */
const collected = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** `url`: the address, or what stands in its place. `secretEnv`: undefined where the secret has another source. */
export type CallerDefaults = { readonly url?: string; readonly secretEnv?: string };

/** The options of a command that calls a route. */
export const asCaller = (command: Command, { url, secretEnv }: CallerDefaults): Command =>
  command
    .option("--url <base>", "address of the server", url)
    .option("--secret-env <name>", "environment variable that holds the secret", secretEnv)
    .option("--secret-file <file>", "file that holds the secret");

/** `example`: the command line up to the route. */
export const tryCommand = (command: Command, example: string): Command =>
  command
    .description("say what a delivery to a route of a configuration would do, without doing it")
    .requiredOption("--body <file>", "the delivery's body, byte for byte; - reads it from standard input")
    .addOption(
      new Option("--header <line>", "one of its headers; may be given several times")
        .argParser(collected)
        .default([], "none"),
    )
    .addHelpText("after", tryHelp(example));

export const callCommand = (command: Command, name: string): Command =>
  command
    .description("send one action to a route")
    .option("--data <json>", "fields as one JSON object; - reads it from standard input")
    .option("--idempotency-key <key>", "make the call safe to repeat: one effect and one answer for 24 hours")
    .option("--json", "print the whole answer as one line of JSON", false)
    .addHelpText("after", callHelp(name));

export const waitCommand = (command: Command, name: string): Command =>
  command
    .description("wait until a flow has ended, and say how by the exit status")
    .addOption(new Option("--until <states>", "what to wait for").argParser(waitStates).default(["ended"], "ended"))
    .addOption(
      new Option("--timeout <time>", "how long to wait at most, such as 90s, 10m or 2h")
        .argParser(duration)
        .default(duration("10m"), "10m"),
    )
    .option("--json", "print the whole answer as one line of JSON", false)
    .addHelpText("after", waitHelp(name));
