import { type Profile, PROFILES } from "./_windows_rules.ts";

/** What `netsh` still says where the registry may not be read. */
export interface NetshProfile {
  /** Undefined when the word is of a language that is not known here. */
  readonly on: boolean | undefined;
  readonly policy: "block" | "allow" | "block-always" | undefined;
}

const POLICY = /\b(BlockInboundAlways|BlockInbound|AllowInbound)\s*,/;
const POLICIES = {
  BlockInbound: "block",
  AllowInbound: "allow",
  BlockInboundAlways: "block-always",
} as const;

/**
 * Reads `netsh advfirewall show allprofiles` without its words, which are
 * translated: the profiles come in a fixed order, each after a ruler, with the
 * state first and the policy second, and `BlockInbound,AllowOutbound` is the
 * same in every language. Undefined when it does not look like that.
 */
export function parseNetshProfiles(
  text: string,
): Readonly<Record<Profile, NetshProfile>> | undefined {
  const [, ...parts] = text.split(/^-{20,}\r?$/m);
  if (parts.length !== PROFILES.length) return undefined;
  const profiles = parts.map(readProfile);
  return {
    domain: profiles[0]!,
    private: profiles[1]!,
    public: profiles[2]!,
  };
}

function readProfile(part: string): NetshProfile {
  const lines = part.split(/\r?\n/).filter((line) => line.trim() !== "");
  const state = /\s(\S+)\s*$/.exec(lines[0] ?? "")?.[1];
  const policy = POLICY.exec(lines[1] ?? "")?.[1];
  return {
    on: state === "ON" ? true : state === "OFF" ? false : undefined,
    policy: policy === undefined
      ? undefined
      : POLICIES[policy as keyof typeof POLICIES],
  };
}
