// Mistakes planted in the model alone, one at a time: an invariant that no mistake can break says nothing. With the
// models' halves of bugs.ts, every invariant of every module is broken by at least one.

import type { ModelFault } from "./bugs.ts";

/** A fault of one module: `breaks` must report it, when it is the only invariant that is looked at. */
const fault = (module: string, breaks: string, was: string, becomes: string): ModelFault => ({
  file: `spec/${module}.qnt`,
  breaks,
  was,
  becomes,
});

export const MODEL_FAULTS: readonly ModelFault[] = [
  // a warning a tick too early, and one topic too many
  fault("audit", "rationedInv", "now - noticed.get(topic) < NOTICE\n", "now - noticed.get(topic) < NOTICE - 1\n"),
  fault("audit", "rationedInv", ".size() < MAX_TOPICS", ".size() <= MAX_TOPICS"),

  // each bound on what is looked at is forgotten
  fault("cost", "boundedWorkInv", "done < tailOf(r.forwarded)", "done < r.forwarded"),
  fault("cost", "boundedWorkInv", "r.path <= MAX_PATH and done < r.path", "done < r.path"),
  fault("cost", "boundedWorkInv", "done < r.ended and done < MAX_PURGE", "done < r.ended"),
  fault("cost", "boundedWorkInv", "r.credential <= MAX_SECRET and done < r.credential", "done < r.credential"),
  fault("cost", "boundedWorkInv", "done < r.known and done < MAX_SCAN", "done < r.known"),
  // a path that is too long is not refused at once
  fault("cost", "refusedCostsNoMoreInv", `(stage == "path" and r.path > MAX_PATH) or (`, "("),
  fault("cost", "keptBytesInv", "kept.bytes + bytes > MAX_BODY", "kept.bytes + bytes > MAX_BODY + 1"),
  // a piece that is not kept
  fault("cost", "keptBytesInv", "{ ...kept, bytes: needed }", "kept"),
  // every piece is kept as it came
  fault(
    "cost",
    "memoryNotByPiecesInv",
    "else if (needed <= kept.buffers.head()) { ...kept, bytes: needed }",
    "else if (needed > 0) { bytes: needed, buffers: kept.buffers.append(piece) }",
  ),
  // room for whatever a client announces
  fault(
    "cost",
    "memoryNotByPiecesInv",
    "least(if (announced > needed) announced",
    "most(if (announced > needed) announced",
  ),

  // a list without what the log holds; a lost server that goes on when its files are back
  fault(
    "database",
    "latestIsLastInv",
    "shown: newestFirst(rowsAt(server.open))",
    "shown: newestFirst(rows.get(server.open.file))",
  ),
  fault(
    "database",
    "lostRefusesInv",
    `if (server.isLost) { step: "list"`,
    `if (not(isKept(server.open, paths))) { step: "list"`,
  ),
  fault(
    "database",
    "answeredIsThereInv",
    "if (server.isLost or not(isKept(server.open, paths)))",
    "if (not(isKept(server.open, paths)))",
  ),
  // the log stays where it is, and is not copied
  fault(
    "database",
    "fileAloneInv",
    "pure def settle(file: List[Flow], log: List[Flow]): List[Flow] = file.concat(log)",
    "pure def settle(file: List[Flow], log: List[Flow]): List[Flow] = file",
  ),
  fault(
    "database",
    "backupIsWholeInv",
    "pure def backUp(file: List[Flow], log: List[Flow]): List[Flow] = file.concat(log)",
    "pure def backUp(file: List[Flow], log: List[Flow]): List[Flow] = file",
  ),
  // a name that is taken, a damaged file
  fault(
    "database",
    "backupIsNewInv",
    `if (target.isThere) "exists" else checkIntegrity(paths.file, damaged)`,
    "checkIntegrity(paths.file, damaged)",
  ),
  fault("database", "damagedInv", `if (file.in(damaged)) "unusable" else ""`, `""`),

  // only the file itself is looked at; a folder without the sticky bit; advice where a secret has to be refused
  fault(
    "file",
    "ownWordInv",
    "path.indices().forall(i => isStepTrusted(path[i]))",
    "isStepTrusted(path[path.length() - 1])",
  ),
  fault("file", "ownWordInv", `step.kind == "folder" and step.mode.contains("sticky")`, `step.kind == "folder"`),
  fault("file", "exposedInv", `else if (isReadOnly) "advice" else "refused"`, `else "advice"`),
  fault("file", "nothingMadeInv", `if (isTaken) "" else folder`, "folder"),
  fault("file", "noneLeftInv", `{ ...server, stage: "ended", command: "ended" }`, `{ ...server, stage: "ended" }`),

  // a refused command writes
  fault(
    "flow",
    "refusalChangesNothingInv",
    "| Refused(_) => answered(by, flowId, Ask(event), result, flow, 0, at)",
    "| Refused(_) => answered(by, flowId, Ask(event), result, write(flow, at), 0, at)",
  ),
  fault("flow", "writeAddsOneInv", "revision: flow.revision + 1, updatedAt", "revision: flow.revision + 2, updatedAt"),
  fault("flow", "revisionTellsVersionInv", "revision: flow.revision + 1, updatedAt", "updatedAt"),
  fault("flow", "oneWinnerInv", "settled(write(patched(flow, asked, now), now))", "settled(patched(flow, asked, now))"),
  fault(
    "flow",
    "endMatchesStatusInv",
    "status: Succeeded, blocked: false, waitJson: Null, endedAt: now",
    "status: Succeeded, blocked: false, waitJson: Null, endedAt: flow.endedAt",
  ),
  fault(
    "flow",
    "strangerGetsNothingInv",
    `if (flow.owner == OWNERS.get(by)) settled(flow) else Refused("not_found")`,
    "settled(flow)",
  ),
  // a pending cancel_flow forgets its intent
  fault(
    "flow",
    "cancelMarksOrEndsInv",
    "Done({ flow: intended, pending: true })",
    "Done({ flow: flow, pending: true })",
  ),
  fault(
    "flow",
    "mirroredIsNotManagedInv",
    `if (not(flow.managed)) Refused("not_managed")
    else if (flow.revision`,
    "if (flow.revision",
  ),

  fault("limits", "everyRequestCountsInv", "count: bucket.count + 1 }", "count: bucket.count }"),
  fault("limits", "windowLimitInv", "count: bucket.count + 1 }", "count: 1 }"),
  // a clock that was set back opens new windows
  fault("limits", "noEarlyReleaseInv", "bool = now < bucket.endsAt", "bool = now < bucket.endsAt and now > 0"),

  fault("pipeline", "bodySizeInv", "if (taken + 1 > MAX_BODY)", "if (taken + 1 > MAX_BODY + 1)"),
  // each deadline is longer than promised
  fault("pipeline", "bodyTimeInv", `"reading") BODY_DEADLINE else`, `"reading") BODY_DEADLINE + 1 else`),
  fault("pipeline", "hostTimeInv", `"asking") HOST_DEADLINE else`, `"asking") HOST_DEADLINE + 1 else`),
  fault("pipeline", "sendTimeInv", "HOST_DEADLINE else SEND_DEADLINE", "HOST_DEADLINE else SEND_DEADLINE + 1"),
  // a late body is reported as a late host
  fault(
    "pipeline",
    "hostTimeInv",
    `[{ code: "request_timeout", names: true }]`,
    `[{ code: "outcome_unknown", names: true }]`,
  ),
  fault(
    "pipeline",
    "hostOnlyAuthenticatedInv",
    `else if (code != "command") moved`,
    `else if (code == "invalid_json") moved`,
  ),
  // a body in a foreign charset, a compressed one
  fault("pipeline", "readableInv", "bool = r.isJson and r.isUtf8 and r.isPlain", "bool = r.isJson and r.isPlain"),
  fault("pipeline", "readableInv", "bool = r.isJson and r.isUtf8 and r.isPlain", "bool = r.isJson and r.isUtf8"),

  // empty segments count
  fault("route", "allSpellingsInv", `resolveDots(tokens).select(one => one.word != "")`, "resolveDots(tokens)"),
  // a target that is not a path reaches some route
  fault(
    "route",
    "notThereInv",
    "    | Malformed => []\n",
    `    | Malformed => if (["x"].in(config.routes.keys())) [config.routes.get(["x"])] else []\n`,
  ),
  // mounted beside its base, too
  fault("route", "mountedInv", "fold(Map(), (made, path)", "fold(config.routes, (made, path)"),
  // a name that stands on two lines is refused with one of them
  fault(
    "route",
    "repeatedInv",
    "found.lines.length() > 1)",
    "found.lines.length() > 1).map(found => { ...found, lines: [found.lines.head()] })",
  ),
  // both headers may decide
  fault(
    "route",
    "oneDecidesInv",
    "if (isBearer(headers)) headers.authorization",
    "if (isBearer(headers) or headers.own == []) headers.authorization",
  ),
  fault("route", "twoFormsInv", "    Sha256(utf8(trimText(credential))) == digest,\n", ""),
  fault(
    "route",
    "sameRefusalInv",
    `Refused(["401", "unauthorized"])`,
    `Refused(if (credentialOf(request.headers) == []) ["401", "missing"] else ["401", "wrong"])`,
  ),
  // one mistake takes down the routes before it
  fault("route", "othersLiveInv", "| Flawed(flaw) => complain(config,", "| Flawed(flaw) => complain(NOTHING,"),
  fault("route", "problemsHelpInv", `["is unusable or reserved", "Set another path"]`, `["is unusable or reserved"]`),
  fault("route", "ownPathsInv", "path.in(RESERVED) or path == []", "path == []"),
  fault("route", "ownPathsInv", "else if (draft.path.in(config.paths.keys()))", "else if (draft.path == [])"),
  // a session that is blank, and a secret that is none
  fault("route", "sessionAndSecretInv", `if (sessionOf(entry) == "")`, "if (entry.sessionKey == Absent)"),
  fault("route", "sessionAndSecretInv", "else if (entry.secret == Neither)", `else if (entry.faulty == "secret")`),
  fault("route", "defaultsInv", `bool = entry.enabled != Given("false")`, `bool = entry.enabled == Given("true")`),
  fault("route", "defaultsInv", `NoPath => plain(["webhooks", trim(entry.id)])`, `NoPath => plain(["x", "y"])`),
  fault("route", "defaultsInv", `Absent => ["webhooks", trim(entry.id)] }`, `Absent => ["mine"] }`),
  // a change is seen only when the number of entries changes
  fault(
    "route",
    "freshInv",
    "if (isReadable and block != last.block)",
    "if (isReadable and block.length() != last.block.length())",
  ),

  fault("store", "oneWinnerInv", "revision != asked.expectedRevision", "revision < asked.expectedRevision"),
  fault(
    "store",
    "sweptInv",
    "rows.keys().filter(id => not(isExpired(rows.get(id), rows.get(id).tasks.length(), now)))",
    "rows.keys()",
  ),
  // an answer that points elsewhere is followed; the secret is shown
  fault(
    "store",
    "secretOnlyInRequestInv",
    "requests: [sent],",
    `requests: if (exchange.met == "redirect") [sent, { ...sent, to: "there" }] else [sent],`,
  ),
  fault(
    "store",
    "secretOnlyInRequestInv",
    "printed: Set(exchange.met, exchange.target)",
    "printed: Set(exchange.met, exchange.target, secret)",
  ),
  // an answer of something else is taken for success
  fault("store", "doubtInv", `if (met == "done") 0`, `if (met.in(Set("done", "not_json"))) 0`),
  // a process runs past its deadline
  fault("store", "stopWaitsInv", "or now - process.since >= GRACE)", "or now - process.since > GRACE)"),

  // ACTION-1: a needed field that may be left out, a field that is lost, one that is not documented, a kind that takes
  // too much or too little, an action of no documented name, fields of a running task on one that is not
  fault(
    "values",
    "strictInv",
    `[may("controllerId", "text"), need("goal", "text"),`,
    `[may("controllerId", "text"), may("goal", "text"),`,
  ),
  fault("values", "strictInv", `may("agentId", "text"), `, ""),
  fault("values", "strictInv", `pure val REVISED = [FLOW_ID,`, `pure val REVISED = [may("session", "text"), FLOW_ID,`),
  fault(
    "values",
    "strictInv",
    `"resolve_flow" -> [need("token", "text")]`,
    `"resolve_flow" -> [need("token", "nullableText")]`,
  ),
  fault("values", "strictInv", `may("preferMetadata", "flag")`, `may("preferMetadata", "json")`),
  fault("values", "strictInv", "sent == kind", `sent == kind or sent == "negative"`),
  fault("values", "strictInv", `"cancel_flow" -> [FLOW_ID],`, `"cancel_flow" -> [FLOW_ID], "GET_FLOW" -> [FLOW_ID],`),
  fault("values", "strictInv", "else if (breaksRunningOnly(body))", "else if (body.sent == Map())"),
  fault("values", "firstFaultInv", "faulty[0].name", "faulty[faulty.length() - 1].name"),
  // an order that is not the documented one
  fault(
    "values",
    "firstFaultInv",
    `"fail_flow" -> REVISED.append(STATE).concat(BLOCKED)`,
    `"fail_flow" -> BLOCKED.concat(REVISED).append(STATE)`,
  ),
  // what is too long is printed
  fault("values", "printedInv", "if (text.length() > MAX_ANSWER)", "if (text.length() > MAX_ANSWER + 1)"),
  // the client's own entry counts; a stranger's header counts
  fault("values", "forwardedInv", "strangers[strangers.length() - 1]", "strangers[0]"),
  fault(
    "values",
    "forwardedInv",
    "if (not(sender.peer.in(sender.trusted)) or strangers == [])",
    "if (strangers == [])",
  ),
  fault("values", "totalInv", `sentence: "not_utf8"`, `sentence: ""`),
  // the clock is read instead of the argument; luck decides
  fault("values", "repeatableInv", "Live(isLive(times.endsAt, times.now))", "Live(isLive(times.endsAt, around.clock))"),
  fault("values", "repeatableInv", "Key(networkOf(address))", "Key(networkOf(address).append(around.luck))"),

  fault("view", "ownSessionsInv", "if (child != Text([Key(named)])) read else", "if (child == Nothing) read else"),
  // our own sentence is scrubbed
  fault("view", "wholeSentenceInv", "own: OWN, warned: scrub(said)", "own: scrub(OWN), warned: scrub(said)"),
  fault("view", "nonsenseInv", "isBad: made.isBad or value == Bad", "isBad: made.isBad and value == Bad"),
  fault(
    "view",
    "envelopeInv",
    `Set("Content-Type: application/json", "Cache-Control: no-store")`,
    `Set("Content-Type: application/json")`,
  ),
  fault("view", "logInv", `    | _ => Say("[hidden]")\n`, "    | _ => word\n"),
  // a request without a peer is counted; one behind a close is carried out; a body is asked for and not read
  fault(
    "server",
    "noUnknownInv",
    "isGone(request: Request): bool = not(request.hasPeer)",
    "isGone(request: Request): bool = false",
  ),
  fault("server", "nothingBehindCloseInv", "if (isBehindClose(connection)) connection", "if (false) connection"),
  fault("server", "onlyReadIsAskedInv", `request.waits and request.kind == "right"`, "request.waits"),
  // a broken file is taken over; a stop during the start is a failure; an inspector; a short idle time; an end of its own
  fault(
    "server",
    "allOrNothingInv",
    "if (files.isWhole) { ...process, served: files.version } else process",
    "{ ...process, served: files.version }",
  ),
  fault(
    "server",
    "stoppedStartInv",
    `{ ...process, stage: "over", status: 0 } else`,
    `{ ...process, stage: "over", status: 1 } else`,
  ),
  fault(
    "server",
    "noInspectorInv",
    "userSignal(process: Process): Process = process",
    "userSignal(process: Process): Process = { ...process, hasInspector: true }",
  ),
  fault("server", "keptForProxyInv", "pure val KEEP_ALIVE = 3", "pure val KEEP_ALIVE = 2"),
  fault(
    "server",
    "onlyStopEndsInv",
    "goOn(process: Process): Process = process",
    `goOn(process: Process): Process = { ...process, stage: "over", status: 0 }`,
  ),
];
