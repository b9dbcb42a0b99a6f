// SIGN-5, BODY-8: strangers send large and slow bodies from many addresses to a signed route. A sender that has proved itself
// is served all the time, one that is new is served, too, and the memory stays within its bound. STRANGERS: how many there are.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ROOM } from "../../../adapters/bridge/body-budget.ts";
import { SECRETS, signed } from "../../support/deliveries.ts";
import { remove, Standalone, tempFolder } from "./harness.ts";

const STRANGERS = Number(process.env["STRANGERS"] ?? 2000);
/** Connections of strangers at once. */
const AT_ONCE = 400;
/** Milliseconds until a stranger that was cut off comes again: what is tried is slowness, and not a flood of connections. */
const PAUSE_MS = 1000;
const BODY = 10_000_000;
/** Bytes that a stranger sends at once; more comes a byte at a time. */
const FIRST = 200_000;

const folder = tempFolder();
after(() => remove(folder));
const config = join(folder, "config.json5");
const hub = {
  sessionKey: "agent:main:hub",
  secret: SECRETS.github,
  signature: "github",
  maxBodyBytes: BODY,
  deliveries: [{ do: { action: "create_flow", goal: "{{payload.n}}" } }],
};
writeFileSync(config, JSON.stringify({ trustedProxies: ["127.0.0.1"], routes: { hub } }));

const addressOf = (n: number): string => `10.${String((n >> 16) & 255)}.${String((n >> 8) & 255)}.${String(n & 255)}`;

const deliver = async (server: Standalone, n: number, client: string): Promise<number> => {
  const body = JSON.stringify({ n: String(n) });
  const headers = { "content-type": "application/json", "x-forwarded-for": client, ...signed("github", body) };
  const answer = await fetch(`${server.base}/plugins/webhooks/hub`, { method: "POST", headers, body });
  await answer.text();
  return answer.status;
};

/** Sends a body slowly until it is answered or cut off. Every second one has no signature, the others a wrong one. */
const stranger = (server: Standalone, n: number, statuses: Map<string, number>): Promise<void> =>
  new Promise((resolve) => {
    const { port } = new URL(server.base);
    const socket: Socket = connect(Number(port), "127.0.0.1");
    const isSigned = n % 2 === 1;
    const head = [
      "POST /plugins/webhooks/hub HTTP/1.1",
      "host: x",
      "content-type: application/json",
      `content-length: ${String(BODY)}`,
      `x-forwarded-for: ${addressOf(n)}`,
      ...(isSigned ? [`x-hub-signature-256: sha256=${"0".repeat(64)}`] : []),
    ];
    const drip = setInterval(() => socket.write(" "), 500);
    let said = "";
    socket.on("data", (piece) => {
      said += String(piece);
      socket.end();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearInterval(drip);
      const status = /^HTTP\/1\.1 (\d{3})/u.exec(said)?.[1] ?? "cut";
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      resolve();
    });
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    if (isSigned) socket.write(" ".repeat(FIRST));
  });

const atQuantile = (times: readonly number[], part: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * part)] ?? 0;

/** Delivers one after the other until `isOver`; each must be answered with 200. Gives the milliseconds of each. */
const deliverUntil = async (
  server: Standalone,
  isOver: () => boolean,
  clientOf: (n: number) => string,
): Promise<readonly number[]> => {
  const times: number[] = [];
  for (let n = 0; !isOver(); n += 1) {
    const begun = performance.now();
    assert.equal(await deliver(server, Math.random(), clientOf(n)), 200);
    times.push(performance.now() - begun);
  }
  return times;
};

/** So many addresses that none comes to the end of its window. */
const friend = (n: number): string => `192.0.${String((n >> 8) & 1)}.${String(n & 255)}`;

/** Strangers after which the memory of clients is so full that new ones share a window (LIMIT-4). */
const CROWD = 3000;

test(
  `SIGN-5, BODY-8: ${String(STRANGERS)} strangers with slow bodies do not keep a signed sender out`,
  { timeout: 600_000 },
  async () => {
    const server = await Standalone.start(["--config", config, "--db", join(folder, "flows.db")]);
    let quiet = 0;
    const before = await deliverUntil(server, () => (quiet += 1) > 1000, friend);
    const idle = server.memory;
    let [next, most] = [0, 0];
    const statuses = new Map<string, number>();
    const attack = async (): Promise<void> => {
      while (next < STRANGERS && server.isRunning) {
        await stranger(server, (next += 1), statuses);
        await delay(PAUSE_MS);
      }
    };
    /** Every second one comes from one of a few hundred addresses that are new at first. */
    const friendOrNew = (n: number): string =>
      n % 2 === 0 || next > CROWD ? friend(n) : `192.1.${String((n >> 8) & 1)}.${String(n & 255)}`;
    let isOver = false;
    const watch = setInterval(() => (most = Math.max(most, server.memory)), 100);
    const attacked = Promise.all(Array.from({ length: AT_ONCE }, attack)).then(() => (isOver = true));
    try {
      const during = await deliverUntil(server, () => isOver, friendOrNew);
      await attacked;
      const grown = most - idle;
      const [quick, slow] = [0.5, 0.99].map((part) => {
        const [without, beside] = [before, during].map((times) => atQuantile(times, part).toFixed(1));
        return `${String(without)} and ${String(beside)} ms`;
      });
      console.log(
        `# without and with strangers: p50 ${String(quick)}, p99 ${String(slow)}; ${String(during.length)} deliveries; memory grew by ${String(Math.round(grown / 1e6))} MB; strangers got ${JSON.stringify(Object.fromEntries(statuses))}`,
      );
      assert.equal(statuses.get("200"), undefined);
      // what the sockets hold, and garbage, come on top of what the bodies may take
      assert.ok(grown < 3 * ROOM.all, `the memory grew by ${String(grown)} bytes`);
    } finally {
      clearInterval(watch);
      await server.end("SIGKILL");
    }
  },
);
