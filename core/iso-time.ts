// A time as ISO 8601 writes it, without the platform's calendar, because the core has none.

const DAY_MS = 86_400_000;

/** The last millisecond whose year has four digits. */
const LAST_MS = 253_402_300_799_999;

const padded = (figure: number, length: number): string => String(figure).padStart(length, "0");

/** Year, month and day of a day since the epoch, in the calendar whose year begins with March, so that a leap day is the last. */
const dateOf = (day: number): string => {
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const month = Math.floor((5 * dayOfYear + 2) / 153);
  const year = yearOfEra + era * 400 + (month < 10 ? 0 : 1);
  const dayOfMonth = dayOfYear - Math.floor((153 * month + 2) / 5) + 1;
  return `${padded(year, 4)}-${padded(month < 10 ? month + 3 : month - 9, 2)}-${padded(dayOfMonth, 2)}`;
};

/** `2026-01-31T09:30:00.000Z` of milliseconds since the epoch; what is before it, after the year 9999 or no number is moved there. */
export const isoTime = (milliseconds: number): string => {
  const time = Math.trunc(Math.min(Math.max(milliseconds, 0), LAST_MS)) || 0;
  const inDay = time % DAY_MS;
  const [hours, minutes] = [Math.floor(inDay / 3_600_000), Math.floor(inDay / 60_000) % 60];
  const [seconds, rest] = [Math.floor(inDay / 1000) % 60, inDay % 1000];
  const clock = `${padded(hours, 2)}:${padded(minutes, 2)}:${padded(seconds, 2)}.${padded(rest, 3)}`;
  return `${dateOf(Math.floor(time / DAY_MS))}T${clock}Z`;
};
