import { everyAddress, prefixSpan, type Span } from "./_address.ts";
import { every, type Match, some, within } from "./_other_match.ts";
import { programMatch } from "./_windows_program.ts";
import type { Profile, Scope, WindowsRule } from "./_windows_rules.ts";
import type { Family } from "./outcome.ts";

/** What the settings of one kind of network say. */
export interface ProfileSettings {
  /** Undefined where the value cannot be read. */
  readonly on: boolean | undefined;
  /** "Block all incoming connections": allow rules do not count. */
  readonly shieldsUp: boolean;
  readonly allowsByDefault: boolean;
  /** Whether rules of this machine count beside those of whoever manages it. */
  readonly localRulesCount: boolean;
  /** Names of the settings that whoever manages the machine has fixed. */
  readonly managed: readonly string[];
}

/** A packet from outside, or a set of them. */
export interface WindowsPacket {
  readonly family: Family;
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  /** Undefined for any. */
  readonly source: Span | undefined;
  /** Our address; left out for each. */
  readonly own?: Span | undefined;
  /** The program that listens; undefined for any. */
  readonly program: string | undefined;
  /** What `LocalSubnet` means; undefined where it is not known. */
  readonly localNets: readonly Span[] | undefined;
}

/** What becomes of a packet in one kind of network. */
export type WindowsVerdict =
  | { readonly type: "open"; readonly why: string; readonly rule?: WindowsRule }
  | {
    readonly type: "blocked";
    readonly why: string;
    readonly by: "rule" | "default" | "shields-up";
    readonly rule?: WindowsRule;
  }
  | { readonly type: "unknown"; readonly why: string };

const NUMBER = { tcp: 6, udp: 17 } as const;
const TEREDO = prefixSpan("2001::", 32)!;

/**
 * Decides as the firewall of Windows does: an explicit block beats every
 * allow, wherever the two stand; then an allow; then the default.
 */
export function evaluateProfile(
  settings: ProfileSettings,
  rules: readonly WindowsRule[],
  profile: Profile,
  packet: WindowsPacket,
): WindowsVerdict {
  if (settings.on === undefined) {
    return unknown(`whether it is on for ${profile} networks cannot be read`);
  }
  if (!settings.on) {
    return { type: "open", why: `it is off for ${profile} networks` };
  }
  if (settings.shieldsUp) {
    return {
      type: "blocked",
      by: "shields-up",
      why: `it blocks all that comes in on ${profile} networks`,
    };
  }
  const counting = rules.filter((rule) =>
    rule.store === "policy" || settings.localRulesCount
  );
  return decide(settings, counting, profile, packet);
}

function decide(
  settings: ProfileSettings,
  rules: readonly WindowsRule[],
  profile: Profile,
  packet: WindowsPacket,
): WindowsVerdict {
  let maybeBlock: WindowsRule | undefined;
  let maybeAllow: WindowsRule | undefined;
  let allow: WindowsRule | undefined;
  for (const rule of rules) {
    const match = matchRule(rule, profile, packet);
    if (match === "no") continue;
    if (rule.action === "block") {
      // A bypass rule beats a block, but only with a proof of who asks.
      if (match === "yes") return blockedByRule(rules, rule, profile, packet);
      maybeBlock ??= rule;
    } else if (rule.action === "allow" && match === "yes") allow ??= rule;
    else maybeAllow ??= rule;
  }
  const on = `on ${profile} networks`;
  if (allow !== undefined || settings.allowsByDefault) {
    if (maybeBlock !== undefined) return depends(maybeBlock, "block", on);
    return allow === undefined
      ? { type: "open", why: `the default is to allow ${on}` }
      : { type: "open", why: `${named(allow)} allows it ${on}`, rule: allow };
  }
  if (maybeAllow !== undefined) return depends(maybeAllow, "allow", on);
  return {
    type: "blocked",
    by: "default",
    why: `no rule allows it ${on}, and the default is to block`,
  };
}

function blockedByRule(
  rules: readonly WindowsRule[],
  rule: WindowsRule,
  profile: Profile,
  packet: WindowsPacket,
): WindowsVerdict {
  const bypass = rules.find((other) =>
    other.action === "bypass" && matchRule(other, profile, packet) !== "no"
  );
  const on = `on ${profile} networks`;
  if (bypass !== undefined) return depends(bypass, "allow", on);
  return {
    type: "blocked",
    by: "rule",
    rule,
    why: `${named(rule)} blocks it ${on}, and a block beats every allow`,
  };
}

function depends(
  rule: WindowsRule,
  action: string,
  on: string,
): WindowsVerdict {
  const why = rule.conditions.length > 0
    ? `it also asks for ${rule.conditions.join(", ")}`
    : rule.app !== undefined
    ? `it is for ${rule.app}`
    : rule.local !== undefined
    ? "it is for some of our addresses, or some sources"
    : "it is for some sources";
  return unknown(`${named(rule)} may ${action} it ${on}: ${why}`);
}

function unknown(why: string): WindowsVerdict {
  return { type: "unknown", why };
}

/** `rule "My server" (id)`, for sentences. */
export function named(rule: WindowsRule): string {
  const id = rule.id === rule.name ? "" : ` (${rule.id})`;
  const policy = rule.store === "policy" ? " of the administrator" : "";
  return `rule ${JSON.stringify(rule.name)}${id}${policy}`;
}

/** Whether a rule concerns a packet that comes in by a kind of network. */
export function matchRule(
  rule: WindowsRule,
  profile: Profile,
  packet: WindowsPacket,
): Match {
  if (!rule.active || rule.direction !== "in") return "no";
  if (rule.profiles !== undefined && !rule.profiles.has(profile)) return "no";
  return every(conditions(rule, packet));
}

function* conditions(
  rule: WindowsRule,
  packet: WindowsPacket,
): Generator<Match> {
  const { protocol, localPorts } = rule;
  if (protocol !== undefined) {
    yield protocol === NUMBER[packet.protocol] ? "yes" : "no";
  }
  if (localPorts !== undefined) {
    yield localPorts.some(({ lo, hi }) =>
        packet.port >= lo && packet.port <= hi
      )
      ? "yes"
      : "no";
  }
  yield programMatch(rule, packet.program);
  if (rule.remote !== undefined) yield remoteMatch(rule.remote, packet);
  if (rule.local !== undefined) yield localMatch(rule.local, packet);
  // Packets of Teredo need a rule that says so; a block needs nothing.
  if (rule.action !== "block" && !rule.edge && packet.source !== undefined) {
    if (packet.family === "ipv6") {
      yield within(packet.source, [TEREDO]) === "no" ? "yes" : "maybe";
    }
  }
  if (rule.conditions.length > 0) yield "maybe";
}

function localMatch(
  local: NonNullable<WindowsRule["local"]>,
  { family, own }: WindowsPacket,
): Match {
  const scope = local[family];
  if (scope === undefined) return "no";
  if (own === undefined || scope.words.length > 0) return "maybe";
  return within(own, scope.spans);
}

function remoteMatch(
  remote: Readonly<Partial<Record<Family, Scope>>>,
  packet: WindowsPacket,
): Match {
  const scope = remote[packet.family];
  if (scope === undefined) return "no";
  const asked = packet.source ?? everyAddress(packet.family);
  const local = scope.words.some((word) => /^localsubnet[46]?$/.test(word));
  const words = scope.words.filter((word) => !/^localsubnet[46]?$/.test(word));
  const spans = [...scope.spans, ...local ? packet.localNets ?? [] : []];
  return some([
    within(asked, spans),
    // Words such as `DNS` or `Intranet` mean addresses that only Windows knows.
    words.length > 0 || (local && packet.localNets === undefined)
      ? "maybe"
      : "no",
  ]);
}
