// Why a server is not used.

export class UnfitServer extends Error {
  override readonly name = "UnfitServer";
  readonly reason: "standby" | "old" | "encoding";

  constructor(reason: UnfitServer["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}
