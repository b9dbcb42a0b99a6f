// Checks what a route says of the agent runs that its flows start. Sentences never contain a configured value.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import type { Fault } from "./rejection.ts";
import type { Run } from "./route.ts";
import { parseTemplate, type Placeholder, type Template } from "./template.ts";
import { FLOW_FIELDS } from "./view.ts";

/** Seconds after which a run is cancelled: 15 minutes unless configured, at most a day. */
const DEFAULT_TIMEOUT_SECONDS = 900;
const MAX_TIMEOUT_SECONDS = 86_400;

/** Runs of one route at once, unless configured, and at most. */
const DEFAULT_CONCURRENCY = 1;
const MAX_CONCURRENCY = 32;

/** Placeholders of one message, so that a prompt has a bound. */
const MAX_PLACEHOLDERS = 32;

/** The session of a run that gets one of its own. */
const CHILD = "child";

/** The field as written. */
export const runSchema = z.strictObject({
  message: z.string().min(1),
  session: z.string().min(1).optional(),
  tools: z.boolean().optional(),
  timeoutSeconds: z.int().min(1).max(MAX_TIMEOUT_SECONDS).optional(),
  concurrency: z.int().min(1).max(MAX_CONCURRENCY).optional(),
});

export const RUN_HINTS: Readonly<Record<string, string>> = {
  message: 'must be a text such as "Review this pull request: {{flow.goal}}"',
  session: `must be "${CHILD}" or the key of a session`,
  tools: "must be true or false",
  timeoutSeconds: `must be a whole number of seconds from 1 to ${String(MAX_TIMEOUT_SECONDS)}`,
  concurrency: `must be a whole number from 1 to ${String(MAX_CONCURRENCY)}`,
};

const AGENT_KEY = /^agent:[^:\s]+:\S+$/iu;

const fault = (part: string, sentence: string): Fault => ({ field: `run.${part}`, sentence });

const sessionOf = (session: string): Result<string | undefined, Fault> => {
  const key = session.trim();
  if (key === CHILD) return ok(undefined);
  if (AGENT_KEY.test(key)) return ok(key.toLowerCase());
  return err(fault("session", `is neither "${CHILD}" nor the key of a session, such as agent:main:reviews`));
};

const NAMES: ReadonlySet<unknown> = new Set(FLOW_FIELDS.map(([name]) => name));

/** Whether a path of the part begins with what no flow has. The flow itself has no name. */
const isUnknown = (part: string | Placeholder): part is Placeholder =>
  typeof part !== "string" &&
  part.paths.some((path) => path.from === "flow" && path.members.length > 0 && !NAMES.has(path.members[0]));

const messageOf = (message: string): Result<Template, Fault> => {
  if (message.trim() === "") return err(fault("message", "is blank. Say what the agent is to do"));
  const template = parseTemplate(message, ["flow"]);
  if (template.isErr()) {
    const place = `has a placeholder that cannot be read at character ${String(template.error)}`;
    const how = 'Only flow.… can stand there, like {{flow.goal}} or {{flow.stateJson.number ?? "none"}}';
    return err(fault("message", `${place}. ${how}`));
  }
  const unknown = template.value.find(isUnknown);
  if (unknown !== undefined) {
    const place = `has a placeholder at character ${String(message.indexOf(unknown.written) + 1)}`;
    return err(fault("message", `${place} that names no field of a flow. A flow has ${[...NAMES].join(", ")}`));
  }
  const count = template.value.filter((part) => typeof part !== "string").length;
  if (count <= MAX_PLACEHOLDERS) return ok(template.value);
  const most = `at most ${String(MAX_PLACEHOLDERS)} are allowed`;
  return err(
    fault("message", `has ${String(count)} placeholders; ${most}. Show more fields with one {{flow.stateJson}}`),
  );
};

//= RUN-7
/** What the field asks for; undefined when it is not there. The agent has no tools unless it says so. */
export const runOf = (written: z.infer<typeof runSchema> | undefined): Result<Run | undefined, Fault> => {
  if (written === undefined) return ok(undefined);
  const { message, session = CHILD, tools = false } = written;
  const { timeoutSeconds = DEFAULT_TIMEOUT_SECONDS, concurrency = DEFAULT_CONCURRENCY } = written;
  return messageOf(message).andThen((parts) =>
    sessionOf(session).map((key) => ({
      message: parts,
      session: key,
      tools,
      timeoutMs: timeoutSeconds * 1000,
      concurrency,
    })),
  );
};
