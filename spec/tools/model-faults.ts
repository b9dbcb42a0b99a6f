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

  // success before the commit; success for one client alone; a reader within the transaction; too many, and too few
  fault(
    "batches",
    "answeredIsOnDiskInv",
    `if (isCommitted and command.kind == "sound") "kept"`,
    `if (command.kind == "sound") "kept"`,
  ),
  fault(
    "batches",
    "aloneInv",
    `command.kind == "sound") "kept"`,
    `command.kind == "sound" and command.client == 1) "kept"`,
  ),
  fault("batches", "readInv", "Set[int] = disk", "Set[int] = disk.union(open.rows)"),
  fault("batches", "boundInv", "least(MAX_BATCH, waiting.length())", "waiting.length()"),
  fault("batches", "noneWaitsForMoreInv", "least(MAX_BATCH, waiting.length())", "least(1, waiting.length())"),

  // a page that answers posts; a document of all but the secret
  fault(
    "status",
    "nothingSecretInv",
    `pure val METHODS = Set("GET", "HEAD")`,
    `pure val METHODS = Set("GET", "HEAD", "POST")`,
  ),
  fault("status", "nothingSecretInv", "held.intersect(MAY_BE_SHOWN)", `held.exclude(Set("secret"))`),
  // a minute that is not cleared; an answer that is counted where the clock has gone back to
  fault("status", "countedInv", "(ring.minute + 1).to(minute)", "(ring.minute + 2).to(minute)"),
  fault("status", "countedInv", "setBy((place(now.minute), end)", "setBy((place(minute), end)"),
  fault("status", "ownPageInv", `pure val SCRIPTS = Set("own")`, `pure val SCRIPTS = Set("own", "foreign")`),
  fault(
    "status",
    "ownPageInv",
    `pure val FRAMES = Set("same host")`,
    `pure val FRAMES = Set("same host", "other host")`,
  ),

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

  // a key leads to two flows, to another route's or owner's, to none, to one that has ended; an update is lost; endless tries
  fault("binding", "oneFlowInv", `if (found > 0) "existing" else "created"`, `"created"`),
  fault("binding", "rightFlowInv", "if (isOpen(flow) and flow.owner == owner)", "if (isOpen(flow))"),
  fault(
    "binding",
    "foundInv",
    "if (isOpen(flow) and flow.owner",
    "if (isOpen(flow) and flow.revision == 0 and flow.owner",
  ),
  fault(
    "binding",
    "presentRevisionInv",
    "isOpen(flow) and flow.revision == work.revision",
    "isOpen(flow) and flow.revision >= work.revision",
  ),
  fault("binding", "triesInv", "val isLast = work.tries >= TRIES", "val isLast = work.tries > TRIES"),
  fault("binding", "staysEndedInv", "flow.isThere and flow.endedAt < 0", "flow.isThere"),
  fault("binding", "endsWithFlowInv", "filter(name => bindings.get(name) != number)", "filter(name => number > 0)"),

  // an event of what was so before; one of another session; one that a failure ends, or nothing does
  fault("callbacks", "togetherInv", `after != "open" and after != before`, `after != "open"`),
  fault("callbacks", "togetherInv", "events' = if (crash) events else all_", "events' = all_"),
  fault(
    "callbacks",
    "ownSessionInv",
    `SESSIONS.get(route) == session and addresses.get(route) != "")

`,
    `addresses.get(route) != "")

`,
  ),
  fault(
    "callbacks",
    "notLostInv",
    "outbox.put(one.event, { ...row, tries: row.tries + 1, dueAt: now + fate.wait })",
    "without(outbox, Set(one.event))",
  ),
  fault("callbacks", "notLostInv", "if (crash or not(isThere)) { if", "if (not(isThere)) { if"),
  // no lease
  fault("callbacks", "oneSenderInv", "dueAt: now + LEASE })", "dueAt: now })"),
  // the address before the operator's last word; one that is not encrypted
  fault("callbacks", "presentAddressInv", "sender: sender, to: address,", `sender: sender, to: "https k",`),
  fault("callbacks", "presentAddressInv", `url == "https" or url == "loopback"`, `url != "odd"`),
  fault("callbacks", "waitsInv", "dueAt: now + fate.wait })", "dueAt: now })"),
  // a redirect counts as taken, an address that is gone gets more, what is given up is young
  fault(
    "callbacks",
    "givenUpInv",
    `if (status == 200) { kind: "taken"`,
    `if (status == 200 or status == 301) { kind: "taken"`,
  ),
  fault(
    "callbacks",
    "givenUpInv",
    "val isGone = route.in(gone.keys()) and gone.get(route) == address",
    "val isGone = false and address == gone.get(route)",
  ),
  fault("callbacks", "givenUpInv", "now + wait - at >= LIFE", "now + wait - at >= LIFE - 3"),
  // one too many, and the newest gives way
  fault("callbacks", "boundedInv", "rows.size() > MAX_EVENTS", "rows.size() > MAX_EVENTS + 1"),
  fault(
    "callbacks",
    "boundedInv",
    "if (number < least) number else least",
    "if (least == 1000 or number > least) number else least",
  ),
  // slow routes take all places
  fault(
    "callbacks",
    "placesInv",
    "place.busy < 1 and busyOf(places, one => not(one.isFast)) < OF_SLOW",
    "place.busy < OF_FAST",
  ),
  fault("callbacks", "placesInv", "most and busyOf(places, one => true) < ALL", "most"),
  // an address that is gone is not shown; an event is shown too late
  fault("callbacks", "shownInv", "shown' = wrong,", "shown' = wrong.exclude(gone.keys()),"),
  fault("callbacks", "shownInv", "outbox.get(number).at <= now - LATE)", "outbox.get(number).at < now - LATE)"),
  // a part that is wrong turns callbacks off; a secret that does not resolve takes the route down
  fault(
    "callbacks",
    "configInv",
    `else if (not(isAddress(w.url))) { skipped: true,`,
    `else if (not(isAddress(w.url))) { skipped: false,`,
  ),
  fault(
    "callbacks",
    "configInv",
    `{ skipped: false, part: "secret", address: "" }`,
    `{ skipped: true, part: "secret", address: "" }`,
  ),

  // what a payload inherits; a text in place of a value; a payload that is multiplied; a credential; gaps
  fault(
    "mapping",
    "typeKeptInv",
    "if (template.length() == 1 and isPlaceholder",
    "if (template.length() == 0 and isPlaceholder",
  ),
  fault("mapping", "typeKeptInv", "if (found.isDone or otherwise == Nothing)", "if (otherwise == Nothing)"),
  fault("mapping", "boundedInv", "if (weightOf(value) > left)", "if (weightOf(value) > left + 9)"),
  fault("mapping", "boundedInv", "if (weight > MAX_JOINED)", "if (weight > MAX_JOINED + 1)"),
  fault("mapping", "noSecretInv", "if (pathsOf(rule).exists(isCredential))", "if (pathsOf(rule) == Set())"),
  fault("mapping", "ignoredInv", `if (allowActions and body != "")`, `if (body != "")`),
  fault(
    "mapping",
    "ignoredInv",
    "val place = decider(rules, delivery)\n    if (place < 0)",
    `val place = if (allowActions and body != "") -1 else decider(rules, delivery)\n    if (place < 0)`,
  ),
  fault(
    "mapping",
    "missingInv",
    `if (value == Nothing) failed("missing", left)`,
    `if (value == Nothing) { fault: "", value: Null, left: left }`,
  ),
  fault(
    "mapping",
    "ruleChoosesInv",
    "val mapped = { does: rules[place].does,",
    `val mapped = { does: if (body != "") "finish_flow" else rules[place].does,`,
  ),
  fault("mapping", "checkedInv", "i < place and covers(rules[i], rule)", "i < place and rules[i] == rule"),
  fault(
    "mapping",
    "checkedInv",
    "rule.fields.indices().exists(i => not(",
    "rule.fields.indices().exists(i => i > 9 and not(",
  ),

  // a repeat gets its record whatever is allowed now; a filter that is free; a prefix without its end; the longer of two keys
  fault(
    "policy",
    "actionInv",
    "if (verdict == ALLOWED) carryOut",
    "if (verdict == ALLOWED or request.key.in(store.records.keys())) carryOut",
  ),
  fault(
    "policy",
    "controllerInv",
    "else if (not(allowsController(policy, body.controller)))",
    `else if (body.does != "list_flows" and not(allowsController(policy, body.controller)))`,
  ),
  fault(
    "policy",
    "childInv",
    "UNITS.get(text).length() >= prefix.length()\n      and UNITS.get(text).slice(0, prefix.length()) == prefix",
    "UNITS.get(text).head() == prefix.head()",
  ),
  fault("policy", "childInv", "or TRIMMED.get(child).in(policy.children)", "or child.in(policy.children)"),
  // a refusal without its field, or with other actions; a refusal that leaves something behind; a wait that is refused and stays
  fault("policy", "toldInv", `refused("childSessionKey", Set())`, `refused("", Set())`),
  fault("policy", "toldInv", `refused("action", policy.actions)`, `refused("action", ACTIONS)`),
  fault(
    "policy",
    "onlyRefusesInv",
    "else { store: store, answer: verdict }\n",
    "else { store: { ...store, waits: if (request.body.isWait) store.waits + 1 else store.waits }, answer: verdict }\n",
  ),
  // an empty list, an unknown word, a rule and a run that only fail when they are used
  fault("policy", "checkedInv", "written.words == Set() or not(written.words.subseteq(WORDS))", "false"),
  fault("policy", "checkedInv", `(written.controllers == Set() or "*".in(written.controllers))`, "false"),
  fault(
    "policy",
    "checkedInv",
    "written.rules.indices().exists(i => not(",
    "written.rules.indices().exists(i => i > 9 and not(",
  ),
  fault("policy", "checkedInv", `(written.hasRun and not(allowsAction(policy, "create_flow")))`, "(false)"),

  // a result that is found is done again; a key without its route; a claim that blocks, that is dropped, that nobody runs
  fault(
    "once",
    "oneEffectInv",
    `if (found > 0) { code: "made", effect: found }`,
    `if (found > 9) { code: "made", effect: found }`,
  ),
  fault(
    "once",
    "reuseInv",
    "else if (records.get(who).body != body)",
    `else if (records.get(who).body != body and records.get(who).state == "done")`,
  ),
  fault("once", "keyFormInv", `| Quoted(text) => "key"`, `| Quoted(text) => "quoted"`),
  fault("once", "keyFormInv", `| Proved(id) => "id"`, `| Proved(id) => "key"`),
  fault("once", "longEnoughInv", "and not(who.in(running)))", "and true)"),
  fault(
    "once",
    "longEnoughInv",
    "now >= records.get(who).at + LIFE and not",
    "now >= records.get(who).at + LIFE - 1 and not",
  ),
  fault("once", "boundedInv", ".size() > MAX_RECORDS)", ".size() > MAX_RECORDS + 1)"),
  fault(
    "once",
    "notBlockedInv",
    `else if (isRunning) { code: "idempotency_in_progress"`,
    `else if (records.get(who).state == "open") { code: "idempotency_in_progress"`,
  ),
  fault("once", "unknownInv", "else if (not(record.isKnowable))", "else if (found == 0)"),
  // a 503 that is kept for a day; a claim that is dropped because the call failed
  fault(
    "once",
    "keptInv",
    `answer.code.in(Set("made", "conflict"))`,
    `answer.code.in(Set("made", "conflict", "persist_failed"))`,
  ),
  fault(
    "once",
    "oneEffectInv",
    `else if (work.answer.code == "persist_failed") without(records, work.who)`,
    `else if (work.answer.code != "none") without(records, work.who)`,
  ),
  fault("once", "unavailableInv", "else if (not(isUsable)) {", "else if (not(isUsable) and has(records, who)) {"),
  // a run that is forgotten with a call that failed; one that is queued for another flow; one that nobody intends
  fault(
    "once",
    "oneRunInv",
    `else if (answer.code == "conflict") forgotten`,
    `else if (answer.code != "none") forgotten`,
  ),
  fault("once", "oneRunInv", "(left, i) => queued(left, by, i + 1)", "(left, i) => forgotten(left, by)"),
  fault(
    "once",
    "oneRunInv",
    "and startsRun(host, r.route)) runs.put",
    `and startsRun(host, r.route) and who.key != "") runs.put`,
  ),

  // a secret that is none of the scheme's keys; a plain secret; two headers; a use that is not reported; a talkative refusal
  fault(
    "signature",
    "rightIsProvedInv",
    "now - time <= TOLERANCE and time - now <= TOLERANCE",
    "now - time < TOLERANCE and time - now <= TOLERANCE",
  ),
  fault(
    "signature",
    "timelyInv",
    "pure def isDecimal(text: str): bool = DIGITS",
    "pure def isDecimal(text: str): bool = text.in(LOOSE.keys()) or DIGITS",
  ),
  fault(
    "signature",
    "timelyInv",
    "isTimedInside(scheme) implies isDecimal(body.sentAt)",
    "isTimedInside(scheme) implies scheme == scheme or isDecimal(body.sentAt)",
  ),
  fault("signature", "keyInv", "secret.isLong and secret.isCanonical else", "secret.isLong else"),
  fault(
    "signature",
    "onlySchemeInv",
    "if (not(readSignature(route.scheme, request.head, now))) opened(-1)",
    "if (not(readSignature(route.scheme, request.head, now))) opened(placeOf(route, credentialOf(route, request.head)))",
  ),
  fault("signature", "namedInv", "if (route.hasNamed and not(shown.named.in(WITH_COMMA)))", "if (route.hasNamed)"),
  fault("signature", "namedInv", `else if (shown.own != "") shown.own\n`, ""),
  fault("signature", "previousInv", "reports: place > 0", "reports: false"),
  fault(
    "signature",
    "previousInv",
    `credential != "" and route.secrets[i].text == credential`,
    `i == 0 and route.secrets[i].text == credential`,
  ),
  fault(
    "signature",
    "sameRefusalInv",
    "else opened(verifySignature(route, request))",
    `else if (verifySignature(route, request) < 0) { answer: ["401", "wrong"], place: -1, reports: false }
    else opened(verifySignature(route, request))`,
  ),

  // JSON before the signature; a proof that is skipped; slots that strangers take or nobody gives back; no bound for strangers,
  // or one before known clients; the youngest gives way
  fault(
    "strangers",
    "orderInv",
    `    else if (isOld(r)) "unauthorized"
    else if (held >= PEER_SLOTS) "too_many_in_flight"`,
    `    else if (held >= PEER_SLOTS) "too_many_in_flight"
    else if (isOld(r)) "unauthorized"`,
  ),
  fault(
    "strangers",
    "orderInv",
    `    else if (held >= CLIENT_SLOTS) "too_many_in_flight"
    else if (not(r.hasSignature)) "unauthorized"`,
    `    else if (not(r.hasSignature)) "unauthorized"
    else if (held >= CLIENT_SLOTS) "too_many_in_flight"`,
  ),
  fault("strangers", "provedFirstInv", "isParsed: r.isSigned }", "isParsed: true }"),
  fault("strangers", "peerSlotsInv", "peerSlots.put(peer, slotsOf(peer) - 1)", "peerSlots"),
  fault("strangers", "peerSlotsInv", `    else if (held >= PEER_SLOTS) "too_many_in_flight"\n`, ""),
  fault("strangers", "strangersBoundedInv", "bytes < STRANGE_BYTES and", "bytes <= STRANGE_BYTES and"),
  fault("strangers", "strangersBoundedInv", "bodies < STRANGE_BODIES", "bodies <= STRANGE_BODIES"),
  fault(
    "strangers",
    "strangersBoundedInv",
    "bytesOf(strangeOf(r.client)) >= CLIENT_BYTES",
    "bytesOf(strangeOf(r.client)) > CLIENT_BYTES",
  ),
  fault(
    "strangers",
    "knownGoesOnInv",
    `"reading" and not(at(id).wasKnown) and at(id).since > 0`,
    `"reading" and at(id).since > 0`,
  ),
  fault("strangers", "oldestFirstInv", "at(id).since < at(first).since", "at(id).since > at(first).since"),
  fault("strangers", "oldestFirstInv", "if (p.wasKnown) BODY_DEADLINE else STRANGE_DEADLINE\n", "BODY_DEADLINE\n"),
  fault("strangers", "limitInv", "bool = taken <= MAX_BODY", "bool = taken <= MAX_BODY + 1"),
  fault("strangers", "limitInv", "bool = taken <= MAX_BODY", "bool = taken < MAX_BODY"),
  fault(
    "strangers",
    "allBytesInv",
    "else if (bytesOf(inFlight) >= ALL_BYTES)",
    "else if (bytesOf(inFlight) > ALL_BYTES)",
  ),

  // an entry that goes too soon; a turn that is forgotten, or not linked; places and their order; a turn that goes on; a third try
  fault(
    "runs",
    "keptRowInv",
    'if (ending == "wait") { ...row, state: "waiting", result: "none" }',
    'if (ending == "wait") { ...row, state: "gone" }',
  ),
  fault(
    "runs",
    "goesOnInv",
    'boot: if (after.state == "running") boot else after.boot',
    'boot: boot, state: "running"',
  ),
  fault("runs", "linkedInv", "links.union(Set(keyOf(f)))", "links"),
  fault(
    "runs",
    "orderInv",
    'FLOWS.filter(g => g < f and rows.get(g).state == "queued").size() < free)',
    'FLOWS.filter(g => g > f and rows.get(g).state == "queued").size() < free)',
  ),
  fault(
    "runs",
    "endsInv",
    "if (isOut or not(isLive(key))) host else host.set",
    "if (isOut or isLate or not(isLive(key))) host else host.set",
  ),
  fault("runs", "againInv", "row.tries < MAX_TRIES) { ...row", "row.tries <= MAX_TRIES) { ...row"),

  // a wait that is over and not read for; a write that is not told; a place too many, and one too few
  fault("waiting", "inTimeInv", "due' = ended.union(noticed).union(polled)", "due' = noticed.union(polled)"),
  fault(
    "waiting",
    "noticedInv",
    "due' = if (isTold) due.union(Set(flow)) else due, causes' = if (isTold) causes + 1 else causes,",
    "due' = due, causes' = causes,",
  ),
  fault("waiting", "placesInv", "bool = taken < PLACES", "bool = taken <= PLACES"),
  fault("waiting", "placesInv", "ofClient < CLIENT_PLACES", "ofClient <= CLIENT_PLACES"),
  fault("waiting", "refusedInv", "ofClient < CLIENT_PLACES", "ofClient < CLIENT_PLACES - 1"),
  fault("waiting", "toldInv", "told(at(id), revision) else at(id)),", "told(at(id), revision + 1) else at(id)),"),
  fault("waiting", "fewReadsInv", "if (isLook and foreign != Set()) watched", "if (isLook) watched"),
  fault("waiting", "turnsInv", "looked.get(flow) > looked.get(first)", "looked.get(flow) < looked.get(first)"),
  fault("waiting", "exitInv", `else if (not(isLate)) -1`, 'else if (answer == "running") -1'),

  // what is seen is not written, or not the end; what was so before is told; no pause, and looks that nobody wants
  fault(
    "watching",
    "lastToldInv",
    "{ standing: flow.standing, end: flow.end }\n\n  pure",
    "{ standing: flow.standing, end: 0 }\n\n  pure",
  ),
  fault("watching", "onceInv", "seen' = if (isLost) seen else asked", "seen' = if (not(isLost)) seen else asked"),
  fault("watching", "notOldInv", "not(isFirst and flow.at < since),", "not(isFirst and flow.at < 0),"),
  fault(
    "watching",
    "pauseInv",
    'pauseUntil\' = if (crash == "") now + PAUSES * (now - asked.begun) else now,',
    "pauseUntil' = now,",
  ),
  fault("watching", "pauseInv", "isWanted, not(asked.isOn), now >= pauseUntil,", "not(asked.isOn), now >= pauseUntil,"),

  // a place that a later flow takes; a page that is not in order; a filter that lists less; a cursor that opens another session; a
  // page without a bound, one that is refused, and one of a store that does what it likes
  fault("lists", "noneSkippedInv", "page[page.length() - 1].place }", "page[page.length() - 1].place - 1 }"),
  fault(
    "lists",
    "noneSkippedInv",
    "{ ...flow, status: status } else flow),",
    "{ ...flow, status: status, place: 0 - id } else flow),",
  ),
  fault(
    "lists",
    "orderInv",
    "if (flow.place > first.place) flow",
    "if (first.id == 0 or flow.place < first.place) flow",
  ),
  fault(
    "lists",
    "wholeInv",
    `code: "ok", flows: listOf(found), next: 0`,
    `code: "ok", flows: fillPage(found, 1), next: 0`,
  ),
  fault(
    "lists",
    "ownInv",
    "flow.owner == asked.owner and flow.place",
    "(flow.owner == asked.owner or asked.cursor < NEWEST) and flow.place",
  ),
  fault(
    "lists",
    "boundedInv",
    "so.page != [] and weightOf(so.page) + flow.weight > MOST",
    "so.page != [] and weightOf(so.page) > MOST",
  ),
  fault("lists", "refusedInv", "if (weightOf(readOf(found)) > MOST) {", "if (weightOf(readOf(found)) >= MOST) {"),
  fault("lists", "hostedInv", "if (page.length() > asked.limit or goesOn", "if (goesOn"),
  fault("lists", "hostedInv", " or idsOf(page).size() < page.length())", ")"),

  // a count that is not looked at, and refusals of what was carried out, is bound, or has room
  fault("quota", "gatewayInv", "val isOver = not(mayCreate(open))", "val isOver = open > QUOTA"),
  fault("quota", "refusedInv", `else if (isBound) "existing" else if (mayCreate(open))`, `else if (mayCreate(open))`),
  fault("quota", "refusedInv", "val isOver = not(mayCreate(open))", "val isOver = open >= QUOTA - 1"),

  // an edit replaces the plugin; a look forgets, the window begins anew, an old answer; paths are kept or not named
  fault("gateway", "neverAwayInv", "IS_HOT = true", "IS_HOT = false"),
  fault("gateway", "followedInv", "block == known or age == 0, age'", "true, age'"),
  fault("gateway", "countedInv", "count else count + 1,", "count else 1,"),
  fault("gateway", "countedInv", "asked' = asked + 1, count'", "asked' = asked, count'"),
  fault("gateway", "judgedInv", "404 else answerOf(block, path, secret)", "404 else answerOf(known, path, secret)"),
  fault("gateway", "goneInv", "404 else answerOf(block, path, secret)", "404 else answerOf(known, path, secret)"),
  fault(
    "gateway",
    "givenBackInv",
    "filter(path => path.in(before) or not(path.in(taken)))",
    "filter(path => not(path.in(taken))).union(before)",
  ),
  fault("gateway", "namedInv", "lateOf(wanted, fixed).exclude(late)", "lateOf(wanted, fixed).intersect(late)"),
  fault(
    "gateway",
    "statusInv",
    'if (path.in(wrong)) "skipped" else if (path.in(cold)) "cold"',
    'if (path.in(wrong)) "skipped" else if (path.in(cold)) "live"',
  ),
  fault("gateway", "statusInv", 'else "live",', 'else if (routes.get(path) == 2) "cold" else "live",'),
  fault("gateway", "callInv", "if (given != 0) given else if", "if (given == 0) given else if"),
  fault("gateway", "callInv", 'if (url == "") "this machine" else url', '"elsewhere"'),
  fault("gateway", "fixInv", "has: route.hasRules and not(route.isProved)", "has: route.hasRules"),
  fault("gateway", "fixInv", "has: route.isMain and not(route.isConfined)", "has: route.isMain"),
  fault("gateway", "strongInv", "has: not(route.isRef) },", "has: not(route.isRef) and route.length < 9 },"),
  fault(
    "gateway",
    "strongInv",
    "other.secret == route.secret and other.isRef == route.isRef) },",
    "other.secret == route.secret and not(other.isRef)) },",
  ),

  // a flow that is loaded without its lock; a key that is not locked; a lost COMMIT that is told as undone
  fault("postgres", "apartInv", "not(asked.flow.in(locked)) and", ""),
  fault(
    "postgres",
    "onceInv",
    `if (asked.key.in(records.keys())) { code: "repeat"`,
    `if (asked.key == "j") { code: "repeat"`,
  ),
  fault("postgres", "undoneInv", `if (stage == "open") "failed" else "unknown"`, `"failed"`),
  // a commit that is answered before it is done; two owners' rows; a flow that two sweeps have
  fault("postgres", "keptInv", `else if (isDone) one.decision.code else "failed"`, "else one.decision.code"),
  fault("postgres", "wallInv", `owner == "" or rows.get(id).owner == owner`, `owner != "z"`),
  fault("postgres", "sweptOnceInv", "rows.get(id).isDue and rows.get(id).ends == 0 and", "rows.get(id).isDue and"),
  fault("postgres", "readyInv", "isFit(server) and not(server.isReadOnly)", "isFit(server)"),
  fault(
    "postgres",
    "placesInv",
    "(xor(place._2, mix(owner, place._1)), place._1)",
    "(xor(place._2, mix(owner, place._2)), place._1)",
  ),
  // a slot beyond the limit; an answer that is waited for too long; a lease without an end; a password in a log; a live request
  // whose slot is not renewed
  fault("replicas", "slotsInv", "now).size() >= SLOTS)", "now).size() > SLOTS)"),
  fault(
    "replicas",
    "promptInv",
    "implies now < request.sentAt + DEADLINE,",
    "implies now <= request.sentAt + DEADLINE,",
  ),
  fault("replicas", "boundedInv", "store.leases.filter(lease => now + 1 < lease.endsAt)", "store.leases"),
  fault(
    "replicas",
    "passwordInv",
    'pure val SHOWN = Set("host", "port", "database")',
    'pure val SHOWN = Set("host", "port", "database", "password")',
  ),
  fault(
    "replicas",
    "keptInv",
    "and store.isUp) implies now < request.renewedAt + RENEW,",
    "and store.isUp) implies now < request.renewedAt + LEASE,",
  ),
];
