// The room for bodies: what is taken is counted, strangers get a part of it, and what is slow gives way.

import fc from "fast-check";
import { expect, test } from "vitest";
import { BodyBudget, BodyTicket, type Room } from "../../../adapters/bridge/body-budget.ts";
import { runs } from "../../support/runs.ts";

const ROOM: Room = { all: 100, unproved: 60, client: 40, bodies: 4 };

type Kind = "proved" | "known" | "stranger";

const ticketOf = (budget: BodyBudget, kind: Kind, client: string): BodyTicket =>
  new BodyTicket(budget, client, kind === "proved", kind === "known");

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
      const budget = new BodyBudget(ROOM);
      const tickets = made.map((kind, place) => ticketOf(budget, kind, `c${String(place % 3)}`));
      const displaced = new Set<BodyTicket>();
      for (const ticket of tickets) ticket.giveWay = () => void displaced.add(ticket);
      for (const { at, bytes, act } of steps) {
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

test("SIGN-5: strangers cannot take the room of proved and known senders, nor that of a body that is all there", () => {
  const budget = new BodyBudget(ROOM);
  const strangers = Array.from({ length: 20 }, (_, place) => ticketOf(budget, "stranger", String(place)));
  for (const one of strangers) expect(one.take(15)).toBe(true);
  expect(budget.taken).toBe(ROOM.unproved);
  for (const kind of ["proved", "known"] as const) {
    const ticket = ticketOf(budget, kind, "0");
    expect(ticket.take(40)).toBe(true);
    ticket.end();
  }
  const whole = ticketOf(budget, "stranger", "0");
  expect(whole.take(40, true)).toBe(true);
  expect(strangers.filter((one) => one.bytes > 0).length).toBe(ROOM.bodies);
  expect(ticketOf(budget, "proved", "0").take(1)).toBe(false);
});

test("SIGN-5: the oldest body of a stranger gives way to a new one, for its place and for its bytes, and is told once", () => {
  const budget = new BodyBudget(ROOM);
  const told: number[] = [];
  const tickets = Array.from({ length: 6 }, (_, place) => {
    const ticket = ticketOf(budget, "stranger", String(place));
    ticket.giveWay = () => void told.push(place);
    return ticket;
  });
  for (const ticket of tickets.slice(0, 4)) expect(ticket.take(10)).toBe(true);
  expect(tickets[4]?.take(0)).toBe(true);
  expect([told, tickets[0]?.bytes, tickets[0]?.take(1), tickets[1]?.bytes]).toEqual([[0], 0, false, 10]);
  expect(tickets[4]?.take(40)).toBe(true);
  expect(told).toEqual([0, 1]);
  expect(tickets[4]?.take(1)).toBe(false);
  expect([told, tickets[5]?.take(21)]).toEqual([[0, 1, 2, 3, 4], true]);
});

test("SIGN-5: a body that has proved its sender gives way to nobody", () => {
  const budget = new BodyBudget(ROOM);
  const proved = ticketOf(budget, "stranger", "a");
  proved.giveWay = () => expect.unreachable();
  expect(proved.take(40)).toBe(true);
  proved.prove();
  for (let place = 0; place < 20; place += 1) expect(ticketOf(budget, "stranger", String(place)).take(15)).toBe(true);
  expect(proved.bytes).toBe(40);
});

test("SIGN-5: a known client's unproved bodies have no more room than one body of the largest size", () => {
  const budget = new BodyBudget(ROOM);
  const known = Array.from({ length: 3 }, () => ticketOf(budget, "known", "a"));
  expect(known.map((one) => one.take(20))).toEqual([true, true, false]);
  known[0]?.prove();
  expect(known.map((one) => one.take(20))).toEqual([true, true, false]);
  expect(budget.taken).toBe(80);
  expect(ticketOf(budget, "known", "b").take(20)).toBe(true);
  for (const one of known) one.end();
  expect(ticketOf(budget, "known", "a").take(40)).toBe(true);
});
