// The column of a row that holds what was planned.

import { type Plan, readPlan } from "../../core/index.ts";
import { Damaged, type Row, textIn } from "./plugin-file.ts";

/** The plan in a row; throws when it is not one. */
export const planIn = (row: Row): Plan => {
  const plan = readPlan(textIn(row, "plan"));
  if (plan === undefined) throw new Damaged("column plan does not hold a plan");
  return plan;
};
