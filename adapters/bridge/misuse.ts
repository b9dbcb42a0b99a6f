// A mistake in the embedding host, told apart from a defect of the bridge, so that the log says who can repair it.

import { Sentence } from "../flows/flow-store.ts";

export class Misuse extends Error {
  override readonly name = "Misuse";
  readonly sentence: Sentence;

  constructor(sentence: string) {
    super(sentence);
    this.sentence = new Sentence(sentence);
  }
}

export const lateLimits = (): Misuse => new Misuse("the limits did not answer in time");

export const badVerdict = (): Misuse => new Misuse("the limits answered with something that is not a verdict");

/** A body can be read once. */
export const bodyWasRead = (): Misuse =>
  new Misuse("the body was read before the webhook bridge got it: put the bridge before all body parsers");
