import { type IpfwDecision, walkIpfw } from "./_ipfw_evaluate.ts";
import type { IpfwPacket } from "./_ipfw_match.ts";
import { worstOf } from "./_other_match.ts";
import type { IpfwRule, IpfwTables } from "./_ipfw_rules.ts";
import { type OtherAsked, ownSpan } from "./_other_request.ts";
import type { Family, Outcome } from "./outcome.ts";

/** What is known of ipfw. */
export type Ipfw =
  | { readonly on: false }
  | {
    readonly on: true;
    /** The families that are filtered. */
    readonly families: readonly Family[];
    readonly rules: readonly IpfwRule[];
    readonly tables: IpfwTables;
    /** Sets that are switched off; undefined where it is not known. */
    readonly setsOff: readonly number[] | undefined;
  };

/** What ipfw does with the asked connections. */
export type IpfwVerdict =
  | { readonly type: "open"; readonly why: string }
  | {
    readonly type: "blocked";
    readonly why: string;
    readonly family: Family;
    readonly direction: "inbound" | "reply";
    readonly rule: IpfwRule;
    /** All rules that deny some of it; `rule` is the last of them. */
    readonly denies: readonly IpfwRule[];
  }
  | {
    readonly type: "unknown";
    readonly why: string;
    /** For the first packet: every rule that may decide. */
    readonly decisions: readonly IpfwDecision[];
  };

/** The verdict over all families that are asked: the worst of them. */
export function judgeIpfw(ipfw: Ipfw, asked: OtherAsked): IpfwVerdict {
  if (!ipfw.on) return { type: "open", why: "ipfw is off" };
  const verdicts = asked.families.map((family): IpfwVerdict =>
    ipfw.families.includes(family)
      ? judgeFamily(ipfw, asked, family)
      : { type: "open", why: `ipfw is off for ${family}` }
  );
  return worstOf(verdicts);
}

function judgeFamily(
  { rules, tables }: Ipfw & { on: true },
  asked: OtherAsked,
  family: Family,
): IpfwVerdict {
  const packet = (
    direction: "in" | "out",
    flags: IpfwPacket["flags"],
    flow?: string,
  ): IpfwPacket => ({
    family,
    protocol: asked.protocol,
    flags,
    direction,
    port: asked.port,
    peer: asked.source?.span,
    interface: asked.interface,
    own: ownSpan(asked),
    flow,
  });
  const first = walkIpfw(rules, tables, packet("in", "S"));
  const verdict = combine(first, family, "inbound", first);
  if (verdict.type !== "open") return verdict;
  // Each rule that may let it in may keep a state of its own.
  const later = first.flatMap(({ rule }) =>
    ([["out", "SA", "reply"], ["in", "A", "inbound"]] as const).map(
      ([direction, flags, name]) =>
        combine(
          walkIpfw(rules, tables, packet(direction, flags, rule?.keeps)),
          family,
          name,
          first,
        ),
    )
  );
  const blocked = later.find(({ type }) => type === "blocked");
  const unclear = later.find(({ type }) => type === "unknown");
  if (blocked !== undefined && first.length > 1) {
    return { type: "unknown", why: blocked.why, decisions: first };
  }
  return blocked ?? unclear ?? verdict;
}

function combine(
  decisions: readonly IpfwDecision[],
  family: Family,
  direction: "inbound" | "reply",
  first: readonly IpfwDecision[],
): IpfwVerdict {
  const denies = decisions.flatMap(({ verdict, rule }) =>
    verdict === "deny" && rule !== undefined ? [rule] : []
  );
  const last = denies.at(-1);
  if (denies.length === decisions.length && last !== undefined) {
    return {
      type: "blocked",
      family,
      direction,
      rule: last,
      denies,
      why: `ipfw denies ${
        direction === "reply" ? "the answers" : "it"
      } (${family}) by ${describeRule(last)}`,
    };
  }
  const allowed = decisions.filter(({ verdict }) => verdict === "allow");
  if (allowed.length === decisions.length) {
    const by = allowed.map(({ rule }) => describeRule(rule)).join(" or ");
    return { type: "open", why: `ipfw allows it by ${by}` };
  }
  const odd = decisions.find(({ verdict }) => verdict === "unknown");
  return {
    type: "unknown",
    decisions: first,
    why: odd === undefined
      ? `ipfw may deny it (${family}) by ${
        describeRule(last)
      }, or allow it by ${describeRule(allowed[0]!.rule)}`
      : odd.rule === undefined
      ? "ipfw printed no rule that ends its list"
      : `ipfw has a rule that this version cannot judge: ${
        describeRule(odd.rule)
      }`,
  };
}

/** A rule with its number, for sentences. */
export function describeRule(rule: IpfwRule | undefined): string {
  return rule === undefined
    ? "the end of its list"
    : `rule ${rule.number} "${rule.text}"`;
}

/** The outcome for what ipfw denies. */
export function ipfwBlocks(
  verdict: IpfwVerdict & { type: "blocked" },
): Outcome {
  const { rule, family, direction, why } = verdict;
  return {
    status: "blocked-by",
    layer: "ipfw",
    family,
    direction,
    table: `set ${rule.set}`,
    chain: direction === "reply" ? "out" : "in",
    handle: rule.number,
    rule: rule.text,
    why,
  };
}
