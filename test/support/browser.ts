// A real browser, from the system's packages.

import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PROGRAMS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Nothing is looked up or sent beside what a page asks for. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const openBrowser = (): Promise<Browser> => {
  const executablePath = process.env["CHROMIUM"] ?? PROGRAMS.find((program) => existsSync(program));
  if (executablePath === undefined)
    throw new Error(
      "The tests of the page need a browser: install the system's package chromium, or name one in CHROMIUM.",
    );
  return chromium.launch({ executablePath, args: ARGUMENTS });
};
