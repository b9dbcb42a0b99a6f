// How long a receiver asks to be left alone: the seconds or the date of its `Retry-After`.

const SECONDS = /^\d{1,9}$/u;

/** Milliseconds from `now`; undefined when the field is not there or says nothing that can be read. */
export const retryAfterOf = (field: string | null, now: number): number | undefined => {
  const written = field?.trim() ?? "";
  if (SECONDS.test(written)) return Number(written) * 1000;
  const at = /^[A-Z][a-z]+,/u.test(written) ? Date.parse(written) : Number.NaN;
  return Number.isFinite(at) ? Math.max(0, at - now) : undefined;
};
