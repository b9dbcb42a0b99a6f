// What a signature, a mapping and a record cost: creates on an SQLite file, as the standalone server carries them out.

import { join } from "node:path";
import { openSqliteFlows } from "../../adapters/flows/sqlite/index.ts";
import { createNodeListener } from "../../adapters/node/index.ts";
import { SECRETS, signed } from "../support/deliveries.ts";
import { skewClocks, tick } from "./clock.ts";
import { clientOf } from "./crowd.ts";
import { type Contestant, ratioOf, type Ratio, takeTurns } from "./paired.ts";
import { send, StandInRequest } from "./stand-in-http.ts";

const SESSION = "agent:main:bench";
const SECRET = "bench-secret-0123456789";
const GOAL = "Review inbound queue";
const JSON_TYPE = { "content-type": "application/json" };

const ROUTES = {
  plain: { sessionKey: SESSION, secret: SECRET },
  signed: {
    sessionKey: SESSION,
    secret: SECRETS.github,
    signature: "github",
    deliveries: [
      {
        when: { "headers.x-github-event": "pull_request", "payload.action": ["opened", "reopened"] },
        key: "pr {{payload.repository.full_name}}#{{payload.number}}",
        do: { action: "create_flow", goal: "Review {{payload.title}}", stateJson: { number: "{{payload.number}}" } },
      },
    ],
  },
};

type Sent = {
  readonly route: keyof typeof ROUTES;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
};

const plain = (): Sent => ({
  route: "plain",
  body: JSON.stringify({ action: "create_flow", goal: GOAL, stateJson: { number: 7 } }),
  headers: { authorization: `Bearer ${SECRET}` },
});

const keyed = (n: number): Sent => ({
  ...plain(),
  headers: { ...plain().headers, "idempotency-key": `key-${String(n)}` },
});

const delivered = (number: number): Sent => {
  const body = JSON.stringify({ action: "opened", number, title: GOAL, repository: { full_name: "acme/app" } });
  return { route: "signed", body, headers: { ...signed("github", body), "x-github-event": "pull_request" } };
};

const contestantOf = (name: string, folder: string, make: (n: number) => Sent): Contestant => {
  const flows = openSqliteFlows(join(folder, `${name}.db`))._unsafeUnwrap();
  const logger = { info: () => undefined, warn: console.warn, error: console.error };
  const handler = createNodeListener({ config: { routes: ROUTES }, flows, logger, trustedProxies: ["127.0.0.1"] });
  const batch: StandInRequest[] = [];
  let made = 0;
  const prepare = (times: number): void => {
    while (batch.length < times) {
      const { route, body, headers } = make(made);
      const from = { ...JSON_TYPE, ...headers, "x-forwarded-for": clientOf(made, 4000) };
      batch.push(new StandInRequest({ headers: from, body: Buffer.from(body) }, `/plugins/webhooks/${route}`));
      made += 1;
    }
  };
  const run = async (): Promise<void> => {
    const request = batch.pop();
    if (request === undefined) throw new Error("a batch was too small");
    tick(4000);
    const answered = await send(handler, request);
    if (answered !== 200) throw new Error(`${name}: ${String(answered)}`);
  };
  return { name, prepare, run };
};

/** A create with a key, and a signed and mapped one, each beside a plain one. */
export const measureDeliveries = async (
  folder: string,
  rounds: number,
): Promise<readonly { readonly name: string; readonly ratio: Ratio }[]> => {
  skewClocks();
  const contestants = [
    contestantOf("plain", folder, plain),
    contestantOf("with an idempotency key", folder, keyed),
    contestantOf("signed, mapped, bound and kept", folder, delivered),
  ];
  const taken = await takeTurns(contestants, rounds);
  return contestants.slice(1).map(({ name }, place) => ({
    name,
    ratio: ratioOf(taken.map((times): [number, number] => [times[place + 1] ?? 0, times[0] ?? 0])),
  }));
};
