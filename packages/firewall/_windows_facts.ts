import { prefixSpan, type Span } from "./_address.ts";
import type { Fact } from "./_linux_facts.ts";
import { askOther, firstLine } from "./_other_ask.ts";
import type { ProfileSettings } from "./_windows_evaluate.ts";
import {
  type NetshProfile,
  parseNetshProfiles,
} from "./_windows_netsh_parser.ts";
import { type Connection, parseConnections } from "./_windows_json_parser.ts";
import {
  childrenOf,
  dword,
  parseRegQuery,
  type Registry,
} from "./_windows_registry_parser.ts";
import {
  parseWindowsRule,
  type Profile,
  type Store,
  type WindowsRule,
} from "./_windows_rules.ts";
import type { Family } from "./outcome.ts";
import type { AskOptions, Ran } from "./runner.ts";

/** The rules and settings of the firewall of Windows. */
export interface Defender {
  readonly settings: Readonly<Record<Profile, ProfileSettings>>;
  readonly rules: readonly WindowsRule[];
  /** Names of values that are no rules that this version can read. */
  readonly unread: readonly string[];
}

/** A network that an interface of this machine is in. */
export interface LocalNet {
  readonly family: Family;
  readonly span: Span;
}

/** Everything that is read from a machine with Windows. */
export interface WindowsFacts {
  readonly defender: Fact<Defender>;
  /** What netsh says, where the registry may not be read. */
  readonly netsh: Readonly<Record<Profile, NetshProfile>> | undefined;
  /** Whether this process has the rights of an administrator. */
  readonly rights: boolean | undefined;
  /** Whether PowerShell is there to make rules with. */
  readonly powershell: boolean;
  readonly localNets: readonly LocalNet[] | undefined;
  /** Asks which network each interface is in: slow, so only where it counts. */
  readonly connections: () => Promise<Fact<readonly Connection[]>>;
}

const LOCAL =
  "SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy";
const POLICIES = "SOFTWARE\\Policies\\Microsoft";
const POLICY = `${POLICIES}\\WindowsFirewall`;
const SERVICE = "SYSTEM\\CurrentControlSet\\Services\\MpsSvc";
const POWERSHELL = "SOFTWARE\\Microsoft\\PowerShell\\3\\PowerShellEngine";
/** Keys of each profile, the newer name first. */
const KEYS: Readonly<Record<Profile, readonly string[]>> = {
  domain: ["DomainProfile"],
  private: ["PrivateProfile", "StandardProfile"],
  public: ["PublicProfile"],
};
const CONNECTIONS =
  "Get-NetConnectionProfile | Select-Object InterfaceAlias,InterfaceIndex,NetworkCategory | ConvertTo-Json -Compress";

/** Reads a machine with Windows by its registry; changes nothing. */
export async function readWindows(
  options: AskOptions,
  localNets?: readonly LocalNet[],
): Promise<WindowsFacts> {
  const ask = askOther(options);
  const query = (path: string, ...rest: string[]) =>
    ask("reg", "query", `HKLM\\${path}`, ...rest);
  const [local, policies, service, powershell, groups] = await Promise.all([
    query(LOCAL, "/s"),
    // The list of keys tells a missing policy from one that may not be read,
    // for both fail with a sentence in the language of the machine.
    query(POLICIES),
    query(SERVICE, "/v", "Start"),
    query(POWERSHELL, "/v", "PowerShellVersion"),
    ask("whoami", "/groups", "/fo", "csv", "/nh"),
  ]);
  const listed = registryOf(policies);
  const hasPolicy = listed !== undefined &&
    childrenOf(listed, POLICIES).includes("windowsfirewall");
  const policy = hasPolicy ? registryOf(await query(POLICY, "/s")) : new Map();
  const defender = defenderOf(
    local,
    listed === undefined ? undefined : policy,
    registryOf(service),
  );
  const netsh = defender.type === "known"
    ? undefined
    : netshOf(await ask("netsh", "advfirewall", "show", "allprofiles"));
  const engine = registryOf(powershell);
  return {
    defender,
    netsh,
    rights: rightsOf(groups),
    powershell: engine?.get(POWERSHELL.toLowerCase())?.has(
      "powershellversion",
    ) ?? false,
    localNets,
    connections: async () =>
      connectionsOf(
        await ask(
          "powershell",
          "-NoLogo",
          "-NoProfile",
          "-NonInteractive",
          "-Command",
          CONNECTIONS,
        ),
      ),
  };
}

/** By the mark of high integrity, whose number is not translated. */
function rightsOf(ran: Ran): boolean | undefined {
  if (ran.type !== "ran" || ran.code !== 0) return undefined;
  return /"S-1-16-(12288|16384)"/.test(ran.stdout);
}

function registryOf(ran: Ran): Registry | undefined {
  if (ran.type !== "ran" || ran.code !== 0) return undefined;
  const registry = parseRegQuery(ran.stdout);
  return registry.size === 0 ? undefined : registry;
}

function netshOf(ran: Ran): WindowsFacts["netsh"] {
  return ran.type === "ran" ? parseNetshProfiles(ran.stdout) : undefined;
}

function connectionsOf(ran: Ran): Fact<readonly Connection[]> {
  if (ran.type === "absent") return ran;
  if (ran.type === "forbidden") return { type: "unknown", why: ran.why };
  const value = ran.code === 0 ? parseConnections(ran.stdout) : undefined;
  return value === undefined
    ? {
      type: "unknown",
      why: `Get-NetConnectionProfile failed: ${firstLine(ran)}`,
      command: "powershell -Command Get-NetConnectionProfile",
    }
    : { type: "known", value };
}

function defenderOf(
  ran: Ran,
  policy: Registry | undefined,
  service: Registry | undefined,
): Fact<Defender> {
  const command = `reg query HKLM\\${LOCAL} /s`;
  if (ran.type === "absent") {
    return { type: "unknown", why: "reg.exe is not there", command };
  }
  if (ran.type === "forbidden") return { type: "unknown", why: ran.why };
  const local = registryOf(ran);
  if (local === undefined) {
    const why = `the registry may not be read: ${firstLine(ran)}`;
    return { type: "unknown", why, command };
  }
  if (policy === undefined) {
    return {
      type: "unknown",
      why: "the policies of the administrator may not be read",
      command: `reg query HKLM\\${POLICY} /s`,
    };
  }
  const start = service && dword(service, SERVICE, "Start");
  if (start === undefined || start === 4) {
    return {
      type: "unknown",
      why: start === 4
        ? "its service (MpsSvc) is disabled, and what then filters is not told"
        : "whether its service (MpsSvc) runs cannot be read",
      command: "sc query MpsSvc",
    };
  }
  return { type: "known", value: readDefender(local, policy) };
}

/** The rules and settings in a registry. Pure. */
export function readDefender(local: Registry, policy: Registry): Defender {
  const rules: WindowsRule[] = [];
  const unread: string[] = [];
  const take = (registry: Registry, path: string, store: Store) => {
    for (const value of registry.get(path.toLowerCase())?.values() ?? []) {
      const rule = value.type === "REG_SZ"
        ? parseWindowsRule(value.name, value.data, store)
        : undefined;
      if (rule !== undefined) rules.push(rule);
      // The value without a name is there in each key, and empty.
      else if (value.type === "REG_SZ" && value.data.includes("|")) {
        unread.push(value.name);
      }
    }
  };
  take(local, `${LOCAL}\\FirewallRules`, "local");
  // By a server for mobile devices (Intune).
  take(local, `${LOCAL}\\Mdm\\FirewallRules`, "policy");
  take(policy, `${POLICY}\\FirewallRules`, "policy");
  const settings = (profile: Profile) => settingsOf(local, policy, profile);
  return {
    settings: {
      domain: settings("domain"),
      private: settings("private"),
      public: settings("public"),
    },
    rules,
    unread,
  };
}

function settingsOf(
  local: Registry,
  policy: Registry,
  profile: Profile,
): ProfileSettings {
  const first = (registry: Registry, root: string, name: string) =>
    KEYS[profile].map((key) => dword(registry, `${root}\\${key}`, name))
      .find((value) => value !== undefined);
  const managed: string[] = [];
  const setting = (name: string, byDefault: number): number => {
    const fixed = first(policy, POLICY, name) ??
      first(local, `${LOCAL}\\Mdm`, name);
    if (fixed !== undefined) managed.push(name);
    return fixed ?? first(local, LOCAL, name) ?? byDefault;
  };
  const on = setting("EnableFirewall", 1);
  const has = (key: string) => policy.has(`${POLICY}\\${key}`.toLowerCase());
  // What a policy for Windows XP alone means for later ones is not told.
  const old = profile !== "domain" && has("StandardProfile") &&
    !has("PrivateProfile") && !has("PublicProfile");
  return {
    on: old ? undefined : on === 0 ? false : on === 1 ? true : undefined,
    shieldsUp: setting("DoNotAllowExceptions", 0) !== 0,
    allowsByDefault: setting("DefaultInboundAction", 1) === 0,
    localRulesCount: setting("AllowLocalPolicyMerge", 1) !== 0,
    managed,
  };
}

/** The networks of this machine, for what rules call the local subnet. */
export function localNetworks(): readonly LocalNet[] | undefined {
  // Without permission the person would be asked, for something so small.
  const sys = { name: "sys", kind: "networkInterfaces" } as const;
  if (Deno.permissions.querySync(sys).state !== "granted") return undefined;
  try {
    return Deno.networkInterfaces().flatMap(({ address, cidr, family }) => {
      const length = Number(cidr?.split("/")[1]);
      const span = prefixSpan(address.split("%")[0]!, length);
      return span === undefined
        ? []
        : [{ family: family === "IPv4" ? "ipv4" : "ipv6", span }];
    });
  } catch {
    // Then rules for the local subnet stay unknown.
    return undefined;
  }
}
