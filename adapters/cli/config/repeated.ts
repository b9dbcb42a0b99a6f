// Finds names that stand more than once in one object of a JSON5 text. The parser keeps the last one and says nothing.

import JSON5 from "json5";

export type Repeated = {
  /** Names of members from the root to the repeated one. Places in lists are left out. */
  readonly path: readonly string[];
  /** Each line on which the name stands, counted from 1. */
  readonly lines: readonly number[];
};

/** The lines as a sentence lists them. */
export const linesOf = ({ lines }: Repeated): string => `${lines.slice(0, -1).join(", ")} and ${String(lines.at(-1))}`;

/** `lines`: of each name so far; undefined for a list. `name`: the member that is being read. */
type Frame = { readonly lines?: Map<string, number[]>; name?: string | undefined };

const QUOTES = new Set(['"', "'"]);

/** Where the string ends that begins at `start`. */
const endOfString = (text: string, start: number): number => {
  let at = start + 1;
  while (at < text.length && text[at] !== text[start]) at += text[at] === "\\" ? 2 : 1;
  return at + 1;
};

const COMMENT = /\/\/[^\n\r\u2028\u2029]*|\/\*[^]*?\*\//uy;
const BLANK = /\s+/uy;
const WORD = /[^\s{}[\],:"'/]+/uy;

const endOfToken = (text: string, start: number): number => {
  if (QUOTES.has(text[start] ?? "")) return endOfString(text, start);
  for (const token of [BLANK, WORD, COMMENT]) {
    token.lastIndex = start;
    if (token.test(text)) return token.lastIndex;
  }
  return start + 1;
};

/** The name as the parser reads it: `"a"`, `'a'`, `a` and `\u0061` are the same. */
const nameOf = (token: string): string => {
  if (!token.includes("\\")) return QUOTES.has(token[0] ?? "") ? token.slice(1, -1) : token;
  return Object.keys(JSON5.parse<object>(`{${token}:0}`))[0] ?? "";
};

const repeatedIn = ({ lines = new Map() }: Frame, outer: readonly Frame[]): readonly Repeated[] => {
  const twice = [...lines].filter(([, found]) => found.length > 1);
  if (twice.length === 0) return [];
  const path = outer.flatMap(({ name }) => (name === undefined ? [] : [name]));
  return twice.map(([name, found]) => ({ path: [...path, name], lines: found }));
};

/** The names that stand more than once, in the order in which their objects end. `text` must be JSON5. */
export const repeatedNames = (text: string): readonly Repeated[] => {
  const repeated: Repeated[] = [];
  const frames: Frame[] = [];
  let line = 1;
  for (let at = 0, end: number; at < text.length; at = end) {
    end = endOfToken(text, at);
    const token = text.slice(at, end);
    const frame = frames.at(-1);
    if (token === "{") frames.push({ lines: new Map() });
    else if (token === "[") frames.push({});
    else if (token === ",") delete frame?.name;
    else if (token === "}" || token === "]") {
      frames.pop();
      if (frame !== undefined) repeated.push(...repeatedIn(frame, frames));
    } else if (frame?.lines !== undefined && frame.name === undefined && !/^(?:\s|:|\/[/*])/u.test(token)) {
      frame.name = nameOf(token);
      const lines = frame.lines.get(frame.name);
      if (lines === undefined) frame.lines.set(frame.name, [line]);
      else lines.push(line);
    }
    line += token.split("\n").length - 1;
  }
  return repeated;
};
