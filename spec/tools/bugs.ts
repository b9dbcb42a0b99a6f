// Known bugs: each as an edit of the code and the same mistake as an edit of the model, with the clause and the invariant
// that it breaks. model-faults.ts has those of the model alone.

export type Edit = { readonly file: string; readonly was: string; readonly becomes: string };

/** An edit of the model, with the invariant that must report it. */
export type ModelFault = Edit & { readonly breaks: string };

/** `model` is left out where the mistake is one that the model has no words for. */
export type Bug = {
  readonly name: string;
  readonly clause: string;
  readonly code: readonly Edit[];
  readonly model?: ModelFault;
};

export const BUGS: readonly Bug[] = [
  {
    name: "limiter off by one",
    clause: "LIMIT-1",
    code: [{ file: "core/window.ts", was: "bucket.count >= rule.limit", becomes: "bucket.count > rule.limit" }],
    model: {
      file: "spec/limits.qnt",
      was: "if (bucket.count >= limit)",
      becomes: "if (bucket.count > limit)",
      breaks: "windowLimitInv",
    },
  },
  {
    name: "early release by eviction",
    clause: "LIMIT-3",
    code: [
      {
        file: "adapters/limits/memory.ts",
        was: "if (first === undefined || isLive(first.value, now)) break;",
        becomes: "if (first === undefined || dropped >= 1 || first.value.endsAt > now + 60_000) break;",
      },
    ],
    model: {
      file: "spec/limits.qnt",
      was: "if (seen.open or isLive(e.bucket, now)) { open: true, kept: seen.kept.append(e) } else seen",
      becomes: "if (seen.open) { ...seen, kept: seen.kept.append(e) } else { ...seen, open: true }",
      breaks: "noEarlyReleaseInv",
    },
  },
  {
    name: "count forgotten on becoming known",
    clause: "LIMIT-4",
    code: [
      {
        file: "adapters/limits/known-clients.ts",
        was: "clients.set(clientKey, bucket);",
        becomes: "clients.set(clientKey, { endsAt: now + 60_000, count: 0 });",
      },
    ],
    model: {
      file: "spec/limits.qnt",
      was: "append({ key: key, bucket: b })) }",
      becomes: "append({ key: key, bucket: { endsAt: now + 1, count: 0 } })) }",
      breaks: "onePlaceInv",
    },
  },
  {
    name: "known clients pushed out by known ones too early",
    clause: "LIMIT-5",
    code: [
      {
        file: "adapters/limits/known-clients.ts",
        was: "if (!isLive(entry.value, now)) return",
        becomes: "if (entry.value.endsAt > 0) return",
      },
    ],
    model: {
      file: "spec/limits.qnt",
      was: "if (seen.done or isLive(e.bucket, now)) { ...seen, kept: seen.kept.append(e) } else { ...seen, done: true }",
      becomes: "if (seen.done) { ...seen, kept: seen.kept.append(e) } else { ...seen, done: true }",
      breaks: "knownClientsStayInv",
    },
  },
  {
    name: "another route's clients take a route's own places",
    clause: "LIMIT-5",
    code: [
      {
        file: "adapters/limits/known-clients.ts",
        was: "if (first.value.size > this.#places.own && this.#dropEnded",
        becomes: "if (this.#dropEnded",
      },
    ],
    model: {
      file: "spec/limits.qnt",
      was: "limits.known.get(route).length() > OWN and not(isLive",
      becomes: "limits.known.get(route).length() > 0 and not(isLive",
      breaks: "ownPlacesInv",
    },
  },
  {
    name: "the clients of one secret take all that is shared",
    clause: "LIMIT-5",
    code: [{ file: "adapters/limits/known-clients.ts", was: "part: maxClients,", becomes: "part: 2 * maxClients," }],
  },
  {
    name: "a route's own limit only raises the usual one",
    clause: "LIMIT-10",
    code: [
      {
        file: "core/window.ts",
        was: "{ limit: limits.perMinute, ms: rule.ms }",
        becomes: "{ limit: Math.max(rule.limit, limits.perMinute), ms: rule.ms }",
      },
    ],
    model: {
      file: "spec/limits.qnt",
      was: "room, now, rule.perMinute)",
      becomes: "room, now, if (rule.perMinute > LIMIT) rule.perMinute else LIMIT)",
      breaks: "routeLimitsInv",
    },
  },
  {
    name: "a peer has no more slots where its clients have more",
    clause: "LIMIT-10",
    code: [
      {
        file: "core/slot.ts",
        was: "Math.max(rule.peer, Math.ceil((rule.peer * limits.inFlight) / rule.client))",
        becomes: "rule.peer",
      },
    ],
  },
  {
    name: "a client is told one request too many",
    clause: "LIMIT-11",
    code: [
      {
        file: "core/allowance.ts",
        was: "Math.max(0, rule.limit - bucket.count)",
        becomes: "Math.max(0, rule.limit - bucket.count + 1)",
      },
    ],
    model: {
      file: "spec/limits.qnt",
      was: "if (bucket.count < limit) limit - bucket.count else 0",
      becomes: "if (bucket.count < limit) limit - bucket.count + 1 else 0",
      breaks: "fieldsInv",
    },
  },
  {
    name: "limits told to a sender that is refused",
    clause: "LIMIT-11",
    code: [
      {
        file: "core/answer.ts",
        was: `rejection.code === "unauthorized" ? undefined : authenticated;`,
        becomes: "authenticated;",
      },
    ],
    model: {
      file: "spec/limits.qnt",
      was: `fields: if (verdict == "admitted") Told`,
      becomes: `fields: if (verdict != "rate_limited") Told`,
      breaks: "fieldsInv",
    },
  },
  {
    name: "the seconds to the end of a window rounded down",
    clause: "LIMIT-11",
    code: [{ file: "core/allowance.ts", was: "String(Math.ceil(", becomes: "String(Math.floor(" }],
  },
  {
    name: "the operator's number of clients not used",
    clause: "LIMIT-12",
    code: [
      {
        file: "adapters/cli/commands/limits.ts",
        was: "limits: new MemoryLimits(maxClients)",
        becomes: "limits: new MemoryLimits()",
      },
    ],
  },
  {
    name: "the clients of one secret take all places of strangers",
    clause: "LIMIT-13",
    code: [
      {
        file: "adapters/limits/memory.ts",
        was: "return strangers.size < this.#capacity && this.#known.mayAdd(routeId, now);",
        becomes: "return strangers.size < this.#capacity;",
      },
    ],
    model: {
      file: "spec/limits.qnt",
      was: "now)) CAPACITY else HALF",
      becomes: "now)) CAPACITY else CAPACITY",
      breaks: "newcomersInv",
    },
  },
  {
    name: "IPv6 counted by whole address",
    clause: "LIMIT-6",
    code: [{ file: "core/network.ts", was: "groups.slice(0, 4)", becomes: "groups.slice(0, 8)" }],
    model: {
      file: "spec/values.qnt",
      was: "else [6].concat(groups.slice(0, 4))",
      becomes: "else [6].concat(groups)",
      breaks: "by64Inv",
    },
  },
  {
    name: "slot limit off by one",
    clause: "SLOT-1",
    code: [{ file: "core/slot.ts", was: "held.client < rule.client", becomes: "held.client <= rule.client" }],
    model: {
      file: "spec/limits.qnt",
      was: "bool = client < inFlight",
      becomes: "bool = client <= inFlight",
      breaks: "slotLimitInv",
    },
  },
  {
    name: "no bound for a peer",
    clause: "SLOT-1",
    code: [{ file: "core/slot.ts", was: "held.peer < rule.peer", becomes: "held.peer >= 0" }],
    model: { file: "spec/limits.qnt", was: "and peer < PEER_SLOTS", becomes: "and peer >= 0", breaks: "slotLimitInv" },
  },
  {
    name: "a peer's slot kept after the request",
    clause: "SLOT-3",
    code: [
      {
        file: "adapters/limits/memory.ts",
        was: "    if (isProved || !isSigned(route)) dropSlot(this.state.peerSlots, peerKey);\n",
        becomes: "",
      },
    ],
    model: {
      file: "spec/limits.qnt",
      was: "peerSlots: dropSlot(limits.peerSlots, slot.peer) }",
      becomes: "peerSlots: limits.peerSlots }",
      breaks: "exactSlotsInv",
    },
  },
  {
    name: "a refused request keeps its slot",
    clause: "SLOT-2",
    code: [
      {
        file: "adapters/bridge/bridge.ts",
        was: `    if (entered.isErr() && verdict.kind === "admitted") release(located, false);\n`,
        becomes: "",
      },
    ],
    model: {
      file: "spec/limits.qnt",
      was: `else if (counted.kind == "admitted") release(counted.limits, slotOf(request))\n`,
      becomes: "",
      breaks: "exactSlotsInv",
    },
  },
  {
    name: "slot leak when a client hangs up",
    clause: "SLOT-2",
    code: [
      {
        file: "adapters/bridge/bridge.ts",
        was: `      if ("reply" in carried) {
`,
        becomes: `      if ("reply" in carried) {
        held.isGivenBack = carried.event.code === "request_timeout";
`,
      },
    ],
    model: {
      file: "spec/pipeline.qnt",
      was: `stage: "over", age: 0, holdsSlot: false,`,
      becomes: `stage: "over", age: 0, holdsSlot: p.holdsSlot and p.taken == 0,`,
      breaks: "slotOnceInv",
    },
  },
  {
    name: "slot released twice",
    clause: "SLOT-2",
    code: [
      {
        file: "adapters/bridge/bridge.ts",
        was: "    held.isGivenBack = true;\n    release(located, held.hasPeerSlot);\n",
        becomes: "    release(located, held.hasPeerSlot);\n    release(located, held.hasPeerSlot);\n",
      },
    ],
    model: {
      file: "spec/pipeline.qnt",
      was: "(if (p.holdsSlot) 1 else 0)",
      becomes: "(if (p.holdsSlot) 2 else 0)",
      breaks: "slotOnceInv",
    },
  },
  {
    name: "wrong order of checks",
    clause: "ORDER-1",
    code: [
      {
        file: "core/admit.ts",
        was: "  const media = checkMediaType(located.head.header);\n",
        becomes: `  const early = proofOf(located, false, hash, now);
  if (early.isErr()) return err(early.error);
  const media = checkMediaType(located.head.header);
`,
      },
    ],
    model: {
      file: "spec/pipeline.qnt",
      was: `if (r.isLimited) "rate_limited"
    else if (not(checkMediaType(r))) "unsupported_media_type"`,
      becomes: `if (r.isLimited) "rate_limited"
    else if (not(r.isSecret)) "unauthorized"
    else if (not(checkMediaType(r))) "unsupported_media_type"`,
      breaks: "orderInv",
    },
  },
  {
    name: "content-type check skipped",
    clause: "BODY-1",
    code: [
      {
        file: "core/admit.ts",
        was: "if (media.isErr())",
        becomes: `if (media.isErr() && head.header("content-type") === "")`,
      },
    ],
    model: {
      file: "spec/pipeline.qnt",
      was: `    else if (not(checkMediaType(r))) "unsupported_media_type"
    else if (held`,
      becomes: "    else if (held",
      breaks: "bodyOnlyAdmittedInv",
    },
  },
  {
    name: "credential of one route accepted on another",
    clause: "AUTH-6",
    code: [
      {
        file: "core/secret.ts",
        was: "class Digest {",
        becomes: "const ALL: Digest[] = [];\nclass Digest {",
      },
      { file: "core/secret.ts", was: "this.#bytes = bytes;", becomes: "this.#bytes = bytes;\n    ALL.push(this);" },
      {
        file: "core/secret.ts",
        was: "return difference === 0;",
        becomes: "return difference === 0 || ALL.some((one) => one.#bytes.every((byte, at) => byte === other[at]));",
      },
    ],
    model: {
      file: "spec/route.qnt",
      was: "else if (not(authenticate(found[0], request.headers))) Refused",
      becomes:
        "else if (not(config.routes.keys().exists(path => authenticate(config.routes.get(path), request.headers)))) Refused",
      breaks: "ownSecretInv",
    },
  },
  {
    name: "host asked before the credential is checked",
    clause: "AUTH-1",
    code: [
      {
        file: "core/authenticate.ts",
        was: "return isPossible ? proof(route, placeOf(secrets, credential, hash), allowance) : err(UNAUTHORIZED);",
        becomes: "return isPossible ? proof(route, 0, allowance) : err(UNAUTHORIZED);",
      },
    ],
    model: {
      file: "spec/pipeline.qnt",
      was: `    else if (not(r.isSecret)) "unauthorized"
    else "admitted"`,
      becomes: `    else "admitted"`,
      breaks: "hostOnlyAuthenticatedInv",
    },
  },
  {
    name: "unresolved secret served",
    clause: "ROUTE-3",
    code: [
      {
        file: "core/secret-config.ts",
        was: `return placeholder === undefined
    ? undefined`,
        becomes: `return placeholder === undefined || placeholder.startsWith("is a reference")
    ? undefined`,
      },
    ],
    model: {
      file: "spec/route.qnt",
      was: `if (text.in(PLACEHOLDERS) or text == "") Unresolved`,
      becomes: `if (text == "") Unresolved`,
      breaks: "noSecretNoRouteInv",
    },
  },
  {
    name: "nesting limit off",
    clause: "BODY-4",
    code: [
      {
        file: "core/json.ts",
        was: `if (depth > MAX_REQUEST_DEPTH) return "too_deep";`,
        becomes: `if (depth > 10 * MAX_REQUEST_DEPTH) return "too_deep";`,
      },
    ],
    model: {
      file: "spec/values.qnt",
      was: "node.level > MAX_REQUEST_DEPTH",
      becomes: "node.level > 10 * MAX_REQUEST_DEPTH",
      breaks: "depthInv",
    },
  },
  {
    name: "member __proto__ accepted and lost",
    clause: "BODY-5",
    code: [{ file: "core/json.ts", was: `if (name === "__proto__") return "forbidden_member";`, becomes: "" }],
    model: {
      file: "spec/values.qnt",
      was: `if (name == "__proto__") "forbidden_member" else if`,
      becomes: "if",
      breaks: "unchangedInv",
    },
  },
  {
    name: "stale revision applied",
    clause: "FLOW-3",
    code: [
      {
        file: "core/lifecycle.ts",
        was: "flow.revision !== asked.expectedRevision",
        becomes: "flow.revision < asked.expectedRevision",
      },
    ],
    model: {
      file: "spec/flow.qnt",
      was: "flow.revision != expectedRevision",
      becomes: "flow.revision < expectedRevision",
      breaks: "namedRevisionInv",
    },
  },
  {
    name: "intent cleared by resume",
    clause: "FLOW-4",
    code: [
      {
        file: "core/lifecycle.ts",
        was: `status: asked.status ?? "queued",
  currentStep: given`,
        becomes: `status: asked.status ?? "queued",
  cancelRequestedAt: undefined,
  currentStep: given`,
      },
    ],
    model: {
      file: "spec/flow.qnt",
      was: "ResumeFlow(status) => { ...flow, status: status,",
      becomes: "ResumeFlow(status) => { ...flow, status: status, cancelRequestedAt: NONE,",
      breaks: "intentSurvivesInv",
    },
  },
  {
    name: "sweep ends flows whose tasks are active",
    clause: "FLOW-6",
    code: [
      {
        file: "core/lifecycle.ts",
        was: "!isEnded(flow) && activeTasks === 0",
        becomes: "!isEnded(flow) && activeTasks >= 0",
      },
    ],
    model: {
      file: "spec/flow.qnt",
      was: "not(isEnded(flow)) and activeTasks == 0",
      becomes: "not(isEnded(flow)) and activeTasks >= 0",
      breaks: "sweepEndsIntentsInv",
    },
  },
  {
    name: "task added to a flow that is to be cancelled",
    clause: "FLOW-5",
    code: [
      {
        file: "core/lifecycle.ts",
        was: `if (flow.cancelRequestedAt !== undefined) return err("cancel_requested");`,
        becomes: "",
      },
    ],
    model: {
      file: "spec/flow.qnt",
      was: `    else if (flow.cancelRequestedAt != NONE) Refused("cancel_requested")\n`,
      becomes: "",
      breaks: "taskOnlyForLiveFlowInv",
    },
  },
  {
    name: "second task for one run",
    clause: "TASK-1",
    code: [{ file: "core/task.ts", was: `asked.runtime === "acp" ? runs[0] : undefined`, becomes: "undefined" }],
    model: {
      file: "spec/store.qnt",
      was: `if (asked.runtime == "acp") runs else []`,
      becomes: "[]",
      breaks: "oneTaskForARunInv",
    },
  },
  {
    name: "another subagent taken for the same run",
    clause: "TASK-1",
    code: [{ file: "core/task.ts", was: `(asked.runtime === "acp" ? runs[0] : undefined)`, becomes: "runs[0]" }],
    model: {
      file: "spec/store.qnt",
      was: `if (asked.runtime == "acp") runs else []`,
      becomes: "runs",
      breaks: "rightTaskInv",
    },
  },
  {
    name: "a write without the exclusion of other writers",
    clause: "STORE-1",
    code: [
      {
        file: "adapters/flows/sqlite/batch.ts",
        was: `"BEGIN IMMEDIATE"`,
        becomes: `"BEGIN"`,
      },
      {
        file: "adapters/flows/sqlite/engine.ts",
        was: "const decision = decide(this.#tables.load(needs));",
        becomes: `const loaded = this.#tables.load(needs);
      this.#database.exec("COMMIT; BEGIN IMMEDIATE");
      const decision = decide(loaded);`,
      },
    ],
    model: {
      file: "spec/store.qnt",
      was: "bool = file.writer == NOBODY",
      becomes: `bool = file.application == "ocwh"`,
      breaks: "nothingBetweenInv",
    },
  },
  {
    name: "a decision saved in part",
    clause: "FLOW-1",
    code: [
      {
        file: "core/flow-command.ts",
        was: "({ ...why, flow: view })));",
        becomes: `({ ...why, flow: view })), [{ kind: "update_flow", flow: { ...flow, revision: flow.revision + 1 } }]);`,
      },
    ],
  },
  {
    name: "answer before the commit",
    clause: "STORE-2",
    code: [
      {
        file: "adapters/flows/sqlite/batch.ts",
        was: `      database.exec("COMMIT");\n`,
        becomes: "",
      },
    ],
    model: {
      file: "spec/store.qnt",
      was: `bool = work == "committed"`,
      becomes: `bool = work.in(Set("begun", "committed"))`,
      breaks: "answeredIsKeptInv",
    },
  },
  {
    name: "database of a newer version opened",
    clause: "STORE-4",
    code: [
      {
        file: "adapters/flows/sqlite/schema.ts",
        was: `> SCHEMA_VERSION ? err("newer") : ok()`,
        becomes: `> SCHEMA_VERSION + 9 ? err("newer") : ok()`,
      },
    ],
    model: {
      file: "spec/store.qnt",
      was: `if (file.version > SCHEMA_VERSION) "newer" else ""`,
      becomes: `""`,
      breaks: "foreignFileInv",
    },
  },
  {
    name: "listening beyond loopback without --public",
    clause: "SERVE-1",
    code: [
      {
        file: "adapters/cli/commands/listen-address.ts",
        was: "isLoopback(host) || isPublic\n",
        becomes: `isPublic || host !== ""\n`,
      },
    ],
    model: {
      file: "spec/store.qnt",
      was: `if (isLoopback(host) or isPublic) "" else "not_public"`,
      becomes: `""`,
      breaks: "loopbackInv",
    },
  },
  {
    name: "a stop that cuts off",
    clause: "SERVE-2",
    code: [
      {
        file: "adapters/server/server.ts",
        was: "    connections.drain();\n",
        becomes: "    connections.drain();\n    connections.cut();\n",
      },
    ],
    model: {
      file: "spec/store.qnt",
      was: `(process.work == "idle" or now - process.since >= GRACE)`,
      becomes: "now - process.since >= 0",
      breaks: "stopWaitsInv",
    },
  },
  {
    name: "secret taken from the arguments",
    clause: "CALL-1",
    code: [
      {
        file: "adapters/cli/commands/call-secret.ts",
        was: `env[name]?.trim() ?? ""`,
        becomes: "env[name]?.trim() ?? name",
      },
    ],
    model: {
      file: "spec/store.qnt",
      was: `HELD.get((option, word)) else ""`,
      becomes: "HELD.get((option, word)) else word",
      breaks: "secretNotInArgumentsInv",
    },
  },
  {
    name: "ended flows removed by the first sweep",
    clause: "STORE-3",
    code: [
      {
        file: "core/lifecycle.ts",
        was: "now - (flow.endedAt ?? flow.updatedAt) >= RETENTION_MS",
        becomes: "now - (flow.endedAt ?? flow.updatedAt) >= 0",
      },
      {
        file: "core/flow-command.ts",
        was: "endedBy: now - RETENTION_MS, limit",
        becomes: "endedBy: now, limit",
      },
    ],
    model: {
      file: "spec/store.qnt",
      was: "activeTasks == 0 and now - flow.endedAt >= RETENTION",
      becomes: "activeTasks == 0 and now - flow.endedAt >= 0",
      breaks: "keptUntilOverdueInv",
    },
  },
  {
    name: "flows removed although their tasks are active",
    clause: "STORE-3",
    code: [
      { file: "core/lifecycle.ts", was: "isEnded(flow) && activeTasks === 0 && now", becomes: "isEnded(flow) && now" },
    ],
    model: {
      file: "spec/store.qnt",
      was: "flow.endedAt != NONE and activeTasks == 0",
      becomes: "flow.endedAt != NONE and activeTasks >= 0",
      breaks: "keptUntilOverdueInv",
    },
  },
  {
    name: "owner in a view",
    clause: "VIEW-1",
    code: [
      {
        file: "core/view.ts",
        was: `const readFlow = (record: Named) => ({`,
        becomes: `const readFlow = (record: Named) => ({\n  ownerKey: optionalText(record["ownerKey"]),`,
      },
    ],
    model: {
      file: "spec/view.qnt",
      was: `row("currentStep", "optionalText"),`,
      becomes: `row("currentStep", "optionalText"), row("ownerKey", "optionalText"),`,
      breaks: "sameReplyInv",
    },
  },
  {
    name: "a field checked in one reading and shown from another",
    clause: "VIEW-5",
    code: [
      {
        file: "core/view.ts",
        was: "const value = reader(own(record, field));\n    if (value === BAD)",
        becomes: "const value = reader(own(record, field));\n    if (reader(own(record, field)) === BAD)",
      },
    ],
    model: {
      file: "spec/view.qnt",
      was: "| Shifting(member) => member.first",
      becomes: "| Shifting(member) => member.later",
      breaks: "readOnceInv",
    },
  },
  {
    name: "nested JSON shown as it was handed over",
    clause: "VIEW-5",
    code: [{ file: "core/json.ts", was: "    copy[name] = copied;", becomes: "    copy[name] = member;" }],
    model: {
      file: "spec/view.qnt",
      was: `Value = Json("plain")`,
      becomes: "Value = Json(tree)",
      breaks: "readOnceInv",
    },
  },
  {
    name: "host prose passed on",
    clause: "REPLY-3",
    code: [
      {
        file: "adapters/managed-flows/prose.ts",
        was: "FLOW_STATUSES.find((status) => status === named)",
        becomes: "(named as FlowStatus | undefined)",
      },
    ],
    model: {
      file: "spec/view.qnt",
      was: "warn(told(request, row, [Say(row.sentence)], [flow.shown], [flow.reads]), refused.reason)",
      becomes: "warn(told(request, row, refused.reason, [flow.shown], [flow.reads]), refused.reason)",
      breaks: "ownSentencesInv",
    },
  },
  {
    name: "another owner's flow readable",
    clause: "SCOPE-1",
    code: [
      {
        file: "adapters/bridge/execute.ts",
        was: "store.execute(route.sessionKey, action, report, delivery)",
        becomes: `store.execute("agent:main:main", action, report, delivery)`,
      },
    ],
    model: {
      file: "spec/route.qnt",
      was: "else Asked({ routeId: found[0].id, sessionKey: found[0].sessionKey })",
      becomes: `else Asked({ routeId: found[0].id, sessionKey: if (request.wants == "") found[0].sessionKey else request.wants })`,
      breaks: "ownSessionInv",
    },
  },
  {
    name: "answer about another flow shown",
    clause: "SCOPE-2",
    code: [
      {
        file: "adapters/bridge/check-outcome.ts",
        was: `value.json["flowId"] === flowId) ? value`,
        becomes: `value.json["flowId"] !== "" || flowId === "") ? value`,
      },
    ],
    model: {
      file: "spec/pipeline.qnt",
      was: `host == "nonsense" or host == "other_flow" or host`,
      becomes: `host == "nonsense" or host`,
      breaks: "onlyAskedFlowInv",
    },
  },
  {
    name: "double reply",
    clause: "REPLY-4",
    code: [
      {
        file: "adapters/bridge/bridge.ts",
        was: "await deliver(prepared);",
        becomes: "void deliver(prepared);\n      await deliver(prepared);",
      },
    ],
    model: {
      file: "spec/pipeline.qnt",
      was: `moved(id, entering(id, "sending"), [{ code: code, names: true }], [], by)`,
      becomes: `moved(id, entering(id, "sending"), [{ code: code, names: true }, { code: code, names: true }], [], by)`,
      breaks: "oneReplyInv",
    },
  },
  {
    name: "route named before its secret is shown",
    clause: "REPLY-2",
    code: [
      {
        file: "core/answer.ts",
        was: "shown?.route.id, shown?.allowance",
        becomes: "(authenticated?.route ?? located?.route)?.id, shown?.allowance",
      },
    ],
    model: {
      file: "spec/pipeline.qnt",
      was: "[{ code: code, names: false }], [], Arrive(id))",
      becomes: "[{ code: code, names: true }], [], Arrive(id))",
      breaks: "namesOnlyAuthenticatedInv",
    },
  },
  {
    name: "client forges a log line",
    clause: "AUDIT-2",
    code: [
      { file: "core/text.ts", was: "INVISIBLE = /[^\\x20-\\x7e]/gu", becomes: "INVISIBLE = /[^\\x20-\\x7e\\n]/gu" },
    ],
    model: {
      file: "spec/values.qnt",
      was: "bool = 32 <= code and code <= 126",
      becomes: "bool = (32 <= code and code <= 126) or code == 10",
      breaks: "printableInv",
    },
  },
  {
    name: "configured value in a problem",
    clause: "CONFIG-3",
    code: [
      {
        file: "core/config.ts",
        was: "? WEAKNESSES.short.sentence",
        becomes: "? `${value} ${WEAKNESSES.short.sentence}`",
      },
    ],
    model: {
      file: "spec/route.qnt",
      was: `["is empty or could not be resolved", "Repair its reference"]`,
      becomes: `["is empty or could not be resolved", draft.sessionKey, "Repair its reference"]`,
      breaks: "noValuesInv",
    },
  },
  {
    name: "a comparison that ends at the first difference",
    clause: "AUTH-3",
    code: [
      {
        file: "core/secret.ts",
        was: "i < this.#bytes.length; i += 1)",
        becomes: "i < this.#bytes.length && difference === 0; i += 1)",
      },
    ],
    model: {
      file: "spec/values.qnt",
      was: "foldl(start, (sum, i) => {",
      becomes: "foldl(start, (sum, i) => if (sum.difference > 0) sum else {",
      breaks: "everyByteInv",
    },
  },
  {
    name: "the first of two credential headers counts",
    clause: "AUTH-7",
    code: [
      {
        file: "adapters/node/head.ts",
        was: "lines.length > 1 ? lines",
        becomes: "lines.length > 2 ? lines",
      },
    ],
    model: {
      file: "spec/route.qnt",
      was: "first.concat([44, 32]).concat(second)",
      becomes: "first",
      breaks: "twiceInv",
    },
  },
  {
    name: "slot kept when a body of fetch is given up",
    clause: "SLOT-2",
    code: [{ file: "adapters/fetch/respond.ts", was: "pull, cancel: end }", becomes: "pull }" }],
  },
  {
    name: "one entry of the table too many is looked at",
    clause: "LIMIT-7",
    code: [{ file: "adapters/limits/known-clients.ts", was: "MAX_SCAN = 8;", becomes: "MAX_SCAN = 9;" }],
    model: {
      file: "spec/cost.qnt",
      was: "done < r.known and done < MAX_SCAN",
      becomes: "done < r.known and done <= MAX_SCAN",
      breaks: "boundedWorkInv",
    },
  },
  {
    name: "a loopback address in a header counts as the client",
    clause: "LIMIT-8",
    code: [{ file: "adapters/node/client.ts", was: "!isIn(loopback, address) && ", becomes: "" }],
  },
  {
    name: "a disabled route served",
    clause: "ROUTE-3",
    code: [
      {
        file: "core/config.ts",
        was: `own(written, "enabled") === false`,
        becomes: `own(written, "enabled") === "false"`,
      },
    ],
    model: {
      file: "spec/route.qnt",
      was: "if (not(isEnabled(entry))) config",
      becomes: `if (entry.faulty == "disabled") config`,
      breaks: "disabledInv",
    },
  },
  {
    name: "a route's id in a problem that the page shows",
    clause: "STATUS-1",
    code: [
      {
        file: "adapters/status/document.ts",
        was: "line: hideSessions(hideValues(line, hidden), HIDDEN)",
        becomes: "line",
      },
    ],
    model: {
      file: "spec/status.qnt",
      was: "held.intersect(MAY_BE_SHOWN)",
      becomes: 'held.exclude(Set("secret"))',
      breaks: "nothingSecretInv",
    },
  },
  {
    name: "a clock that went back loses the last hour",
    clause: "STATUS-2",
    code: [
      {
        file: "adapters/status/activity.ts",
        was: "Math.max(this.#minute, Math.floor(at / MINUTE_MS))",
        becomes: "Math.floor(at / MINUTE_MS)",
      },
    ],
    model: {
      file: "spec/status.qnt",
      was: "if (minute <= ring.minute) ring",
      becomes: "if (minute == ring.minute) ring",
      breaks: "countedInv",
    },
  },
  {
    name: "any inline script runs in the page",
    clause: "STATUS-3",
    code: [
      {
        file: "adapters/status/page.ts",
        was: '`script-src ${hashOf(html, "script")}`',
        becomes: "\"script-src 'unsafe-inline'\"",
      },
    ],
    model: {
      file: "spec/status.qnt",
      was: 'pure val SCRIPTS = Set("own")',
      becomes: 'pure val SCRIPTS = Set("own", "foreign")',
      breaks: "ownPageInv",
    },
  },
  {
    name: "a refused reload is forgotten with the next one",
    clause: "STATUS-4",
    code: [
      {
        file: "adapters/cli/commands/reload.ts",
        was: "this.#refused = refusedLine(this.#now(), why);",
        becomes: "this.#refused = this.#refused === undefined ? refusedLine(this.#now(), why) : undefined;",
      },
    ],
    model: {
      file: "spec/status.qnt",
      was: "{ ...serving, refused: version }",
      becomes: "{ ...serving, refused: if (serving.refused == 0) version else 0 }",
      breaks: "servedInv",
    },
  },
  {
    name: "topics forgotten when there are many",
    clause: "AUDIT-3",
    code: [
      {
        file: "adapters/bridge/log.ts",
        was: `      this.#countUnshown(now);
      return false;`,
        becomes: "      this.#noticed.clear();",
      },
    ],
    model: { file: "spec/audit.qnt", was: ".size() < MAX_TOPICS", becomes: ".size() >= 0", breaks: "rationedInv" },
  },
  {
    name: "a secret file that a shared group may write",
    clause: "FILE-1",
    code: [{ file: "adapters/cli/trusted-path.ts", was: `writers === "own" && uid === gid`, becomes: "uid === gid" }],
  },
  {
    name: "a secret file that its group may read",
    clause: "FILE-2",
    code: [{ file: "adapters/cli/read-text.ts", was: "isOwn(stats) ? 0o044 : 0o004", becomes: "0o004" }],
  },
  {
    name: "database in a relative folder",
    clause: "FILE-3",
    code: [{ file: "adapters/cli/home.ts", was: "isAbsolute(folder)", becomes: `folder !== ""` }],
    model: { file: "spec/file.qnt", was: `folder == "absolute")`, becomes: `folder != "")`, breaks: "absoluteInv" },
  },
  {
    name: "answer before the disk has it",
    clause: "STORE-2",
    code: [{ file: "adapters/flows/sqlite/index.ts", was: "synchronous = FULL", becomes: "synchronous = OFF" }],
  },
  {
    name: "an update that does not look at the revision",
    clause: "PG-1",
    code: [
      {
        file: "adapters/flows/postgres/tables.ts",
        was: "flow_id = $1 AND revision = $2",
        becomes: "flow_id = $1 AND $2::bigint IS NOT NULL",
      },
      { file: "adapters/flows/postgres/tables.ts", was: "FOR NO KEY UPDATE OF flows", becomes: "" },
    ],
    model: {
      file: "spec/postgres.qnt",
      was: "revision: made.get(id).revision + 1,\n        notes: made.get(id).notes.append(asked.id) }",
      becomes: "revision: asked.expected + 1,\n        notes: List(asked.id) }",
      breaks: "oneWinnerInv",
    },
  },
  {
    name: "a lost commit told as not written",
    clause: "PG-2",
    code: [
      {
        file: "adapters/flows/postgres/engine.ts",
        was: "isUnknown: progress.isCommitting && !hasAnswered(error)",
        becomes: "isUnknown: false",
      },
    ],
  },
  {
    name: "a standby that is read",
    clause: "PG-3",
    code: [
      {
        file: "adapters/flows/postgres/connect.ts",
        was: "found?.is_standby === true",
        becomes: `found?.version === ""`,
      },
    ],
    model: {
      file: "spec/postgres.qnt",
      was: "bool = server.isUp and not(server.isStandby)\n",
      becomes: "bool = server.isUp\n",
      breaks: "primaryInv",
    },
  },
  {
    name: "a wall that the tables' owner passes",
    clause: "PG-4",
    code: [
      {
        file: "adapters/flows/postgres/schema.ts",
        was: "ALTER TABLE ${SCHEMA}.${table} FORCE ROW LEVEL SECURITY;\n",
        becomes: "",
      },
    ],
  },
  {
    name: "sweeps that wait for each other",
    clause: "PG-5",
    code: [
      {
        file: "adapters/flows/postgres/tables.ts",
        was: "LIMIT $1 FOR UPDATE SKIP LOCKED",
        becomes: "LIMIT $1 FOR UPDATE",
      },
    ],
  },
  {
    name: "tables made by what was seen before the lock",
    clause: "PG-6",
    code: [
      {
        file: "adapters/flows/postgres/schema.ts",
        was: "const found = await look(client);",
        becomes: "const found = before;",
      },
    ],
    model: {
      file: "spec/postgres.qnt",
      was: "seen: int): bool = version == 0",
      becomes: "seen: int): bool = seen == 0",
      breaks: "madeOnceInv",
    },
  },
  {
    name: "a look that finds nothing",
    clause: "PG-7",
    code: [
      {
        file: "adapters/flows/postgres/notices.ts",
        was: "snapshot !== seen)) this.#changes",
        becomes: "snapshot < seen)) this.#changes",
      },
    ],
    model: {
      file: "spec/postgres.qnt",
      was: "if (since < time) NONE else since",
      becomes: "since",
      breaks: "toldInv",
    },
  },
  {
    name: "a network that is trusted unasked",
    clause: "PG-8",
    code: [
      {
        file: "adapters/flows/postgres/address.ts",
        was: `isNear(host) ? "disable" : "verify-full"`,
        becomes: `isNear(host) ? "disable" : "require"`,
      },
    ],
    model: {
      file: "spec/postgres.qnt",
      was: `if (address.isNear) "none" else "verified"`,
      becomes: `"none"`,
      breaks: "protectedInv",
    },
  },
  {
    name: "flows dated by the replica",
    clause: "PG-9",
    code: [
      {
        file: "adapters/flows/postgres/clock.ts",
        was: "Math.floor(this.#monotonic() + this.#ahead)",
        becomes: "Date.now()",
      },
    ],
    model: {
      file: "spec/postgres.qnt",
      was: "ahead: int): int = database",
      becomes: "ahead: int): int = database + ahead",
      breaks: "clockInv",
    },
  },
  {
    name: "flows dated by what a replica has read before",
    clause: "PG-9",
    code: [
      {
        file: "adapters/flows/postgres/engine.ts",
        was: "if (row !== undefined) this.#parts.clock",
        becomes: "if (row === undefined) this.#parts.clock",
      },
    ],
    model: {
      file: "spec/postgres.qnt",
      was: `at: timeOf(now, replicas.get(name).ahead)`,
      becomes: `at: if (name == "a") 0 else timeOf(now, replicas.get(name).ahead)`,
      breaks: "datesInv",
    },
  },
  {
    name: "cursors that count all flows",
    clause: "PG-10",
    code: [
      {
        file: "adapters/flows/postgres/places.ts",
        was: "const ROUNDS = [0, 1, 2, 3] as const",
        becomes: "const ROUNDS: readonly number[] = []",
      },
    ],
    model: {
      file: "spec/postgres.qnt",
      was: "(int, int) = round(owner, round(owner, place))",
      becomes: "(int, int) = place",
      breaks: "placesInv",
    },
  },
  {
    name: "flows listed by the clock",
    clause: "STORE-5",
    code: [
      {
        file: "adapters/flows/sqlite/tables.ts",
        was: "ORDER BY made DESC",
        becomes: "ORDER BY created_at DESC, made DESC",
      },
    ],
    model: {
      file: "spec/database.qnt",
      was: "=> [flow].concat(after))",
      becomes: `=>
    if (after == [] or flow.createdAt >= after.head().createdAt) [flow].concat(after) else after.append(flow))`,
      breaks: "newestFirstInv",
    },
  },
  {
    name: "a removed log not noticed",
    clause: "STORE-6",
    code: [
      {
        file: "adapters/flows/sqlite/open-files.ts",
        was: "const [, is] = atLog.check();",
        becomes: "const is = fstatSync(log, { bigint: true });",
      },
    ],
    model: {
      file: "spec/database.qnt",
      was: "bool = open == paths",
      becomes: "bool = open.file == paths.file",
      breaks: "answeredIsThereInv",
    },
  },
  {
    name: "a log that is not tried again",
    clause: "STORE-7",
    code: [
      { file: "adapters/flows/sqlite/engine.ts", was: "settled.isErr() || !settled.value", becomes: "settled.isErr()" },
    ],
  },
  {
    name: "a write that fails among others is undone in part",
    clause: "STORE-10",
    code: [
      {
        file: "adapters/flows/sqlite/batch.ts",
        was: `"ROLLBACK TO one; RELEASE one"`,
        becomes: `"RELEASE one"`,
      },
    ],
    model: {
      file: "spec/batches.qnt",
      was: `open.rows.union(Set(command.id)) else open.rows,`,
      becomes: "open.rows.union(Set(command.id)) else open.rows.union(Set(command.id)),",
      breaks: "refusedIsNotThereInv",
    },
  },
  {
    name: "a write that waits for others to come",
    clause: "STORE-10",
    code: [
      {
        file: "adapters/flows/sqlite/batch.ts",
        was: "setImmediate(() => this.#commit());",
        becomes: "setImmediate(() => (this.#turn = setImmediate(() => this.#commit())));",
      },
    ],
  },
  {
    name: "the last slot waits for others",
    clause: "STORE-11",
    code: [
      {
        file: "adapters/bridge/bridge.ts",
        was: "      if (isPromiseLike(asked)) hurryIfFull(located);\n",
        becomes: "",
      },
    ],
    model: { file: "spec/batches.qnt", was: "bool = held >= SLOTS", becomes: "bool = held > SLOTS", breaks: "slotInv" },
  },
  {
    name: "times that follow a clock set back",
    clause: "FLOW-7",
    code: [
      {
        file: "core/lifecycle.ts",
        was: "Math.max(now, flow.updatedAt, flow.createdAt)",
        becomes: "Math.max(now, flow.createdAt)",
      },
    ],
    model: {
      file: "spec/flow.qnt",
      was: "if (now < flow.updatedAt) flow.updatedAt else now",
      becomes: "now",
      breaks: "timesNeverGoBackInv",
    },
  },
  {
    name: "a secret for this machine sent through a proxy elsewhere",
    clause: "CALL-2",
    code: [
      {
        file: "adapters/cli/commands/call-proxy.ts",
        was: "if (isElsewhere && isThisMachine(target.hostname))",
        becomes: `if (isElsewhere && target.hostname === "127.0.0.1")`,
      },
    ],
    model: {
      file: "spec/store.qnt",
      was: `if (exchange.proxy == "" or (exchange.target == "here" and exchange.proxy != "here"))`,
      becomes: `if (exchange.proxy == "")`,
      breaks: "receiversInv",
    },
  },
  {
    name: "silence taken for no connection",
    clause: "CALL-3",
    code: [
      {
        file: "adapters/cli/commands/call-send.ts",
        was: `sending.once("finish", () => (wasSent`,
        becomes: `sending.once("response", () => (wasSent`,
      },
    ],
    model: {
      file: "spec/store.qnt",
      was: "if (met.in(UNFINISHED)) 4",
      becomes: `if (met.in(UNFINISHED) and met != "silence") 4`,
      breaks: "doubtInv",
    },
  },
  {
    name: "an ignored call is a success",
    clause: "CALL-5",
    code: [
      {
        file: "adapters/cli/commands/call.ts",
        was: "if (taken !== undefined) return EXIT.refused;",
        becomes: "",
      },
    ],
    model: {
      file: "spec/store.qnt",
      was: 'if (met == "refused" or met.in(DELIVERED)) 1',
      becomes: 'if (met == "refused") 1',
      breaks: "deliveredInv",
    },
  },
  {
    name: "separators of lines printed as they are",
    clause: "CALL-4",
    code: [{ file: "core/text.ts", was: "\\p{Cf}\\p{Zl}\\p{Zp}", becomes: "\\p{Cf}" }],
    model: {
      file: "spec/values.qnt",
      was: "8232 <= code and code <= 8238",
      becomes: "8234 <= code and code <= 8238",
      breaks: "printedInv",
    },
  },
  {
    name: "an example with digits taken for a secret",
    clause: "CONFIG-8",
    code: [
      {
        file: "core/placeholder.ts",
        was: "characters.length - words.length <= 4",
        becomes: "characters.length === words.length",
      },
    ],
    model: {
      file: "spec/route.qnt",
      was: `if (text.in(PLACEHOLDERS) or text == "") Unresolved`,
      becomes: `if (text == "\${NAME}" or text == "") Unresolved`,
      breaks: "noPlaceholderInv",
    },
  },
  {
    name: "a reference taken for a session",
    clause: "CONFIG-9",
    code: [{ file: "core/route-config.ts", was: ": filledIn(field, value.trim());", becomes: ": ok(value.trim());" }],
    model: {
      file: "spec/route.qnt",
      was: "else if (sessionOf(entry).in(PLACEHOLDERS)) Flawed",
      becomes: `else if (sessionOf(entry) == "changeme") Flawed`,
      breaks: "noReferenceInv",
    },
  },
  {
    name: "a name that stands twice accepted",
    clause: "CONFIG-10",
    code: [{ file: "adapters/cli/config/repeated.ts", was: "found.length > 1", becomes: "found.length > 2" }],
    model: {
      file: "spec/route.qnt",
      was: "found.lines.length() > 1",
      becomes: "found.lines.length() > 2",
      breaks: "repeatedInv",
    },
  },
  {
    name: "signature over the JSON written anew",
    clause: "SIGN-4",
    code: [
      {
        file: "core/signature.ts",
        was: "encode(key.digest(hash, [before, body]))",
        becomes: "encode(key.digest(hash, [before, body.filter((byte) => byte !== 0x20)]))",
      },
    ],
    model: {
      file: "spec/signature.qnt",
      was: "List[str] = body.words.append(body.sentAt)",
      becomes: `List[str] = body.words.select(word => word != " ").append(body.sentAt)`,
      breaks: "provedInv",
    },
  },
  {
    name: "time of a delivery not checked",
    clause: "SIGN-3",
    code: [
      {
        file: "core/signature.ts",
        was: `return isNear(Number(written), now) ? ok(written) : err("far");`,
        becomes: "return ok(written);",
      },
    ],
    model: {
      file: "spec/signature.qnt",
      was: "isDecimal(shown.time) and isNear(valueOf(shown.time), now)",
      becomes: "isDecimal(shown.time)",
      breaks: "timelyInv",
    },
  },
  {
    name: "time of a delivery checked on one side only",
    clause: "SIGN-3",
    code: [
      {
        file: "core/signature.ts",
        was: "Math.abs(Math.floor(now / 1000) - seconds) <= TOLERANCE_S",
        becomes: "Math.floor(now / 1000) - seconds <= TOLERANCE_S",
      },
    ],
    model: {
      file: "spec/signature.qnt",
      was: "now - time <= TOLERANCE and time - now <= TOLERANCE",
      becomes: "now - time <= TOLERANCE",
      breaks: "timelyInv",
    },
  },
  {
    name: "`123abc` taken for a time",
    clause: "SIGN-3",
    code: [
      { file: "core/signature.ts", was: "/^(?:0|[1-9][0-9]{0,14})$/u", becomes: "/^[0-9]{1,15}/u" },
      {
        file: "core/signature.ts",
        was: "isNear(Number(written), now)",
        becomes: "isNear(Number.parseInt(written, 10), now)",
      },
    ],
    model: {
      file: "spec/signature.qnt",
      was: "bool = DIGITS.select(one => one == text) != []",
      becomes: "bool = valueOf(text) >= 0",
      breaks: "timelyInv",
    },
  },
  {
    name: "only the first signature tried",
    clause: "SIGN-4",
    code: [
      { file: "core/signature.ts", was: "held.digests.slice(0, MAX_SIGNATURES)", becomes: "held.digests.slice(0, 1)" },
    ],
    model: {
      file: "spec/signature.qnt",
      was: "pure val MAX_SIGNATURES = 2",
      becomes: "pure val MAX_SIGNATURES = 1",
      breaks: "rightIsProvedInv",
    },
  },
  {
    name: "only the present key tried",
    clause: "SIGN-4",
    code: [{ file: "core/signature.ts", was: "of keys.entries())", becomes: "of keys.slice(0, 1).entries())" }],
    model: {
      file: "spec/signature.qnt",
      was: "val proved = route.secrets.indices().filter(i =>",
      becomes: "val proved = route.secrets.indices().filter(i => i == 0 and",
      breaks: "rightIsProvedInv",
    },
  },
  {
    name: "a short key accepted",
    clause: "SIGN-2",
    code: [{ file: "core/signature.ts", was: "bytes.length < MIN_KEY_BYTES", becomes: "bytes.length < 1" }],
    model: {
      file: "spec/signature.qnt",
      was: "secret.isLong and secret.isCanonical else secret.isLong",
      becomes: `secret.isLong and secret.isCanonical else secret.text != ""`,
      breaks: "keyInv",
    },
  },
  {
    name: "a full stop in a signed id",
    clause: "SIGN-3",
    code: [{ file: "core/signature.ts", was: ` && !(signsId && id.includes("."))`, becomes: "" }],
    model: {
      file: "spec/signature.qnt",
      was: `shown.id != [] and shown.id.select(word => word == ".") == []`,
      becomes: "shown.id != []",
      breaks: "provedInv",
    },
  },
  {
    name: "a header of the route's own that was sent twice",
    clause: "AUTH-8",
    code: [{ file: "core/authenticate.ts", was: 'value.includes(",") ? "" : value', becomes: "value" }],
  },
  {
    name: "the use of a previous secret not told",
    clause: "AUTH-9",
    code: [
      { file: "core/answer.ts", was: "authenticated?.isPrevious === true ?", becomes: "authenticated === undefined ?" },
    ],
  },
  {
    name: "a plain secret taken on a signed route",
    clause: "SIGN-6",
    code: [
      {
        file: "core/admit.ts",
        was: "    .mapErr((why) => ({ ...UNAUTHORIZED, why: WHY[why] }));",
        becomes: `    .orElse(() =>
      head.header("authorization") === undefined
        ? err(UNAUTHORIZED)
        : ok<Proof>({ kind: "signature_due", claim: { scheme: credential.scheme, before: new Uint8Array(), digests: [], id: undefined }, isKnown }),
    );`,
      },
      {
        file: "core/prove.ts",
        was: "signed.isErr() ? err(UNSIGNED)",
        becomes: "signed.isErr() && proof.claim.digests.length > 0 ? err(signed.error)",
      },
    ],
  },
  {
    name: "strangers hold the slots of their peer",
    clause: "SIGN-5",
    code: [
      {
        file: "adapters/limits/memory.ts",
        was: "const peer = isDue ? 0 : (peerSlots.get(peerKey) ?? 0);",
        becomes: "const peer = isDue ? clientSlots.size : (peerSlots.get(peerKey) ?? 0);",
      },
    ],
  },
  {
    name: "a slow body of a stranger keeps its room",
    clause: "SIGN-5",
    code: [
      {
        file: "adapters/bridge/body-budget.ts",
        was: "if (oldest === undefined || oldest === newcomer) return false;",
        becomes: "if (oldest !== newcomer || oldest === newcomer) return false;",
      },
    ],
  },
  {
    name: "a route's own size of bodies not held",
    clause: "BODY-7",
    code: [
      { file: "core/prove.ts", was: "maxBytes: located.route.maxBodyBytes,", becomes: "maxBytes: MOST_BODY_BYTES," },
      {
        file: "core/prove.ts",
        was: "body.value.length > located.route.maxBodyBytes",
        becomes: "body.value.length > MOST_BODY_BYTES",
      },
    ],
  },
  {
    name: "bodies without a bound in memory",
    clause: "BODY-8",
    code: [
      {
        file: "adapters/bridge/body-budget.ts",
        was: "if (this.#all + bytes > this.#room.all) return false;\n",
        becomes: "",
      },
    ],
  },
  {
    name: "a caller's action taken beside rules",
    clause: "MAP-5",
    code: [
      {
        file: "core/accept.ts",
        was: "route.deliveries.allowActions && isNamedAction(body)",
        becomes: "isNamedAction(body)",
      },
    ],
  },
  {
    name: "a request with a key carried out without a record",
    clause: "ONCE-7",
    code: [
      {
        file: "adapters/bridge/execute.ts",
        was: 'if (needsRecord(delivery) && store.takesDeliveries !== true) return err("idempotency_unavailable");\n',
        becomes: "",
      },
    ],
  },
  {
    name: "a run forgotten, although its flow was made",
    clause: "RUN-1",
    code: [
      {
        file: "core/claim-steps.ts",
        was: "settled({ run: { stamp, flowId: flow === undefined ? undefined : idOf(flow) } },",
        becomes: "settled({ run: { stamp, flowId: undefined } },",
      },
    ],
    model: {
      file: "spec/once.qnt",
      was: "(left, i) => queued(left, by, i + 1)",
      becomes: "(left, i) => forgotten(left, by)",
      breaks: "oneRunInv",
    },
  },
  {
    name: "a flow for an agent made without a claim",
    clause: "RUN-1",
    code: [{ file: "core/claim-steps.ts", was: "!claiming.binds && !claiming.starts", becomes: "!claiming.binds" }],
    model: {
      file: "spec/once.qnt",
      was: "and startsRun(host, r.route)) runs.put",
      becomes: `and startsRun(host, r.route) and who.key != "") runs.put`,
      breaks: "oneRunInv",
    },
  },
  {
    name: "a run that a repeat puts back into the queue",
    clause: "RUN-1",
    code: [
      {
        file: "adapters/managed-flows/runs-table.ts",
        was: "state = 'queued' WHERE stamp = ?1 AND state = 'intended'",
        becomes: "state = 'queued' WHERE stamp = ?1",
      },
    ],
  },
  {
    name: "a run whose flow another request is still making, given up",
    clause: "RUN-1",
    code: [
      {
        file: "adapters/managed-flows/deliver.ts",
        was: `if (plan === undefined || holderOf(runName(claims, stamp)) !== "nobody") return false;`,
        becomes: "if (plan === undefined) return false;",
      },
    ],
  },
  {
    name: "a 503 kept as the answer",
    clause: "ONCE-3",
    code: [
      {
        file: "core/delivery-command.ts",
        was: `!("refusal" in outcome && outcome.refusal === "persist_failed");`,
        becomes: `"kind" in outcome;`,
      },
    ],
  },
  {
    name: "replay across owners",
    clause: "ONCE-8",
    code: [
      {
        file: "core/delivery-command.ts",
        was: "{ routeId: delivery.routeId, owner, key: delivery.once.key }",
        becomes: `{ routeId: delivery.routeId, owner: "", key: delivery.once.key }`,
      },
      {
        file: "core/delivery-command.ts",
        was: `    owner,
    key: once.key,`,
        becomes: `    owner: "",
    key: once.key,`,
      },
    ],
  },
  {
    name: "replay across routes",
    clause: "ONCE-8",
    code: [
      {
        file: "core/delivery-command.ts",
        was: "{ routeId: delivery.routeId, owner, key: delivery.once.key }",
        becomes: `{ routeId: "", owner, key: delivery.once.key }`,
      },
      {
        file: "core/delivery-command.ts",
        was: `    routeId,
    owner,
    key: once.key,`,
        becomes: `    routeId: "",
    owner,
    key: once.key,`,
      },
    ],
    model: {
      file: "spec/once.qnt",
      was: "val verdict = judge(records, who, r.body, false, isUsable, 0, now)",
      becomes: `val verdict = judge(records, if (has(records, who)) who else { ...who, route: "a" }, r.body, false, isUsable, 0, now)`,
      breaks: "apartInv",
    },
  },
  {
    name: "a key without comparison of bodies",
    clause: "ONCE-2",
    code: [
      {
        file: "core/delivery-command.ts",
        was: "saved.fingerprint !== fingerprint",
        becomes: "saved.fingerprint === undefined",
      },
    ],
    model: {
      file: "spec/once.qnt",
      was: "else if (records.get(who).body != body)",
      becomes: `else if (records.get(who).body != body and who.key == "")`,
      breaks: "sameAnswerInv",
    },
  },
  {
    name: "a record written before its effect",
    clause: "ONCE-1",
    code: [
      {
        file: "core/delivery-command.ts",
        was: "return { outcome, writes: [...writes, record] };",
        becomes: "return { outcome, writes: [record] };",
      },
    ],
    model: {
      file: "spec/once.qnt",
      was: `records' = if (isWritten and who.key != "")`,
      becomes: `records' = if (isRun and isKept(answer) and who.key != "")`,
      breaks: "togetherInv",
    },
  },
  {
    name: "what is ignored is kept",
    clause: "ONCE-3",
    code: [
      {
        file: "core/delivery-command.ts",
        was: `outcome.kind !== "ignored" &&`,
        becomes: `outcome.kind !== "flows" &&`,
      },
    ],
  },
  {
    name: "a record that counts for two days",
    clause: "ONCE-1",
    code: [
      {
        file: "core/delivery-command.ts",
        was: "now < saved.at + RECORD_MS",
        becomes: "now < saved.at + 2 * RECORD_MS",
      },
    ],
  },
  {
    name: "a key quoted is another one than bare",
    clause: "ONCE-4",
    code: [{ file: "core/idempotency-key.ts", was: "unquoted(value.trim())", becomes: "value.trim()" }],
  },
  {
    name: "a placeholder that reads the prototype",
    clause: "MAP-1",
    code: [
      {
        file: "core/template.ts",
        was: "value = jsonMember(value, member);",
        becomes: "value = (value as { readonly [name: string]: JsonValue } | undefined)?.[member];",
      },
    ],
    model: {
      file: "spec/mapping.qnt",
      was: "else at(delivery.payload, path.name)",
      becomes:
        "else if (path.name.in(delivery.payload.keys())) at(delivery.payload, path.name) else at(delivery.inherited, path.name)",
      breaks: "ownOnlyInv",
    },
  },
  {
    name: "a payload that a template multiplies",
    clause: "MAP-2",
    code: [
      {
        file: "core/template.ts",
        was: `  if (budget.left < 0) return false;
`,
        becomes: "",
      },
    ],
  },
  {
    name: "a mapping that reads a credential",
    clause: "MAP-3",
    code: [
      {
        file: "core/mapping.ts",
        was: `path.from === "headers" && credentials.includes(path.name)`,
        becomes: `path.from === "headers" && path.name === "cookie"`,
      },
    ],
    model: {
      file: "spec/mapping.qnt",
      was: `path.from == "headers" and path.name.in(CREDENTIALS)`,
      becomes: `path.from == "headers" and path.name == "cookie"`,
      breaks: "noSecretInv",
    },
  },
  {
    name: "the last rule that holds decides",
    clause: "MAP-4",
    code: [
      { file: "core/mapping.ts", was: "const place = rules.findIndex(", becomes: "const place = rules.findLastIndex(" },
    ],
    model: {
      file: "spec/mapping.qnt",
      was: "if (seen.found < 0 and rule.when",
      becomes: "if (rule.when",
      breaks: "firstRuleInv",
    },
  },
  {
    name: "a word for reading that also cancels",
    clause: "POLICY-1",
    code: [
      {
        file: "core/policy.ts",
        was: `"resolve_flow", "get_task_summary"]`,
        becomes: `"resolve_flow", "get_task_summary", "request_cancel"]`,
      },
    ],
    model: {
      file: "spec/policy.qnt",
      was: `if (word == "read") READS`,
      becomes: `if (word == "read") READS.union(Set("cancel_flow"))`,
      breaks: "actionInv",
    },
  },
  {
    name: "a rule that gets past the policy",
    clause: "POLICY-2",
    code: [
      {
        file: "core/accept.ts",
        was: ".andThen((action) => confined(action, key, route, rule))",
        becomes: ".map((action) => ({ action, bind: key }))",
      },
    ],
    model: {
      file: "spec/policy.qnt",
      was: "val done = handle(here,",
      becomes: "val done = if (isMapped) carryOut(here, request, written.hasRun) else handle(here,",
      breaks: "controllerInv",
    },
  },
  {
    name: "session keys compared without case",
    clause: "POLICY-3",
    code: [
      {
        file: "core/policy.ts",
        was: "childSessions.keys.has(sessionKey)",
        becomes: "childSessions.keys.has(sessionKey.toLowerCase())",
      },
    ],
    model: {
      file: "spec/policy.qnt",
      was: `"HOOK:1" -> "HOOK:1", "hook:12"`,
      becomes: `"HOOK:1" -> "hook:1", "hook:12"`,
      breaks: "childInv",
    },
  },
  {
    name: "a prefix found anywhere in a key",
    clause: "POLICY-3",
    code: [{ file: "core/policy.ts", was: "sessionKey.startsWith(", becomes: "sessionKey.includes(" }],
  },
  {
    name: "a refusal that lists the controllers",
    clause: "POLICY-4",
    code: [
      {
        file: "core/policy.ts",
        was: "{ actions }: Policy, action",
        becomes: "{ actions, controllerIds }: Policy, action",
      },
      {
        file: "core/policy.ts",
        was: `"The route does not allow this controller. Leave the field out, or name the route's own or another that it allows."`,
        becomes: "`The route allows ${[...(controllerIds ?? [])].join()}.`",
      },
    ],
    model: {
      file: "spec/policy.qnt",
      was: `refused("controllerId", Set())`,
      becomes: `refused("controllerId", policy.controllers)`,
      breaks: "toldInv",
    },
  },
  {
    name: "a confined route that forgets the key of a flow",
    clause: "POLICY-5",
    code: [
      {
        file: "core/accept.ts",
        was: "ok({ action, bind, rule })",
        becomes: "ok({ action, bind: policy === undefined ? bind : undefined, rule })",
      },
    ],
    model: {
      file: "spec/policy.qnt",
      was: "if (verdict == ALLOWED) carryOut(store, request, hasRun)",
      becomes: `if (verdict == ALLOWED) carryOut(store, { ...request, bind: "" }, hasRun)`,
      breaks: "onlyRefusesInv",
    },
  },
  {
    name: "a pattern among session keys",
    clause: "POLICY-6",
    code: [{ file: "core/policy-config.ts", was: "!text.includes(ANY) && text", becomes: "text" }],
    model: {
      file: "spec/policy.qnt",
      was: "else if (isStarred or isEmptyList)",
      becomes: "else if (isEmptyList)",
      breaks: "checkedInv",
    },
  },
  {
    name: "a bound key shared between routes",
    clause: "BIND-1",
    code: [
      {
        file: "core/delivery-command.ts",
        was: `[{ kind: "bound", routeId, owner, key: bind }]`,
        becomes: `[{ kind: "bound", routeId: "", owner, key: bind }]`,
      },
      {
        file: "core/delivery-command.ts",
        was: `{ kind: "bind_key", routeId, owner`,
        becomes: `{ kind: "bind_key", routeId: "", owner`,
      },
    ],
    model: {
      file: "spec/binding.qnt",
      was: "val found = boundTo(flows, bindings, name, owner)",
      becomes: `val found = boundTo(flows, bindings, if (name.in(bindings.keys())) name else { ...name, route: "a" }, owner)`,
      breaks: "rightFlowInv",
    },
  },
  {
    name: "a bound key shared between owners",
    clause: "BIND-1",
    code: [
      {
        file: "adapters/flows/memory/records.ts",
        was: "JSON.stringify([routeId, owner, key])",
        becomes: "JSON.stringify([routeId, key])",
      },
    ],
  },
  {
    name: "a key that leads to a flow that has ended",
    clause: "BIND-1",
    code: [
      {
        file: "core/delivery-command.ts",
        was: "found === undefined || isEnded(found) ? undefined : found",
        becomes: "found",
      },
    ],
  },
  {
    name: "the revision that a delivery names",
    clause: "BIND-1",
    code: [
      {
        file: "core/delivery-command.ts",
        was: "flowId, expectedRevision: revision }",
        becomes: "flowId, expectedRevision: action.expectedRevision }",
      },
    ],
  },
  {
    name: "a change between the first read and the wait that is never seen",
    clause: "WAIT-1",
    code: [
      {
        file: "adapters/bridge/waiting.ts",
        was: `    // what has changed since the first answer was not told
    flow.look();
`,
        becomes: "",
      },
    ],
    model: {
      file: "spec/waiting.qnt",
      was: "due' = if (waits) due.union(Set(r.flow)) else due, causes' = if (waits) causes + 1 else causes,",
      becomes: "due' = due, causes' = causes,",
      breaks: "noticedInv",
    },
  },
  {
    name: "a wait that is answered before the revision has passed",
    clause: "WAIT-1",
    code: [{ file: "core/waiting.ts", was: "revision <= afterRevision", becomes: "revision < afterRevision" }],
    model: {
      file: "spec/waiting.qnt",
      was: "revision != NONE and revision <= after",
      becomes: "revision != NONE and revision < after",
      breaks: "passedInv",
    },
  },
  {
    name: "a waiting request that keeps its slots",
    clause: "WAIT-2",
    code: [{ file: "adapters/bridge/bridge.ts", was: "      giveBack();\n", becomes: "" }],
    model: {
      file: "spec/waiting.qnt",
      was: `stage: "waiting", hasSlot: false,`,
      becomes: `stage: "waiting",`,
      breaks: "givenBackInv",
    },
  },
  {
    name: "a place that is given back twice",
    clause: "WAIT-2",
    code: [{ file: "adapters/bridge/places.ts", was: "      isTaken = false;\n", becomes: "" }],
    model: {
      file: "spec/waiting.qnt",
      was: `at(id).stage == "waiting",
    progress' = progress.set(id, { ...at(id), stage: "over", code: "gone"`,
      becomes: `at(id).took,
    progress' = progress.set(id, { ...at(id), stage: "over", code: "gone"`,
      breaks: "givenBackInv",
    },
  },
  {
    name: "a read that serves those who wait for a flow of another session",
    clause: "WAIT-3",
    code: [
      {
        file: "adapters/bridge/waiting.ts",
        was: "JSON.stringify([route.sessionKey, flowId])",
        becomes: "JSON.stringify([route.id.length > 0, flowId])",
      },
    ],
    model: {
      file: "spec/waiting.qnt",
      was: "if (flow.in(OWN)) flows.get(flow) else NONE",
      becomes: "flows.get(flow)",
      breaks: "toldInv",
    },
  },
  {
    name: "a host that is asked for every flow at once",
    clause: "WAIT-4",
    code: [
      {
        file: "core/waiting.ts",
        was: "Math.max(MIN_LOOK_MS, LOOK_MS / Math.max(1, flows))",
        becomes: "LOOK_MS / Math.max(1, flows)",
      },
    ],
    model: {
      file: "spec/waiting.qnt",
      was: `watched != Set()) Set(turn) else Set()`,
      becomes: `watched != Set()) watched else Set()`,
      breaks: "fewReadsInv",
    },
  },
  {
    name: "a write of another process that is noticed once the wait is over",
    clause: "WAIT-4",
    code: [{ file: "adapters/flows/sqlite/other-writers.ts", was: "    this.#options.notice();\n", becomes: "" }],
    model: {
      file: "spec/waiting.qnt",
      was: "val noticed = if (isLook and foreign != Set()) watched else Set()",
      becomes: "val noticed = Set()",
      breaks: "noticedInv",
    },
  },
  {
    name: "a place of a client that has gone",
    clause: "WAIT-5",
    code: [{ file: "adapters/bridge/waiting.ts", was: "      gone();\n", becomes: "" }],
    model: {
      file: "spec/waiting.qnt",
      was: `code: "gone", isDue: false, hasPlace: false, given: at(id).given + 1`,
      becomes: `code: "gone", isDue: false`,
      breaks: "goneInv",
    },
  },
  {
    name: "a stop that waits for those who wait",
    clause: "WAIT-6",
    code: [
      {
        file: "adapters/bridge/waiting.ts",
        was: "for (const { flow } of this.#watched.values()) flow.end();",
        becomes: "",
      },
    ],
    model: {
      file: "spec/waiting.qnt",
      was: "if (id.in(waiters)) { ...at(id), isDue: true } else at(id)),\n    due'",
      becomes: "at(id)),\n    due'",
      breaks: "stoppedInv",
    },
  },
  {
    name: "a failed flow that ends the command as a success",
    clause: "WAIT-7",
    code: [{ file: "adapters/cli/commands/wait-state.ts", was: "failed: EXIT.failed,", becomes: "failed: EXIT.ok," }],
    model: {
      file: "spec/waiting.qnt",
      was: `if (answer == "failed") 5`,
      becomes: `if (answer == "failed") 0`,
      breaks: "exitInv",
    },
  },
  {
    name: "a turn that was lost, begun again",
    clause: "RUN-2",
    code: [
      {
        file: "core/run.ts",
        was: 'case "lost":\n      return failedRun(row, "run_lost");',
        becomes: 'case "lost":\n      return { ...row, state: "queued" };',
      },
    ],
    model: {
      file: "spec/runs.qnt",
      was: 'else if (trace == "lost") ended(row, "run_lost")',
      becomes: 'else if (trace == "lost") { ...row, state: "queued" }',
      breaks: "onceInv",
    },
  },
  {
    name: "a flow that others have ended, told its end",
    clause: "RUN-2",
    code: [
      {
        file: "core/run.ts",
        was: 'if (flow === null || isOver(flow) || result === undefined) return { kind: "drop" };',
        becomes: 'if (flow === null || result === undefined) return { kind: "drop" };',
      },
    ],
    model: {
      file: "spec/runs.qnt",
      was: 'if (isOver(flow)) "drop" else if (row.result == "reply"',
      becomes: 'if (row.result == "reply"',
      breaks: "toldInv",
    },
  },
  {
    name: "an end that takes away the flow's state",
    clause: "RUN-3",
    code: [
      {
        file: "core/run.ts",
        was: "return hasMembers(state) ? { ...state, run } : { state, run };",
        becomes: "return { run };",
      },
    ],
    model: {
      file: "spec/runs.qnt",
      was: 'status: if (result == "reply") "succeeded" else "failed", told: result }',
      becomes: 'status: if (result == "reply") "succeeded" else "failed", told: result, note: 0 }',
      breaks: "stateInv",
    },
  },
  {
    name: "one turn more than there are places",
    clause: "RUN-4",
    code: [{ file: "core/run.ts", was: "roomOf(routeId) <= 0", becomes: "roomOf(routeId) < 0" }],
    model: {
      file: "spec/runs.qnt",
      was: 'rows.get(g).state == "queued").size() < free)',
      becomes: 'rows.get(g).state == "queued").size() <= free)',
      breaks: "placesInv",
    },
  },
  {
    name: "what was so before is told again",
    clause: "NOTIFY-1",
    code: [
      {
        file: "core/event.ts",
        was: "before === standingOf(after) ? undefined : kindOf(after);",
        becomes: 'before === standingOf(after) && before.startsWith("open") ? undefined : kindOf(after);',
      },
    ],
    model: {
      file: "spec/callbacks.qnt",
      was: `after != "open" and after != before`,
      becomes: `after != "open" and (after != before or before == "ended")`,
      breaks: "togetherInv",
    },
  },
  {
    name: "an event of a sweep goes to nobody",
    clause: "NOTIFY-1",
    code: [
      {
        file: "adapters/flows/engine.ts",
        was: `return one.kind === "due" ? { ...stored, owners: rows.map(ownerOf) } : stored;`,
        becomes: `return one.kind === "due" && rows.map(ownerOf).length < 0 ? { ...stored, owners: [] } : stored;`,
      },
    ],
  },
  {
    name: "an event goes to every route",
    clause: "NOTIFY-2",
    code: [
      {
        file: "core/event-writes.ts",
        was: "const wanted = subscriptions.get(stored.owners?.[place] ?? owner) ?? [];",
        becomes:
          "const wanted = [...subscriptions].flatMap(([session, all]) => (session === (stored.owners?.[place] ?? owner) ? all : all));",
      },
    ],
  },
  {
    name: "a route's name tells its session",
    clause: "NOTIFY-2",
    code: [
      {
        file: "core/subscription.ts",
        was: "name: routeName(route), on",
        becomes: "name: routeName({ id: route.id, sessionKey: routeName(route) }) && route.id, on",
      },
    ],
  },
  {
    name: "each try has an id of its own",
    clause: "NOTIFY-3",
    code: [
      {
        file: "core/callback.ts",
        was: `signDelivery("standard", key, { id: eventId, now }, bytes, hmac)`,
        becomes: `signDelivery("standard", key, { id: \`\${eventId}_\${String(now)}\`, now }, bytes, hmac)`,
      },
    ],
  },
  {
    name: "an event leaves the outbox when it is claimed",
    clause: "NOTIFY-3",
    code: [
      {
        file: "adapters/flows/sqlite/event-rows.ts",
        was: `this.#run("lease").run(now + LEASE_MS, routeId, eventId);`,
        becomes: `this.#run("remove").run(routeId, eventId, ...[now + LEASE_MS].slice(1));`,
      },
    ],
    model: {
      file: "spec/callbacks.qnt",
      was: "else outbox.put(number, { ...outbox.get(number), dueAt: now + LEASE }),",
      becomes: "else without(outbox, Set(number)),",
      breaks: "notLostInv",
    },
  },
  {
    name: "a claimed event is the other sender's too",
    clause: "NOTIFY-3",
    code: [
      {
        file: "adapters/flows/memory/events.ts",
        was: "kept.dueAt = now + LEASE_MS;",
        becomes: "kept.dueAt = now + LEASE_MS / 1e6;",
      },
    ],
  },
  {
    name: "the signature is of another moment",
    clause: "NOTIFY-4",
    code: [
      {
        file: "core/callback.ts",
        was: "{ id: eventId, now }, bytes",
        becomes: "{ id: eventId, now: now - 600_000 }, bytes",
      },
    ],
  },
  {
    name: "a redirect is followed",
    clause: "NOTIFY-5",
    code: [{ file: "adapters/notify/post.ts", was: `redirect: "manual"`, becomes: `redirect: "follow"` }],
  },
  {
    name: "callbacks go over the network unencrypted",
    clause: "NOTIFY-5",
    code: [
      {
        file: "core/notify-config.ts",
        was: "z.url({ protocol: /^https$/u })",
        becomes: "z.url({ protocol: /^https?$/u })",
      },
    ],
    model: {
      file: "spec/callbacks.qnt",
      was: `url == "https" or url == "loopback"`,
      becomes: `url != "odd" or url == "loopback"`,
      breaks: "presentAddressInv",
    },
  },
  {
    name: "Retry-After makes a wait shorter",
    clause: "NOTIFY-6",
    code: [
      {
        file: "core/callback.ts",
        was: "const waitMs = Math.max(waitAfter(tries, chance), asked);",
        becomes: "const waitMs = asked > 0 ? asked : waitAfter(tries, chance);",
      },
    ],
  },
  {
    name: "an address that is gone is asked again after a restart",
    clause: "NOTIFY-6",
    code: [
      {
        file: "adapters/flows/sqlite/event-rows.ts",
        was: "if (gone === address) {",
        becomes: "if (gone === address + limit) {",
      },
    ],
    model: {
      file: "spec/callbacks.qnt",
      was: "val isGone = route.in(gone.keys()) and gone.get(route) == address",
      becomes: "val isGone = route.in(gone.keys()) and gone.get(route) != address",
      breaks: "givenUpInv",
    },
  },
  {
    name: "events without end",
    clause: "NOTIFY-7",
    code: [
      {
        file: "adapters/flows/memory/events.ts",
        was: "if (events.size > MAX_EVENTS && events.delete(oldest))",
        becomes: "if (events.size > 2 * MAX_EVENTS && events.delete(oldest))",
      },
    ],
    model: {
      file: "spec/callbacks.qnt",
      was: "rows.size() > MAX_EVENTS)",
      becomes: "rows.size() > 2 * MAX_EVENTS)",
      breaks: "boundedInv",
    },
  },
  {
    name: "receivers that hang take all places",
    clause: "NOTIFY-8",
    code: [
      {
        file: "adapters/notify/places.ts",
        was: "Math.min(1 - busy, OF_SLOW - this.#slowBusy)",
        becomes: "Math.min(OF_FAST - busy, ALL - this.#slowBusy + OF_SLOW)",
      },
    ],
    model: {
      file: "spec/callbacks.qnt",
      was: "else place.busy < 1 and busyOf(places, one => not(one.isFast)) < OF_SLOW",
      becomes: "else place.busy < 1",
      breaks: "placesInv",
    },
  },
  {
    name: "a flow that waits, worked on",
    clause: "RUN-5",
    code: [{ file: "core/run.ts", was: 'return waits(flow) ? "wait" : "begin";', becomes: 'return "begin";' }],
    model: {
      file: "spec/runs.qnt",
      was: 'if (isOver(flow)) "drop" else if (waits(flow)) "wait" else "begin"',
      becomes: 'if (isOver(flow)) "drop" else "begin"',
      breaks: "startsInv",
    },
  },
  {
    name: "a turn that goes on when its time is over",
    clause: "RUN-5",
    code: [{ file: "core/run.ts", was: "now - row.at >= timeoutMs", becomes: "now - row.at > timeoutMs" }],
  },
  {
    name: "a prompt that begins with the operator's words, or a stranger's",
    clause: "RUN-6",
    code: [{ file: "core/prompt.ts", was: "return [FIRST_LINE, ...parts];", becomes: "return parts;" }],
    model: {
      file: "spec/runs.qnt",
      was: "[FIRST_LINE].concat(message.foldl(List(),",
      becomes: "[].concat(message.foldl(List(),",
      breaks: "fencedInv",
    },
  },
  {
    name: "what came from outside as the own word",
    clause: "RUN-6",
    code: [
      {
        file: "core/prompt.ts",
        was: '{ kind: "outside", text: shortened(text, MAX_PROMPT_PART) };\n  });',
        becomes: '{ kind: "own", text: shortened(text, MAX_PROMPT_PART) };\n  });',
      },
    ],
    model: {
      file: "spec/runs.qnt",
      was: 'else { kind: "outside", text: value })))',
      becomes: 'else { kind: "own", text: value })))',
      breaks: "fencedInv",
    },
  },
  {
    name: "tools for every agent",
    clause: "RUN-7",
    code: [{ file: "core/run-config.ts", was: "tools = false", becomes: "tools = true" }],
    model: {
      file: "spec/runs.qnt",
      was: 'tools: config.tools == "true",',
      becomes: 'tools: config.tools != "false",',
      breaks: "configuredInv",
    },
  },
  {
    name: "a turn that had not begun, lost",
    clause: "RUN-8",
    code: [
      {
        file: "core/run.ts",
        was: "row.tries < MAX_TRIES",
        becomes: "row.tries < 1",
      },
    ],
    model: {
      file: "spec/runs.qnt",
      was: "row.tries < MAX_TRIES",
      becomes: "row.tries < 1",
      breaks: "lostInv",
    },
  },
  {
    name: "a second try under the name of the first one",
    clause: "RUN-8",
    code: [{ file: "core/run.ts", was: "if (tries > 1) return", becomes: "if (tries > 2) return" }],
  },
  {
    name: "a reply that ends a flow that waits",
    clause: "RUN-9",
    code: [
      {
        file: "core/run.ts",
        was: 'if (result.status === "succeeded" && waits(flow)) return { kind: "wait" };\n',
        becomes: "",
      },
    ],
    model: {
      file: "spec/runs.qnt",
      was: 'else if (row.result == "reply" and waits(flow)) "wait" else "tell"',
      becomes: 'else "tell"',
      breaks: "waitingStaysInv",
    },
  },
  {
    name: "a next turn under the last one's name",
    clause: "RUN-9",
    code: [
      { file: "core/run.ts", was: "turn: row.tries === 0 ? row.turn : row.turn + 1,", becomes: "turn: row.turn," },
    ],
    model: {
      file: "spec/runs.qnt",
      was: "turn: if (row.tries == 0) row.turn else row.turn + 1, tries: 0",
      becomes: "turn: row.turn, tries: 0",
      breaks: "turnsInv",
    },
  },
  {
    name: "a Gateway without agents that is asked for them",
    clause: "RUN-10",
    code: [
      {
        file: "adapters/gateway/agents.ts",
        was: `].every((call) => typeof call === "function")`,
        becomes: `].some((call) => typeof call === "function")`,
      },
    ],
  },
  {
    name: "a 410 of the address before, which takes the events of the next one away",
    clause: "NOTIFY-6",
    code: [{ file: "core/callback.ts", was: "status === 410 && !hasMoved", becomes: "status === 410" }],
    model: {
      file: "spec/callbacks.qnt",
      was: "status == 410 and not(hasMoved)",
      becomes: "status == 410",
      breaks: "givenUpInv",
    },
  },
  {
    name: "a try without an end",
    clause: "NOTIFY-8",
    code: [
      {
        file: "adapters/notify/sender.ts",
        was: "setTimeout(() => controller.abort(), timeoutMs)",
        becomes: "setTimeout(() => controller.abort(), timeoutMs * 1e4)",
      },
    ],
  },
  {
    name: "a Gateway that cannot start agents and says nothing",
    clause: "RUN-10",
    code: [
      { file: "adapters/gateway/agent-runs.ts", was: ' log.write("warn", CANNOT);', becomes: " return undefined;" },
    ],
    model: {
      file: "spec/runs.qnt",
      was: "warnings: if (not(canRun) and wanting != Set()) 1 else 0",
      becomes: "warnings: 0",
      breaks: "servedInv",
    },
  },
  {
    name: "the log shows the path of an address",
    clause: "NOTIFY-9",
    code: [{ file: "core/callback.ts", was: "[^/?#]*/iu.exec(url)", becomes: "[^?#]*/iu.exec(url)" }],
  },
  {
    name: "an old event is not shown",
    clause: "NOTIFY-9",
    code: [
      {
        file: "adapters/notify/reports.ts",
        was: "state.oldestAt > now - UNDELIVERED_MS",
        becomes: "state.nextAt > now - UNDELIVERED_MS",
      },
    ],
  },
  {
    name: "an unresolved notify.secret takes the route down",
    clause: "CONFIG-12",
    code: [
      {
        file: "core/notify-config.ts",
        was: `.mapErr((said) => ({ effect: "idle", ...said }));`,
        becomes: `.mapErr((said) => ({ effect: "skipped", ...said }));`,
      },
    ],
    model: {
      file: "spec/callbacks.qnt",
      was: `else if (w.secret == "") { skipped: false,`,
      becomes: `else if (w.secret == "") { skipped: true,`,
      breaks: "configInv",
    },
  },
  {
    name: "a part of notify that does not exist is ignored",
    clause: "CONFIG-12",
    code: [
      {
        file: "core/route-config.ts",
        was: "notify: z.strictObject({ ...notifyShape",
        becomes: "notify: z.object({ ...notifyShape",
      },
    ],
  },
  {
    name: "what was there before is told at the first look",
    clause: "NOTIFY-10",
    code: [
      {
        file: "adapters/managed-flows/plugin-outbox.ts",
        was: "const isOld = isFirst && flow.updatedAt < since;",
        becomes: "const isOld = isFirst && flow.updatedAt < 0;",
      },
    ],
    model: {
      file: "spec/watching.qnt",
      was: "not(isFirst and flow.at < since),",
      becomes: "true,",
      breaks: "notOldInv",
    },
  },
  {
    name: "a look forgets what it has seen",
    clause: "NOTIFY-10",
    code: [
      {
        file: "adapters/managed-flows/plugin-outbox.ts",
        was: "if (seen.get(flowId) !== standing) open",
        becomes: "if (seen.get(flowId) !== undefined) open",
      },
    ],
  },
  {
    name: "a slow Gateway is asked without a pause",
    clause: "NOTIFY-10",
    code: [{ file: "adapters/managed-flows/flow-watcher.ts", was: "const PAUSES = 20;", becomes: "const PAUSES = 0;" }],
  },
  {
    name: "a page that begins with the last flow of the one before",
    clause: "LIST-1",
    code: [{ file: "adapters/flows/sqlite/list-rows.ts", was: `["made < ?",`, becomes: `["made <= ?",` }],
    model: {
      file: "spec/lists.qnt",
      was: "flow.place < asked.cursor and",
      becomes: "flow.place <= asked.cursor and",
      breaks: "onceInv",
    },
  },
  {
    name: "flows of the cursor's millisecond are skipped",
    clause: "LIST-1",
    code: [{ file: "core/list-page.ts", was: "compare(from, found.value) < 0", becomes: "found.value.at < from.at" }],
  },
  {
    name: "a page ends at a flow that was removed",
    clause: "LIST-1",
    code: [
      {
        file: "adapters/flows/memory/owned.ts",
        was: "this.#placesBefore(before) - 1",
        becomes: "this.#rows.findIndex(({ made }) => made === before - 1)",
      },
    ],
  },
  {
    name: "a filter by controller that is not asked",
    clause: "LIST-2",
    code: [
      { file: "core/list-page.ts", was: "flow.controllerId === controllerId", becomes: "controllerId !== flow.status" },
    ],
    model: {
      file: "spec/lists.qnt",
      was: "bool = status == ANY or flow.status == status",
      becomes: "bool = status == ANY or flow.place > 0",
      breaks: "filteredInv",
    },
  },
  {
    name: "a cursor without a number is read",
    clause: "LIST-3",
    code: [{ file: "core/cursor.ts", was: "^[0-9]{1,", becomes: "^[0-9]{0," }],
    model: {
      file: "spec/lists.qnt",
      was: "if (asked.cursor == UNREADABLE) {",
      becomes: "if (asked.cursor < UNREADABLE) {",
      breaks: "readableInv",
    },
  },
  {
    name: "a whole list without a bound",
    clause: "LIST-4",
    code: [
      {
        file: "adapters/flows/engine.ts",
        was: "if (weight > MAX_LIST_BYTES) {",
        becomes: "if (weight > MAX_LIST_BYTES && limit !== undefined) {",
      },
    ],
    model: {
      file: "spec/lists.qnt",
      was: "if (weightOf(readOf(found)) > MOST) {",
      becomes: "if (weightOf(readOf(found)) > 99) {",
      breaks: "boundedInv",
    },
  },
  {
    name: "what an old store answers to a page is passed on",
    clause: "LIST-5",
    code: [
      {
        file: "adapters/bridge/check-outcome.ts",
        was: "? listViews(outcome, action) : ok(outcome)",
        becomes: "? listViews(outcome, action).map(() => outcome) : ok(outcome)",
      },
    ],
    model: {
      file: "spec/lists.qnt",
      was: "answerTo(whole.foldl(Set(), (flows, flow) => flows.union(Set(flow))), asked)",
      becomes: '{ code: "ok", flows: whole, next: 0 }',
      breaks: "bridgedInv",
    },
  },
  {
    name: "steps, controllers and blocks that add nothing to a list",
    clause: "LIST-4",
    code: [
      {
        file: "core/view.ts",
        was: "new Set([text, optionalText, optionalJson])",
        becomes: "new Set([text, optionalJson])",
      },
    ],
    model: {
      file: "spec/lists.qnt",
      was: "if (leastOf(read) > MOST) read",
      becomes: "if (weightOf(read) > 99) read",
      breaks: "readInv",
    },
  },
  {
    name: "states that add nothing to a list",
    clause: "LIST-4",
    code: [
      {
        file: "core/view.ts",
        was: "new Set([text, optionalText, optionalJson])",
        becomes: "new Set([text, optionalText])",
      },
    ],
  },
  {
    name: "goals that add nothing to a list",
    clause: "LIST-4",
    code: [
      {
        file: "core/view.ts",
        was: "new Set([text, optionalText, optionalJson])",
        becomes: "new Set([optionalText, optionalJson])",
      },
    ],
  },
  {
    name: "columns with two words that SQLite does not weigh",
    clause: "LIST-4",
    code: [
      {
        file: "adapters/flows/sqlite/list-rows.ts",
        was: "`_${letter.toLowerCase()}`",
        becomes: "letter",
      },
    ],
  },
  {
    name: "a page that is measured in characters",
    clause: "LIST-4",
    code: [
      {
        file: "core/list-weight.ts",
        was: "this.#units * MOST_PER_UNIT <= this.#room",
        becomes: "this.#units <= this.#room",
      },
    ],
  },
  {
    name: "a page of a store's own that nobody measures",
    clause: "LIST-4",
    code: [
      {
        file: "core/list-page.ts",
        was: "fits(part.flows, MAX_LIST_BYTES)",
        becomes: "fits(part.flows, Infinity)",
      },
    ],
    model: {
      file: "spec/lists.qnt",
      was: "else if (page.length() > 1 and weightOf(page) > MOST)",
      becomes: "else if (page.length() > 2 and weightOf(page) > MOST)",
      breaks: "hostedBoundInv",
    },
  },
  {
    name: "a page that leads to itself",
    clause: "LIST-5",
    code: [{ file: "core/list-page.ts", was: " && next !== action.cursor", becomes: "" }],
    model: {
      file: "spec/lists.qnt",
      was: " or goesOn == asked.cursor",
      becomes: "",
      breaks: "hostedInv",
    },
  },
  {
    name: "a page with a flow twice",
    clause: "LIST-5",
    code: [
      { file: "core/list-page.ts", was: "part === undefined || isTwice(part.flows)", becomes: "part === undefined" },
    ],
  },
  {
    name: "a filter that reads the rows it does not list",
    clause: "LIST-2",
    code: [
      {
        file: "adapters/flows/sqlite/schema.ts",
        was: "(owner, updated_at, made, status, controller_id)",
        becomes: "(owner, updated_at, made, status)",
      },
    ],
  },
  {
    name: "all flows of a Gateway become views to find one",
    clause: "LIST-5",
    code: [{ file: "core/claim-steps.ts", was: "    isWanted,\n    next", becomes: "    next" }],
  },
  {
    name: "one flow more than the quota",
    clause: "QUOTA-1",
    code: [{ file: "core/flow-command.ts", was: "count >= quota ?", becomes: "count > quota ?" }],
    model: {
      file: "spec/quota.qnt",
      was: "bool = open < QUOTA",
      becomes: "bool = open <= QUOTA",
      breaks: "embeddedInv",
    },
  },
  {
    name: "a flow that is reopened is not counted",
    clause: "QUOTA-1",
    code: [
      {
        file: "adapters/flows/memory/owned.ts",
        was: "    this.#count(flow, 1);\n    row.flow = flow;",
        becomes: "    if (!isEnded(row.flow)) this.#count(flow, 1);\n    row.flow = flow;",
      },
    ],
  },
  {
    name: "a flow that has ended is opened beside the quota",
    clause: "QUOTA-1",
    code: [
      {
        file: "core/flow-command.ts",
        was: "isEnded(flow) && !isEnded(after)",
        becomes: "isEnded(flow) && isEnded(after)",
      },
    ],
    model: {
      file: "spec/quota.qnt",
      was: "if (mayCreate(open)) does else",
      becomes: `if (mayCreate(open) or does == "reopened") does else`,
      breaks: "embeddedInv",
    },
  },
  {
    name: "a Gateway's flow that has ended is opened without a count",
    clause: "QUOTA-2",
    code: [
      {
        file: "adapters/managed-flows/quota.ts",
        was: "&& isOpenRecord(record));",
        becomes: '&& own(record, "status") !== undefined);',
      },
    ],
  },
  {
    name: "a revision that is not there yet is taken for one that is over",
    clause: "QUOTA-2",
    code: [
      {
        file: "adapters/managed-flows/quota.ts",
        was: "revision > action.expectedRevision ||",
        becomes: "revision !== action.expectedRevision ||",
      },
    ],
  },
  {
    name: "a turn that is over before the host has answered",
    clause: "QUOTA-2",
    code: [
      {
        file: "adapters/managed-flows/quota.ts",
        was: "const TURN_HELD_MS = 120_000",
        becomes: "const TURN_HELD_MS = 20_000",
      },
    ],
  },
  {
    name: "two requests that count at once",
    clause: "QUOTA-2",
    code: [
      {
        file: "adapters/managed-flows/quota.ts",
        was: `holderOf(name, TURN_HELD_MS) === "running"`,
        becomes: `holderOf(name, TURN_HELD_MS) === "late"`,
      },
    ],
    model: {
      file: "spec/quota.qnt",
      was: `works.get(id).stage == "waits", turnOf == 0,`,
      becomes: `works.get(id).stage == "waits", turnOf >= 0,`,
      breaks: "turnInv",
    },
  },
  {
    name: "a refusal at the quota that is kept as the answer",
    clause: "QUOTA-3",
    code: [
      {
        file: "core/delivery-command.ts",
        was: `outcome.kind !== "over_quota" &&`,
        becomes: `outcome.kind !== "ignored" &&`,
      },
    ],
    model: {
      file: "spec/quota.qnt",
      was: `code.in(OPENED.union(Set("existing")))`,
      becomes: `code.in(OPENED.union(Set("existing", "over_quota")))`,
      breaks: "unrecordedInv",
    },
  },
  {
    name: "a create that is refused at its quota binds its key",
    clause: "QUOTA-3",
    code: [
      {
        file: "core/delivery-command.ts",
        was: `made.outcome.isOk() && made.outcome.value.kind === "created"`,
        becomes: `made.outcome.isOk() && made.outcome.value.kind !== "existing"`,
      },
    ],
  },
  {
    name: "an event is told after its answer has left",
    clause: "AUDIT-5",
    code: [
      {
        file: "adapters/bridge/bridge.ts",
        was: "    attempt(() => emit(prepared, located, begunAt), report);\n",
        becomes: "",
      },
      {
        file: "adapters/bridge/bridge.ts",
        was: "      await deliver(prepared);\n",
        becomes: "      await deliver(prepared);\n      attempt(() => emit(prepared, located, begunAt), report);\n",
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: 'isAlive, phase.get(request) == "told",',
      becomes: 'isAlive, phase.get(request) != "answered",',
      breaks: "oneEventInv",
    },
  },
  {
    name: "a refusal before the body has no event",
    clause: "AUDIT-5",
    code: [
      {
        file: "adapters/bridge/bridge.ts",
        was: "return send(entered.error, deliver, begunAt, location.value);",
        becomes: "return send(entered.error, deliver, undefined, location.value);",
      },
    ],
  },
  {
    name: "a stranger's traceparent is in the event",
    clause: "AUDIT-6",
    code: [
      {
        file: "core/request-event.ts",
        was: "if (authenticated === undefined) return told;",
        becomes: 'if (authenticated === undefined) return { ...told, traceparent: head?.header("traceparent") ?? "" };',
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: "trace: if (isKnown and request.trace",
      becomes: "trace: if (request.trace",
      breaks: "nothingSentInv",
    },
  },
  {
    name: "a traceparent of zeros is taken",
    clause: "AUDIT-6",
    code: [{ file: "core/traceparent.ts", was: "-(?!0{16})[0-9a-f]{16}-", becomes: "-[0-9a-f]{16}-" }],
    model: {
      file: "spec/operator.qnt",
      was: "request.trace.in(VALID_TRACES)) request.trace",
      becomes: 'request.trace != "") request.trace',
      breaks: "nothingSentInv",
    },
  },
  {
    name: "a body that breaks off is a 400 to its sender and a 408 to the operator",
    clause: "AUDIT-5",
    code: [{ file: "adapters/node/connection.ts", was: "  broken.set(request, fault);\n", becomes: "" }],
  },
  {
    name: "the routes are gone while the Gateway has no configuration",
    clause: "CONFIG-5",
    code: [
      {
        file: "adapters/gateway/snapshot.ts",
        was: 'typeof snapshot !== "object" || snapshot === null',
        becomes: "snapshot === UNREADABLE",
      },
    ],
  },
  {
    name: "the id of a route that does not live shows its session key",
    clause: "STATUS-1",
    code: [
      { file: "adapters/status/document.ts", was: "const id = isHidden ? HIDDEN : hide", becomes: "const id = hide" },
    ],
  },
  {
    name: "an answer leaves before its line is written",
    clause: "AUDIT-5",
    code: [{ file: "adapters/bridge/bridge.ts", was: "if (kept !== undefined) await kept;", becomes: "void kept;" }],
    model: {
      file: "spec/operator.qnt",
      was: "if (one > 0) { ...seen, waiting: seen.waiting.append(one) }",
      becomes: "if (one > 0) { ...seen, waiting: seen.waiting.append(one), left: seen.left.append(one) }",
      breaks: "writtenInv",
    },
  },
  {
    name: "a full audit file is replaced instead of put aside",
    clause: "AUDIT-7",
    code: [
      {
        file: "adapters/audit/audit-file.ts",
        was: "if (existsSync(file)) renameSync(file, `${file}.1`);",
        becomes: "",
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: "aside: [files.now].concat(files.aside",
      becomes: "aside: files.aside.concat(files.aside",
      breaks: "boundedInv",
    },
  },
  {
    name: "an audit file grows beyond its size by a line",
    clause: "AUDIT-7",
    code: [
      {
        file: "adapters/audit/audit-file.ts",
        was: "this.#size + this.#torn.length + first.length > this.#limit",
        becomes: "this.#size > this.#limit",
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: "if (files.now.length() < SIZE)",
      becomes: "if (files.now.length() <= SIZE)",
      breaks: "boundedInv",
    },
  },
  {
    name: "the first line after a restart is glued to a part of one",
    clause: "AUDIT-7",
    code: [
      {
        file: "adapters/audit/audit-file.ts",
        was: "    this.#torn = tornOf(opened);\n    this.#limit = options.maxBytes;",
        becomes: '    this.#torn = "";\n    this.#limit = options.maxBytes;',
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: 'if (last.in(Set("", "line feed"))) [line',
      becomes: 'if (last != "line") [line',
      breaks: "wholeInv",
    },
  },
  {
    name: "old audit files stay beyond the number that is kept",
    clause: "AUDIT-7",
    code: [{ file: "adapters/audit/audit-file.ts", was: "  removeBeyond(file, files);\n", becomes: "" }],
  },
  {
    name: "a symlink is followed to the audit file",
    clause: "AUDIT-7",
    code: [{ file: "adapters/audit/audit-file.ts", was: " | constants.O_NOFOLLOW", becomes: "" }],
  },
  {
    name: "a full disk costs the event its other listeners",
    clause: "AUDIT-8",
    code: [
      {
        file: "adapters/audit/audit-file.ts",
        was: "      this.#missing += lines.length;\n",
        becomes: "      if (this.#missing === 0) throw error;\n      this.#missing += lines.length;\n",
      },
    ],
  },
  {
    name: "lines that are missing are not noted in the file",
    clause: "AUDIT-8",
    code: [
      {
        file: "adapters/audit/audit-file.ts",
        was: "if (this.#missing > 0) this.#noteLoss(time);",
        becomes: "this.#missing = 0;",
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: "if (missing > 0) appended(file, -missing) else file",
      becomes: "file",
      breaks: "lossInv",
    },
  },
  {
    name: "an audit file that the configuration no longer names is written on",
    clause: "AUDIT-9",
    code: [
      {
        file: "adapters/gateway/request-watch.ts",
        was: "if (isDeepStrictEqual(audit, this.#settings)) return;",
        becomes: "if (this.#settings !== undefined) return;",
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: "files.set(wanted, appended(noted, request))",
      becomes: 'files.set("x", appended(noted, request))',
      breaks: "wantedInv",
    },
  },
  {
    name: "a request that takes as long as a boundary is counted above it",
    clause: "METRIC-1",
    code: [
      {
        file: "adapters/metrics/series.ts",
        was: "while (seconds > (BOUNDARIES",
        becomes: "while (seconds >= (BOUNDARIES",
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: "counts.get(series) else 0) + 1)",
      becomes: "counts.get(series) else 1) + 1)",
      breaks: "countedInv",
    },
  },
  {
    name: "there is no end of series",
    clause: "METRIC-2",
    code: [
      { file: "adapters/metrics/series.ts", was: "this.#made.size >= this.#most - 1", becomes: "this.#made.size < 0" },
    ],
    model: {
      file: "spec/operator.qnt",
      was: "< MAX_SERIES - 1) key",
      becomes: "< MAX_SERIES) key",
      breaks: "seriesInv",
    },
  },
  {
    name: "a span has no parent",
    clause: "METRIC-3",
    code: [
      {
        file: "adapters/otel/index.ts",
        was: "if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;",
        becomes: "if (traceId !== spanId || traceId === undefined || spanId === undefined) return ROOT_CONTEXT;",
      },
    ],
    model: { file: "spec/operator.qnt", was: "{ parent: event.trace,", becomes: '{ parent: "",', breaks: "spansInv" },
  },
  {
    name: "each failure is an error in the Gateway's log",
    clause: "METRIC-4",
    code: [
      {
        file: "adapters/gateway/diagnostics.ts",
        was: "log.sometimes(`diagnostics ${code} ${routeId}`, () => diagnostics.logWebhookError({ ...about, error: code }));",
        becomes:
          "log.sometimes(`diagnostics ${code} ${routeId} ${String(durationMs)} ${String(Math.random())}`, () => diagnostics.logWebhookError({ ...about, error: code }));",
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: "val isShown = isFailure and isDue(shown, key, now)",
      becomes: "val isShown = isFailure",
      breaks: "diagnosticsInv",
    },
  },
  {
    name: "a page of the operator's takes any method",
    clause: "ADMIN-1",
    code: [
      {
        file: "adapters/server/admin.ts",
        was: 'return request.method === "GET" || request.method === "HEAD" ? page(request) : READ_ONLY;',
        becomes: "return page(request);",
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: 'asking.path == "/metrics" and asking.method.in(Set("GET", "HEAD"))',
      becomes: 'asking.path == "/metrics"',
      breaks: "readOnlyInv",
    },
  },
  {
    name: "all that stands on a connection makes pages",
    clause: "ADMIN-1",
    code: [{ file: "adapters/server/admin.ts", was: "      closeAfter(response);\n", becomes: "" }],
    model: {
      file: "spec/operator.qnt",
      was: 'isOver: not(path.in(Set("/healthz", "/readyz")))',
      becomes: "isOver: false",
      breaks: "fewPagesInv",
    },
  },
  {
    name: "the metrics are made for each who asks",
    clause: "ADMIN-1",
    code: [
      {
        file: "adapters/bridge/shared.ts",
        was: "made === undefined || at - made.at >= ms",
        becomes: "made === undefined || at >= made.at",
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: "now - made[made.length() - 1] < SHARED) made",
      becomes: "now - made[made.length() - 1] < 0) made",
      breaks: "fewPagesInv",
    },
  },
  {
    name: "a request without a token is shown the page that needs one",
    clause: "ADMIN-2",
    code: [
      {
        file: "adapters/server/admin.ts",
        was: 'return given !== "" && isSecret',
        becomes: 'return given === "" || isSecret',
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: 'token != "" and asking.given != token',
      becomes: 'token != "" and asking.given != "" and asking.given != token',
      breaks: "guardedInv",
    },
  },
  {
    name: "a site may lead its own name to the operator's pages",
    clause: "ADMIN-2",
    code: [
      {
        file: "adapters/server/admin.ts",
        was: "if (token === undefined && !isDirect(request)) return MISDIRECTED;",
        becomes: "",
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: 'token == "" and not(asking.host',
      becomes: 'token == "none" and not(asking.host',
      breaks: "guardedInv",
    },
  },
  {
    name: "another site's page makes pages of the operator's",
    clause: "ADMIN-2",
    code: [
      {
        file: "adapters/server/admin.ts",
        was: "if (token === undefined && isForeign(request)) return FOREIGN;",
        becomes: "",
      },
    ],
    model: {
      file: "spec/operator.qnt",
      was: 'not(asking.site.in(Set("none", "same-origin")))',
      becomes: "false",
      breaks: "guardedInv",
    },
  },
  {
    name: "the pages listen beyond this machine without a token",
    clause: "ADMIN-2",
    code: [
      {
        file: "adapters/cli/commands/admin.ts",
        was: "isLoopback(address.host) ? ok(undefined) : err(unguarded(address, adminTokenEnv))",
        becomes: "ok(undefined)",
      },
    ],
    model: { file: "spec/operator.qnt", was: 'isLocal or token != ""', becomes: "true", breaks: "guardedInv" },
  },
  {
    name: "a route takes the operator's page away",
    clause: "CONFIG-4",
    code: [{ file: "core/configured-path.ts", was: "  STATUS_PATH,\n", becomes: "" }],
  },
  {
    name: "the page is shown to each whom the Gateway knows",
    clause: "GATEWAY-1",
    code: [
      {
        file: "adapters/gateway/scopes.ts",
        was: "scopes?.some((scope) => READERS.includes(scope)) === true",
        becomes: "scopes?.some((scope) => READERS.includes(scope)) !== undefined",
      },
    ],
    model: {
      file: "spec/gateway.qnt",
      was: "    scopes.exists(scope => scope",
      becomes: '    scopes == Set() or scopes.exists(scope => scope == "operator.approvals" or scope',
      breaks: "readersInv",
    },
  },
  {
    name: "an edit is followed by requests alone",
    clause: "RELOAD-1",
    code: [{ file: "adapters/gateway/plugin.ts", was: "      watch.start();\n", becomes: "" }],
    model: {
      file: "spec/gateway.qnt",
      was: "block == known or age == 0, age'",
      becomes: "true, age'",
      breaks: "followedInv",
    },
  },
  {
    name: "an edit replaces the plugin",
    clause: "RELOAD-1",
    code: [{ file: "adapters/gateway/plugin.ts", was: "  keepOnEdit(api);\n", becomes: "" }],
    model: {
      file: "spec/gateway.qnt",
      was: "IS_HOT = true",
      becomes: "IS_HOT = false",
      breaks: "neverAwayInv",
    },
  },
  {
    name: "the path of a removed route is not given back",
    clause: "RELOAD-2",
    code: [
      {
        file: "adapters/gateway/paths.ts",
        was: "if (!this.#wanted.has(path)) this.#remove(path);",
        becomes: "if (this.#wanted.size < 0) this.#remove(path);",
      },
    ],
    model: {
      file: "spec/gateway.qnt",
      was: "filter(path => path.in(before) or not(path.in(taken)))",
      becomes: "filter(path => not(path.in(taken))).union(before)",
      breaks: "givenBackInv",
    },
  },
  {
    name: "a path that the Gateway does not grant is not named",
    clause: "RELOAD-2",
    code: [
      {
        file: "adapters/gateway/paths.ts",
        was: "&& !this.#add(path)) problems",
        becomes: "&& !this.#add(path) && path === routeId) problems",
      },
    ],
    model: {
      file: "spec/gateway.qnt",
      was: "lateOf(wanted, fixed).exclude(late)",
      becomes: "lateOf(wanted, fixed).intersect(late)",
      breaks: "namedInv",
    },
  },
  {
    name: "the status shows a session in a route's path",
    clause: "GATEWAY-1",
    code: [
      {
        file: "adapters/status/document.ts",
        was: "path: shownPath(route),",
        becomes: "path: route.path,",
      },
    ],
  },
  {
    name: "a page that waits for its store",
    clause: "STATUS-5",
    code: [{ file: "adapters/status/open-count.ts", was: "const COUNT_MS = 1500", becomes: "const COUNT_MS = 15_000" }],
    model: {
      file: "spec/status.qnt",
      was: "if (takes > PATIENCE) {",
      becomes: "if (takes > 9 * PATIENCE) {",
      breaks: "inTimeInv",
    },
  },
  {
    name: "a store that hangs is asked for its count again and again",
    clause: "STATUS-5",
    code: [
      {
        file: "adapters/status/open-count.ts",
        was: "underWay.get(name) ?? begin(",
        becomes: "begin(",
      },
    ],
    model: {
      file: "spec/status.qnt",
      was: "if (count.underWay == 0) 1 else count.underWay",
      becomes: "count.underWay + 1",
      breaks: "inTimeInv",
    },
  },
  {
    name: "a count of a Gateway's flows that is forgotten while it is under way",
    clause: "STATUS-5",
    code: [{ file: "adapters/managed-flows/store.ts", was: "{ at = now }", becomes: "{ at = 0 }" }],
  },
  {
    name: "a cold route is told as live",
    clause: "GATEWAY-1",
    code: [
      {
        file: "adapters/status/document.ts",
        was: '? "cold" : "skipped"',
        becomes: '? "live" : "skipped"',
      },
    ],
    model: {
      file: "spec/gateway.qnt",
      was: 'else if (path.in(cold)) "cold"',
      becomes: 'else if (path.in(cold)) "live"',
      breaks: "statusInv",
    },
  },
  {
    name: "the configuration's secret goes before the one that is given",
    clause: "GATEWAY-2",
    code: [
      {
        file: "adapters/cli/gateway-config.ts",
        was: "if (given.secretEnv !== undefined || secretFile !== undefined) return",
        becomes: "if (found === undefined && secretFile !== undefined) return",
      },
    ],
    model: {
      file: "spec/gateway.qnt",
      was: "if (given != 0) given else if",
      becomes: "if (given == 0) given else if",
      breaks: "callInv",
    },
  },
  {
    name: "rules for the doctor hold where a Gateway starts",
    clause: "WEAK-1",
    code: [
      {
        file: "adapters/gateway/doctor-contract-api.ts",
        was: 'process.argv.slice(2).includes("doctor")',
        becomes: "process.argv.length > 0",
      },
    ],
  },
  {
    name: "a signed route counts as unsigned",
    clause: "WEAK-1",
    code: [
      {
        file: "core/weakness.ts",
        was: 'own(route, "signature") !== undefined || own(route, "secretHeader")',
        becomes: 'own(route, "secretHeader")',
      },
    ],
    model: {
      file: "spec/gateway.qnt",
      was: "has: route.hasRules and not(route.isProved)",
      becomes: "has: route.hasRules",
      breaks: "fixInv",
    },
  },
  {
    name: "replicas count by the usual limit, whatever the route says",
    clause: "LIMIT-14",
    code: [
      {
        file: "adapters/limits/redis/shared-limits.ts",
        was: "const rule = windowOf(WINDOW, route.limits);",
        becomes: "const rule = WINDOW;",
      },
    ],
    model: {
      file: "spec/replicas.qnt",
      was: "if (bucket.count >= LIMIT)",
      becomes: "if (bucket.count > LIMIT)",
      breaks: "windowsInv",
    },
  },
  {
    name: "requests pass while the server of the limits is gone",
    clause: "LIMIT-15",
    code: [
      {
        file: "adapters/limits/redis/shared-limits.ts",
        was: "return this.#local?.admit(located, now) ?? GONE;",
        becomes: 'return this.#local?.admit(located, now) ?? { kind: "admitted" };',
      },
    ],
    model: {
      file: "spec/replicas.qnt",
      was: 'if (mode == "refuse") { said: "unavailable", by: "nobody" }',
      becomes: 'if (mode == "refuse") { said: "passes", by: "nobody" }',
      breaks: "countedInv",
    },
  },
  {
    name: "a key of a route without its hash tag",
    clause: "LIMIT-16",
    code: [
      {
        file: "adapters/limits/redis/keys.ts",
        was: "overflow: `${base}overflow`,",
        becomes: "overflow: `${prefix}overflow`,",
      },
    ],
    model: {
      file: "spec/replicas.qnt",
      was: "or store.own.keys().size() >= CAPACITY)",
      becomes: "or store.own.keys().size() > CAPACITY)",
      breaks: "boundedInv",
    },
  },
  {
    name: "a server that answers again is not asked again",
    clause: "LIMIT-17",
    code: [
      {
        file: "adapters/limits/redis/gate.ts",
        was: "this.#options.onChange(trouble);\n    void this.#knock();",
        becomes: "this.#options.onChange(trouble);",
      },
    ],
    model: {
      file: "spec/replicas.qnt",
      was: "gate' = gate.put(replica, store.isUp),",
      becomes: "gate' = gate.put(replica, false),",
      breaks: "backInv",
    },
  },
  {
    name: "a password in the address is taken",
    clause: "LIMIT-18",
    code: [
      {
        file: "adapters/cli/commands/limits.ts",
        was: "if (parsed.value.password !== undefined) return err(fault(PASSWORD_IN_ADDRESS));",
        becomes: "",
      },
    ],
    model: {
      file: "spec/replicas.qnt",
      was: 'pure val TAKEN_FROM = Set("environment", "private file")',
      becomes: 'pure val TAKEN_FROM = Set("environment", "private file", "command line")',
      breaks: "passwordInv",
    },
  },
  {
    name: "a slot that is given too late is kept",
    clause: "SLOT-6",
    code: [
      {
        file: "adapters/limits/redis/shared-limits.ts",
        was: ".pass(ask, () => void this.#giveBack(lease))",
        becomes: ".pass(ask)",
      },
    ],
    model: {
      file: "spec/replicas.qnt",
      was: "release(store, id).leases.union(Set({ id: id, client: client, endsAt: now + LEASE })) }",
      becomes: "release(store, id).leases.union(Set({ id: id, client: client, endsAt: now + LEASE + 1 })) }",
      breaks: "freedInv",
    },
  },
];
