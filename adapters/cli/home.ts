// The current user's home folder.

import { userInfo } from "node:os";
import { isAbsolute } from "node:path";
import { Result } from "neverthrow";
import type { Env } from "./io.ts";

/** From the table of users. Throws when it does not have the current user, as often in a container. */
const homeInTable = Result.fromThrowable(() => userInfo().homedir);

//= FILE-3
/** HOME, else the folder in the table of users; undefined when neither is an absolute path. */
export const homeOf = ({ HOME: written = "" }: Env): string | undefined =>
  [written.trim(), homeInTable().unwrapOr("")].find((folder) => isAbsolute(folder));
