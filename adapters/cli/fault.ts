// What keeps the command line from its work: one sentence for whoever typed it, without a secret and a stack trace.

/** `sentence`: what is wrong with which file or field, and what to do; ends with a period. */
export type CliFault = {
  readonly sentence: string;
  /** The exit status, where the command's usual one is not right. */
  readonly status?: number;
};

export const fault = (sentence: string): CliFault => ({
  sentence: /[.?]$/u.test(sentence) ? sentence : `${sentence}.`,
});
