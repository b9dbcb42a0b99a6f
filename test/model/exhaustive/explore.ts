// Breadth-first search over all states of a system that runs the real code: at a small scale every state and every step
// is checked, not sampled.

export type System<State, Action> = {
  readonly initial: State;
  readonly actions: (state: State) => readonly Action[];
  /** Must not change `state`. */
  readonly next: (state: State, action: Action) => State;
  /** Equal for states with the same behaviour from here on. */
  readonly key: (state: State) => string;
  /** True in every state. The key is the clause and a sentence. */
  readonly invariants: Readonly<Record<string, (state: State) => boolean>>;
  /** True of every step. */
  readonly steps: Readonly<Record<string, (before: State, action: Action, after: State) => boolean>>;
  /** True after some step, because a system that allows nothing would break no invariant. */
  readonly reachable: Readonly<Record<string, (state: State) => boolean>>;
};

export type Found<Action> = {
  readonly states: number;
  readonly transitions: number;
  /** The first broken sentence with the shortest way to it. */
  readonly violation: { readonly sentence: string; readonly path: readonly Action[] } | undefined;
  readonly unreached: readonly string[];
};

type Node<State, Action> = {
  readonly state: State;
  readonly from: Node<State, Action> | undefined;
  readonly by: Action | undefined;
};

const pathTo = <State, Action>(node: Node<State, Action>): readonly Action[] => {
  const path: Action[] = [];
  for (let at: Node<State, Action> | undefined = node; at?.by !== undefined; at = at.from) path.push(at.by);
  return path.toReversed();
};

const broken = (checks: Readonly<Record<string, () => boolean>>): string | undefined =>
  Object.entries(checks).find(([, holds]) => !holds())?.[0];

const bind = <Args extends readonly unknown[]>(
  checks: Readonly<Record<string, (...args: Args) => boolean>>,
  ...args: Args
): Readonly<Record<string, () => boolean>> =>
  Object.fromEntries(Object.entries(checks).map(([sentence, check]) => [sentence, () => check(...args)]));

/** Searches all states. Throws if there are more than `bound`, because then nothing was shown. */
export const explore = <State, Action>(system: System<State, Action>, bound: number = 200_000): Found<Action> => {
  const queue: Node<State, Action>[] = [{ state: system.initial, from: undefined, by: undefined }];
  const seen = new Set([system.key(system.initial)]);
  const unreached = new Set(Object.keys(system.reachable));
  let transitions = 0;
  for (const node of queue) {
    const { state } = node;
    const wrong = broken(bind(system.invariants, state));
    if (wrong !== undefined) {
      return { states: seen.size, transitions, violation: { sentence: wrong, path: pathTo(node) }, unreached: [] };
    }
    for (const action of system.actions(state)) {
      transitions += 1;
      const after = system.next(state, action);
      const reached = { state: after, from: node, by: action };
      const wrongStep = broken(bind(system.steps, state, action, after));
      if (wrongStep !== undefined) {
        return {
          states: seen.size,
          transitions,
          violation: { sentence: wrongStep, path: pathTo(reached) },
          unreached: [],
        };
      }
      for (const name of unreached) if (system.reachable[name]?.(after) === true) unreached.delete(name);
      const key = system.key(after);
      if (seen.has(key)) continue;
      seen.add(key);
      if (seen.size > bound) throw new Error(`more than ${String(bound)} states: make the system smaller`);
      queue.push(reached);
    }
  }
  return { states: seen.size, transitions, violation: undefined, unreached: [...unreached] };
};
