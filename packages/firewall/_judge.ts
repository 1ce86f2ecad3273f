import type { LinuxFacts } from "./_linux_facts.ts";
import { evaluateFamily, type Evaluation } from "./_nft_evaluate.ts";
import type { NftRuleset } from "./_nft_ruleset.ts";
import { place } from "./_nft_walk.ts";
import { type Owner, ownersOf, tableOf } from "./_owner.ts";
import { type Asked, describeAsked } from "./_request.ts";
import { ufwDrops } from "./_ufw.ts";
import type { Family, Outcome } from "./outcome.ts";

type Unknown = Outcome & { status: "unknown" };

/** The outcome of a request on a Linux machine, from what was read of it. */
export function judge(facts: LinuxFacts, asked: Asked): Outcome {
  const { ruleset, legacy } = facts;
  if (ruleset.type !== "known") return unreadable(facts);
  const outcomes = asked.families.map((family) =>
    judgeFamily(facts, ruleset.value, asked, family)
  );
  const blocked = outcomes.find(({ status }) => status === "blocked-by");
  if (blocked !== undefined) return blocked;
  // A drop is certain whatever else there is; to let in, all must agree.
  if (legacy.type !== "known" || legacy.value.filters) {
    const why = legacy.type === "known"
      ? "rules of iptables-legacy are not evaluated by this version"
      : legacy.type === "unknown"
      ? legacy.why
      : "iptables-legacy cannot be read";
    const command = legacy.type === "unknown" ? legacy.command : undefined;
    return { status: "unknown", why, ...(command && { command }) };
  }
  return outcomes.find(({ status }) => status === "unknown") ?? {
    status: "open",
    why: `No rule that can be seen stops ${describeAsked(asked)}`,
  };
}

/** Whether ufw is switched on and its chains are in the kernel. */
export function ufwIsLoaded(ruleset: NftRuleset, owner: Owner): boolean {
  return [...ruleset.chains.values()].some((chain) => owner(chain) === "ufw");
}

function judgeFamily(
  facts: LinuxFacts,
  ruleset: NftRuleset,
  asked: Asked,
  family: Family,
): Outcome {
  const owner = ownersOf(facts, ruleset);
  // Chains of ufw are opaque to nft; its own files say more.
  const evaluation = evaluateFamily(
    ruleset,
    asked,
    family,
    (chain) => owner(chain) === "ufw",
  );
  if (evaluation.type === "dropped") return blockedBy(evaluation, owner);
  if (ufwIsLoaded(ruleset, owner) && facts.ufw.type === "known") {
    const policy = facts.ufw.value;
    if (policy !== undefined && ufwDrops(policy, asked) === "yes") {
      return ufwBlocks(asked, family);
    }
    return {
      status: "unknown",
      why:
        "ufw has rules that may concern it, which this version does not evaluate",
      command: "sudo ufw status verbose",
    };
  }
  return evaluation.type === "unknown"
    ? { status: "unknown", why: `${evaluation.why}${missing(asked)}` }
    : { status: "open", why: "" };
}

/** What the request could say, so that more rules can be told. */
function missing(asked: Asked): string {
  const left = [
    ...asked.source === undefined ? ["a source"] : [],
    ...asked.interface === undefined ? ["an interface"] : [],
  ];
  return left.length === 0 ? "" : `: name ${left.join(" and ")} to know more`;
}

/** The outcome for a packet that is dropped for certain. */
export function blockedBy(
  { drop, packet }: Evaluation & { type: "dropped" },
  owner: Owner,
): Outcome {
  const { chain, rule } = drop;
  const whose = packet.direction === "inbound" ? "it" : "the answers";
  return {
    status: "blocked-by",
    layer: owner(chain),
    family: packet.family,
    direction: packet.direction,
    table: tableOf(chain),
    chain: chain.name,
    handle: rule?.handle,
    why: `${place(drop)} drops ${whose} (${packet.family})`,
  };
}

function ufwBlocks(asked: Asked, family: Family): Outcome {
  return {
    status: "blocked-by",
    layer: "ufw",
    family,
    direction: "inbound",
    table: family === "ipv4" ? "ip filter" : "ip6 filter",
    chain: "INPUT",
    handle: undefined,
    why: `ufw drops by default and has no rule for ${describeAsked(asked)}`,
  };
}

/** What can still be said where the rules may not be read. */
function unreadable({ ruleset, ufw }: LinuxFacts): Unknown {
  const base = ruleset.type === "unknown" ? ruleset : {
    why: "nft is not installed, so the rules of the kernel cannot be read",
    command: undefined,
  };
  const on = ufw.type === "known" && ufw.value !== undefined;
  const hint = on
    ? `; ufw is switched on${
      ufw.value.input === "drop"
        ? " and drops by default, so expect a block"
        : ""
    }`
    : "";
  const command = on ? "sudo ufw status verbose" : base.command;
  return {
    status: "unknown",
    why: `${base.why}${hint}`,
    ...(command && { command }),
  };
}
