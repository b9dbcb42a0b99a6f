// The signals of the process. The entry point imports this before anything else, so that none is lost during a slow start,
// also not by the first process of a container, to which the system delivers only signals that it handles.

import { constants } from "node:os";
import type { Io } from "./io.ts";

type Stop = Parameters<Io["onStop"]>[0];

const STOPS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

/** Whether this process is to be a server. */
export const isServer = process.argv[2] === "serve";

let onStop: Stop | undefined;
let onReload: (() => void) | undefined;
let stops = 0;
let isReloadWanted = false;

//= SERVE-4
/** A server that does not listen yet has nothing to finish. Other commands end as if the signal were not handled. */
const endNow = (signal: (typeof STOPS)[number]): void => {
  if (isServer) process.exit(0);
  if (signal !== "SIGQUIT") process.off(signal, stop).kill(process.pid, signal);
  process.exit(128 + constants.signals[signal]);
};

const stop = (signal: (typeof STOPS)[number]): void => {
  if (onStop === undefined) return endNow(signal);
  stops += 1;
  onStop(stops === 1);
};

for (const signal of STOPS) process.on(signal, stop);

const isInspectorWanted = [...process.execArgv, process.env["NODE_OPTIONS"]].some((arg) => arg?.includes("--inspect"));

//= SERVE-5
/** Closes what a SIGUSR1 has opened before this file was loaded, unless the operator asked for it. */
const closeInspector = (): void => {
  if (isInspectorWanted || !process.features.inspector) return;
  const inspector = process.getBuiltinModule("node:inspector");
  if (inspector.url() !== undefined) inspector.close();
};

//= SERVE-5
// without a listener Node opens its inspector, through which other users of the machine could read the secrets
process.on("SIGUSR1", () => undefined);
// what came before is carried out later, one after another
for (const ms of [0, 50, 200, 1000, 3000]) setTimeout(closeInspector, ms).unref();

if (isServer) {
  process.on("SIGHUP", () => {
    isReloadWanted = true;
    onReload?.();
  });
}

/** Watches until the function that comes back is called. */
export const watchStops: Io["onStop"] = (handle) => {
  onStop = handle;
  return () => (onStop = undefined);
};

/** Also tells of a request that came before. */
export const watchReloads: NonNullable<Io["onReload"]> = (handle) => {
  onReload = handle;
  if (isReloadWanted) handle();
  return () => (onReload = undefined);
};

/** Whether a second request to stop has come, after which nothing may keep the process alive. */
export const isForced = (): boolean => stops > 1;
