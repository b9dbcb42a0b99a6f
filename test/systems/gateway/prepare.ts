// Runs before the Gateway tests, once: two test files that install and pack at the same time would tread on each other.

import { copyFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type HostName, installHost, pack, PACKED } from "./harness.ts";

await installHost((process.env["GATEWAY_HOST"] ?? "host") as HostName);
mkdirSync(dirname(PACKED), { recursive: true });
copyFileSync(await pack(), PACKED);
