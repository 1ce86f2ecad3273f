/** Fails with one sentence unless the value is a number within the bounds. */
export function checkNumber(
  action: string,
  name: string,
  value: number,
  least: number,
  most: number = Number.MAX_VALUE,
): void {
  // Negated, so that NaN fails too.
  if (!(value >= least && value <= most)) {
    const bounds = most === Number.MAX_VALUE
      ? `a finite number of at least ${least}`
      : `a number from ${least} to ${most}`;
    throw new RangeError(
      `Cannot ${action}: ${name} must be ${bounds}: current value is ${value}`,
    );
  }
}
