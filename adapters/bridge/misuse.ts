// A mistake of whoever embeds the bridge, told apart from a defect of ours, so that the log says who can repair it.

export class HostMistake extends Error {
  override readonly name = "HostMistake";
}

/** A body can be read once. */
export const bodyWasRead = (): HostMistake =>
  new HostMistake("the body was read before the webhook bridge got it: put the bridge before all body parsers");
