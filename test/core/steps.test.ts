import fc from "fast-check";
import { err, ok, type Result } from "neverthrow";
import { expect, test } from "vitest";
import {
  accept,
  admit,
  type Admitted,
  type Answer,
  answer,
  answerIgnored,
  answerRejection,
  auditLine,
  type BodyFault,
  type Command,
  isJsonMediaType,
  locate,
  type Outcome,
  prove,
  REJECTIONS,
  type RequestHead,
  sha256,
  SLOT_RETRY_MS,
  type StoreFailure,
  type Verdict,
  viewFlow,
} from "../../core/index.ts";
import {
  bytes,
  decodeUtf8,
  flowFields,
  goodBody,
  head,
  PATH_A,
  PATH_B,
  primitives,
  ROUTE_A,
  ROUTE_B,
  ROUTES,
  wildText,
} from "./arbitraries.ts";
import { runs } from "../support/runs.ts";

const ADMITTED: Verdict = { kind: "admitted" };
const NOW = 1_790_000_000_000;
const LIMITED: Verdict = { kind: "rate_limited", retryAfterMs: 58_001 };
const BUSY: Verdict = { kind: "too_many_in_flight", retryAfterMs: SLOT_RETRY_MS };

type Run = { readonly answer: Answer; readonly commands: readonly Command[] };
type Host = (command: Command) => Result<Outcome, StoreFailure>;

const nothing: Host = () => ok({ kind: "flow", flow: null });

/** The pipeline as an adapter runs it, with a host that keeps what it was asked. */
const run = (
  request: RequestHead,
  body: Result<Uint8Array, BodyFault>,
  { verdict = ADMITTED, host = nothing }: { readonly verdict?: Verdict; readonly host?: Host } = {},
): Run => {
  const commands: Command[] = [];
  const located = locate(ROUTES, request);
  if (located.isErr()) return { answer: answerRejection(located.error), commands };
  const admitted = admit(located.value, verdict, sha256, NOW);
  if (admitted.isErr()) return { answer: answerRejection(admitted.error, located.value), commands };
  const { proof } = admitted.value;
  const shown = proof.kind === "authenticated" ? proof.authenticated : undefined;
  const proved = prove(admitted.value, body, primitives.hmacSha256);
  if (proved.isErr()) return { answer: answerRejection(proved.error, located.value, shown), commands };
  const command = accept(proved.value, primitives, NOW);
  const { authenticated } = proved.value;
  if (command.isErr()) return { answer: answerRejection(command.error, located.value, authenticated), commands };
  if (command.value === undefined) return { answer: answerIgnored(proved.value), commands };
  commands.push(command.value);
  return { answer: answer(command.value, host(command.value)), commands };
};

/** A body's action as the store gets it: a new flow has the route's controller when it names none (M-7). */
const asAccepted = (body: Readonly<Record<string, unknown>>): object =>
  body["action"] === "create_flow" ? { controllerId: `webhooks/${ROUTE_A.id}`, ...body } : body;

const json = (value: unknown): Result<Uint8Array, BodyFault> => ok(bytes(JSON.stringify(value)));
const LIST = json({ action: "list_flows" });
const codeOf = ({ answer: { reply } }: Run): string | undefined => reply.code;
const wild = fc.record({
  method: fc.oneof(fc.constant("POST"), fc.constantFrom("GET", "post", ""), wildText),
  target: fc.oneof(fc.constantFrom(PATH_A, PATH_B, `${PATH_A}/`, "/plugins/webhooks/cold", "/nope"), wildText),
  headers: fc.dictionary(
    fc.constantFrom("content-type", "authorization", "x-openclaw-webhook-secret"),
    fc.oneof(fc.constantFrom("application/json", `Bearer ${ROUTE_A.secret}`, ROUTE_B.secret), wildText),
  ),
  client: fc.option(wildText, { nil: undefined }),
  peer: fc.option(wildText, { nil: undefined }),
});
const wildBody = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((data) => ok<Uint8Array, BodyFault>(data)),
  fc.oneof(wildText, fc.json()).map((text) => ok<Uint8Array, BodyFault>(bytes(text))),
  goodBody.map(json),
  fc.constantFrom<BodyFault>("too_large", "timeout", "gone").map((fault) => err<Uint8Array, BodyFault>(fault)),
);

const ENVELOPE = ["ok", "routeId", "code", "error", "result"];

test("REPLY-1, REPLY-4, TOTAL-1: any request gets one well-formed envelope below 500", () => {
  fc.assert(
    fc.property(wild, wildBody, (request, body) => {
      const { reply } = run(head(request), body).answer;
      const sent = JSON.parse(reply.body) as Record<string, unknown>;
      expect(reply.status).toBeLessThan(500);
      expect(sent["ok"]).toBe(reply.status < 400);
      expect(Object.keys(sent).filter((key) => !ENVELOPE.includes(key))).toEqual([]);
      expect(typeof sent["result"]).toBe("object");
      if (reply.status >= 400) expect([typeof sent["code"], typeof sent["error"]]).toEqual(["string", "string"]);
      expect(reply.headers).toMatchObject({
        "Content-Type": "application/json; charset=utf-8",
        "Cache-Control": "no-store",
      });
      expect(reply.code).toBe(sent["code"]);
    }),
    { numRuns: runs(3000) },
  );
});

test("AUTH-1: the host is asked only for a request with the secret of its own route, and for its session (SCOPE-1)", () => {
  const secret = fc.constantFrom(ROUTE_A.secret, ROUTE_B.secret, "wrong-secret", "");
  const presented = fc.oneof(
    secret.map((value) => ({ authorization: `Bearer ${value}` })),
    secret.map((value) => ({ "x-openclaw-webhook-secret": value })),
    fc
      .tuple(secret, secret)
      .map(([one, two]) => ({ authorization: `Bearer ${one}`, "x-openclaw-webhook-secret": two })),
  );
  const route = fc.constantFrom({ path: PATH_A, of: ROUTE_A }, { path: PATH_B, of: ROUTE_B });
  fc.assert(
    fc.property(route, presented, goodBody, ({ path, of }, headers, body) => {
      const { commands } = run(
        head({ target: path, headers: { "content-type": "application/json", ...headers } }),
        json(body),
      );
      const decisive =
        "authorization" in headers && headers.authorization !== "Bearer " ? headers.authorization.slice(7) : undefined;
      const own = "x-openclaw-webhook-secret" in headers ? headers["x-openclaw-webhook-secret"] : undefined;
      expect(commands.length).toBe((decisive ?? own) === of.secret ? 1 : 0);
      for (const { route: acting } of commands) expect([acting.id, acting.sessionKey]).toEqual([of.id, of.sessionKey]);
    }),
    { numRuns: runs(1000) },
  );
});

test("AUTH-6: the secret of one route never opens another", () => {
  fc.assert(
    fc.property(goodBody, fc.boolean(), (body, swap) => {
      const [path, secret] = swap ? [PATH_A, ROUTE_B.secret] : [PATH_B, ROUTE_A.secret];
      const headers = { "content-type": "application/json", authorization: `Bearer ${secret}` };
      const crossed = run(head({ target: path, headers }), json(body));
      expect([codeOf(crossed), crossed.commands.length]).toEqual(["unauthorized", 0]);
    }),
  );
});

test("AUTH-5, REPLY-2: refusals of a credential are the same bytes, and no route is named before the secret is verified", () => {
  const bodies = new Set<string>();
  fc.assert(
    fc.property(wild, wildBody, (request, body) => {
      const made = run(head(request), body);
      const { reply, event } = made.answer;
      if (reply.code === "unauthorized") bodies.add(JSON.stringify([reply.status, reply.headers, reply.body]));
      const sent = JSON.parse(reply.body) as { routeId?: string };
      const knows = [
        "unauthorized",
        "rate_limited",
        "route_not_found",
        "method_not_allowed",
        "unsupported_media_type",
        "too_many_in_flight",
      ];
      expect(sent.routeId === undefined).toBe(knows.includes(reply.code ?? ""));
      if (made.commands.length === 0) expect(event.action).toBe(undefined);
    }),
    { numRuns: runs(2000) },
  );
  expect([...bodies]).toEqual([
    JSON.stringify([
      401,
      { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "WWW-Authenticate": "Bearer" },
      '{"ok":false,"code":"unauthorized","error":"The secret is missing or wrong.","result":{}}',
    ]),
  ]);
});

/** What may be wrong with a request, in the order of the checks. */
const FAULTS = [
  "route_not_found",
  "method_not_allowed",
  "rate_limited",
  "unsupported_media_type",
  "too_many_in_flight",
  "unauthorized",
  "payload_too_large",
  "invalid_json",
  "invalid_request",
] as const;
type FaultName = (typeof FAULTS)[number];

test("ORDER-1: of several faults the first in the order of the checks decides, and a lone one is found", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.constantFrom(...FAULTS)), (present) => {
      const has = (fault: FaultName): boolean => present.includes(fault);
      const request = head({
        target: has("route_not_found") ? "/nope" : PATH_A,
        method: has("method_not_allowed") ? "GET" : "POST",
        headers: {
          "content-type": has("unsupported_media_type") ? "text/plain" : "application/json",
          authorization: has("unauthorized") ? "Bearer no" : `Bearer ${ROUTE_A.secret}`,
        },
      });
      const verdict = has("rate_limited") ? LIMITED : has("too_many_in_flight") ? BUSY : ADMITTED;
      const text = has("invalid_json") ? "{" : has("invalid_request") ? "{}" : '{"action":"list_flows"}';
      const body = has("payload_too_large")
        ? err<Uint8Array, BodyFault>("too_large")
        : ok<Uint8Array, BodyFault>(bytes(text));
      const made = run(request, body, { verdict });
      expect(codeOf(made)).toBe(FAULTS.find(has));
      expect(made.commands.length).toBe(present.length === 0 ? 1 : 0);
    }),
    { numRuns: runs(1000) },
  );
});

test("LIMIT-2, ROUTE-1: all spellings of a path and all clients of one /64 share keys, others do not", () => {
  const keys = (changes: Partial<RequestHead>): readonly string[] => {
    const { clientKey, peerKey } = locate(ROUTES, { ...head(), ...changes })._unsafeUnwrap();
    return [clientKey, peerKey];
  };
  expect(keys({ target: "/PLUGINS//webhooks/%7aapier/?x" })).toEqual(keys({}));
  expect(keys({ client: "2001:db8::1" })[0]).toBe(keys({ client: "2001:db8::2" })[0]);
  const distinct = [keys({}), keys({ target: PATH_B }), keys({ client: "203.0.113.8", peer: "127.0.0.2" })].flat();
  expect(new Set(distinct).size).toBe(6);
});

test.each([
  ["too_large", 413, "payload_too_large"],
  ["timeout", 408, "request_timeout"],
  ["gone", 408, "request_timeout"],
] as const)("BODY-2, BODY-3: a body that is %s gives %d", (fault, status, code) => {
  const { reply } = run(head(), err(fault)).answer;
  expect([reply.status, reply.code]).toEqual([status, code]);
});

test("BODY-2: a body of 262,144 bytes is taken, and one byte more is refused, also by a surface that reads without a limit", () => {
  const padded = (size: number): Result<Uint8Array, BodyFault> => ok(bytes('{"action":"list_flows"}'.padEnd(size)));
  expect([codeOf(run(head(), padded(262_144))), codeOf(run(head(), padded(262_145)))]).toEqual([
    undefined,
    "payload_too_large",
  ]);
});

test("BODY-5: bytes that are not UTF-8 are refused at any place", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), fc.constantFrom(0xff, 0xc0, 0xfe), (before, bad) => {
      const data = Uint8Array.from([...before, bad]);
      expect(decodeUtf8(data)).toBe(undefined);
      const { reply } = run(head(), ok(data)).answer;
      expect([reply.status, reply.code, JSON.parse(reply.body).error]).toEqual([
        400,
        "invalid_request",
        "The body is not valid UTF-8",
      ]);
    }),
  );
});

test("BODY-4, BODY-5, ACTION-2: the refusal of a value that cannot be stored names its field", () => {
  const refused = (text: string): unknown => {
    const { reply } = run(head(), ok(bytes(text))).answer;
    const { code, error, result } = JSON.parse(reply.body) as Record<string, unknown>;
    return [reply.status, code, error, result];
  };
  const create = (field: string, value: string): string => `{"action":"create_flow","goal":"g","${field}":${value}}`;
  const bad = (field: string, why: string): unknown => [400, "invalid_request", `${field}: ${why}`, { field }];
  for (const field of ["stateJson", "waitJson"]) {
    expect(refused(create(field, "[".repeat(1001) + "]".repeat(1001)))).toEqual(
      bad(field, "Nested too deep, 1000 levels are allowed"),
    );
    expect(refused(create(field, '{"a":[{"__proto__":1}]}'))).toEqual(
      bad(field, "Member name __proto__ is not allowed"),
    );
    expect(refused(create(field, "[1e400]"))).toEqual(bad(field, "Number outside the range of a double"));
    expect(refused(create(field, '"\\ud800"'))).toEqual(bad(field, "Text holds half of a surrogate pair"));
    expect(run(head(), ok(bytes(create(field, "[".repeat(1000) + "]".repeat(1000))))).commands.length).toBe(1);
  }
  expect(refused('{"action":"create_flow","goal":"a\\udc00"}')).toEqual(
    bad("goal", "Text holds half of a surrogate pair"),
  );
  expect(refused(create("__proto__", "1"))).toEqual(bad("__proto__", 'Unrecognized key: "__proto__"'));
  const long = "x".repeat(100);
  expect(refused(create(long, "[1e400]"))).toMatchObject([400, "invalid_request", expect.stringContaining("…:"), {}]);
  expect(refused("[]")).toEqual([400, "invalid_request", "Invalid input: expected object", {}]);
  for (const text of ["null", "1", '"x"', "true", '"\\ud800"']) expect(refused(text)).toEqual(refused("[]"));
});

test("BODY-1: a byte order mark and space around the JSON are accepted, and an empty body is not JSON", () => {
  for (const around of ["\ufeff", " \n", "\u00a0"]) {
    expect(run(head(), ok(bytes(`${around}{"action":"list_flows"}${around}`))).commands.length).toBe(1);
  }
  for (const text of ["", " ", "{", "'x'", "{}{}"]) expect(codeOf(run(head(), ok(bytes(text))))).toBe("invalid_json");
});

test("BODY-1: JSON media types are application/json and everything that ends in +json", () => {
  const yes = [
    "application/json",
    "APPLICATION/JSON ; charset=x",
    " application/json",
    "application/ld+json",
    "+json",
    "text/x+JSON;a=b;c",
    'application/json; profile="https://a.example/b,c"',
    `application/json;a=${"b".repeat(237)}`,
  ];
  const no = [
    undefined,
    "",
    "text/plain",
    "application/jsonx",
    "xapplication/json",
    "application/json+xml",
    "application /json",
    ";application/json",
    "application/json, text/plain",
    "application/json, application/json",
    "text/plain, application/x+json",
    "application/json; a=b, text/plain",
    `application/json;a=${"b".repeat(238)}`,
  ];
  expect(yes.filter((type) => !isJsonMediaType(type))).toEqual([]);
  expect(no.filter((type) => isJsonMediaType(type))).toEqual([]);
});

const mediaAnswer = (headers: Readonly<Record<string, string>>): readonly [string | undefined, unknown] => {
  const sent = { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}`, ...headers };
  const made = run(head({ headers: sent }), json({ action: "list_flows" }));
  const { error, result } = JSON.parse(made.answer.reply.body) as { error?: string; result: { field?: string } };
  return [codeOf(made), error === undefined ? "done" : [error, result.field]];
};

const spaced = fc.stringMatching(/^[ \t]{0,2}$/u);
const cased = (text: string): fc.Arbitrary<string> =>
  fc.mixedCase(fc.constant(text), { toggleCase: (letter) => letter.toUpperCase() });

test("BODY-6: a charset other than UTF-8 is a 415 that names Content-Type, in any writing and place", () => {
  const names = [
    "utf-8",
    "utf8",
    "utf-16",
    "utf-16le",
    "utf-32",
    "iso-8859-1",
    "latin1",
    "windows-1252",
    "us-ascii",
    "",
  ];
  const quoted = fc.constantFrom(
    (text: string) => text,
    (text: string) => `"${text}"`,
  );
  const other = fc.constantFrom("", "; version=1", '; profile="x;charset=utf-16"', ';a="\\"; charset=y"');
  fc.assert(
    fc.property(
      fc.constantFrom("application/json", "application/x+json").chain(cased),
      cased("charset"),
      fc.constantFrom(...names).chain((name) => cased(name)),
      quoted,
      other,
      other,
      spaced,
      (type, word, name, quote, before, after, space) => {
        const contentType = `${type}${before}${space};${space}${word}=${quote(name)}${space}${after}`;
        const isUtf8 = ["utf-8", "utf8"].includes(name.toLowerCase());
        const refusal = ["content-type: The charset must be utf-8. Send the JSON as UTF-8", "content-type"];
        expect([contentType, ...mediaAnswer({ "content-type": contentType })]).toEqual(
          isUtf8 ? [contentType, undefined, "done"] : [contentType, "unsupported_media_type", refusal],
        );
      },
    ),
    { numRuns: runs(500) },
  );
  // a parameter whose name only ends so is another one, and a space before the sign makes no difference
  expect(mediaAnswer({ "content-type": "application/json; xcharset=latin1" })).toEqual(
    mediaAnswer({ "content-type": "application/json" }),
  );
  for (const charset of ["charset=utf-8", "charset =utf-8", "charset= utf8", "charset \t=\t utf-8"])
    expect([charset, mediaAnswer({ "content-type": `application/json; ${charset}` })[0]]).toEqual([charset, undefined]);
  for (const charset of ["charset =latin1", "charset=utf-8x", "charset=xutf-8", "charset=charset=utf-8"]) {
    const [code] = mediaAnswer({ "content-type": `application/json; ${charset}` });
    expect([charset, code]).toEqual([charset, "unsupported_media_type"]);
  }
  expect(mediaAnswer({ "content-type": "application/json; charset=utf-8; charset=utf-16" })[0]).toBe(
    "unsupported_media_type",
  );
});

test("BODY-6: a transfer encoding other than chunked is a 415 that names Transfer-Encoding", () => {
  const judge = (coding: string): unknown => mediaAnswer({ "transfer-encoding": coding });
  for (const coding of ["chunked", "Chunked", "CHUNKED", " chunked\t"])
    expect(judge(coding)).toEqual([undefined, "done"]);
  for (const coding of ["gzip, chunked", "chunked, gzip", "chunked, chunked", "gzip", "identity", "x", ""]) {
    expect([coding, judge(coding)]).toEqual([
      coding,
      ["unsupported_media_type", [expect.stringMatching(/^transfer-encoding: .* chunked alone/u), "transfer-encoding"]],
    ]);
  }
});

test("BODY-6: a content encoding other than identity is a 415 that names Content-Encoding", () => {
  const codings = ["identity", "", "gzip", "x-gzip", "br", "deflate", "zstd", "compress", "aws-chunked", "identity-x"];
  const coding = fc.constantFrom(...codings).chain((name) => cased(name));
  fc.assert(
    fc.property(fc.array(fc.tuple(spaced, coding, spaced), { minLength: 1, maxLength: 3 }), (list) => {
      const encoding = list.map((parts) => parts.join("")).join(",");
      const isPlain = list.every(([, name]) => ["", "identity"].includes(name.toLowerCase()));
      const [code, error] = mediaAnswer({ "content-encoding": encoding });
      expect([encoding, code]).toEqual([encoding, isPlain ? undefined : "unsupported_media_type"]);
      expect(error).toEqual(
        isPlain
          ? "done"
          : [
              "content-encoding: Compressed bodies are not read. Send the JSON uncompressed, without this header",
              "content-encoding",
            ],
      );
    }),
    { numRuns: runs(500) },
  );
});

test("BODY-1, LIMIT-7: a Content-Type that is not JSON keeps its sentence, and a long one costs little", () => {
  expect(mediaAnswer({ "content-type": "text/plain", "content-encoding": "gzip" })).toEqual([
    "unsupported_media_type",
    ["Content-Type must be application/json.", undefined],
  ]);
  const begun = performance.now();
  for (let n = 0; n < 100; n += 1) mediaAnswer({ "content-type": `application/json;a="${'\\"'.repeat(50_000)}` });
  expect(performance.now() - begun).toBeLessThan(1000);
});

test("VIEW-1: a command's action and the host's view reach the caller, its session and secret never do", () => {
  fc.assert(
    fc.property(goodBody, flowFields, (body, record) => {
      const flow = viewFlow(record)._unsafeUnwrap();
      const made = run(head(), json(body), { host: () => ok({ kind: "flow", flow }) });
      expect(made.commands.map(({ action }) => action)).toEqual([asAccepted(body)]);
      expect(JSON.parse(made.answer.reply.body)).toEqual({ ok: true, routeId: ROUTE_A.id, result: { flow: record } });
      for (const text of [
        made.answer.reply.body,
        JSON.stringify(made.answer.reply.headers),
        auditLine(made.answer.event),
      ]) {
        if (!JSON.stringify([body, record]).includes("agent:main:owner-a"))
          expect(text).not.toContain("agent:main:owner-a");
        expect(text).not.toContain(ROUTE_A.secret);
      }
      expect(made.answer.event).toEqual({
        status: 200,
        routeId: ROUTE_A.id,
        action: body["action"],
        client: "203.0.113.7",
      });
    }),
  );
});

test("SLOT-4, VIEW-4: a host that fails or is late gives its code, with the route and nothing else", () => {
  for (const [failure, status] of [
    ["outcome_unknown", 504],
    ["bad_host_answer", 502],
    ["persist_failed", 503],
  ] as const) {
    const { reply, event } = run(head(), LIST, { host: () => err(failure) }).answer;
    const error = REJECTIONS[failure].sentence;
    expect([reply.status, JSON.parse(reply.body)]).toEqual([
      status,
      { ok: false, routeId: ROUTE_A.id, code: failure, error, result: {} },
    ]);
    expect(event).toMatchObject({ status, code: failure, action: "list_flows" });
  }
});

test("REPLY-1: 405 and 429 tell the client what to do", () => {
  expect(run(head({ method: "GET" }), LIST).answer.reply.headers["Allow"]).toBe("POST");
  const limited = run(head(), LIST, { verdict: LIMITED });
  expect(limited.answer.reply.headers["Retry-After"]).toBe("59");
  const busy = run(head(), LIST, { verdict: BUSY });
  expect([busy.answer.reply.status, busy.answer.reply.headers["Retry-After"]]).toEqual([429, "1"]);
  expect(Object.keys(run(head(), LIST).answer.reply.headers)).toEqual(["Content-Type", "Cache-Control"]);
});

test("ROUTE-2, ROUTE-3: unknown and unresolved routes are refused alike, and audited without a name", () => {
  const unknown = run(head({ target: "/nope" }), LIST).answer;
  expect(run(head({ target: "/plugins/webhooks/cold" }), LIST).answer).toEqual(unknown);
  expect(unknown.event).toEqual({ status: 404, code: "route_not_found" });
  expect(run(head({ method: "GET" }), LIST).answer.event).toEqual({ status: 405, code: "method_not_allowed" });
  const denied = run(head({ headers: { "content-type": "application/json" } }), LIST).answer;
  expect(denied.event).toEqual({ status: 401, code: "unauthorized", routeId: ROUTE_A.id, client: "203.0.113.7" });
});

test("AUDIT-2: an audit line is printable ASCII on one line, whatever a client sends", () => {
  fc.assert(
    fc.property(wild, wildBody, (request, body) => {
      expect(auditLine(run(head(request), body).answer.event)).toMatch(/^[\x20-\x7e]*$/u);
    }),
    { numRuns: runs(1000) },
  );
  expect(auditLine({ status: 200, routeId: "a", client: "c", action: "get_flow", code: "x" })).toBe(
    "route=a action=get_flow client=c status=200 code=x",
  );
  expect(auditLine({ status: 401 })).toBe("status=401");
  expect(auditLine({ status: 200, secret: "current" })).toBe("status=200");
  expect(auditLine({ status: 200, secret: "previous", replayed: true })).toBe("status=200 secret=previous replayed");
  expect(auditLine({ status: 422, code: "mapping_failed", fault: "a: b\n" })).toBe(
    "status=422 code=mapping_failed a: b\\u{a}",
  );
  expect(auditLine({ status: 200, routeId: "a\n\u{1f680}" })).toBe("route=a\\u{a}\\u{1f680} status=200");
  expect(auditLine({ status: 200, routeId: "x".repeat(81) })).toBe(`route=${"x".repeat(80)}... status=200`);
});

test("CONFIG-6: a new flow gets the route's controller when it names none, and no other action gets one", () => {
  const accepted = (body: object): unknown => run(head(), json(body)).commands[0]?.action;
  const create = { action: "create_flow", goal: "g" } as const;
  expect(accepted(create)).toEqual({ ...create, controllerId: `webhooks/${ROUTE_A.id}` });
  expect(accepted({ ...create, controllerId: "own" })).toEqual({ ...create, controllerId: "own" });
  expect(accepted({ action: "list_flows" })).toEqual({ action: "list_flows" });
});

test("AUTH-1: an admitted request carries the proof that it has shown the secret of its route", () => {
  const admitted = locate(ROUTES, head()).andThen((located) => admit(located, ADMITTED, sha256, NOW));
  const { located, proof } = admitted._unsafeUnwrap();
  expect([proof.kind === "authenticated" && proof.authenticated.route, located.route.id]).toEqual([
    located.route,
    ROUTE_A.id,
  ]);
});

test("AUTH-1: a command cannot be made for a request that was not admitted", () => {
  // @ts-expect-error an Admitted is made by admit alone
  const forged: Admitted = { located: undefined, proof: { kind: "authenticated", authenticated: undefined } };
  // @ts-expect-error a Command is made by accept alone
  const command: Command = { route: undefined, action: { action: "list_flows" }, client: "" };
  expect([forged, command].length).toBe(2);
});

test("TOTAL-2: equal arguments give equal answers, also where clock and randomness are out of order", () => {
  const broken = (): never => expect.fail("the core reached outside");
  fc.assert(
    fc.property(wild, wildBody, goodBody, (request, body, good) => {
      const first = [run(head(request), body), run(head(), json(good))];
      const { now } = Date;
      const { random } = Math;
      Object.assign(Date, { now: broken });
      Object.assign(Math, { random: broken });
      try {
        const second = [run(head(request), body), run(head(), json(good))];
        expect(second.map(({ answer: { reply, event } }) => [reply, event])).toEqual(
          first.map(({ answer: { reply, event } }) => [reply, event]),
        );
        expect(second[1]?.commands.map(({ action }) => action)).toEqual([asAccepted(good)]);
      } finally {
        Object.assign(Date, { now });
        Object.assign(Math, { random });
      }
    }),
  );
});
