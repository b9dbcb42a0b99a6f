import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { BUGS } from "./spec/tools/bugs.ts";
import { MODEL_FAULTS } from "./spec/tools/model-faults.ts";
import { check, moduleOf } from "./spec/tools/quint.ts";
const all = [...MODEL_FAULTS, ...BUGS.flatMap((b) => (b.model ? [b.model] : []))].filter((f) => f.file === "spec/policy.qnt" && (process.argv[2] === undefined || f.breaks === process.argv[2]));
for (const f of all) {
  const folder = mkdtempSync(join(tmpdir(), "pol-"));
  const text = readFileSync("spec/policy.qnt", "utf8");
  if (text.split(f.was).length !== 2) console.log("NOT ONCE", f.was);
  writeFileSync(join(folder, "policy.qnt"), text.replace(f.was, () => f.becomes));
  const module = { ...moduleOf("policy", folder), invariants: [f.breaks], witnesses: [] };
  const { problems } = await check(module, { folder, seed: "0x5eed", samples: 1000, steps: 25, examples: false, written: 0, traces: folder });
  console.log(problems.some((p) => p.includes("[violation]")) ? "seen  " : "UNSEEN", f.breaks, f.was.slice(0, 60), problems[0]?.includes("[violation]") ? "" : problems[0]?.slice(0, 300));
}
