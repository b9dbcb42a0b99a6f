export type Outcome = { readonly mismatches: readonly string[]; readonly steps: number; readonly byStatus: number };

export declare const runTrace: (
  trace: unknown,
  options: { readonly base: string; readonly secrets?: Readonly<Record<string, string>>; readonly strict?: boolean },
) => Promise<Outcome>;
