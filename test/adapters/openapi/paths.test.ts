import fc from "fast-check";
import { expect, test } from "vitest";
import { openapiDocument } from "../../../adapters/openapi/document.ts";
import { namesOf } from "../../../adapters/openapi/schema.ts";
import { ACTIONS, loadConfig, resolveRoute, sha256 } from "../../../core/index.ts";
import { wildText } from "../../core/arbitraries.ts";
import { readDocument } from "./document.ts";

const routeId = fc.oneof(wildText, fc.constantFrom("zapier", "a-b", "a_b", "a__b", "a b", "a.b"));
const path = fc
  .string({ unit: fc.constantFrom(..."abZ09-_.~!$&'()*+,;=:@{}[]<>\"^`|/"), minLength: 1, maxLength: 12 })
  .map((text) => `/${text}`);
const entries = fc.uniqueArray(fc.record({ routeId, path }), {
  maxLength: 6,
  selector: (entry) => entry.routeId.trim(),
});

/** The routes of a configuration with these entries, and the paths for openapiDocument. */
const configured = (found: readonly { readonly routeId: string; readonly path: string }[]) => {
  const routes = found.map((entry) => [
    entry.routeId,
    { path: entry.path, sessionKey: "s", secret: "a-secret-0123456789abcdef" },
  ]);
  const config = loadConfig({ routes: Object.fromEntries(routes) }, sha256);
  return { routes: config.routes, paths: [...config.paths].map(([path, routeId]) => ({ routeId, path })) };
};

test("each configured route is one path with one POST, under which the core finds that route", () => {
  fc.assert(
    fc.property(entries, (found) => {
      const { routes, paths } = configured(found);
      fc.pre(paths.length > 0);
      const document = readDocument(openapiDocument({ paths, version: "1" }));
      const seen = Object.entries(document.paths).map(([target, { parameters, post }]) => {
        expect(target).not.toMatch(/[{}]/u);
        expect(parameters).toBe(undefined);
        expect(post.operationId).toMatch(/^callRoute_[A-Za-z0-9_-]*$/u);
        return resolveRoute(routes, target)._unsafeUnwrap().id;
      });
      expect(seen.toSorted()).toEqual(paths.map(({ routeId }) => routeId).toSorted());
      const ids = Object.values(document.paths).map(({ post }) => post.operationId);
      expect(new Set(ids).size).toBe(paths.length);
    }),
  );
});

type Body = {
  readonly content: {
    readonly "application/json": {
      readonly schema: { readonly oneOf: readonly object[]; readonly discriminator: { readonly mapping: object } };
      readonly examples: object;
    };
  };
};

test("POLICY-1: of a route that allows only some actions these are documented, and no other", () => {
  const names = namesOf(ACTIONS);
  fc.assert(
    fc.property(fc.subarray([...names], { minLength: 1 }), (allowed) => {
      const paths = [{ routeId: "r", path: "/r", actions: new Set(allowed) }];
      const document: unknown = openapiDocument({ paths, version: "1" });
      const { requestBody } =
        (document as { paths: Record<string, { post: { requestBody: Body } }> }).paths["/r"]?.post ?? {};
      const { schema, examples } = requestBody?.content["application/json"] ?? {};
      expect([Object.keys(examples ?? {}), schema?.oneOf.length]).toEqual([allowed, allowed.length]);
      expect(Object.keys(schema?.discriminator.mapping ?? {})).toEqual(allowed);
    }),
  );
});

test("without routes there is one path, with the route's id as its parameter", () => {
  const document = readDocument(openapiDocument({ paths: [], version: "1" }));
  expect(Object.entries(document.paths)).toEqual([
    [
      "/plugins/webhooks/{routeId}",
      {
        parameters: [expect.objectContaining({ name: "routeId", in: "path", required: true })],
        post: expect.objectContaining({ operationId: "callRoute" }),
      },
    ],
  ]);
});

test("the version and the server are the given ones; the default servers are those of this machine", () => {
  const given = readDocument(openapiDocument({ server: "https://hooks.example.org/x", paths: [], version: "3.2.1" }));
  expect([given.info.version, given.servers]).toEqual(["3.2.1", [{ url: "https://hooks.example.org/x" }]]);
  const { servers } = readDocument(openapiDocument({ paths: [], version: "1" }));
  expect(servers.map(({ url }) => url)).toEqual(["http://127.0.0.1:8787", "http://127.0.0.1:18789"]);
});
