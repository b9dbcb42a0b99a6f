// All sets of actions, and all small sets of controllers and sessions, each with every action that they can tell apart.

import { expect, test } from "vitest";
import {
  type ActionName,
  ACTIONS,
  actionsOf,
  type ChildSessions,
  type Policy,
  type Routes,
} from "../../../core/index.ts";
import { accepted, PATH, routeIn, routesWith } from "../../support/accepted.ts";

const NAMES = Object.keys(ACTIONS) as ActionName[];
const FREE = routesWith({});
const confinedBy = (policy: Policy): Routes => new Map([[PATH, { ...routeIn(FREE), policy }]]);

const ABOUT = { flowId: "f", expectedRevision: 0, goal: "g", token: "t", runtime: "acp", task: "t" };

/** A body of each action, with the fields that it must have and the further ones. */
const bodyOf = (action: ActionName, more: object): object =>
  Object.fromEntries(
    Object.entries({ ...ABOUT, ...more, action }).filter(([name]) => Object.hasOwn(ACTIONS[action].shape, name)),
  );

const subsetsOf = <T>(all: readonly T[]): readonly (readonly T[])[] =>
  all.reduce<readonly (readonly T[])[]>((sets, one) => [...sets, ...sets.map((set) => [...set, one])], [[]]);

/** What comes of a body: the action, or the field for which it was refused. */
const verdictOn = (routes: Routes, body: object): string =>
  accepted(routes, body).match(
    (command) => `does ${String(command?.action.action)}`,
    ({ code, fault }) => `${code} ${String(fault?.field)}`,
  );

test("POLICY-1: of all 8,192 sets of actions each lets exactly its own through", () => {
  const bodies = NAMES.map((name) => [name, bodyOf(name, {})] as const);
  let allowed = 0;
  const sets = subsetsOf(NAMES);
  for (const names of sets) {
    const routes = confinedBy({ actions: actionsOf(names), controllerIds: undefined, childSessions: undefined });
    const through = bodies.flatMap(([name, body]) => {
      const verdict = verdictOn(routes, body);
      return verdict === `does ${name}` ? [name] : verdict === "action_not_allowed action" ? [] : [verdict];
    });
    expect(through).toEqual(NAMES.filter((name) => names.includes(name)));
    allowed += through.length;
  }
  expect([sets.length, allowed]).toEqual([8192, 8192 * 6.5]);
});

const CONTROLLERS = ["webhooks/r", "a", "A", "a b"];
const SESSIONS = ["x", "X", "xy", "x:y", "y"];

const CHILDREN: readonly (ChildSessions | undefined)[] = [
  undefined,
  ...subsetsOf(SESSIONS).map((keys): ChildSessions => ({ kind: "keys", keys: new Set(keys) })),
  ...SESSIONS.map((prefix): ChildSessions => ({ kind: "prefix", prefix })),
];

const isAmong = (key: string, sessions: ChildSessions | undefined): boolean => {
  if (sessions === undefined) return true;
  if (sessions.kind === "keys") return [...sessions.keys].includes(key);
  return key.slice(0, sessions.prefix.length) === sessions.prefix;
};

test("POLICY-2, POLICY-3: of all small sets of controllers and sessions each lets a body name exactly its own, and the route's controller", () => {
  let states = 0;
  for (const names of [undefined, ...subsetsOf(CONTROLLERS)]) {
    for (const childSessions of CHILDREN) {
      const controllerIds = names === undefined ? undefined : new Set(names);
      const routes = confinedBy({ actions: undefined, controllerIds, childSessions });
      for (const action of NAMES) {
        const fields = ACTIONS[action].shape;
        for (const controllerId of Object.hasOwn(fields, "controllerId") ? [undefined, ...CONTROLLERS] : [undefined]) {
          for (const key of Object.hasOwn(fields, "childSessionKey") ? [undefined, ...SESSIONS] : [undefined]) {
            const more = {
              ...(controllerId === undefined ? {} : { controllerId }),
              ...(key === undefined ? {} : { childSessionKey: key }),
            };
            const isKnown =
              controllerId === undefined || controllerId === "webhooks/r" || names?.includes(controllerId);
            const isChild = key === undefined || isAmong(key, childSessions);
            const refused = isKnown === false ? "controllerId" : isChild ? undefined : "childSessionKey";
            const verdict = refused === undefined ? `does ${action}` : `action_not_allowed ${refused}`;
            expect(verdictOn(routes, bodyOf(action, more))).toBe(verdict);
            states += 1;
          }
        }
      }
    }
  }
  console.log(`${String(states)} requests`);
  expect(states).toBe(17 * 38 * (10 + 2 * 5 + 6));
});
