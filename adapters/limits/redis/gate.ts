// Lets calls to the server through while it answers in time. After a call that fails or is late none waits any more: the gate is
// closed, and one probe after the other asks whether the server answers again.

import { err, ok, type Result } from "neverthrow";

//= LIMIT-15
/** Milliseconds in which the server must answer. */
export const DEADLINE_MS = 250;

/** Milliseconds between two probes that fail at once, as they do without a connection. */
const PROBE_MS = 50;

/** Milliseconds for which a server that nobody has asked counts as one that answers. */
const SILENCE_MS = 1000;

/** Why a call has no answer. `error`: what it has failed with. */
export type Trouble = { readonly kind: "closed" | "late" } | { readonly kind: "failed"; readonly error: unknown };

const LATE: Trouble = { kind: "late" };
const CLOSED: Trouble = { kind: "closed" };

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms).unref());

/** Never rejects. `undo` gets an answer that came too late. */
const within = <T>(later: Promise<T>, undo: (late: T) => void): Promise<Result<T, Trouble>> =>
  new Promise((resolve) => {
    let isOver = false;
    const end = (result: Result<T, Trouble>): boolean => {
      if (isOver) return false;
      isOver = true;
      clearTimeout(timer);
      resolve(result);
      return true;
    };
    // what has come while this process was busy is read first
    const timer = setTimeout(() => setImmediate(() => end(err(LATE))), DEADLINE_MS);
    later.then(
      (value) => void (end(ok(value)) || undo(value)),
      (error: unknown) => void end(err({ kind: "failed", error })),
    );
  });

export type GateOptions = {
  /** Resolves when the server works. */
  readonly probe: () => Promise<unknown>;
  /** What is done before a probe while the gate is closed. */
  readonly prepare?: () => Promise<unknown> | undefined;
  /** Told when the gate opens, and with what has closed it. Must not throw. */
  readonly onChange: (trouble: Trouble | undefined) => void;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
};

export class Gate {
  readonly #options: GateOptions;
  readonly #heartbeat: NodeJS.Timeout;
  #isOpen = false;
  #hasEnded = false;
  #answeredAt = 0;
  #trouble: Trouble | undefined;

  /** It is closed until the first probe is answered. */
  constructor(options: GateOptions) {
    this.#options = options;
    this.#heartbeat = setInterval(() => this.#beat(), SILENCE_MS).unref();
    void this.#knock();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** What the last call or probe has failed with, while it is closed. */
  get trouble(): Trouble | undefined {
    return this.#isOpen ? undefined : this.#trouble;
  }

  //= LIMIT-15
  /** Calls the server. Never rejects. `undo`: gets an answer that came too late; must not throw. */
  async pass<T>(call: () => Promise<T>, undo: (late: T) => void = () => undefined): Promise<Result<T, Trouble>> {
    if (!this.#isOpen) return err(CLOSED);
    const said = await within(call(), undo);
    if (said.isOk()) this.#answeredAt = this.#options.clock();
    else this.#close(said.error);
    return said;
  }

  end(): void {
    this.#hasEnded = true;
    this.#isOpen = false;
    clearInterval(this.#heartbeat);
  }

  /** So that a server that has gone is missed without a request. */
  #beat(): void {
    const { clock, probe } = this.#options;
    if (this.#isOpen && clock() - this.#answeredAt >= SILENCE_MS) void this.pass(probe);
  }

  #close(trouble: Trouble): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#trouble = trouble;
    this.#options.onChange(trouble);
    void this.#knock();
  }

  //= LIMIT-17
  /** One probe at a time, so that nothing piles up before a server that has stopped; one that is answered late is sent again. */
  async #knock(): Promise<void> {
    const { clock, probe, prepare } = this.#options;
    while (!this.#isOpen && !this.#hasEnded) {
      const sentAt = clock();
      try {
        await prepare?.();
        await probe();
        if (clock() - sentAt <= DEADLINE_MS) this.#open();
      } catch (error) {
        this.#trouble = { kind: "failed", error };
        await pause(PROBE_MS);
      }
    }
  }

  #open(): void {
    if (this.#hasEnded) return;
    this.#isOpen = true;
    this.#answeredAt = this.#options.clock();
    this.#options.onChange(undefined);
  }
}
