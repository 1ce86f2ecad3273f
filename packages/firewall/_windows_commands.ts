import { parseAddressSpan } from "./_other_address.ts";
import { NETSH, quotePowerShell } from "./_windows_quote.ts";
import type { Profile, WindowsRule } from "./_windows_rules.ts";

/** The word for all networks that the interfaces are in. */
export const LOCAL_SUBNET = "LocalSubnet";

/** The one rule of a plan. */
export interface WindowsSpec {
  /** Of letters, digits, `.`, `_`, `:` and `-`; unique by its digest. */
  readonly name: string;
  readonly group: string;
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  readonly profiles: readonly Profile[];
  /** Ranges, or `LocalSubnet`. */
  readonly remote: readonly string[];
  /** Our own address; undefined for each. */
  readonly local?: string | undefined;
  readonly program: string | undefined;
}

/** The rule as Windows would keep it. */
export function ruleOf(spec: WindowsSpec): WindowsRule {
  const local = { spans: [], words: [LOCAL_SUBNET.toLowerCase()] };
  const spans = spec.remote.flatMap((text) => parseAddressSpan(text) ?? []);
  const family = spans[0]?.family;
  return {
    id: spec.name,
    store: "local",
    name: spec.name,
    action: "allow",
    active: true,
    direction: "in",
    protocol: spec.protocol === "tcp" ? 6 : 17,
    profiles: new Set(spec.profiles),
    localPorts: [{ lo: spec.port, hi: spec.port }],
    remote: family === undefined
      ? { ipv4: local, ipv6: local }
      : { [family]: { spans: spans.map(({ span }) => span), words: [] } },
    local: localOf(spec.local),
    app: spec.program,
    edge: false,
    packaged: false,
    group: spec.group,
    conditions: [],
  };
}

function localOf(address: string | undefined): WindowsRule["local"] {
  const span = address === undefined ? undefined : parseAddressSpan(address);
  return span && { [span.family]: { spans: [span.span], words: [] } };
}

/** Modules of Windows alone: the user's own come first by default. */
const PRELUDE = [
  "$ErrorActionPreference = 'Stop'",
  "$env:PSModulePath = $PSHOME + '\\Modules'",
  "Import-Module -Name ($PSHOME + '\\Modules\\NetSecurity\\NetSecurity.psd1')",
];

/** The script that adds the rule; it fails when the name is taken. */
export function addScript(spec: WindowsSpec): string {
  const q = quotePowerShell;
  const rule = [
    "NetSecurity\\New-NetFirewallRule -PolicyStore PersistentStore",
    `-Name ${q(spec.name)} -DisplayName ${q(spec.name)} -Group ${
      q(spec.group)
    }`,
    "-Direction Inbound -Action Allow",
    `-Protocol ${spec.protocol.toUpperCase()} -LocalPort ${spec.port}`,
    `-Profile ${spec.profiles.map(capital).join(",")}`,
    ...spec.local === undefined ? [] : [`-LocalAddress ${q(spec.local)}`],
    `-RemoteAddress ${spec.remote.map(q).join(",")} -EdgeTraversalPolicy Block`,
    ...spec.program === undefined ? [] : [`-Program ${q(spec.program)}`],
    "| Out-Null",
  ];
  return [...PRELUDE, rule.join(" ")].join("\n");
}

/** The script that removes the rule, by the name that is unique. */
export function removeScript({ name }: WindowsSpec): string {
  return [
    ...PRELUDE,
    `NetSecurity\\Remove-NetFirewallRule -PolicyStore PersistentStore -Name ${
      quotePowerShell(name)
    }`,
  ].join("\n");
}

/** The same by netsh, each argument by itself. */
export function netshAdd(spec: WindowsSpec): string[] {
  return [
    ...[NETSH, "advfirewall", "firewall", "add", "rule"],
    `name=${spec.name}`,
    "dir=in",
    "action=allow",
    ...narrow(spec),
    "edge=no",
  ];
}

/** Deletes by everything that the rule says, for names are not unique here. */
export function netshRemove(spec: WindowsSpec): string[] {
  return [
    ...[NETSH, "advfirewall", "firewall", "delete", "rule"],
    `name=${spec.name}`,
    "dir=in",
    ...narrow(spec),
  ];
}

function narrow(spec: WindowsSpec): string[] {
  return [
    `profile=${spec.profiles.join(",")}`,
    ...spec.program === undefined ? [] : [`program=${spec.program}`],
    `protocol=${spec.protocol.toUpperCase()}`,
    `localport=${spec.port}`,
    ...spec.local === undefined ? [] : [`localip=${spec.local}`],
    `remoteip=${spec.remote.join(",").toLowerCase()}`,
  ];
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
