import type { Packet } from "./_nft_packet.ts";
import type { NftChain, NftRule } from "./_nft_ruleset.ts";
import type { Drop } from "./_nft_flow.ts";
import { translateRule } from "./_iptables_rules.ts";
import { wordsOf } from "./_iptables_parser.ts";
import { type Asked, describeAsked } from "./_request.ts";
import type { Ownership } from "./_steps.ts";
import type { PlanStep } from "./plan.ts";

/** A line for `iptables-restore`, and the rule that it makes. */
export interface IptablesChange {
  readonly chain: NftChain;
  readonly line: string;
  readonly rule: NftRule;
}

/** The tool that writes a chain, by its family and its kind. */
export function restoreTool({ family, legacy }: NftChain): string {
  return `${family}tables-${legacy ? "legacy" : "nft"}-restore`;
}

/** The same accept in the language of iptables, which owns the table. */
export function iptablesChange(
  { chain, rule: dropping }: Drop,
  packet: Packet,
  asked: Asked,
  own: Ownership,
): IptablesChange {
  const at = dropping === undefined ? -1 : chain.rules.indexOf(dropping);
  const words = iptablesWords(packet, asked, own);
  // Rules are counted from 1: the accept takes the place of the drop.
  const where = at < 0 ? `-A ${chain.name}` : `-I ${chain.name} ${at + 1}`;
  const family = packet.family === "ipv4" ? "ip" : "ip6";
  return {
    chain,
    line: `${where} ${words}`,
    rule: {
      ...translateRule(wordsOf(words), family),
      ...{ handle: undefined, added: true, text: `-A ${chain.name} ${words}` },
    },
  };
}

/** What the rule asks for, in the order in which iptables prints it. */
export function iptablesWords(
  packet: Packet,
  asked: Asked,
  { mark, leaseSeconds, now }: Ownership,
): string {
  const inbound = packet.direction === "inbound";
  const { source, port, protocol, address } = asked;
  const prefix = source && `${source.address}/${source.length}`;
  const bits = packet.family === "ipv4" ? 32 : 128;
  const [peer, ours] = inbound ? ["-s", "-d"] : ["-d", "-s"];
  const stop = leaseSeconds === undefined
    ? undefined
    : new Date((now + leaseSeconds) * 1000).toISOString().slice(0, 19);
  return [
    ...(prefix ? [peer, prefix] : []),
    ...(address ? [ours, `${address}/${bits}`] : []),
    ...(inbound && asked.interface ? ["-i", asked.interface] : []),
    ...["-p", protocol, "-m", protocol],
    ...[inbound ? "--dport" : "--sport", String(port)],
    ...(inbound ? [] : ["-m", "conntrack", "--ctstate", "ESTABLISHED"]),
    ...(stop === undefined ? [] : ["-m", "time", "--datestop", stop]),
    ...["-m", "comment", "--comment", mark, "-j", "ACCEPT"],
  ].join(" ");
}

/** All lines for one tool: all of them are applied, or none. */
export function restoreInput(
  lines: readonly { readonly table: string; readonly line: string }[],
): string {
  const tables = [...new Set(lines.map(({ table }) => table))];
  return tables.map((table) => {
    const own = lines.filter((one) => one.table === table);
    return `*${table}\n${own.map(({ line }) => `${line}\n`).join("")}COMMIT\n`;
  }).join("");
}

/** One step for each tool of iptables that has something to write. */
export function iptablesSteps(
  changes: readonly IptablesChange[],
  asked: Asked,
): readonly PlanStep[] {
  const tools = [...new Set(changes.map(({ chain }) => restoreTool(chain)))];
  return tools.map((tool) => {
    const own = changes.filter(({ chain }) => restoreTool(chain) === tool);
    const names = own.map(({ chain }) => chain.name).join(" and ");
    return {
      layer: own[0]!.chain.legacy ? "iptables-legacy" : "iptables-nft",
      argv: restoreArgv(tool),
      stdin: restoreInput(
        own.map(({ chain, line }) => ({ table: chain.table, line })),
      ),
      sentence: `Lets in ${describeAsked(asked)} (${
        own[0]!.chain.family === "ip" ? "ipv4" : "ipv6"
      }): one accept in chain ${names} of ${
        own[0]!.chain.legacy ? "iptables-legacy" : "iptables"
      }, before what drops it`,
    };
  });
}

/** Nothing else is touched, and it waits for the lock for 5 seconds at most. */
export function restoreArgv(tool: string): readonly string[] {
  // iptables-nft has no lock, and takes the option for compatibility.
  return [tool, "--noflush", "-w", "5"];
}
