#!/usr/bin/env node
// The entry point. It handles signals first, and checks the version of Node before it loads the rest, because older versions
// cannot.

import "./signals.ts";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major > 24 || (major === 24 && minor >= 16)) {
  await import("./process.ts");
} else {
  process.stderr.write(`openclaw-webhooks needs Node 24.16 or later. This is Node ${process.versions.node}.\n`);
  process.exitCode = 2;
}
