// `openclaw-webhooks openapi`: prints the OpenAPI document of the routes.

import { ok, type Result } from "neverthrow";
import { openapiDocument } from "../../openapi/document.ts";
import type { CliFault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { VERSION } from "../version.ts";
import { baseUrl } from "./call-target.ts";

/** Errs when `server` is not the address of a server. */
export const openapi = ({ server }: { readonly server?: string }, io: Io): Result<number, CliFault> => {
  const url = server === undefined ? ok(undefined) : baseUrl(server, "--server");
  return url.map((base) => {
    const options = { paths: [], version: VERSION, ...(base && { server: base.href.replace(/\/+$/u, "") }) };
    io.out(`${JSON.stringify(openapiDocument(options), undefined, 2)}\n`);
    return EXIT.ok;
  });
};
