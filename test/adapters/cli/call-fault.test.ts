// What `call` says when there is no answer, for every way in which Node can fail.

import fc from "fast-check";
import { expect, test } from "vitest";
import { explainSend } from "../../../adapters/cli/commands/call-fault.ts";
import type { SendFault } from "../../../adapters/cli/commands/call-send.ts";
import { EXIT } from "../../../adapters/cli/io.ts";

const PROXY = { variable: "HTTPS_PROXY", url: "http://me:pass-word@proxy.example:3128" };

const asked = (action: string, proxy: typeof PROXY | undefined) => ({
  target: new URL("https://hooks.example/in?key=pass-word"),
  headers: {},
  body: "",
  proxy,
  action,
  key: undefined,
});

const failure = (code: unknown): Error => Object.assign(new TypeError("pass-word"), { code });

const CODES = ["ECONNREFUSED", "ENOTFOUND", "ECONNRESET", "ETIMEDOUT", "EPROTO", "ERR_SSL_X", "CERT_HAS_EXPIRED"];
const error = fc.oneof(
  fc.constantFrom(...CODES, "ERR_PROXY_TUNNEL", "CRL_HAS_EXPIRED", "HPE_INVALID_CONSTANT", 7, undefined).map(failure),
  fc.constantFrom(undefined, "pass-word", new RangeError("pass-word")),
);

test("CALL-3: what was not sent was not carried out; what was sent may have been, unless the answer is not HTTP", () => {
  const kind = fc.constantFrom<SendFault["kind"]>("late", "failed");
  const action = fc.constantFrom("create_flow", "list_flows");
  const proxy = fc.constantFrom(undefined, PROXY);
  fc.assert(
    fc.property(kind, fc.boolean(), error, action, proxy, (how, wasSent, cause, name, through) => {
      const { sentence, status } = explainSend(asked(name, through), { kind: how, wasSent, error: cause });
      const isOther = how === "failed" && String(Object(cause).code).startsWith("HPE_");
      const isUnsure = wasSent && !isOther;
      expect([sentence, status]).toEqual([sentence, isUnsure ? EXIT.unsure : EXIT.unreachable]);
      expect(sentence.includes("may have been carried out")).toBe(isUnsure && name === "create_flow");
      expect(sentence.includes("list_flows changes nothing: call it again")).toBe(isUnsure && name === "list_flows");
      expect(sentence).toMatch(/^[ -~]+\.$/u);
      expect(sentence).not.toContain("pass-word");
    }),
  );
});

const NO_WAY = "There is no way to that address from here. Check the address, the network and the firewall.";
const NOT_TRUSTED =
  "is not trusted here. Set NODE_EXTRA_CA_CERTS to the file of the authority that signed it, or to the certificate itself";

test.each<readonly [unknown, string]>([
  [
    failure("ENOTFOUND"),
    "cannot be reached (ENOTFOUND). No such name is known. Check the name, or the DNS of this machine.",
  ],
  [
    failure("EAI_AGAIN"),
    "cannot be reached (EAI_AGAIN). The name could not be looked up. Try again, or check the DNS of this machine.",
  ],
  ...["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"].map(
    (code) => [failure(code), `cannot be reached (${code}). ${NO_WAY}`] as const,
  ),
  [failure("ECONNREFUSED"), "cannot be reached (ECONNREFUSED). Check that the server is running there."],
  [failure("ERR_PROXY_TUNNEL"), "cannot be reached (ERR_PROXY_TUNNEL). Check that the server is running there."],
  ...["XEPROTO", "X_ERR_SSL_"].map(
    (code) => [failure(code), `cannot be reached (${code}). Check that the server is running there.`] as const,
  ),
  [failure(7), "cannot be reached (TypeError). Check that the server is running there."],
  [new RangeError("x"), "cannot be reached (RangeError). Check that the server is running there."],
  [undefined, "cannot be reached (unknown). Check that the server is running there."],
  ...[
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "UNABLE_TO_GET_ISSUER_CERT",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "CERT_UNTRUSTED",
  ].map((code) => [failure(code), `was reached, but its certificate ${NOT_TRUSTED} (${code}).`] as const),
  ...["CERT_REVOKED", "CRL_HAS_EXPIRED", "UNABLE_TO_DECRYPT_SIGNATURE_X"].map(
    (code) =>
      [failure(code), `was reached, but its certificate cannot be used. Check it on the server (${code}).`] as const,
  ),
  ...["EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER"].map(
    (code) =>
      [failure(code), `was reached, but does not speak TLS there (${code}). Check the port, or use http://.`] as const,
  ),
])("call: %o before the request was sent has a sentence of its own", (cause, words) => {
  const { sentence } = explainSend(asked("list_flows", undefined), { kind: "failed", wasSent: false, error: cause });
  expect(sentence).toBe(`https://hooks.example/in ${words}`);
});

test("call: only a code that begins as those of Node's HTTP parser says that the answer is not HTTP", () => {
  for (const [code, isHttp] of [
    ["HPE_INVALID_CONSTANT", false],
    ["X_HPE_", true],
  ] as const) {
    const sent = { kind: "failed", wasSent: true, error: failure(code) } as const;
    const { sentence, status } = explainSend(asked("create_flow", undefined), sent);
    expect([code, sentence.includes("does not answer in HTTP"), status]).toEqual([
      code,
      !isHttp,
      isHttp ? EXIT.unsure : EXIT.unreachable,
    ]);
  }
});

test("call: a proxy that fails is named with what it said", () => {
  const tunnel = Object.assign(failure("ERR_PROXY_TUNNEL"), { statusCode: 407 });
  for (const [cause, words] of [
    [tunnel, "refused the request (407)"],
    [failure("ERR_PROXY_TUNNEL"), "refused the request (no status)"],
    [failure("ECONNREFUSED"), "cannot be reached (ECONNREFUSED)"],
  ] as const) {
    const { sentence } = explainSend(asked("list_flows", PROXY), { kind: "failed", wasSent: false, error: cause });
    expect(sentence).toBe(
      `The proxy that HTTPS_PROXY names ${words}. Correct HTTPS_PROXY, or name hooks.example in NO_PROXY.`,
    );
  }
});
