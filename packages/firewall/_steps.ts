import { busctl } from "./_firewalld.ts";
import { richPriority } from "./_mark.ts";
import type { Packet } from "./_nft_packet.ts";
import type { NftChain, NftRule, NftRuleset, NftSet } from "./_nft_ruleset.ts";
import type { Drop } from "./_nft_flow.ts";
import { type Asked, describeAsked } from "./_request.ts";
import type { PlanStep } from "./plan.ts";

/** Whose rules they are, and how long they last. */
export interface Ownership {
  /** The comment of the rules. */
  readonly mark: string;
  /** Names what belongs to one lease. */
  readonly id: string;
  /** Seconds after which the kernel closes the port; undefined for never. */
  readonly leaseSeconds: number | undefined;
  /** Seconds since 1970, for layers that know only the time of day. */
  readonly now: number;
}

/** The set of nft that holds the port while a lease lasts. */
export function leaseSet({ id }: Pick<Ownership, "id">): string {
  return `hf_${id}`;
}

/** A set of ours in the kernel, and whose it is. */
export interface OurSet {
  readonly id: string;
  readonly set: NftSet;
}

/** All sets of ours. */
export function ourSets({ sets }: NftRuleset): readonly OurSet[] {
  return [...sets].flatMap(([key, set]) => {
    const [, id] = /\nhf_([a-z0-9]{8})$/.exec(key) ?? [];
    return id === undefined ? [] : [{ id, set }];
  });
}

/** A change in one place, and the commands of nft that make it. */
export interface NftChange {
  readonly rule: NftRule;
  readonly commands: readonly unknown[];
}

/** The accept that belongs before a drop, or at the end where a policy drops. */
export function nftChange(
  { chain, rule: dropping }: Drop,
  packet: Packet,
  asked: Asked,
  own: Ownership,
): NftChange {
  const leased = own.leaseSeconds !== undefined;
  const expr = nftExpression(
    chain,
    packet,
    asked,
    leased ? `@${leaseSet(own)}` : asked.port,
  );
  const { family, table, name } = chain;
  const rule = { family, table, chain: name, expr, comment: own.mark };
  // A handle that is gone by then makes nft refuse the whole batch.
  const command = dropping?.handle === undefined
    ? { add: { rule } }
    : { insert: { rule: { ...rule, handle: dropping.handle } } };
  return {
    rule: { handle: undefined, expr, comment: own.mark, added: true },
    commands: [...leased ? setCommands(chain, asked, own) : [], command],
  };
}

/** A set whose element goes away by itself; that it is there is no error. */
function setCommands(
  { family, table }: NftChain,
  { port }: Asked,
  own: Ownership,
): readonly unknown[] {
  const name = leaseSet(own);
  const set = { family, table, name, type: "inet_service", flags: ["timeout"] };
  const elem = [{ elem: { val: port, timeout: own.leaseSeconds } }];
  return [
    { add: { set } },
    { add: { element: { family, table, name, elem } } },
  ];
}

/** One more lease time for the port in the sets of these tables. */
export function renewNft(
  tables: readonly { readonly family: string; readonly table: string }[],
  port: number,
  own: Ownership,
): string {
  const name = leaseSet(own);
  // An element that is there keeps its time: out, and in again, at once.
  const nftables = tables.flatMap(({ family, table }) => {
    const element = { family, table, name };
    const fresh = [{ elem: { val: port, timeout: own.leaseSeconds } }];
    return [
      { add: { element: { ...element, elem: [port] } } },
      { delete: { element: { ...element, elem: [port] } } },
      { add: { element: { ...element, elem: fresh } } },
    ];
  });
  return JSON.stringify({ nftables });
}

/** The statements of a rule that accepts just the packets that are asked. */
export function nftExpression(
  { family }: NftChain,
  packet: Packet,
  asked: Asked,
  port: number | string,
): readonly unknown[] {
  const inbound = packet.direction === "inbound";
  const equal = (left: unknown, right: unknown) => ({
    match: { op: "==", left, right },
  });
  const { source, families, address } = asked;
  const expr: unknown[] = [];
  const oneFamily = families.length === 1 && source === undefined &&
    address === undefined;
  if (family === "inet" && oneFamily) {
    expr.push(equal({ meta: { key: "nfproto" } }, packet.family));
  }
  if (inbound && asked.interface !== undefined) {
    expr.push(equal({ meta: { key: "iifname" } }, asked.interface));
  }
  const protocol = packet.family === "ipv4" ? "ip" : "ip6";
  if (source !== undefined) {
    const field = inbound ? "saddr" : "daddr";
    const full = source.length === (source.family === "ipv4" ? 32 : 128);
    expr.push(equal(
      { payload: { protocol, field } },
      full
        ? source.address
        : { prefix: { addr: source.address, len: source.length } },
    ));
  }
  if (address !== undefined) {
    const field = inbound ? "daddr" : "saddr";
    expr.push(equal({ payload: { protocol, field } }, address));
  }
  expr.push(equal(
    {
      payload: { protocol: asked.protocol, field: inbound ? "dport" : "sport" },
    },
    port,
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
  const commands = changes.flatMap((change) => change.commands);
  return {
    layer: "nftables",
    argv: ["nft", "-j", "-e", "-a", "-f", "-"],
    stdin: JSON.stringify({ nftables: commands }),
    sentence: `Lets in ${describeAsked(asked)}: one accept ${
      places.join(", and one ")
    }`,
  };
}

/** One rule of ufw; without a source it is for both families. */
export function ufwStep(
  asked: Asked,
  mark: string,
  prepend = false,
): PlanStep {
  const { source, port, protocol, address, families } = asked;
  const any = families.length === 2
    ? "any"
    : families[0] === "ipv4"
    ? "0.0.0.0/0"
    : "::/0";
  return {
    layer: "ufw",
    argv: [
      "ufw",
      ...(prepend ? ["prepend"] : []),
      "allow",
      ...(asked.interface ? ["in", "on", asked.interface] : []),
      ...["proto", protocol, "from"],
      source === undefined ? any : `${source.address}/${source.length}`,
      ...["to", address ?? any, "port", String(port), "comment", mark],
    ],
    stdin: undefined,
    sentence: `Asks ufw to let in ${describeAsked(asked)}`,
  };
}

/** A rich rule that lets just what is asked in. */
export function richRule(asked: Asked, priority: number): string {
  const { source, address, port, protocol, families } = asked;
  const family = families.length === 1 ? ` family="${families[0]}"` : "";
  const from = source === undefined
    ? ""
    : ` source address="${source.address}/${source.length}"`;
  const to = address === undefined ? "" : ` destination address="${address}"`;
  return `rule priority="${priority}"${family}${from}${to} port port="${port}" protocol="${protocol}" accept`;
}

/** A rich rule in a zone, that firewalld itself takes back after the time. */
export function firewalldStep(
  asked: Asked,
  zone: string,
  { id, leaseSeconds }: Ownership,
  turn: 0 | 1 = 0,
): PlanStep {
  const rule = richRule(asked, richPriority(id, turn));
  return {
    layer: "firewalld",
    argv: busctl(
      ...["zone.addRichRule", "ssi", zone, rule] as const,
      String(leaseSeconds ?? 0),
    ),
    stdin: undefined,
    sentence: `Asks firewalld to let in ${
      describeAsked(asked)
    } in its zone ${zone}, until it is reloaded`,
  };
}
