/** What the options of a demo have in common. */

/** Reads a number; fails with a sentence that names the option and the text. */
export function wholeNumber(
  name: string,
  text: string,
  min: number,
  max: number,
): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new TypeError(
    `${name} must be a whole number from ${min} to ${max}, not "${text}"`,
  );
}
