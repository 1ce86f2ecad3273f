/** An object of what `ip -j` prints; its values are still to be looked at. */
export type Row = Readonly<Record<string, unknown>>;

/** Whether it is an object. */
export function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The objects of a list; none of anything else. */
export function rowsIn(value: unknown): readonly Row[] {
  return Array.isArray(value) ? value.filter(isRow) : [];
}

/** A text that is not empty. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A whole number. */
export function number(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value)
    ? value
    : undefined;
}

/** Whether a list of flags has that one. */
export function has(flags: unknown, flag: string): boolean {
  return Array.isArray(flags) && flags.includes(flag);
}
