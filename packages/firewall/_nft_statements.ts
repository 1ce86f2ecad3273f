import { isRecord } from "./_nft_ruleset.ts";

/** Statements that change neither the packet nor its way. */
export const HARMLESS: ReadonlySet<string> = new Set([
  "counter",
  "log",
  "comment",
  "last",
]);
/** Statements that let the rule go on only now and then. */
export const SOMETIMES: ReadonlySet<string> = new Set(
  ["limit", "quota", "ct count", "set", "map", "meter"],
);
/** Statements after which the packet is another one. */
export const CHANGING: ReadonlySet<string> = new Set([
  ...["notrack", "dnat", "snat", "masquerade", "redirect"],
  ...["tproxy", "synproxy", "fwd", "dup"],
]);
/** Statements that end a rule. */
export const VERDICTS: ReadonlySet<string> = new Set([
  ...["accept", "drop", "reject", "jump", "goto", "return", "continue"],
]);

/** A comment of iptables: its only match that nft hides and that is certain. */
export function isComment(kind: string, body: unknown): boolean {
  return kind === "xt" && isRecord(body) && body.type === "match" &&
    body.name === "comment";
}
