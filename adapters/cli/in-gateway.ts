// The entry point of `openclaw webhook`, which runs in the process of the Gateway's own command line.

import { buffer } from "node:stream/consumers";
import type { RunCommand } from "../gateway/command.ts";
import { runWebhook } from "./gateway-program.ts";
import { writer } from "./writer.ts";

export const runInGateway: RunCommand = (args, link) =>
  runWebhook(args, link, {
    out: writer(process.stdout),
    error: writer(process.stderr),
    env: process.env,
    input: () => buffer(process.stdin),
    isTerminal: process.stderr.isTTY,
    onStop: () => () => undefined,
  });
