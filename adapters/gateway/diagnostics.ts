// Tells the Gateway's diagnostics of requests, from where its exporters take them.

import { printable } from "../../core/index.ts";
import type { EventListener } from "../bridge/listeners.ts";
import type { Log } from "../bridge/log.ts";
import { importSdk } from "./sdk.ts";

type About = { readonly channel: string; readonly updateType: string };

/** As much of the Gateway's module as is used. */
export type Diagnostics = {
  readonly logWebhookReceived: (about: About) => void;
  readonly logWebhookProcessed: (about: About & { readonly durationMs: number }) => void;
  readonly logWebhookError: (about: About & { readonly error: string }) => void;
};

const NAMES = ["logWebhookReceived", "logWebhookProcessed", "logWebhookError"] as const;

const isDiagnostics = (module: object): module is Diagnostics =>
  NAMES.every((name) => typeof Reflect.get(module, name) === "function");

/** Undefined where the Gateway has none. */
export const importDiagnostics = async (): Promise<Diagnostics | undefined> => {
  const module = await importSdk("logging-core");
  return isDiagnostics(module) ? module : undefined;
};

const FAILED = 500;

//= METRIC-4, AUDIT-3
/**
 * Each answer is a webhook received and processed. One that failed is an error, too, at most once a minute for each route and code,
 * because the Gateway's log has a line for each.
 */
export const diagnosticsListener =
  (diagnostics: Diagnostics, log: Log): EventListener =>
  ({ routeId, status, code = "", durationMs }) => {
    if (routeId === undefined) return;
    const about: About = { channel: "webhooks", updateType: printable(routeId) };
    diagnostics.logWebhookReceived(about);
    diagnostics.logWebhookProcessed({ ...about, durationMs });
    if (status < FAILED) return;
    log.sometimes(`diagnostics ${code} ${routeId}`, () => diagnostics.logWebhookError({ ...about, error: code }));
  };
