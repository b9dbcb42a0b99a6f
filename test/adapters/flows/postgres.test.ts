// The parts of the PostgreSQL store that need no server; test/systems/scale has the rest, on a real one.

import fc from "fast-check";
import { expect, test } from "vitest";
import { addressOf, isPostgresUrl } from "../../../adapters/flows/postgres/address.ts";
import { DatabaseClock } from "../../../adapters/flows/postgres/clock.ts";
import { hasAnswered, mayTryAgain } from "../../../adapters/flows/postgres/errors.ts";
import { locksOf, nameOf } from "../../../adapters/flows/postgres/locks.ts";
import { Places } from "../../../adapters/flows/postgres/places.ts";
import { send, statement } from "../../../adapters/flows/postgres/statement.ts";
import { fromColumn, toColumn } from "../../../adapters/flows/postgres/text.ts";
import type { Needs } from "../../../core/index.ts";

const fault = (url: string, env = {}): string => addressOf(url, env)._unsafeUnwrapErr();
const address = (url: string, env = {}) => addressOf(url, env)._unsafeUnwrap();

test("PG-8: a URL says where the database is, and the environment says what it leaves out", () => {
  expect(address("postgres://me@h:6000/d?application_name=x&sslmode=disable")).toEqual({
    host: "h",
    port: 6000,
    user: "me",
    database: "d",
    ssl: false,
    applicationName: "x",
    shown: "postgres://me@h:6000/d",
  });
  expect(address("postgresql:///d?host=/run/postgresql")).toMatchObject({ host: "/run/postgresql", ssl: false });
  expect(address("postgres://", { PGHOST: "/run" })).toMatchObject({ host: "/run", user: undefined, ssl: false });
  expect(address("postgres://[::1]/d")).toMatchObject({ host: "::1", ssl: false });
  expect(["postgres://h/d", "POSTGRESQL://h", "postgres:h", "flows.db"].map(isPostgresUrl)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test("PG-8: without a word about it what leaves the machine is encrypted and verified", () => {
  fc.assert(
    fc.property(fc.domain(), (host) => {
      expect(address(`postgres://u@${host}/d`).ssl).toEqual({});
      expect(address(`postgres://u@${host}/d?sslmode=require`).ssl).toEqual({ rejectUnauthorized: false });
      expect(address(`postgres://u@${host}/d`, { PGSSLMODE: "disable" }).ssl).toBe(false);
    }),
  );
  for (const host of ["localhost", "127.0.0.1", "127.3.2.1", "[::1]"])
    expect(address(`postgres://${host}/d`).ssl).toBe(false);
  for (const host of ["localhost.example.com", "127.0.0.1.example.com", "10.0.0.1"])
    expect(address(`postgres://${host}/d`).ssl).toEqual({});
  expect(address("postgres://h/d?sslmode=verify-ca").ssl).toHaveProperty("checkServerIdentity");
});

test("PG-8: a password in the URL, an unknown word and a weak mode are refused, and nothing of the URL is repeated", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9]{12,30}$/u), (secret) => {
      for (const url of [
        `postgres://u:${secret}@h/d`,
        `postgres://h/d?password=${secret}`,
        `postgres://h/d?sslmode=${secret}`,
        `postgres://h/d?sslrootcert=/none/${secret}`,
        `postgres://${secret}%`,
      ])
        expect(fault(url)).not.toContain(secret);
    }),
  );
  expect(fault("postgres://h/d?sslmode=prefer")).toContain("verify-full");
});

test("PG-10: places come back from what cursors show, for each owner other ones, and no order is left", () => {
  const places = new Places("key");
  const place = fc.integer({ min: 0, max: 2 ** 40 });
  fc.assert(
    fc.property(fc.string(), fc.array(place), (owner, made) => {
      const shown = places.shown(owner, made);
      expect(shown.every((one) => one < 10 ** 15)).toBe(true);
      expect(shown.map((one) => places.made(owner, one))).toEqual(made);
    }),
  );
  const inOrder = places.shown(
    "a",
    Array.from({ length: 101 }, (_, made) => made),
  );
  const gaps = inOrder.slice(1).map((one, at) => one - (inOrder[at] ?? 0));
  expect(gaps.some((gap) => gap < 0) && gaps.some((gap) => gap > 0)).toBe(true);
  expect(gaps.every((gap) => Math.abs(gap) > 1)).toBe(true);
  expect(places.shown("a", [1])).not.toEqual(places.shown("b", [1]));
  expect(places.shown("a", [1])).not.toEqual(new Places("other").shown("a", [1]));
  expect(places.made("a", 10 ** 15 - 1)).toBe(2 ** 48 - 1);
});

test("PG-9: the clock is the database's last reading, and goes on by this process's monotonic one", () => {
  const database = fc.integer({ min: 10 ** 12, max: 3 * 10 ** 12 });
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.tuple(database, fc.nat()), { minLength: 1 }), (start, readings) => {
      let time = start;
      const clock = new DatabaseClock(0, () => time);
      for (const [said, passed] of readings) {
        clock.set(said);
        expect(clock.now()).toBe(said);
        time += passed;
        expect(clock.now()).toBe(said + passed);
      }
    }),
  );
  const said = Date.now() + 3_600_000;
  const clock = new DatabaseClock(said);
  expect(clock.now()).toBeGreaterThanOrEqual(said - 1);
  expect(clock.now()).toBeLessThan(said + 5000);
});

test("every text comes back from a column that can hold no NUL, and no two are the same there", () => {
  const text = fc.string({ unit: fc.constantFrom("\0", "\u0001", "0", "1", "a") });
  fc.assert(
    fc.property(text, text, (one, other) => {
      expect(toColumn(one)).not.toContain("\0");
      expect(fromColumn(toColumn(one))).toBe(one);
      expect(toColumn(one) === toColumn(other)).toBe(one === other);
    }),
  );
});

test("PG-2: only what the server has answered is known to be undone", () => {
  const error = (code: string): Error => Object.assign(new Error("x"), { code });
  for (const code of ["25006", "40001", "23505", "55P03"]) expect(hasAnswered(error(code))).toBe(true);
  for (const code of ["ECONNRESET", "57P01", "57P02", "08006", ""]) expect(hasAnswered(error(code))).toBe(false);
  expect(hasAnswered(new Error("Connection terminated unexpectedly"))).toBe(false);
  expect(["40001", "40P01", "25006"].map((code) => mayTryAgain(error(code)))).toEqual([true, true, false]);
});

const NEEDS: Needs = { load: [], tasks: false, writes: true, freshId: false, saved: undefined };
const key = fc.record({ routeId: fc.string(), owner: fc.string(), key: fc.string() });

test("PG-1: keys are locked in one order, whichever is the record's, and before the owner", () => {
  fc.assert(
    fc.property(key, key, (record, binding) => {
      const needs: Needs = {
        ...NEEDS,
        saved: record,
        load: [{ kind: "bound", ...binding }],
        open: { owner: "o", most: 1 },
      };
      const [keys, owner] = locksOf(needs);
      const [locks = []] = keys?.values ?? [];
      const sorted = [...(Array.isArray(locks) ? locks : [])].map(BigInt);
      expect(sorted).toHaveLength(2);
      expect((sorted[0] ?? 0n) <= (sorted[1] ?? 0n)).toBe(true);
      expect(owner?.text).toContain("$1::integer");
      expect(nameOf(record) === nameOf(binding)).toBe(JSON.stringify(record) === JSON.stringify(binding));
    }),
  );
  expect(locksOf(NEEDS)).toEqual([]);
});

test("PG-1: all statements are sent before the first is answered, and the first error counts", async () => {
  const asked: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const connection = {
    query: async ({ text }: { readonly text: string }) => {
      asked.push(text);
      await promise;
      if (text.startsWith("fails")) throw new Error(text);
      return { rows: [], rowCount: null, command: text };
    },
  };
  const sent = send(connection, [statement("a"), statement("fails 1"), statement("fails 2")]);
  expect(asked).toEqual(["a", "fails 1", "fails 2"]);
  resolve();
  await expect(sent).rejects.toThrow("fails 1");
});
