// Carries a delivery out, step by step as the core decides: asks the file of claims, the host, and which requests this process
// is at.

import { hash } from "node:crypto";
import { err, type Result } from "neverthrow";
import {
  beginClaim,
  type Settlement,
  type Delivery,
  type Holder,
  type Outcome,
  type Question,
  type Repeatable,
  resolveRun,
  type RunRow,
  type Step,
  type StoreFailure,
} from "../../core/index.ts";
import type { Awaitable } from "../flows/awaitable.ts";
import { type Report, REPORTS, Sentence } from "../flows/flow-store.ts";
import type { ClaimName, ClaimsFile } from "./claims-file.ts";
import { hold, holderOf, waitFor } from "./in-flight.ts";
import type { FileFault } from "./plugin-file.ts";

export type DeliverRequest = {
  readonly owner: string;
  readonly action: Repeatable;
  readonly delivery: Delivery;
  readonly report: Report;
  /** May throw or reject: then the claim stays open. */
  readonly askHost: (question: Question) => Awaitable<Result<Outcome, StoreFailure>>;
  /** Called when a run waits for its turn, or it is not known whether it does. Must not throw. */
  readonly onRun?: (() => void) | undefined;
};

/** Milliseconds for which a request waits for another one that makes the flow of the same text. */
const MAKER_WAIT_MS = 5000;

/** The same for each repeat of a request, and for no other. */
const runIdOf = ({ routeId, owner, once }: ClaimName): string =>
  `webhooks-${hash("sha256", JSON.stringify([routeId, owner, once?.key])).slice(0, 32)}`;

/** Who makes a flow for the same text, once nobody does or it takes too long. `take` is called before anybody else can ask. */
const makerOf = async (name: string, take: (maker: Holder) => void): Promise<Holder> => {
  const latest = performance.now() + MAKER_WAIT_MS;
  let maker = holderOf(name);
  while (maker === "running" && performance.now() < latest) {
    await waitFor(name, latest - performance.now());
    maker = holderOf(name);
  }
  take(maker);
  return maker;
};

const NOTHING = (): void => undefined;

/** Takes the name unless another request has it. */
const take = (name: string | undefined, holder: Holder): (() => void) =>
  name === undefined || holder !== "nobody" ? NOTHING : hold(name);

/** The names of this process for runs whose flows are being made. */
const runName = (claims: ClaimsFile, stamp: number): string => JSON.stringify([claims.file.id, "run", stamp]);

/** The run that a request has claimed: while its flow is being made, nobody else may find out what became of it. */
class ClaimedRun {
  readonly #claims: ClaimsFile;
  #release = NOTHING;
  /** Whether the file may hold a run that nobody has seen. */
  isNews = false;

  constructor(claims: ClaimsFile) {
    this.#claims = claims;
  }

  claimed(stamp: number): void {
    this.#release();
    this.#release = hold(runName(this.#claims, stamp));
    this.isNews = true;
  }

  settled({ run }: Settlement, isQueued: boolean): void {
    if (run !== undefined) this.isNews = isQueued;
  }

  release(): void {
    this.#release();
  }
}

type Walk = {
  readonly first: Step;
  readonly request: Pick<DeliverRequest, "askHost" | "report">;
  readonly name: ClaimName;
  readonly run: ClaimedRun;
};

/** Asks what one step wants to know, until there is an answer. */
const walk = async (
  { first, request: { askHost, report }, name, run }: Walk,
  claims: ClaimsFile,
): Promise<Result<Outcome, StoreFailure>> => {
  const tell = ({ advice }: FileFault): void => report(REPORTS.unkept, new Sentence(advice));
  for (let step = first; ;) {
    if (step.kind === "answer") return step.answer;
    if (step.kind === "ask") {
      step = step.next(await askHost(step));
    } else if (step.kind === "claim") {
      const stamp = claims.claim(name, step.plan, step.claiming);
      if (stamp.isErr()) {
        tell(stamp.error);
        return err("idempotency_unavailable");
      }
      if (step.claiming.starts) run.claimed(stamp.value);
      step = step.next(stamp.value);
    } else {
      const kept = claims.settle(name, step.settlement);
      if (kept.isErr()) {
        tell(kept.error);
        if (step.orElse !== undefined) return err(step.orElse);
      } else run.settled(step.settlement, kept.value.isQueued);
      step = step.next(kept.isOk() ? kept.value.earlier : undefined);
    }
  }
};

//= ONCE-6
/** The outcome of the delivery. Rejects when the host fails; what became of it is then found out with the next try. */
export const deliver = async (request: DeliverRequest, claims: ClaimsFile): Promise<Result<Outcome, StoreFailure>> => {
  const { owner, action, delivery, report, onRun } = request;
  const { routeId, once, bind } = delivery;
  const name: ClaimName = { routeId, owner, once, bind };
  const nameOf = (kind: string, key: string): string => JSON.stringify([claims.file.id, kind, routeId, owner, key]);
  const keyName = once === undefined ? undefined : nameOf("key", once.key);
  const bindName = bind === undefined ? undefined : nameOf("bind", bind);
  const holder = keyName === undefined ? "nobody" : holderOf(keyName);
  const releaseKey = take(keyName, holder);
  let releaseBind = NOTHING;
  const run = new ClaimedRun(claims);
  try {
    const takeBind = (maker: Holder): void => {
      if (action.action === "create_flow") releaseBind = take(bindName, maker);
    };
    const isWaiting = bindName !== undefined && holder === "nobody";
    const maker = isWaiting ? await makerOf(bindName, takeBind) : "nobody";
    if (maker === "running") return err("idempotency_in_progress");
    const kept = claims.look(name);
    if (kept.isErr()) {
      report(REPORTS.unkept, new Sentence(kept.error.advice));
      return err("idempotency_unavailable");
    }
    const first = beginClaim(
      { action, delivery, runId: runIdOf(name), now: claims.file.now(), holder, maker },
      kept.value,
    );
    return await walk({ first, request, name, run }, claims);
  } finally {
    run.release();
    releaseBind();
    releaseKey();
    if (run.isNews) onRun?.();
  }
};

//= RUN-1
/**
 * Finds out whether the flow of an intended run was made: then the run waits for its turn, else it is forgotten. False while
 * that is not known, because a request is still at it, or the host or the file has failed. Rejects when the host does.
 */
export const resolveIntent = async (
  { routeId, owner, stamp, plan }: Pick<RunRow, "routeId" | "owner" | "stamp" | "plan">,
  request: Pick<DeliverRequest, "askHost" | "report">,
  claims: ClaimsFile,
): Promise<boolean> => {
  if (plan === undefined || holderOf(runName(claims, stamp)) !== "nobody") return false;
  const name: ClaimName = { routeId, owner, once: undefined, bind: undefined };
  const answer = await walk({ first: resolveRun(plan, stamp), request, name, run: new ClaimedRun(claims) }, claims);
  return answer.isOk();
};
