// The parts of the Node adapter, without a socket.

import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import { recordedHeader } from "../../../adapters/gateway/head.ts";
import { headOf, nodePrimitives } from "../../../adapters/node/index.ts";
import { sha256 } from "../../../core/index.ts";
import { bytes } from "../../core/arbitraries.ts";

const request = (fields: object): IncomingMessage =>
  ({ headers: {}, rawHeaders: [], socket: { remoteAddress: "10.0.0.9" }, ...fields }) as unknown as IncomingMessage;

test("LIMIT-8: a head has the values of Node's request, and the attributed client", () => {
  const headers = { authorization: "Bearer x", "set-cookie": ["a", "b"] };
  const head = headOf(request({ method: "POST", url: "/x?y", headers }), () => "192.0.2.1");
  expect([head.method, head.target, head.client, head.peer]).toEqual(["POST", "/x?y", "192.0.2.1", "10.0.0.9"]);
  expect(["authorization", "set-cookie", "host"].map(head.header)).toEqual(["Bearer x", "a, b", undefined]);
  const bare = headOf(request({}));
  expect([bare.method, bare.target, bare.client]).toEqual(["", "", "10.0.0.9"]);
});

const twice = ["Authorization", "Bearer x", "Host", "h", "AUTHORIZATION", "Bearer y", "X-Authorization", "z"];
const headers = { authorization: "Bearer x", host: "h", "x-authorization": "z", "content-encoding": "gzip" };
const NAMES = ["authorization", "host", "x-authorization", "content-encoding"];

test("AUTH-7: a credential header that was sent twice is one value that no secret is, and Node itself drops its second line", () => {
  const head = headOf(request({ headers, rawHeaders: twice }));
  expect(NAMES.map(head.header)).toEqual(["Bearer x\0Bearer y", "h", "z", "gzip"]);
});

test("AUTH-7, BODY-6: inside a Gateway headers are read as its bundled plugin reads them", () => {
  const sent = request({ headers: { ...headers, "content-type": "application/json; charset=x" }, rawHeaders: twice });
  const head = headOf(sent, undefined, recordedHeader(sent));
  expect([...NAMES, "content-type"].map(head.header)).toEqual(["Bearer x", "h", "z", undefined, "application/json"]);
  expect(recordedHeader(request({}))("content-type")).toBe(undefined);
});

test("MAP-1: a header field that was not sent is not one of the prototype's names", () => {
  const sent = request({});
  const names = ["__proto__", "constructor", "toString", "hasownproperty"];
  expect(names.map(headOf(sent).header)).toEqual(names.map(() => undefined));
  expect(names.map(recordedHeader(sent))).toEqual(names.map(() => undefined));
  const named = request({ headers: { constructor: "a" } });
  expect([headOf(named).header("constructor"), recordedHeader(named)("constructor")]).toEqual(["a", "a"]);
});

test("BODY-5: only valid UTF-8 is decoded, and a byte order mark stays", () => {
  expect(nodePrimitives.decodeUtf8(bytes("a\u00e9\u{1f600}"))).toBe("a\u00e9\u{1f600}");
  expect(nodePrimitives.decodeUtf8(bytes("\ufeffx"))).toBe("\ufeffx");
  expect(nodePrimitives.decodeUtf8(Uint8Array.from([0x61, 0xff]))).toBe(undefined);
});

test("AUTH-3: the native digest equals the core's", () => {
  for (const text of ["", "abc", "\u00e9".repeat(200)]) {
    expect(Uint8Array.from(nodePrimitives.sha256(bytes(text)))).toEqual(sha256(bytes(text)));
  }
});
