// A client of so many connections at once. It is slower than any server here, so that a server is asked at its ease, as
// outside systems ask: with a faster one, servers would differ in how often they wake it, which is none of their cost.

import type { Asked } from "./scenarios.ts";

export type Client = { readonly ask: (times: number) => Promise<void> };

export type Question = {
  readonly url: string;
  /** A connection's next request; `turn` counts them from 0, `total` those of all connections. */
  readonly asked: (connection: number, turn: number, total: number) => Asked;
  /** What is to be answered. */
  readonly status: number;
};

const askOnce = async ({ url, status }: Question, { headers, body }: Asked): Promise<void> => {
  const response = await fetch(url, { method: "POST", headers, body });
  await response.arrayBuffer();
  if (response.status !== status) throw new Error(`${url} answered ${String(response.status)}`);
};

/** `ask` sends the question so many times in all and resolves when each is answered. */
export const clientOf = (question: Question, connections: number): Client => {
  const turns = Array.from({ length: connections }, () => 0);
  let total = 0;
  const ask = async (times: number): Promise<void> => {
    let left = times;
    const drive = async (_: unknown, connection: number): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const turn = turns[connection] ?? 0;
        turns[connection] = turn + 1;
        total += 1;
        await askOnce(question, question.asked(connection, turn, total));
      }
    };
    await Promise.all(turns.map(drive));
  };
  return { ask };
};
