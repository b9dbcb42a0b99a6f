// What the operator may do who has sent the request at hand, as the Gateway's own module for plugins says it.

import { own } from "../../core/index.ts";
import { importSdk } from "./sdk.ts";

/** The scopes of the request in whose context it is called; undefined when the Gateway does not say. */
export type ScopesOf = () => readonly string[] | undefined;

const isGetter = (value: unknown): value is () => unknown => typeof value === "function";

const isText = (value: unknown): value is string => typeof value === "string";

/** Never rejects. Of a Gateway without the module, or one that has changed it, nothing is known. */
export const importScopes = async (): Promise<ScopesOf> => {
  const { getPluginRuntimeGatewayRequestScope: get } = await importSdk("plugin-runtime");
  return () => {
    const scopes = isGetter(get) ? own(own(own(get(), "client"), "connect"), "scopes") : undefined;
    return Array.isArray(scopes) ? scopes.filter(isText) : undefined;
  };
};

/** As the Gateway reads its scopes: who may write or administer may read. */
const READERS: readonly string[] = ["operator.read", "operator.write", "operator.admin"];

//= GATEWAY-1
export const mayRead = (scopes: readonly string[] | undefined): boolean =>
  scopes?.some((scope) => READERS.includes(scope)) === true;
