// Runs once before the Gateway tests, because two test files that install and pack at the same time would collide.

import { copyFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type HostName, installHost, pack, PACKED } from "./harness.ts";

await installHost((process.env["GATEWAY_HOST"] ?? "host") as HostName);
mkdirSync(dirname(PACKED), { recursive: true });
copyFileSync(await pack(), PACKED);
