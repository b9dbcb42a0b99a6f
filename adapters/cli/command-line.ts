// What every command line of this package has: how commands end, how wrong usage is told, and the exit status.

import { Command, CommanderError } from "commander";
import type { Result } from "neverthrow";
import { escaped } from "../../core/index.ts";
import type { CliFault } from "./fault.ts";
import { EXIT, type Io } from "./io.ts";

//= CALL-1
/** A usage error on one line: without the value of an unknown option or the words of too many, which may be a secret. */
const usageError = (text: string): string => {
  const line = escaped(text.trimEnd().replaceAll("\n", " "))
    .replace(/(unknown option '[^'=]*)=.*'/u, "$1'")
    .replace(/^(error: too many arguments .* but got \d+): .*/u, "$1.");
  return line.includes("unknown command '") ? `${line}. Add --help to see the commands.\n` : `${line}\n`;
};

/** A command's fault, told by its sentence. `failed`: the exit status where the fault names none. */
type Ends = <Args extends readonly unknown[]>(
  command: (...args: Args) => Promise<Result<number, CliFault>>,
  failed: number,
) => (...given: Args) => Promise<void>;

export type CommandLine = {
  readonly program: Command;
  readonly ends: Ends;
  /** Runs one command line and returns its exit status. Never throws. */
  readonly parse: (args: readonly string[]) => Promise<number>;
};

export const commandLine = (name: string, description: string, io: Io): CommandLine => {
  let status: number = EXIT.ok;
  const ends: Ends =
    (command, failed) =>
    async (...given) => {
      status = (await command(...given)).match(
        (done) => done,
        (fault) => {
          io.error(`${fault.sentence}\n`);
          return fault.status ?? failed;
        },
      );
    };
  const program = new Command(name)
    .description(description)
    .exitOverride()
    .configureOutput({
      writeOut: io.out,
      writeErr: io.error,
      outputError: (text, write) => write(usageError(text)),
    });
  const parse = async (args: readonly string[]): Promise<number> => {
    try {
      await program.parseAsync(args, { from: "user" });
      return status;
    } catch (error) {
      if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      io.error(
        `Unexpected error. This is a defect; please report it: ${error instanceof Error ? error.name : typeof error}\n`,
      );
      return EXIT.refused;
    }
  };
  return { program, ends, parse };
};
