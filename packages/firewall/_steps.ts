import type { Packet } from "./_nft_packet.ts";
import type { NftChain, NftRule } from "./_nft_ruleset.ts";
import type { Drop } from "./_nft_walk.ts";
import { type Asked, describeAsked } from "./_request.ts";
import type { PlanStep } from "./plan.ts";

/** A change in one place, and the commands of nft that make it. */
export interface NftChange {
  readonly rule: NftRule;
  readonly command: unknown;
}

/** The accept that belongs before a drop, or at the end where a policy drops. */
export function nftChange(
  { chain, rule: dropping }: Drop,
  packet: Packet,
  asked: Asked,
  tag: string,
): NftChange {
  const expr = nftExpression(chain, packet, asked);
  const { family, table, name } = chain;
  const rule = { family, table, chain: name, expr, comment: tag };
  // A handle that is gone by then makes nft refuse the whole batch.
  const command = dropping?.handle === undefined
    ? { add: { rule } }
    : { insert: { rule: { ...rule, handle: dropping.handle } } };
  return { rule: { handle: undefined, expr }, command };
}

/** The statements of a rule that accepts just the packets that are asked. */
export function nftExpression(
  { family }: NftChain,
  packet: Packet,
  asked: Asked,
): readonly unknown[] {
  const inbound = packet.direction === "inbound";
  const equal = (left: unknown, right: unknown) => ({
    match: { op: "==", left, right },
  });
  const { source, families } = asked;
  const expr: unknown[] = [];
  const oneFamily = families.length === 1 && source === undefined;
  if (family === "inet" && oneFamily) {
    expr.push(equal({ meta: { key: "nfproto" } }, packet.family));
  }
  if (inbound && asked.interface !== undefined) {
    expr.push(equal({ meta: { key: "iifname" } }, asked.interface));
  }
  if (source !== undefined) {
    const protocol = source.family === "ipv4" ? "ip" : "ip6";
    const field = inbound ? "saddr" : "daddr";
    const full = source.length === (source.family === "ipv4" ? 32 : 128);
    expr.push(equal(
      { payload: { protocol, field } },
      full
        ? source.address
        : { prefix: { addr: source.address, len: source.length } },
    ));
  }
  expr.push(equal(
    {
      payload: { protocol: asked.protocol, field: inbound ? "dport" : "sport" },
    },
    asked.port,
  ));
  if (!inbound) {
    expr.push({
      match: { op: "in", left: { ct: { key: "state" } }, right: "established" },
    });
  }
  expr.push({ accept: null });
  return expr;
}

/** All changes of nft as one transaction. */
export function nftStep(
  changes: readonly NftChange[],
  places: readonly string[],
  asked: Asked,
): PlanStep {
  return {
    layer: "nftables",
    argv: ["nft", "-j", "-e", "-a", "-f", "-"],
    stdin: JSON.stringify({ nftables: changes.map(({ command }) => command) }),
    sentence: `Lets in ${describeAsked(asked)}: one accept ${
      places.join(", and one ")
    }`,
  };
}

/** The same accept in the language of iptables, which owns the table. */
export function iptablesStep(
  { chain, rule }: Drop,
  packet: Packet,
  asked: Asked,
  tag: string,
): PlanStep {
  const inbound = packet.direction === "inbound";
  const at = rule === undefined ? -1 : chain.rules.indexOf(rule);
  const tool = packet.family === "ipv4" ? "iptables-nft" : "ip6tables-nft";
  const { source, port, protocol } = asked;
  const prefix = source && `${source.address}/${source.length}`;
  return {
    layer: "iptables-nft",
    argv: [
      tool,
      "-w",
      "5",
      "-t",
      chain.table,
      // Rules are counted from 1: the accept takes the place of the drop.
      ...(at < 0 ? ["-A", chain.name] : ["-I", chain.name, String(at + 1)]),
      ...(inbound && asked.interface ? ["-i", asked.interface] : []),
      ...(prefix ? [inbound ? "-s" : "-d", prefix] : []),
      "-p",
      protocol,
      inbound ? "--dport" : "--sport",
      String(port),
      ...(inbound ? [] : ["-m", "conntrack", "--ctstate", "ESTABLISHED"]),
      "-m",
      "comment",
      "--comment",
      tag,
      "-j",
      "ACCEPT",
    ],
    stdin: undefined,
    sentence: `Lets ${inbound ? "in" : "out the answers of"} ${
      describeAsked(asked)
    } (${packet.family}) in chain ${chain.name} of iptables`,
  };
}

/** One rule of ufw; without a source it is for both families. */
export function ufwStep(asked: Asked, tag: string): PlanStep {
  const { source, port, protocol } = asked;
  return {
    layer: "ufw",
    argv: [
      "ufw",
      "allow",
      ...(asked.interface ? ["in", "on", asked.interface] : []),
      "proto",
      protocol,
      "from",
      source === undefined ? "any" : `${source.address}/${source.length}`,
      "to",
      "any",
      "port",
      String(port),
      "comment",
      tag,
    ],
    stdin: undefined,
    sentence: `Asks ufw to let in ${describeAsked(asked)}`,
  };
}

/** A port, or a rich rule, in the default zone of firewalld until its reload. */
export function firewalldStep(asked: Asked): PlanStep {
  const { source, port, protocol } = asked;
  const change = source === undefined
    ? `--add-port=${port}/${protocol}`
    : `--add-rich-rule=rule family="${source.family}" source address="${source.address}/${source.length}" port port="${port}" protocol="${protocol}" accept`;
  return {
    layer: "firewalld",
    argv: ["firewall-cmd", change],
    stdin: undefined,
    sentence: `Asks firewalld to let in ${
      describeAsked(asked)
    } in its default zone, until it is reloaded`,
  };
}
