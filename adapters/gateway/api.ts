// The slice of the Gateway's plugin API that this plugin uses, typed by ourselves, because the real package is not a
// dependency. test/systems/gateway/real-host.ts proves that the real types fit.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "../bridge/log.ts";
import type { BoundFlows, Canceller } from "../managed-flows/api.ts";
import type { ToolContext } from "./flow-tool.ts";

/** `false`: not ours, the Gateway goes on; anything else: handled. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => Promise<boolean | void>;

export type HttpRoute = {
  readonly path: string;
  readonly auth: "plugin" | "gateway";
  readonly match: "exact" | "prefix";
  readonly gatewayRuntimeScopeSurface?: "trusted-operator";
  readonly handler: HttpHandler;
};

export type ServiceHealth = {
  readonly reportFailure: (error: unknown) => void;
  readonly clearFailure: () => void;
};

export type Service = {
  readonly id: string;
  readonly start: (context: { readonly serviceHealth?: ServiceHealth }) => void;
  readonly stop: () => void;
};

type Owner = { sessionKey: string };

/** Agent turns in sessions of their own. */
export type Subagents = {
  readonly run: (params: {
    sessionKey: string;
    message: string;
    deliver: boolean;
    idempotencyKey: string;
    disableTools?: boolean;
    toolsAlsoAllow?: string[];
    promptMode?: "minimal";
    lightContext?: boolean;
  }) => Promise<unknown>;
  readonly waitForRun: (params: { runId: string; timeoutMs?: number }) => Promise<unknown>;
  readonly getSessionMessages: (params: { sessionKey: string; limit?: number }) => Promise<unknown>;
};

/** A page in the Gateway's Control UI. */
export type ControlUiTab = {
  readonly surface: "tab";
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly icon: string;
  readonly group: "control";
  readonly order: number;
  readonly path: string;
  readonly slug: string;
  readonly requiredScopes: "operator.read"[];
};

/** Answers one call of an operator's client, by `respond`. */
export type GatewayMethod = (call: {
  readonly respond: (isOk: boolean, payload?: unknown, error?: { code: string; message: string }) => void;
}) => Promise<void>;

/** `async` and `lifecycle` are missing on hosts before 2026.9.5. */
export interface PluginApi {
  readonly registrationMode: string;
  readonly logger: Logger;
  /** This plugin's own block at registration; during a reload it is newer than the live snapshot. */
  readonly pluginConfig?: unknown;
  readonly runtime: {
    readonly config: { readonly current: () => unknown };
    readonly state?: { readonly resolveStateDir: (env: NodeJS.ProcessEnv) => string };
    readonly subagent?: Subagents | undefined;
    readonly tasks: {
      readonly runs?: { bindSession(owner: Owner): { cancel(params: never): Promise<unknown> } };
      readonly async?: {
        readonly runs?: { bindSession(owner: Owner): { resolve(token: string): Promise<unknown> } };
        readonly managedFlows: { bindSession(owner: Owner): BoundFlows };
      };
      readonly managedFlows: { bindSession(owner: Owner): BoundFlows & Canceller };
    };
  };
  readonly session?: {
    readonly controls?: { registerControlUiDescriptor?(descriptor: ControlUiTab): unknown };
  };
  readonly lifecycle?: { readonly onDispose?: (dispose: () => void) => unknown };
  registerHttpRoute(route: HttpRoute): void;
  registerService(service: Service): void;
  /** What happens when the configuration changes at one of the paths. `hot`: the plugin stays as it is. */
  registerReload?(registration: { hotPrefixes: string[] }): void;
  registerGatewayMethod?(method: string, handler: GatewayMethod, options: { scope: "operator.read" }): void;
  registerCli?(
    add: (context: { readonly program: unknown }) => void,
    options: { descriptors: { name: string; description: string; hasSubcommands: boolean }[] },
  ): void;
  registerTool?(factory: (context: ToolContext) => never, options: { name: string; optional: boolean }): void;
}
