// Why a command failed: one sentence for the user, without a secret and without a stack trace.

export type CliFault = {
  /** What is wrong with which file or field, and what to do. Ends with a period or a question mark. */
  readonly sentence: string;
  /** The exit status, where it is not the command's usual one. */
  readonly status?: number;
  /** A configuration is whole, but switched off. */
  readonly isOff?: boolean;
};

export const fault = (sentence: string): CliFault => ({
  sentence: /[.?]$/u.test(sentence) ? sentence : `${sentence}.`,
});
