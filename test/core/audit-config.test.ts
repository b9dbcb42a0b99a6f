// Where an audit file is asked for, and what each mistake says.

import fc from "fast-check";
import { expect, test } from "vitest";
import { AUDIT_BYTES, AUDIT_FILES, auditOf } from "../../core/index.ts";

test("AUDIT-5: an audit file has its path and, where it says nothing else, the usual sizes", () => {
  expect(auditOf(undefined)._unsafeUnwrap()).toBeUndefined();
  const within = (range: { readonly least: number; readonly most: number }): fc.Arbitrary<number | undefined> =>
    fc.option(fc.integer({ min: range.least, max: range.most }), { nil: undefined });
  fc.assert(
    fc.property(within(AUDIT_BYTES), within(AUDIT_FILES), (maxBytes, files) => {
      expect(auditOf({ file: " audit.jsonl ", maxBytes, files })._unsafeUnwrap()).toEqual({
        file: "audit.jsonl",
        maxBytes: maxBytes ?? 16_777_216,
        files: files ?? 8,
      });
    }),
    {
      examples: [
        [65_536, 1],
        [1_073_741_824, 100],
        [undefined, undefined],
      ],
    },
  );
  expect(auditOf({ file: "x".repeat(4096) }).isOk()).toBe(true);
});

const OBJECT =
  "must be an object with file, and optionally maxBytes and files, and no other field. No audit file is written";
const PATH = "must be the path of a file. No audit file is written";
const BYTES = "must be a whole number from 65536 to 1073741824. No audit file is written";
const FILES = "must be a whole number from 1 to 100. No audit file is written";

test.each([
  [5, [["audit", OBJECT]]],
  [null, [["audit", OBJECT]]],
  [{ file: "a", path: "b" }, [["audit", OBJECT]]],
  [{}, [["audit.file", PATH]]],
  [{ file: " " }, [["audit.file", PATH]]],
  [{ file: 5 }, [["audit.file", PATH]]],
  [{ file: "x".repeat(4097) }, [["audit.file", PATH]]],
  [{ file: "a", maxBytes: 65_535 }, [["audit.maxBytes", BYTES]]],
  [{ file: "a", maxBytes: 1_073_741_825 }, [["audit.maxBytes", BYTES]]],
  [{ file: "a", maxBytes: 70_000.5 }, [["audit.maxBytes", BYTES]]],
  [{ file: "a", files: 0 }, [["audit.files", FILES]]],
  [{ file: "a", files: 101 }, [["audit.files", FILES]]],
  [
    { maxBytes: 1, files: 0.5 },
    [
      ["audit.file", PATH],
      ["audit.maxBytes", BYTES],
      ["audit.files", FILES],
    ],
  ],
])("AUDIT-5, CONFIG-2: %j is no audit file, and each field says once what is wrong", (written, faults) => {
  expect(
    auditOf(written)
      ._unsafeUnwrapErr()
      .map(({ field, sentence }) => [field, sentence]),
  ).toEqual(faults);
});
