#!/usr/bin/env node
// Where the command starts: on a Node that is too old nothing else of it can even be loaded.

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major > 24 || (major === 24 && minor >= 16)) {
  await import("./process.ts");
} else {
  process.stderr.write(`openclaw-webhooks needs Node 24.16 or later; this is ${process.versions.node}.\n`);
  process.exitCode = 2;
}
