import type { TableEntry } from "./_other_match.ts";
import { matchPfRule, type PfPacket } from "./_pf_match.ts";
import type { PfRule } from "./_pf_parser.ts";

/** All rules of pf. */
export interface PfRuleset {
  readonly main: readonly PfRule[];
  /** By path; undefined for one that could not be read. */
  readonly anchors: ReadonlyMap<string, readonly PfRule[] | undefined>;
  /** By `path name`, or ` name`; undefined where one could not be read. */
  readonly tables: ReadonlyMap<string, readonly TableEntry[] | undefined>;
}

/** A rule that may decide, and where it stands. */
export interface PfDecision {
  readonly verdict: "pass" | "block" | "unknown";
  /** Undefined where no rule matches: pf then passes. */
  readonly rule: PfRule | undefined;
  readonly path: string;
}

const DEPTH_MAX = 64;
const RULES_MAX = 100_000;
/** What sends a packet to another place than the program that listens. */
const ELSEWHERE = /\b(route-to|dup-to|rdr-to|nat-to|af-to|divert)/;
const NOTHING: PfDecision = { verdict: "pass", rule: undefined, path: "" };
/** Stands for what was decided before an anchor. */
const BEFORE: PfDecision = { verdict: "unknown", rule: undefined, path: "" };

/**
 * All decisions that a packet may meet: one when it is certain. The last rule
 * that matches decides, or the first that is quick.
 */
export function walkPf(ruleset: PfRuleset, packet: PfPacket): PfDecision[] {
  const walk = new Walk(ruleset, packet);
  const { ended, open } = walk.rules(ruleset.main, "", [NOTHING], 0);
  return [...new Set([...ended, ...open])];
}

interface Ways {
  /** Decided for good. */
  readonly ended: readonly PfDecision[];
  /** Decided unless a later rule matches. */
  readonly open: readonly PfDecision[];
}

class Walk {
  readonly #ruleset: PfRuleset;
  readonly #packet: PfPacket;
  #looked = 0;

  constructor(ruleset: PfRuleset, packet: PfPacket) {
    this.#ruleset = ruleset;
    this.#packet = packet;
  }

  rules(
    rules: readonly PfRule[],
    path: string,
    before: readonly PfDecision[],
    depth: number,
  ): Ways {
    let open: readonly PfDecision[] = before;
    const ended: PfDecision[] = [];
    for (const rule of rules) {
      if (++this.#looked > RULES_MAX || depth > DEPTH_MAX) {
        return { ended: [...ended, unknown(rule, path)], open: [] };
      }
      if (rule.action === "unread") {
        ended.push(unknown(rule, path));
        continue;
      }
      const match = matchPfRule(rule, this.#packet, this.#ruleset, path);
      if (match === "no" || this.#harmless(rule)) continue;
      const ways = rule.action === "anchor"
        ? this.#anchor(rule, path, depth)
        : decided(rule, path);
      ended.push(...ways.ended);
      // Inside of an anchor, no match leaves what was decided before it.
      const after = ways.open.flatMap((way) => way === BEFORE ? open : [way]);
      open = match === "yes" ? after : [...open, ...after];
      open = [...new Set(open)];
      if (open.length === 0) break;
    }
    return { ended, open };
  }

  #harmless({ action, conditions }: PfRule): boolean {
    return action === "match" &&
      !conditions.some((text) => ELSEWHERE.test(text));
  }

  #anchor(rule: PfRule, path: string, depth: number): Ways {
    let ways: Ways = { ended: [], open: [BEFORE] };
    for (const [below, rules] of this.#children(rule, path)) {
      const next = rules === undefined
        ? { ended: [unknown(rule, below)], open: ways.open }
        : this.rules(rules, below, ways.open, depth + 1);
      ways = { ended: [...ways.ended, ...next.ended], open: next.open };
    }
    if (!rule.quick) return ways;
    // A quick anchor ends it when a rule inside matched.
    return {
      ended: [...ways.ended, ...ways.open.filter((way) => way !== BEFORE)],
      open: ways.open.filter((way) => way === BEFORE),
    };
  }

  /** The rulesets that an anchor stands for, in order. */
  #children(
    rule: PfRule,
    path: string,
  ): (readonly [string, readonly PfRule[] | undefined])[] {
    if (rule.inner !== undefined) return [[path, rule.inner]];
    const named = rule.anchor ?? "";
    const full = anchorPath(path, named);
    const { anchors } = this.#ruleset;
    if (!full.endsWith("*")) {
      return [[full, anchors.has(full) ? anchors.get(full) : []]];
    }
    const prefix = full.slice(0, -1);
    return [...anchors].filter(([name]) =>
      name.startsWith(prefix) && !name.slice(prefix.length).includes("/")
    ).sort(([a], [b]) => a < b ? -1 : 1);
  }
}

/** The path of an anchor that is called from another one. */
function anchorPath(from: string, named: string): string {
  const parts = named.startsWith("/") || from === "" ? [] : from.split("/");
  for (const part of named.replace(/^\//, "").split("/")) {
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}

function decided(rule: PfRule, path: string): Ways {
  const sends = rule.conditions.some((text) => ELSEWHERE.test(text));
  const decision: PfDecision = {
    verdict: rule.action === "block" || (rule.action === "pass" && !sends)
      ? rule.action
      : "unknown",
    rule,
    path,
  };
  return rule.quick || decision.verdict === "unknown"
    ? { ended: [decision], open: [] }
    : { ended: [], open: [decision] };
}

function unknown(rule: PfRule, path: string): PfDecision {
  return { verdict: "unknown", rule, path };
}
