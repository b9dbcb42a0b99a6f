// `npm run gateway`: a separate Gateway with the packed plugin and one route, for a first request by hand.

import { randomBytes } from "node:crypto";
import { Gateway, gatewayConfig, installHost, pack } from "./harness.ts";

const SECRET = randomBytes(24).toString("base64url");
const config = gatewayConfig({ demo: { sessionKey: "agent:main:demo", secret: SECRET, description: "Demo route" } });

const say = (line: string): void => console.log(line);

say("Installing OpenClaw for this demo (about a minute the first time) ...");
await installHost("host");
say("Packing the plugin, installing it into a Gateway with an empty state, starting it ...");
const gateway = await Gateway.start("host", config, [await pack()]);

say(`
The Gateway runs at ${gateway.base}. Paste this into another terminal:

  curl -s ${gateway.base}/plugins/webhooks/demo \\
    -H 'Authorization: Bearer ${SECRET}' \\
    -H 'Content-Type: application/json' \\
    -d '{"action":"create_flow","goal":"Review inbound queue"}'

Its state is in ${gateway.state} and is removed when you stop it with Ctrl-C.`);

const stop = (): void => void gateway.discard().finally(() => process.exit(0));
process.once("SIGINT", stop).once("SIGTERM", stop);
