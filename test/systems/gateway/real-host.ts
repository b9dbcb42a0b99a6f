// Proves, at compile time, that the Gateway's real types fit the slice that the plugin declares for itself. It is
// compiled where `openclaw` is installed (`npm run test:gateway`) and never run.

import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import type { callGatewayFromCli } from "openclaw/plugin-sdk/gateway-runtime";
import type * as loggingCore from "openclaw/plugin-sdk/logging-core";
import type { registerPluginHttpRoute, resolveRequestClientIp } from "openclaw/plugin-sdk/webhook-ingress";
import type { IncomingMessage } from "node:http";
import type { CallGateway } from "../../../adapters/gateway/command.ts";
import type { RegisterLate } from "../../../adapters/gateway/ingress.ts";
import type { PluginApi } from "../../../adapters/gateway/api.ts";
import type { Diagnostics } from "../../../adapters/gateway/diagnostics.ts";
import plugin from "../../../adapters/gateway/plugin.ts";

/** The whole API is taken by `register` as it is. */
export const register = (real: OpenClawPluginApi): void => plugin.register(real satisfies PluginApi);

/** The client attribution that is imported at run time takes what we pass. */
export const attribute = (
  real: typeof resolveRequestClientIp,
  request: IncomingMessage,
  trustedProxies: string[],
): string | undefined => real(request, trustedProxies, false);

/** The diagnostics that are imported at run time take what we tell. */
export const diagnostics = (real: typeof loggingCore): Diagnostics => real;
/** So are a path that is registered while the Gateway runs, and a call of its method. */
export const registerLate = (real: typeof registerPluginHttpRoute): RegisterLate => real;
export const call = (real: typeof callGatewayFromCli): CallGateway => real;
