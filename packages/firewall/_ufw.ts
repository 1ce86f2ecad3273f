import type { Asked } from "./_request.ts";

/** What ufw is told to do, from its own files. */
export interface UfwPolicy {
  /** The default for what comes in; undefined when it could not be read. */
  readonly input: "accept" | "drop" | undefined;
  /** The text of user.rules and user6.rules; undefined without the right. */
  readonly rules: string | undefined;
}

/** The default policy in `/etc/default/ufw`. */
export function parseUfwDefaults(text: string): "accept" | "drop" | undefined {
  const value = /^\s*DEFAULT_INPUT_POLICY\s*=\s*["']?(\w+)["']?\s*$/m
    .exec(text)?.[1]?.toUpperCase();
  if (value === "ACCEPT") return "accept";
  return value === "DROP" || value === "REJECT" ? "drop" : undefined;
}

/** Whether ufw drops it for certain; a rule that may concern it is `maybe`. */
export function ufwDrops(policy: UfwPolicy, asked: Asked): "yes" | "maybe" {
  if (policy.input !== "drop" || policy.rules === undefined) return "maybe";
  for (const line of policy.rules.split("\n")) {
    const tuple = /^### tuple ### (.*)$/.exec(line)?.[1];
    if (tuple !== undefined && concerns(tuple.split(/\s+/), asked)) {
      return "maybe";
    }
  }
  return "yes";
}

/** Fields: action protocol dport destination sport source [apps] direction. */
function concerns(fields: readonly string[], asked: Asked): boolean {
  const [action = "", protocol = "", dport = ""] = fields;
  if (action.startsWith("route:")) return false;
  if (fields.some((field) => field === "out" || field.startsWith("out_"))) {
    return false;
  }
  if (protocol !== "any" && protocol !== asked.protocol) return false;
  if (dport === "any") return true;
  return dport.split(",").some((part) => {
    const [from = NaN, to = from] = part.split(":").map(Number);
    // What is no number is a rule that is not understood: it may concern it.
    return !(asked.port < from || asked.port > to);
  });
}
