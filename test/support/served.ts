// `serve`, run in this process until a test has asked what it wants to.

import { expect } from "vitest";
import type { Io } from "../../adapters/cli/io.ts";
import { cli, type Ran } from "./cli.ts";

/** The server as its operator has it. */
export type Operated = {
  /** All that it has printed so far. */
  readonly text: () => string;
  /** As SIGHUP does. */
  readonly reload: () => void;
  /** As SIGTERM does. The test ends it if nothing else has. */
  readonly stop: () => void;
};

/** The address that a server says it listens on. */
export const urlIn = (said: string): string => /listening on (https?:\/\/[^\s",/]+)/u.exec(said)?.[1] ?? "";

/** `heard`: which signals the program listens to, at the end. */
export type Served = Ran & { readonly heard: readonly string[] };

/** Runs `serve` on a free port, waits until it listens, calls `ask`, then stops it. */
export const served = async (
  args: readonly string[],
  ask: (said: string, server: Operated) => Promise<void>,
  setup: Partial<Io> = {},
): Promise<Served> => {
  let said = "";
  const heard = new Set<string>();
  const handlers: { stop?: (isFirst: boolean) => void; reload?: () => void } = {};
  const hear = (signal: string): (() => void) => {
    heard.add(signal);
    return () => heard.delete(signal);
  };
  const print = { out: "", error: "" };
  const to = (stream: "out" | "error") => (text: string) => {
    said += text;
    print[stream] += text;
  };
  const done = cli(["serve", "--port", "0", ...args], {
    ...setup,
    out: to("out"),
    error: to("error"),
    onStop: (handle) => {
      handlers.stop = handle;
      return hear("stop");
    },
    onReload: (handle) => {
      handlers.reload = handle;
      return hear("reload");
    },
  });
  await expect.poll(() => handlers.stop !== undefined || said.includes("cannot")).toBe(true);
  const stop = (): void => handlers.stop?.(true);
  try {
    await ask(said, { text: () => said, reload: () => handlers.reload?.(), stop });
  } finally {
    stop();
  }
  const { status } = await done;
  return { status, ...print, heard: [...heard] };
};
