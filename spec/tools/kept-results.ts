// What of the results of a mutation run is kept for the next one.

type Mutant = {
  readonly status: string;
  readonly killedBy?: readonly string[];
  readonly coveredBy?: readonly string[];
};

type FileResults = { readonly source: string; readonly mutants: readonly Mutant[] };

type TestFile = { readonly tests: readonly { readonly id: string; readonly name: string }[] };

/** As Stryker writes them. A number names a test in these results alone. */
export type Results = {
  readonly files: Readonly<Record<string, FileResults>>;
  readonly testFiles: Readonly<Record<string, TestFile>>;
};

/** Without what was not found in these files, or in all when none is named, so that it is tried again. */
export const withoutUndetected = (results: Results, only: readonly string[]): Results => ({
  ...results,
  files: Object.fromEntries(
    Object.entries(results.files).map(([file, one]) => {
      if (only.length > 0 && !only.includes(file)) return [file, one];
      const mutants = one.mutants.filter(({ status }) => status !== "Survived" && status !== "NoCoverage");
      return [file, { ...one, mutants }];
    }),
  ),
});

/** Each test's file and name, and its number. */
const testsOf = ({ testFiles }: Results): readonly (readonly [key: string, id: string])[] =>
  Object.entries(testFiles).flatMap(([file, { tests }]) =>
    tests.map(({ id, name }) => [JSON.stringify([file, name]), id] as const),
  );

/**
 * The results of a run of `only`, with those of the other files as they were `before`: Stryker gives every file the source that
 * it has today, so that one which has changed since would pass for one that was tried.
 */
export const withOthersAsBefore = (results: Results, before: Results, only: readonly string[]): Results => {
  const keys = new Map(testsOf(before).map(([key, id]) => [id, key]));
  const ids = new Map(testsOf(results));
  const idsNow = (tests: readonly string[] = []): readonly string[] =>
    tests.flatMap((id) => ids.get(keys.get(id) ?? "") ?? []);
  const asBefore = ({ source, mutants }: FileResults): FileResults => ({
    source,
    mutants: mutants.map((one) => ({ ...one, killedBy: idsNow(one.killedBy), coveredBy: idsNow(one.coveredBy) })),
  });
  const others = Object.entries(results.files).map(([file, one]) => {
    const old = before.files[file];
    const isStale = old !== undefined && old.source !== one.source && !only.includes(file);
    return [file, isStale ? { ...one, ...asBefore(old) } : one];
  });
  return { ...results, files: Object.fromEntries(others) };
};
