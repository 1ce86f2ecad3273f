import { type NftRuleset, parseRuleset } from "./_nft_ruleset.ts";
import { parseUfwDefaults, type UfwPolicy } from "./_ufw.ts";
import type { AskOptions, Ran } from "./runner.ts";
import { runLocal } from "./_run_local.ts";

/** A fact, or why it is not known. */
export type Fact<T> =
  | { readonly type: "known"; readonly value: T }
  | { readonly type: "absent" }
  | {
    readonly type: "unknown";
    readonly why: string;
    readonly command?: string;
  };

/** The state of iptables-legacy, which nft does not show. */
export interface Legacy {
  /** The names of its tables that are loaded. */
  readonly tables: readonly string[];
  /** Whether one of them has a rule, or a policy that drops. */
  readonly filters: boolean;
}

/** Everything that is read from a Linux machine. */
export interface LinuxFacts {
  /** CAP_NET_ADMIN. */
  readonly rights: boolean | undefined;
  readonly ruleset: Fact<NftRuleset>;
  readonly legacy: Fact<Legacy>;
  /** Undefined when ufw is installed and switched off. */
  readonly ufw: Fact<UfwPolicy | undefined>;
  readonly firewalldRunning: Fact<boolean>;
}

const NET_ADMIN_BIT = 12n;
export const READ_COMMAND = "sudo nft -j list ruleset";

/** Reads a Linux machine; changes nothing, and loads no kernel module. */
export async function readLinux(options: AskOptions): Promise<LinuxFacts> {
  const run = options.run ?? runLocal;
  const { signal } = options;
  const ask = (tool: string, ...args: string[]) =>
    run({ tool, args }, { signal });
  // By `cat`: Deno reads files of /proc only with every permission, and these
  // are the rights of a child, which is what the tools run with.
  const [status, nft, legacy, ufw, defaults, userRules, firewalld] =
    await Promise.all([
      ask("cat", "/proc/self/status"),
      ask("nft", "-j", "list", "ruleset"),
      ask("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"),
      ask("cat", "/etc/ufw/ufw.conf"),
      ask("cat", "/etc/default/ufw"),
      ask("cat", "/etc/ufw/user.rules", "/etc/ufw/user6.rules"),
      ask("firewall-cmd", "--state"),
    ]);
  return {
    rights: rightsOf(status),
    ruleset: rulesetOf(nft),
    legacy: await legacyRules(legacyOf(legacy), ask),
    ufw: ufwOf(ufw, defaults, userRules),
    firewalldRunning: firewalldOf(firewalld),
  };
}

function rightsOf(ran: Ran): boolean | undefined {
  if (ran.type !== "ran") return undefined;
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(ran.stdout)?.[1];
  if (mask === undefined) return undefined;
  return (BigInt(`0x${mask}`) >> NET_ADMIN_BIT & 1n) === 1n;
}

function rulesetOf(ran: Ran): Fact<NftRuleset> {
  if (ran.type === "absent") return ran;
  if (ran.type === "forbidden") return { type: "unknown", why: ran.why };
  if (ran.code === 0 && ran.stdout.trim() !== "") {
    return { type: "known", value: parseRuleset(ran.stdout) };
  }
  const denied = /not permitted|permission denied/i.test(ran.stderr);
  return {
    type: "unknown",
    why: denied
      ? "reading the rules of the kernel needs CAP_NET_ADMIN"
      : `nft failed: ${firstLine(ran)}`,
    command: READ_COMMAND,
  };
}

function legacyOf(ran: Ran): Fact<readonly string[]> {
  if (ran.type === "absent") {
    return { type: "unknown", why: "there is no cat to read /proc with" };
  }
  if (ran.type === "forbidden") return { type: "unknown", why: ran.why };
  const tables = ran.stdout.split("\n").filter((line) => line !== "");
  // Without the module there is no such file, and no such table.
  const errors = ran.stderr.split("\n").filter((line) =>
    line !== "" && !line.endsWith("No such file or directory")
  );
  // What could be read counts, even if the other family could not.
  if (tables.length > 0 || errors.length === 0) {
    return { type: "known", value: [...new Set(tables)] };
  }
  return {
    type: "unknown",
    why: "the tables of iptables-legacy may be seen by root only",
    command: "sudo cat /proc/net/ip_tables_names /proc/net/ip6_tables_names",
  };
}

async function legacyRules(
  tables: Fact<readonly string[]>,
  ask: (tool: string) => Promise<Ran>,
): Promise<Fact<Legacy>> {
  if (tables.type !== "known") return tables;
  const { value } = tables;
  // With no table loaded these tools must not run: they would load them.
  if (value.length === 0) {
    return { type: "known", value: { tables: [], filters: false } };
  }
  let filters = false;
  for (const tool of ["iptables-legacy-save", "ip6tables-legacy-save"]) {
    const ran = await ask(tool);
    if (ran.type !== "ran" || ran.code !== 0) {
      return {
        type: "unknown",
        why: `tables of iptables-legacy are loaded, and ${tool} did not run`,
        command: `sudo ${tool}`,
      };
    }
    if (/^-A |^:\S+ (?!ACCEPT|-)/m.test(ran.stdout)) filters = true;
  }
  return { type: "known", value: { tables: value, filters } };
}

function ufwOf(
  conf: Ran,
  defaults: Ran,
  rules: Ran,
): Fact<UfwPolicy | undefined> {
  if (conf.type === "forbidden") return { type: "unknown", why: conf.why };
  if (conf.type === "absent" || conf.code !== 0) return { type: "absent" };
  if (!/^\s*ENABLED\s*=\s*["']?yes["']?\s*$/mi.test(conf.stdout)) {
    return { type: "known", value: undefined };
  }
  const input = defaults.type === "ran" && defaults.code === 0
    ? parseUfwDefaults(defaults.stdout)
    : undefined;
  const readable = rules.type === "ran" && rules.code === 0;
  return {
    type: "known",
    value: { input, rules: readable ? rules.stdout : undefined },
  };
}

function firewalldOf(ran: Ran): Fact<boolean> {
  if (ran.type === "absent") return ran;
  if (ran.type === "forbidden") return { type: "unknown", why: ran.why };
  // 252: not running; 36: there is no bus to ask by, so nothing runs on it.
  if (ran.code === 0) return { type: "known", value: true };
  if (ran.code === 252 || ran.code === 36) {
    return { type: "known", value: false };
  }
  return { type: "unknown", why: `firewall-cmd failed: ${firstLine(ran)}` };
}

function firstLine(ran: Ran & { type: "ran" }): string {
  const [line = ""] = (ran.stderr || ran.stdout).trim().split("\n");
  return line === "" ? `exit code ${ran.code}` : line.slice(0, 200);
}
