import { familyOf, type Span } from "./_address.ts";
import { parseAddressSpan } from "./_other_address.ts";
import type { Family } from "./outcome.ts";

/** A kind of network, each with settings and rules of its own. */
export type Profile = "domain" | "private" | "public";

export const PROFILES: readonly Profile[] = ["domain", "private", "public"];

/** Whose rule it is: of this machine, or of whoever manages it. */
export type Store = "local" | "policy";

/** Addresses of a rule: spans, and words such as `LocalSubnet`. */
export interface Scope {
  readonly spans: readonly Span[];
  /** In lower case; what they mean is known to Windows only. */
  readonly words: readonly string[];
}

/** An inbound or outbound rule of the firewall of Windows. */
export interface WindowsRule {
  /** The name of the value in the registry: unique. */
  readonly id: string;
  readonly store: Store;
  /** The name for people; may be a resource such as `@FirewallAPI.dll,-1`. */
  readonly name: string;
  readonly action: "allow" | "block" | "bypass";
  readonly active: boolean;
  readonly direction: "in" | "out";
  /** The number of the protocol; undefined for any. */
  readonly protocol: number | undefined;
  /** Undefined for all. */
  readonly profiles: ReadonlySet<Profile> | undefined;
  /** Undefined for any. */
  readonly localPorts: readonly PortRange[] | undefined;
  /** Undefined for any address; a family that is missing is not matched. */
  readonly remote: Readonly<Partial<Record<Family, Scope>>> | undefined;
  /** The same of our own address. */
  readonly local: Readonly<Partial<Record<Family, Scope>>> | undefined;
  readonly app: string | undefined;
  /** It lets in what comes through a router by Teredo. */
  readonly edge: boolean;
  /** For programs out of the store of Microsoft alone. */
  readonly packaged: boolean;
  readonly group: string | undefined;
  /** What else it asks for, and cannot be told from here: `Svc=termservice`. */
  readonly conditions: readonly string[];
}

/** Ports from `lo` to `hi`, both included. */
export interface PortRange {
  readonly lo: number;
  readonly hi: number;
}

const PROFILE_WORDS: Readonly<Record<string, Profile>> = {
  domain: "domain",
  private: "private",
  public: "public",
  // What Windows XP called it, which the rules of old programs still say.
  standard: "private",
};

/** Fields that say nothing about which packets a rule concerns. */
const SILENT = /^(name|desc|embedctxt|luown|skipver|lsm|lom|defer)$/;

class DraftScope {
  /** An address that cannot be read may be any. */
  odd = false;
  readonly ipv4: { spans: Span[]; words: string[] } = { spans: [], words: [] };
  readonly ipv6: { spans: Span[]; words: string[] } = { spans: [], words: [] };

  /** Undefined for any address. */
  finish(): WindowsRule["remote"] {
    const scope: Partial<Record<Family, Scope>> = {};
    for (const family of ["ipv4", "ipv6"] as const) {
      const { spans, words } = this[family];
      if (spans.length + words.length > 0) scope[family] = { spans, words };
    }
    return this.odd || Object.keys(scope).length === 0 ? undefined : scope;
  }
}

class Draft {
  action = "";
  direction = "";
  active = "";
  protocol: number | undefined;
  edge = false;
  packaged = false;
  app: string | undefined;
  name: string | undefined;
  group: string | undefined;
  readonly profiles = new Set<Profile>();
  readonly conditions: string[] = [];
  ports: PortRange[] | undefined;
  readonly remote: DraftScope = new DraftScope();
  readonly local: DraftScope = new DraftScope();
}

/**
 * Reads one rule, such as
 * `v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=80|` (MS-GPFAS
 * 2.2.2.19). Undefined when it is none. A field that is not known, or whose
 * value cannot be read, becomes a condition: the rule may then concern a
 * packet, but it is never said that it does.
 */
export function parseWindowsRule(
  id: string,
  text: string,
  store: Store,
): WindowsRule | undefined {
  const [version, ...fields] = text.split("|");
  if (!/^v\d+\.\d+$/i.test(version ?? "")) return undefined;
  const draft = new Draft();
  for (const field of fields) {
    const at = field.indexOf("=");
    if (at > 0) readField(draft, field.slice(0, at), field.slice(at + 1));
    else if (field !== "") draft.conditions.push(field);
  }
  return finish(draft, id, store);
}

function finish(
  draft: Draft,
  id: string,
  store: Store,
): WindowsRule | undefined {
  const { action, direction } = draft;
  if (action !== "allow" && action !== "block" && action !== "bypass") {
    return undefined;
  }
  if (direction !== "in" && direction !== "out") return undefined;
  // Without the word it may be on or off, as for rules of the system.
  if (draft.active !== "true" && draft.active !== "false") {
    draft.conditions.push(`Active=${draft.active}`);
  }
  return {
    id,
    store,
    name: draft.name ?? id,
    action,
    active: draft.active !== "false",
    direction,
    protocol: draft.protocol,
    profiles: draft.profiles.size === 0 ? undefined : draft.profiles,
    localPorts: draft.ports,
    remote: draft.remote.finish(),
    local: draft.local.finish(),
    app: draft.app,
    edge: draft.edge,
    packaged: draft.packaged,
    group: draft.group,
    conditions: draft.conditions,
  };
}

function readField(draft: Draft, key: string, value: string): void {
  const lower = value.toLowerCase();
  const low = key.toLowerCase();
  switch (low) {
    case "action":
      draft.action = lower;
      return;
    case "dir":
      draft.direction = lower;
      return;
    case "active":
      draft.active = lower;
      return;
    case "edge":
      draft.edge = lower === "true";
      return;
    case "app":
      draft.app = value;
      return;
    case "name":
      draft.name = value;
      return;
    case "embedctxt":
      draft.group = value;
      return;
    case "apppkgid":
    case "pfn":
      draft.packaged = true;
      return;
    case "protocol":
      if (/^\d{1,3}$/.test(value) && Number(value) < 256) {
        draft.protocol = Number(value);
      } else draft.conditions.push(`${key}=${value}`);
      return;
    case "profile":
      if (PROFILE_WORDS[lower] !== undefined) {
        draft.profiles.add(PROFILE_WORDS[lower]);
      } else if (lower !== "all") draft.conditions.push(`${key}=${value}`);
      return;
  }
  if (/^lport(2_\d\d)?$/.test(low)) return readPort(draft, key, value);
  if (/^[rl]a(4|6|42|62)$/.test(low)) return readAddress(draft, key, value);
  if (!SILENT.test(low)) draft.conditions.push(`${key}=${value}`);
}

function readPort(draft: Draft, key: string, value: string): void {
  const [, from, to] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(value) ?? [];
  draft.ports ??= [];
  if (from === undefined) {
    // `RPC`, `mDNS`, and others that stand for ports which change.
    draft.conditions.push(`${key}=${value}`);
    draft.ports.push({ lo: 0, hi: 65_535 });
  } else draft.ports.push({ lo: Number(from), hi: Number(to ?? from) });
}

function readAddress(draft: Draft, key: string, value: string): void {
  const scope = /^l/i.test(key) ? draft.local : draft.remote;
  const family = key.charAt(2) === "6" ? "ipv6" : "ipv4";
  if (/^[A-Za-z][A-Za-z0-9]*$/.test(value) && familyOf(value) === undefined) {
    scope[family].words.push(value.toLowerCase());
    return;
  }
  const span = parseAddressSpan(value);
  if (span !== undefined && span.family === family) {
    scope[family].spans.push(span.span);
    return;
  }
  scope.odd = true;
  draft.conditions.push(`${key}=${value}`);
}
