// Base64 (RFC 4648 §4) in its one canonical form: with padding, and without bits that a decoder would drop.

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const digit = (value: number): string => DIGITS.charAt(value & 63);

/** The text of `bytes`. */
export const base64 = (bytes: Uint8Array): string => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const triple = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += digit(triple >> 18) + digit(triple >> 12);
    text += at + 1 < bytes.length ? digit(triple >> 6) : "=";
    text += at + 2 < bytes.length ? digit(triple) : "=";
  }
  return text;
};

/** The bytes of `text`; undefined when it is not canonical. A lenient decoder would make a short key of a typing error. */
export const decodeBase64 = (text: string): Uint8Array | undefined => {
  const digits = text.replace(/=+$/u, "");
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let filled = 0;
  let at = 0;
  for (const character of digits) {
    bits = ((bits << 6) | DIGITS.indexOf(character)) & 0xffff;
    filled += 6;
    if (filled < 8) continue;
    filled -= 8;
    bytes[at] = (bits >> filled) & 0xff;
    at += 1;
  }
  // a character that is not a digit was read as another one
  return base64(bytes) === text ? bytes : undefined;
};
