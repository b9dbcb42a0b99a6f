// What `openclaw doctor` says of weak routes. The Gateway loads this file by its name, in processes without the plugin.

import { WEAKNESSES, weaknessesOf, type WeaknessKind } from "../../core/weakness.ts";

/** A rule of the Gateway's doctor: `message` is shown beside `path` where `match` holds for the value there. */
type Rule = {
  readonly path: readonly string[];
  readonly message: string;
  readonly match: (routes: unknown) => boolean;
};

const ROUTES = ["plugins", "entries", "webhooks", "config", "routes"];

/** Whether an operator asks. In a Gateway that starts, a rule that matches would pass for a key that is to be migrated. */
const isDoctor = (): boolean => process.argv.slice(2).includes("doctor");

const isWeak = (routes: unknown, kind: WeaknessKind): boolean => {
  try {
    return isDoctor() && weaknessesOf(routes, [kind]).length > 0;
  } catch {
    return false;
  }
};

const KINDS: readonly WeaknessKind[] = ["inline", "short", "shared", "unresolved", "mainSession", "unsigned"];

const ruleOf = (kind: WeaknessKind): Rule => ({
  path: ROUTES,
  message: `of one route or more, ${WEAKNESSES[kind].field} ${WEAKNESSES[kind].sentence}. Run openclaw webhook check to see which.`,
  match: (routes) => isWeak(routes, kind),
});

//= WEAK-1
export const legacyConfigRules: readonly Rule[] = KINDS.map(ruleOf);
