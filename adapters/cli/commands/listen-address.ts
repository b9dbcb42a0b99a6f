// The addresses that `serve` may listen on: loopback only, unless --public is given.

import { isIP } from "node:net";
import { err, ok, type Result } from "neverthrow";
import { type CliFault, fault } from "../fault.ts";

export type Reach = { readonly host: string; readonly public: boolean };

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));

//= SERVE-1
export const checkHost = ({ host, public: isPublic }: Reach): Result<void, CliFault> =>
  isLoopback(host) || isPublic
    ? ok()
    : err(fault(`--host ${host} can be reached from other machines. Add --public if that is intended`));
