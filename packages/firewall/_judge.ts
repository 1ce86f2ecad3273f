import { NONE, unite } from "./_interval_set.ts";
import type { LinuxFacts } from "./_linux_facts.ts";
import { place } from "./_nft_flow.ts";
import { type Owner, ownersOf, tableOf } from "./_owner.ts";
import { type Asked, describeAsked } from "./_request.ts";
import { exceptTexts, type Verdict, verdictsOf } from "./_verdict.ts";
import type { Outcome } from "./outcome.ts";

type Unknown = Outcome & { status: "unknown" };

/** The outcome of a request on a Linux machine, from what was read of it. */
export function judge(facts: LinuxFacts, asked: Asked): Outcome {
  const { ruleset, legacy } = facts;
  if (ruleset.type !== "known") return unreadable(facts, asked);
  const owner = ownersOf(facts, ruleset.value);
  const verdicts = verdictsOf(ruleset.value, asked);
  const outcome = worst(verdicts, asked, owner);
  // A drop is certain whatever else there is; to let in, all must be seen.
  if (outcome.status === "blocked-by") return outcome;
  if (facts.unseen !== undefined) {
    return { status: "unknown", why: facts.unseen };
  }
  if (legacy.type === "known") return outcome;
  const why = legacy.type === "unknown"
    ? legacy.why
    : "iptables-legacy cannot be read";
  const command = legacy.type === "unknown" ? legacy.command : undefined;
  return { status: "unknown", why, ...(command && { command }) };
}

/** The outcome of several verdicts: for a family each, for a link each. */
export function worst(
  verdicts: readonly Verdict[],
  asked: Asked,
  owner: Owner,
): Outcome {
  const unknown = verdicts.find(({ status }) => status === "unknown");
  for (const family of asked.families) {
    const own = verdicts.filter((verdict) => verdict.family === family);
    const blocked = own.find(({ status }) => status === "blocked");
    if (blocked?.status !== "blocked") continue;
    if (own.every(({ status }) => status === "blocked")) {
      return blockedBy(blocked, owner);
    }
    if (unknown === undefined) return byLink(own);
  }
  if (unknown?.status === "unknown") {
    return { status: "unknown", why: `${unknown.why}${missing(asked)}` };
  }
  const except = asked.families.flatMap((family) =>
    exceptTexts(
      verdicts.filter((one) => one.family === family && one.status === "open")
        .map((one) => one.status === "open" ? one.except : NONE)
        .reduce(unite, NONE),
      family,
    )
  );
  const but = except.length === 0 ? "" : `, but for ${few(except)}`;
  return {
    status: "open",
    why: `No rule that can be seen stops ${describeAsked(asked)}${but}`,
    ...(except.length > 0 && { except }),
  };
}

function byLink(verdicts: readonly Verdict[]): Unknown {
  const names = (status: string) =>
    verdicts.filter((one) => one.status === status).map(({ link }) =>
      link.is ?? (link.like === undefined ? "any other" : `${link.like}*`)
    ).join(", ");
  return {
    status: "unknown",
    why: `it depends on the interface: let in by ${names("open")}, dropped by ${
      names("blocked")
    }: name an interface`,
  };
}

/** What the request could say, so that more rules can be told. */
function missing(asked: Asked): string {
  const left = [
    ...asked.source === undefined ? ["a source"] : [],
    ...asked.interface === undefined ? ["an interface"] : [],
    ...asked.address === undefined ? ["an address"] : [],
  ];
  return left.length === 0 ? "" : `: name ${left.join(" or ")} to know more`;
}

/** The outcome for a packet that is dropped for certain. */
export function blockedBy(
  verdict: Verdict & { status: "blocked" },
  owner: Owner,
): Outcome {
  const { drop: { chain, rule }, packet } = verdict.place;
  const whose = packet.direction === "inbound" ? "it" : "the answers";
  const except = exceptTexts(verdict.except, verdict.family);
  const but = except.length === 0 ? "" : `, but for ${few(except)}`;
  return {
    status: "blocked-by",
    layer: owner(chain),
    family: packet.family,
    direction: packet.direction,
    table: tableOf(chain),
    chain: chain.name,
    handle: rule?.handle,
    ...(rule?.text !== undefined && { rule: rule.text }),
    ...(except.length > 0 && { except }),
    why: `${place({ chain, rule })} drops ${whose} (${packet.family})${but}`,
  };
}

function few(texts: readonly string[]): string {
  const [first, second, ...rest] = texts;
  const more = rest.length === 0 ? "" : ` and ${rest.length} more`;
  return [first, second].filter((text) => text !== undefined).join(", ") + more;
}

/** What can still be said where the rules may not be read. */
function unreadable(
  { ruleset, ufw, firewalld }: LinuxFacts,
  asked: Asked,
): Unknown {
  const base = ruleset.type === "unknown" ? ruleset : {
    why: "nft is not installed, so the rules of the kernel cannot be read",
    command: undefined,
  };
  if (ufw.type === "known" && ufw.value !== undefined) {
    const drops = ufw.value.input === "drop";
    return {
      status: "unknown",
      why: `${base.why}; ufw is switched on${
        drops ? " and drops by default, so expect a block" : ""
      }`,
      command: "sudo ufw status verbose",
    };
  }
  if (firewalld.type === "known" && firewalld.value !== undefined) {
    const { defaultZone, allowed } = firewalld.value;
    const hint = allowed === undefined
      ? ""
      : allowed
      ? `, and its zone ${defaultZone} lists ${
        describeAsked(asked)
      }, so expect it to be open`
      : `, and its zone ${defaultZone} does not list ${
        describeAsked(asked)
      }, so expect a block`;
    return {
      status: "unknown",
      why: `${base.why}; firewalld is running${hint}`,
      command: `sudo firewall-cmd --list-all --zone=${defaultZone}`,
    };
  }
  return {
    status: "unknown",
    why: base.why,
    ...(base.command && { command: base.command }),
  };
}
