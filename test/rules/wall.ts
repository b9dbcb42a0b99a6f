// The wall around the core, checked on the syntax tree: it refuses what compiler and linter cannot.

import ts from "typescript";

/** Packages that the core may import. */
const PACKAGES = ["neverthrow", "ts-pattern", "zod", "@noble/hashes/"];

/** Names that reach outside the core: clocks, randomness, the environment, the network, timers, code from text. */
const OUTSIDE = new Set([
  "Date",
  "globalThis",
  "process",
  "console",
  "fetch",
  "performance",
  "crypto",
  "Buffer",
  "require",
  "eval",
  "Function",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "structuredClone",
  "Promise",
  "Intl",
  "WeakRef",
  "URL",
  "TextEncoder",
  "TextDecoder",
  "AbortController",
  "XMLHttpRequest",
  "WebSocket",
  "self",
  "Atomics",
]);

/** A cast is allowed on the line below a comment that starts like this. */
const BOUNDARY = "// boundary:";

const isImported = (name: string, order: readonly string[], self: string): boolean => {
  if (!name.startsWith("./"))
    return PACKAGES.some((allowed) => name === allowed || (allowed.endsWith("/") && name.startsWith(allowed)));
  const at = order.indexOf(self);
  const from = order.indexOf(name.slice(2));
  return from >= 0 && (at < 0 || from < at);
};

const moduleName = (node: ts.Node): string | undefined => {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
    return ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : "";
  }
  return undefined;
};

const isMutableModuleState = (node: ts.Node): boolean =>
  ts.isVariableStatement(node) &&
  ts.isSourceFile(node.parent) &&
  (node.declarationList.flags & ts.NodeFlags.Const) === 0;

const isAsync = (node: ts.Node): boolean =>
  ts.canHaveModifiers(node) &&
  (ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword) ?? false);

/** Whether an identifier is a variable, not the name of a member. */
const isName = (node: ts.Identifier): boolean => {
  const { parent } = node;
  const named =
    ts.isPropertyAccessExpression(parent) ||
    ts.isPropertyAssignment(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isMethodDeclaration(parent);
  return !(named && parent.name === node);
};

/** Comments that switch a check off. */
const SUPPRESSION = /@ts-(?:ignore|expect-error|nocheck)|(?:oxlint|eslint|biome|Stryker)[- ](?:disable|ignore)/gu;

const isBelowBoundary = (node: ts.Node, text: string): boolean => {
  const before = text.slice(0, node.getStart()).split("\n");
  return before.at(-2)?.trim().startsWith(BOUNDARY) === true;
};

const isConst = (node: ts.AsExpression): boolean => node.type.getText() === "const";

const violation = (node: ts.Node, order: readonly string[], self: string, text: string): string | undefined => {
  const name = moduleName(node);
  if (name !== undefined && !isImported(name, order, self)) return `import of ${name}`;
  if (ts.isThrowStatement(node)) return "throw";
  if (ts.isAwaitExpression(node) || isAsync(node)) return "async";
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return "import()";
  if (ts.isMetaProperty(node)) return "import.meta";
  if (isMutableModuleState(node)) return "module-level let";
  if (node.kind === ts.SyntaxKind.AnyKeyword) return "any";
  if (ts.isNonNullExpression(node)) return "non-null assertion";
  if (ts.isAsExpression(node) && !isConst(node) && !isBelowBoundary(node, text)) return "cast";
  if (ts.isTypeAssertionExpression(node)) return "cast";
  if (ts.isPropertyAccessExpression(node) && node.name.text === "constructor") return "constructor";
  if (ts.isIdentifier(node) && OUTSIDE.has(node.text) && isName(node)) return node.text;
  if (ts.isPropertyAccessExpression(node) && node.getText() === "Math.random") return "Math.random";
  if (ts.isIdentifier(node) && node.text === "random") return "Math.random";
  return undefined;
};

/** The violations in `text`, the content of the core file `self`. `order`: the files in reading order. */
export const wallViolations = (self: string, text: string, order: readonly string[]): readonly string[] => {
  const source = ts.createSourceFile(self, text, ts.ScriptTarget.Latest, true);
  const found: string[] = [...text.matchAll(SUPPRESSION)].map(([comment]) => comment);
  const visit = (node: ts.Node): void => {
    const what = violation(node, order, self, text);
    if (what !== undefined) found.push(what);
    node.forEachChild(visit);
  };
  visit(source);
  return found;
};

/** The files of the core in reading order: the order of its index. */
export const readingOrder = (index: string): readonly string[] =>
  [...index.matchAll(/from "\.\/(?<file>[^"]+)"/gu)].map((match) => match.groups?.["file"] ?? "");
