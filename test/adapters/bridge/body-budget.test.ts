// The room for bodies: what is taken is counted, strangers get a part of it, and what is slow gives way.

import fc from "fast-check";
import { expect, test } from "vitest";
import { BodyBudget, BodyTicket, type Room } from "../../../adapters/bridge/body-budget.ts";
import { runs } from "../../support/runs.ts";

const ROOM: Room = { all: 100, unproved: 60, client: 40, bodies: 4 };

type Kind = "proved" | "known" | "stranger";

const ticketOf = (budget: BodyBudget, kind: Kind, client: string, now = 0): BodyTicket =>
  new BodyTicket(budget, client, kind === "proved", kind === "known", now);

type Step = { readonly at: number; readonly bytes: number; readonly act: "take" | "prove" | "end" };

const step = fc.record({
  at: fc.nat({ max: 9 }),
  bytes: fc.nat({ max: 50 }),
  act: fc.constantFrom<Step["act"]>("take", "take", "take", "prove", "end"),
});
const kinds = fc.array(fc.constantFrom<Kind>("proved", "known", "stranger", "stranger"), {
  minLength: 1,
  maxLength: 10,
});

test("BODY-8, SIGN-5: whatever comes in which order, no bound is exceeded, and all room comes back", () => {
  fc.assert(
    fc.property(kinds, fc.array(step, { maxLength: 60 }), (made, steps) => {
      let now = 0;
      const budget = new BodyBudget(() => now, ROOM);
      const tickets = made.map((kind, place) => ticketOf(budget, kind, `c${String(place % 3)}`));
      const displaced = new Set<BodyTicket>();
      for (const ticket of tickets) ticket.giveWay = () => void displaced.add(ticket);
      for (const { at, bytes, act } of steps) {
        now += 300;
        const ticket = tickets[at % tickets.length];
        if (ticket === undefined) continue;
        const before = ticket.bytes;
        if (act === "take") {
          const isTaken = ticket.take(bytes);
          expect(ticket.bytes).toBe(isTaken ? before + bytes : before);
        }
        if (act === "prove") ticket.prove();
        if (act === "end") ticket.end();
        const strangers = tickets.filter((one) => !one.isProved && !one.isKnown);
        const sum = (some: readonly BodyTicket[]): number => some.reduce((total, one) => total + one.bytes, 0);
        expect(budget.taken).toBe(sum(tickets));
        expect(budget.taken).toBeLessThanOrEqual(ROOM.all);
        expect(sum(strangers)).toBeLessThanOrEqual(ROOM.unproved);
        for (const client of ["c0", "c1", "c2"])
          expect(sum(strangers.filter((one) => one.client === client))).toBeLessThanOrEqual(ROOM.client);
        expect(strangers.filter((one) => one.bytes > 0).length).toBeLessThanOrEqual(ROOM.bodies);
        for (const one of displaced) expect([one.bytes, one.take(1), one.isKnown]).toEqual([0, false, false]);
      }
      for (const ticket of tickets) ticket.end();
      expect(budget.taken).toBe(0);
      const last = ticketOf(budget, "stranger", "c0");
      expect(last.take(ROOM.client)).toBe(true);
    }),
    { numRuns: runs(500) },
  );
});

test("SIGN-5: strangers cannot take the room of proved and known senders, in bytes or in number", () => {
  const budget = new BodyBudget(() => 0, ROOM);
  const strangers = Array.from({ length: 20 }, (_, place) => ticketOf(budget, "stranger", String(place)));
  expect(strangers.filter((one) => one.take(5)).length).toBe(ROOM.bodies);
  expect(strangers[0]?.take(31)).toBe(true);
  expect(strangers[1]?.take(30)).toBe(false);
  for (const kind of ["proved", "known"] as const) {
    const ticket = ticketOf(budget, kind, "0");
    expect(ticket.take(40)).toBe(true);
    ticket.end();
  }
});

test("SIGN-5: the oldest stranger that has been coming for a second gives way to the next, and is told once", () => {
  let now = 0;
  const budget = new BodyBudget(() => now, ROOM);
  const told: number[] = [];
  const tickets = Array.from({ length: 5 }, (_, place) => {
    const ticket = ticketOf(budget, "stranger", String(place), place * 100);
    ticket.giveWay = () => void told.push(place);
    return ticket;
  });
  const [oldest, next, , , late] = tickets;
  now = 400;
  for (const ticket of tickets.slice(0, 4)) expect(ticket.take(10)).toBe(true);
  now = 999;
  expect(late?.take(0)).toBe(false);
  now = 1000;
  expect(late?.take(0)).toBe(true);
  expect([told, oldest?.bytes, oldest?.take(1), next?.bytes]).toEqual([[0], 0, false, 10]);
  oldest?.end();
  now = 1100;
  expect(late?.take(31)).toBe(true);
  expect(told).toEqual([0, 1]);
});

test("SIGN-5: a body that has proved its sender gives way to nobody", () => {
  let now = 0;
  const budget = new BodyBudget(() => now, ROOM);
  const proved = ticketOf(budget, "stranger", "a");
  proved.giveWay = () => expect.unreachable();
  expect(proved.take(40)).toBe(true);
  proved.prove();
  now = 10_000;
  const others = Array.from({ length: 6 }, (_, place) => ticketOf(budget, "stranger", String(place), now));
  expect(others.filter((one) => one.take(10)).length).toBe(ROOM.bodies);
  expect(proved.bytes).toBe(40);
});
