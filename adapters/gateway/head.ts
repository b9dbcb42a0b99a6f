// Headers as the Gateway's bundled plugin reads them, because callers of a Gateway count on the recorded answers
// (gateway-semantics §1): the first of two, no parameters of a media type, no coding of the body.

import type { IncomingMessage } from "node:http";
import type { RequestHead } from "../../core/index.ts";

//= AUTH-7, BODY-6
/** For `headOf`. Two lines of `x-openclaw-webhook-secret` are joined by Node, and so refused. */
export const recordedHeader =
  ({ headers }: IncomingMessage): RequestHead["header"] =>
  (name) => {
    if (name === "content-encoding" || name === "transfer-encoding" || !Object.hasOwn(headers, name)) return undefined;
    const [value] = [headers[name] ?? []].flat();
    return name === "content-type" ? value?.split(";", 1).join("") : value;
  };
