// What is known of a request before its body: plain values, so that any host can make one.

export type RequestHead = {
  readonly method: string;
  /** The request target as sent: origin or absolute form, query included. */
  readonly target: string;
  /** A header's value by lower-case name, one character per byte; the first when it was sent several times. */
  readonly header: (name: string) => string | undefined;
  /** The attributed IP address of the client, for the rate limit. */
  readonly client: string | undefined;
  /** The socket's remote address, for the in-flight limit. */
  readonly peer: string | undefined;
};

//= BODY-1
/** Whether the Content-Type is JSON: `application/json` or any `+json` suffix, parameters aside (M-17). */
export const isJsonMediaType = (contentType: string | undefined): boolean => {
  const type = (contentType ?? "").split(";", 1).join("").trim().toLowerCase();
  return type === "application/json" || type.endsWith("+json");
};
