// What an error of SQLite says by its code.

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;

/** Extended codes of an index that cannot grow, and of a write beyond a quota. */
const FULL_TOO: ReadonlySet<number> = new Set([4874, 778]);

/** SQLite's extended code, which has the plain one in its lowest byte. */
const codeOf = (error: unknown): number => (error instanceof Error && "errcode" in error ? Number(error.errcode) : 0);

/** SQLite's plain code; 0 of an error that is not SQLite's. */
export const sqliteCode = (error: unknown): number => codeOf(error) & 0xff;

export const isBusy = (error: unknown): boolean => sqliteCode(error) === SQLITE_BUSY;

export const isFull = (error: unknown): boolean => sqliteCode(error) === SQLITE_FULL || FULL_TOO.has(codeOf(error));
