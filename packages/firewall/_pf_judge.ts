import { type PfDecision, type PfRuleset, walkPf } from "./_pf_evaluate.ts";
import { matchPfRule, type PfPacket } from "./_pf_match.ts";
import { worstOf } from "./_other_match.ts";
import type { Pf } from "./_pf_facts.ts";
import { type OtherAsked, ownSpan } from "./_other_request.ts";
import type { Family, Outcome } from "./outcome.ts";

/** What pf does with the asked connections. */
export type PfVerdict =
  | { readonly type: "open"; readonly why: string }
  | {
    readonly type: "blocked";
    readonly why: string;
    readonly family: Family;
    readonly direction: "inbound" | "reply";
    readonly decision: PfDecision;
  }
  | {
    readonly type: "unknown";
    readonly why: string;
    /** For the first packet: every rule that may decide. */
    readonly decisions: readonly PfDecision[];
  };

/** The verdict over all families that are asked: the worst of them. */
export function judgePf(pf: Pf, asked: OtherAsked): PfVerdict {
  if (!pf.on) return { type: "open", why: "pf is off" };
  const verdicts = asked.families.map((family) =>
    judgeFamily(pf, asked, family)
  );
  return worstOf(verdicts);
}

function judgeFamily(
  pf: Pf & { on: true },
  asked: OtherAsked,
  family: Family,
): PfVerdict {
  const first = packetOf(asked, family, "in", "S");
  const skipped = pf.skipped.filter((name) => !/^lo\d*$/.test(name));
  if (asked.interface !== undefined && skipped.includes(asked.interface)) {
    return { type: "open", why: `pf skips ${asked.interface}` };
  }
  const rdr = pf.redirects.find((rule) =>
    matchPfRule(rule, first, pf.ruleset, "") !== "no"
  );
  if (rdr !== undefined) {
    const why = `pf may send it elsewhere: ${rdr.text}`;
    return { type: "unknown", why, decisions: [] };
  }
  const verdict = judgeRuleset(pf.ruleset, asked, family);
  // A group that is skipped may hold the interface that is meant.
  if (verdict.type === "blocked" && skipped.length > 0) {
    if (asked.interface === undefined || skipped.some((n) => !/\d$/.test(n))) {
      const why = `pf skips ${
        skipped.join(", ")
      }, and elsewhere: ${verdict.why}`;
      return { type: "unknown", why, decisions: [] };
    }
  }
  return verdict;
}

/** The first packet, and where no state is kept the others as well. */
export function judgeRuleset(
  ruleset: PfRuleset,
  asked: OtherAsked,
  family: Family,
): PfVerdict {
  const first = walkPf(ruleset, packetOf(asked, family, "in", "S"));
  const verdict = combine(first, family, "inbound");
  if (verdict.type !== "open") return verdict;
  if (first.every(({ rule }) => rule?.keepsState)) return verdict;
  const others: readonly [PfPacket, "inbound" | "reply"][] = [
    [packetOf(asked, family, "out", "SA"), "reply"],
    [packetOf(asked, family, "in", "A"), "inbound"],
    [packetOf(asked, family, "out", "A"), "reply"],
  ];
  for (const [packet, direction] of others) {
    const next = combine(walkPf(ruleset, packet), family, direction);
    if (next.type === "open") continue;
    // Where some of the first packets have a state, theirs go on.
    if (next.type === "blocked" && first.some(({ rule }) => rule?.keepsState)) {
      return { type: "unknown", why: next.why, decisions: first };
    }
    return next;
  }
  return verdict;
}

function packetOf(
  asked: OtherAsked,
  family: Family,
  direction: "in" | "out",
  flags: PfPacket["flags"],
): PfPacket {
  return {
    family,
    protocol: asked.protocol,
    flags,
    direction,
    port: asked.port,
    peer: asked.source?.span,
    interface: asked.interface,
    own: ownSpan(asked),
  };
}

function combine(
  decisions: readonly PfDecision[],
  family: Family,
  direction: "inbound" | "reply",
): PfVerdict {
  const blocks = decisions.filter(({ verdict }) => verdict === "block");
  const passes = decisions.filter(({ verdict }) => verdict === "pass");
  // Those before it may match; the last one does.
  const block = blocks.at(-1);
  if (blocks.length === decisions.length && block !== undefined) {
    return {
      type: "blocked",
      family,
      direction,
      decision: block,
      why: `pf blocks ${
        direction === "reply" ? "the answers" : "it"
      } (${family}) by ${describeDecision(block)}`,
    };
  }
  if (passes.length === decisions.length) {
    const by = passes.map(describeDecision).join(" or ");
    return { type: "open", why: `pf passes it by ${by}` };
  }
  const odd = decisions.find(({ verdict }) => verdict === "unknown");
  return {
    type: "unknown",
    decisions,
    why: odd === undefined
      ? `pf may block it (${family}) by ${
        describeDecision(block!)
      }, or pass it by ${describeDecision(passes[0]!)}`
      : `pf has a rule that this version cannot judge: ${
        describeDecision(odd)
      }`,
  };
}

/** A rule with its anchor, for sentences. */
export function describeDecision({ rule, path }: PfDecision): string {
  if (rule === undefined) return "its default, for no rule matches";
  const where = path === "" ? "" : ` in anchor ${path}`;
  return `"${rule.text}"${where}`;
}

/** The outcome for what pf blocks. */
export function pfBlocks(verdict: PfVerdict & { type: "blocked" }): Outcome {
  const { decision, family, direction, why } = verdict;
  return {
    status: "blocked-by",
    layer: "pf",
    family,
    direction,
    table: decision.path === "" ? "main ruleset" : `anchor ${decision.path}`,
    chain: direction === "reply" ? "out" : "in",
    handle: undefined,
    ...(decision.rule && { rule: decision.rule.text }),
    why,
  };
}
