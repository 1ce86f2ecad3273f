import { type OtherAsked, ownSpan } from "./_other_request.ts";
import {
  evaluateProfile,
  named,
  type WindowsPacket,
  type WindowsVerdict,
} from "./_windows_evaluate.ts";
import type { Defender, WindowsFacts } from "./_windows_facts.ts";
import type { Connection } from "./_windows_json_parser.ts";
import { type Profile, PROFILES } from "./_windows_rules.ts";
import type { Family, Outcome } from "./outcome.ts";

/** One verdict, with where it holds. */
export interface PlacedVerdict {
  readonly profile: Profile;
  readonly family: Family;
  readonly verdict: WindowsVerdict;
}

/** An outcome, with the verdicts that it was made of. */
export interface WindowsJudgement {
  readonly outcome: Outcome;
  /** The kinds of network that count; all where it is not known which do. */
  readonly profiles: readonly Profile[];
  readonly verdicts: readonly PlacedVerdict[];
}

/** The outcome of a request on a machine with Windows. */
export async function judgeWindows(
  facts: WindowsFacts,
  asked: OtherAsked,
): Promise<WindowsJudgement> {
  const { defender } = facts;
  if (defender.type !== "known") {
    const outcome = withoutRegistry(facts);
    return { outcome, profiles: PROFILES, verdicts: [] };
  }
  const everywhere = verdictsFor(defender.value, facts, asked, PROFILES);
  const kinds = new Set(PROFILES.map((profile) => {
    const worst = worstIn(everywhere, profile);
    const { type } = worst.verdict;
    // Who blocks, and why, counts as well.
    return type === "blocked"
      ? `${worst.verdict.by} ${blockedOutcome(defender.value, worst).status}`
      : type;
  }));
  // To ask which network it is in takes a second or more: only if it counts.
  const profiles = kinds.size > 1
    ? profilesInUse(await facts.connections(), asked.interface)
    : PROFILES;
  const verdicts = everywhere.filter(({ profile }) =>
    profiles.includes(profile)
  );
  const outcome = combine(defender.value, verdicts, profiles, asked);
  return { outcome, profiles, verdicts };
}

/** The verdict of a kind of network: the worse of the two families. */
function worstIn(
  verdicts: readonly PlacedVerdict[],
  profile: Profile,
): PlacedVerdict {
  const here = verdicts.filter((placed) => placed.profile === profile);
  const of = (type: WindowsVerdict["type"]) =>
    here.find(({ verdict }) => verdict.type === type);
  return (of("blocked") ?? of("unknown") ?? of("open"))!;
}

/** The verdicts in some kinds of network, for each family that is asked. */
export function verdictsFor(
  defender: Defender,
  { localNets }: Pick<WindowsFacts, "localNets">,
  asked: OtherAsked,
  profiles: readonly Profile[],
): PlacedVerdict[] {
  return profiles.flatMap((profile) =>
    asked.families.map((family) => {
      const packet: WindowsPacket = {
        family,
        protocol: asked.protocol,
        port: asked.port,
        source: asked.source?.span,
        own: ownSpan(asked),
        program: asked.program,
        localNets: localNets?.filter((net) => net.family === family)
          .map(({ span }) => span),
      };
      const verdict = evaluateProfile(
        defender.settings[profile],
        defender.rules,
        profile,
        packet,
      );
      return { profile, family, verdict };
    })
  );
}

/** The kinds of network that this machine, or one interface, is in now. */
export function profilesInUse(
  fact: Awaited<ReturnType<WindowsFacts["connections"]>>,
  wanted: string | undefined,
): readonly Profile[] {
  if (fact.type !== "known") return PROFILES;
  const of = (connections: readonly Connection[]) => [
    ...new Set(connections.map(({ profile }) => profile)),
  ];
  const named = fact.value.filter(({ alias }) =>
    alias.toLowerCase() === wanted?.toLowerCase()
  );
  if (wanted !== undefined) return named.length > 0 ? of(named) : PROFILES;
  // Networks that Windows cannot name are public to it.
  return fact.value.length > 0 ? of(fact.value) : ["public"];
}

function combine(
  defender: Defender,
  verdicts: readonly PlacedVerdict[],
  profiles: readonly Profile[],
  asked: OtherAsked,
): Outcome {
  const worst = profiles.map((profile) => worstIn(verdicts, profile));
  const of = (type: WindowsVerdict["type"]) =>
    worst.filter(({ verdict }) => verdict.type === type);
  const [blocked, opened, unclear] = [of("blocked"), of("open"), of("unknown")];
  // A rule that cannot be read may be any.
  if (defender.unread.length > 0 && worst.some(mayBeOverruled)) {
    return {
      status: "unknown",
      why: `${defender.unread.length} rules cannot be read, the first is ${
        JSON.stringify(defender.unread[0])
      }`,
    };
  }
  if (blocked.length === worst.length) {
    return blockedOutcome(defender, blocked[0]!);
  }
  if (opened.length === worst.length) {
    const whys = new Set(opened.map(({ verdict }) => verdict.why));
    return { status: "open", why: [...whys].join("; ") };
  }
  const hint = asked.program === undefined
    ? ": name the program to know more"
    : "";
  return {
    status: "unknown",
    why: unclear[0] === undefined
      ? `it depends on the network: ${blocked[0]!.verdict.why}, but ${
        opened[0]!.verdict.why
      }`
      : `${unclear[0].verdict.why}${hint}`,
    command: "powershell -Command Get-NetConnectionProfile",
  };
}

/** Whether one more rule could have changed a verdict. */
function mayBeOverruled({ verdict }: PlacedVerdict): boolean {
  if (verdict.type === "blocked") return verdict.by === "default";
  return !verdict.why.startsWith("it is off");
}

function blockedOutcome(
  defender: Defender,
  { profile, family, verdict }: PlacedVerdict,
): Outcome {
  if (verdict.type !== "blocked") {
    return { status: "unknown", why: verdict.why };
  }
  const settings = defender.settings[profile];
  const fixed = verdict.rule?.store === "policy" ||
    (verdict.by === "default" && !settings.localRulesCount) ||
    (verdict.by === "shields-up" &&
      settings.managed.includes("DoNotAllowExceptions"));
  if (fixed) {
    const merge = verdict.by === "default"
      ? "; rules of this machine do not count there (AllowLocalPolicyMerge is 0)"
      : "";
    return {
      status: "managed",
      why: `${verdict.why}${merge}: ask whoever manages this machine`,
    };
  }
  return {
    status: "blocked-by",
    layer: "defender",
    family,
    direction: "inbound",
    table: verdict.by === "rule" ? "inbound rules" : `${profile} settings`,
    chain: `${profile} networks`,
    handle: undefined,
    ...(verdict.rule && { rule: named(verdict.rule) }),
    why: verdict.why,
  };
}

/** What can still be said by netsh, whose words are translated. */
function withoutRegistry({ defender, netsh }: WindowsFacts): Outcome {
  const base = defender.type === "unknown"
    ? defender
    : { why: "the registry cannot be read", command: undefined };
  const all = netsh && Object.entries(netsh);
  if (all?.every(([, { on, policy }]) => on && policy === "block-always")) {
    return {
      status: "blocked-by",
      layer: "defender",
      family: "ipv4",
      direction: "inbound",
      table: "settings",
      chain: "all networks",
      handle: undefined,
      why: "it blocks all that comes in on every kind of network",
    };
  }
  const hint = netsh === undefined
    ? ""
    : all!.every(([, { policy }]) => policy === "block")
    ? "; the default is to block, so expect a block without a rule"
    : "";
  return {
    status: "unknown",
    why: `${base.why}${hint}`,
    ...(base.command && { command: base.command }),
  };
}
