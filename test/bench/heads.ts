// Work before authentication for a head of 16 KB, as much as Node lets in: a client without a secret sends it for nothing.

import { stopwatch, skewClocks, tick } from "./clock.ts";
import { medianOf } from "./paired.ts";
import { loadPlugin, type PluginName, PLUGINS } from "./plugins.ts";
import { type Asked, type Scenario, scenarioOf } from "./scenarios.ts";
import { FreshAnswers } from "./stand-in-gateway.ts";
import { ask } from "./stand-in-http.ts";

const SIZE = 16_000;

const HEADS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "X-Forwarded-For of addresses": { "x-forwarded-for": "192.0.2.1, ".repeat(SIZE / 11) },
  "X-Forwarded-For of commas": { "x-forwarded-for": ",".repeat(SIZE) },
  "X-Forwarded-For of IPv6": { "x-forwarded-for": "2001:db8::1,".repeat(SIZE / 12) },
  "X-Real-IP": { "x-real-ip": "9".repeat(SIZE) },
  "Content-Type": { "content-type": `application/json;${" ".repeat(SIZE)}x` },
  "Content-Type of spaces": { "content-type": `a${" ".repeat(SIZE)}x` },
  "Authorization of spaces": { authorization: `Bearer ${" ".repeat(SIZE)}x` },
  "Authorization, long": { authorization: `Bearer ${"x".repeat(SIZE)}` },
  "own header, long": { authorization: "", "x-openclaw-webhook-secret": "x".repeat(SIZE) },
  "own header beyond ASCII": { authorization: "", "x-openclaw-webhook-secret": "\u00e9".repeat(4000) },
};

export type HeadCost = { readonly name: string; readonly ours: number; readonly bundled: number };

/** Microseconds for one refusal: the median, each time with a head that was not seen before. */
const costOf = async (plugin: PluginName, refused: Scenario, headers: Asked["headers"], rounds: number) => {
  const handler = await loadPlugin(plugin, new FreshAnswers(undefined));
  const [asked] = refused.turns;
  if (asked === undefined) throw new Error("nothing to ask");
  const taken: number[] = [];
  for (let round = 0; round < rounds * 2; round += 1) {
    tick(1);
    const forwarded = `${headers["x-forwarded-for"] ?? ""}10.${String(round >> 16)}.${String((round >> 8) & 255)}.${String(round & 255)}`;
    const started = stopwatch();
    await ask(handler, { body: asked.body, headers: { ...asked.headers, ...headers, "x-forwarded-for": forwarded } });
    if (round >= rounds) taken.push((stopwatch() - started) * 1000);
  }
  return medianOf(taken);
};

/** Microseconds of one request with each head. */
export const measureHeads = async (rounds: number): Promise<readonly HeadCost[]> => {
  skewClocks();
  const refused = scenarioOf("401");
  const measured: HeadCost[] = [];
  // the first to be timed would pay for compiling
  for (const plugin of PLUGINS) await costOf(plugin, refused, {}, rounds);
  for (const [name, headers] of Object.entries({ "none of these": {}, ...HEADS })) {
    const ours = await costOf("ours", refused, headers, rounds);
    const bundled = await costOf("bundled", refused, headers, rounds);
    measured.push({ name, ours, bundled });
  }
  return measured;
};
