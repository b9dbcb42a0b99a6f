// A plugin for tests: the Gateway's flows as the product's own store, bare, so that what no route can send reaches it too.

import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import type { HttpHandler, PluginApi } from "../../../../adapters/gateway/api.ts";
import { ClaimsFile } from "../../../../adapters/managed-flows/claims-file.ts";
import { PluginFile } from "../../../../adapters/managed-flows/plugin-file.ts";
import { gatewayFlows } from "../../../../adapters/managed-flows/store.ts";
import { type Delivery, type FlowAction, NO_DELIVERY, saveOutcome } from "../../../../core/index.ts";

type Asked = { readonly owner: string; readonly action: FlowAction; readonly delivery?: Delivery };

const read = async (request: IncomingMessage): Promise<Asked> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as Asked;
};

/** JSON leaves out what is undefined. */
const whole = (delivery: Delivery | undefined): Delivery =>
  delivery === undefined ? NO_DELIVERY : { ...delivery, once: delivery.once, bind: delivery.bind, starts: false };

export default {
  id: "bare-store",
  name: "Bare store",
  description: "The flows of the Gateway as a store.",
  register({ registrationMode, runtime, logger, registerHttpRoute }: PluginApi): void {
    if (registrationMode !== "full") return;
    const { tasks } = runtime;
    const file = new PluginFile({
      file: () => join(runtime.state?.resolveStateDir(process.env) ?? "", "bare-store", "deliveries.sqlite"),
    });
    const store = gatewayFlows({
      bind: (sessionKey) => ({
        flows: (tasks.async ?? tasks).managedFlows.bindSession({ sessionKey }),
        canceller: () => tasks.managedFlows.bindSession({ sessionKey }),
      }),
      hostConfig: () => runtime.config.current(),
      claims: new ClaimsFile(file),
    });
    const handler: HttpHandler = async (request, response) => {
      const { owner, action, delivery } = await read(request);
      const report = (what: string, detail: unknown): void => logger.warn(`${what}: ${String(detail)}`);
      const outcome = await store.execute(owner, action, report, whole(delivery));
      const answer = outcome.isOk() ? { outcome: saveOutcome(outcome.value) } : { failure: outcome.error };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer));
      return true;
    };
    registerHttpRoute({ path: "/bare-store", auth: "plugin", match: "exact", handler });
  },
};
