// The trace that a request belongs to, as the W3C's header field `traceparent` names it.

const FIELD = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/u;

//= AUDIT-6
/** The field's value; undefined when it is malformed, of another version, or has an id of zeros only. It is never an error. */
export const traceparent = (value: string | undefined): string | undefined =>
  value !== undefined && FIELD.test(value) ? value : undefined;
