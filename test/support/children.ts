// Programs that tests start.

import type { ChildProcess } from "node:child_process";

const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** A test that fails half-way leaves it running: it ends with this process then. */
export const endsWithUs = <Child extends ChildProcess>(child: Child): Child => {
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
};
