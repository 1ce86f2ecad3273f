/** What ufw is told to do, from its own files. */
export interface UfwPolicy {
  /** The default for what comes in; undefined when it could not be read. */
  readonly input: "accept" | "drop" | undefined;
}

/** The default policy in `/etc/default/ufw`. */
export function parseUfwDefaults(text: string): "accept" | "drop" | undefined {
  const value = /^\s*DEFAULT_INPUT_POLICY\s*=\s*["']?(\w+)["']?\s*$/m
    .exec(text)?.[1]?.toUpperCase();
  if (value === "ACCEPT") return "accept";
  return value === "DROP" || value === "REJECT" ? "drop" : undefined;
}
