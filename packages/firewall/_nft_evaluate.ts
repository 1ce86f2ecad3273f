import {
  intersect,
  type IntervalSet,
  NONE,
  subtract,
  unite,
} from "./_interval_set.ts";
import { type Packet, packetsOf, type Question } from "./_nft_packet.ts";
import {
  chainKey,
  isRecord,
  type NftChain,
  type NftRuleset,
} from "./_nft_ruleset.ts";
import { NO_BITS, UNTRACKED, ZERO } from "./_nft_value.ts";
import {
  type Drop,
  type Findings,
  type Flow,
  type Note,
  place,
} from "./_nft_flow.ts";
import { walkChain } from "./_nft_walk.ts";

/** Where a packet is dropped, and which one of the connection's. */
export interface Place {
  readonly drop: Drop;
  readonly packet: Packet;
}

/** One packet of the connection, and what became of it. */
export interface Stage {
  readonly packet: Packet;
  /** Those of which no such packet passes. */
  readonly blocked: IntervalSet;
  /** Where it may be dropped, in the order in which it comes there. */
  readonly drops: readonly Note<Drop>[];
}

/** What a ruleset does to a connection, for each number that is asked about. */
export interface Evaluation {
  /** Every packet of it passes, for sure. */
  readonly open: IntervalSet;
  /** One of its packets is dropped, for sure. */
  readonly blocked: IntervalSet;
  /** Neither can be said. */
  readonly unknown: IntervalSet;
  readonly stages: readonly Stage[];
  /** Why it cannot be said, for which. */
  readonly doubts: readonly Note<string>[];
  /** Those to which a rule that a plan adds may apply. */
  readonly touched: IntervalSet;
}

/** The hook of the kernel that looks connections up. */
const CONNTRACK_PRIORITY = -200;

/** What becomes of all packets of a connection. */
export function evaluate(
  ruleset: NftRuleset,
  question: Question,
): Evaluation {
  const { all } = question;
  const bases = [...ruleset.chains.values()].filter(({ hook }) => hook);
  let mayPass: IntervalSet = all;
  let blocked: IntervalSet = NONE;
  let tainted: IntervalSet = NONE;
  let touched: IntervalSet = NONE;
  let mayDrop: IntervalSet = NONE;
  const stages: Stage[] = [];
  const doubts: Note<string>[] = strangers(ruleset, bases, all);
  for (const { set } of doubts) tainted = unite(tainted, set);
  const marked = setsConnectionMark(ruleset);
  for (const packet of packetsOf(question)) {
    const { accepted, findings } = follow(
      ruleset,
      bases,
      packet,
      all,
      marked,
    );
    const passes = accepted.map(({ set }) => set).reduce(unite, NONE);
    mayPass = intersect(mayPass, passes);
    const stopped = subtract(all, passes);
    blocked = unite(blocked, stopped);
    for (const { set } of findings.drops) mayDrop = unite(mayDrop, set);
    stages.push({ packet, blocked: stopped, drops: findings.drops });
    for (const { set } of findings.taints) tainted = unite(tainted, set);
    doubts.push(...findings.taints, ...findings.doubts);
    touched = unite(touched, findings.touched);
  }
  const open = subtract(subtract(mayPass, mayDrop), tainted);
  const certain = subtract(blocked, tainted);
  const unknown = subtract(subtract(all, open), certain);
  return { open, blocked: certain, unknown, stages, doubts, touched };
}

/** One packet, through all hooks. */
function follow(
  ruleset: NftRuleset,
  bases: readonly NftChain[],
  packet: Packet,
  all: IntervalSet,
  marked: boolean,
): { accepted: readonly Flow[]; findings: Findings } {
  const findings: Findings = {
    ...{ drops: [], doubts: [], taints: [], touched: NONE },
  };
  const fresh = packet.state === "new" || !marked;
  let flows: readonly Flow[] = [
    { set: all, mark: ZERO, connectionMark: fresh ? ZERO : NO_BITS },
  ];
  for (const hook of packet.hooks) {
    const chains = bases.filter((chain) =>
      chain.hook === hook && sees(chain, packet)
    ).toSorted((a, b) => a.priority - b.priority);
    for (const chain of chains) {
      const state = stateIn(chain, packet);
      const equal = chains.some((other) =>
        other !== chain && other.priority === chain.priority &&
        (changesMarks(ruleset, other) || changesMarks(ruleset, chain))
      );
      // Which of two chains of one priority comes first is not shown.
      const known = equal ? flows.map(forgetMarks) : flows;
      flows = walkChain(
        chain,
        known,
        { ruleset, packet, all, state },
        findings,
      );
      if (equal) flows = flows.map(forgetMarks);
    }
  }
  return { accepted: flows, findings };
}

function forgetMarks(flow: Flow): Flow {
  return { ...flow, mark: NO_BITS, connectionMark: NO_BITS };
}

/** Before connections are looked up each packet is of none: "invalid". */
function stateIn(
  { hook, priority, family }: NftChain,
  packet: Packet,
): string | undefined {
  if (family === "netdev" || hook === "ingress" || hook === "egress") {
    return undefined;
  }
  if (hook !== "prerouting" && hook !== "output") return packet.state;
  if (priority === CONNTRACK_PRIORITY) return undefined;
  return priority < CONNTRACK_PRIORITY ? UNTRACKED : packet.state;
}

/** Whether the chain is on the way of the packet. */
function sees(chain: NftChain, packet: Packet): boolean {
  // The kernel asks chains for translation only about first packets.
  if (chain.type === "nat" && packet.state !== "new") return false;
  if (chain.family === "netdev") return true;
  const family = packet.family === "ipv4" ? "ip" : "ip6";
  return chain.family === "inet" || chain.family === family;
}

/** Statements of which no packet dies. */
const PEACEFUL = new Set([
  ...["match", "counter", "log", "jump", "goto", "accept", "return"],
  ...["continue", "comment"],
]);

/** Chains of bridges and of ARP are not followed: one may drop it, or not. */
function strangers(
  ruleset: NftRuleset,
  bases: readonly NftChain[],
  all: IntervalSet,
): Note<string>[] {
  const isPeaceful = (chain: NftChain) =>
    chain.policy !== "drop" &&
    chain.rules.every(({ expr }) =>
      expr.every((statement) =>
        isRecord(statement) && PEACEFUL.has(Object.keys(statement)[0] ?? "")
      )
    );
  return bases
    .filter(({ family, hook }) =>
      family === "arp" || family === "bridge" ||
      family === "netdev" && hook !== "ingress" && hook !== "egress"
    )
    .filter(({ family, table }) =>
      ![...ruleset.chains.values()].filter((other) =>
        other.family === family && other.table === table
      ).every(isPeaceful)
    )
    .map((chain) => {
      const where = place({ chain, rule: undefined });
      const what = `${where} is of ${chain.family}, which is not followed`;
      return { set: all, what };
    });
}

const marks = new WeakMap<NftChain, boolean>();

/** Whether a chain, or one that it jumps to, sets a mark. */
function changesMarks(
  ruleset: NftRuleset,
  chain: NftChain,
  depth = 0,
): boolean {
  const known = marks.get(chain);
  if (known !== undefined || depth > 16) return known ?? true;
  const text = JSON.stringify(chain.rules.map(({ expr }) => expr));
  const result = text.includes('"mangle"') ||
    [...text.matchAll(/"(?:jump|goto)":\{"target":("(?:[^"\\]|\\.)*")/g)]
      .some(([, name]) => {
        const target = ruleset.chains.get(
          chainKey(chain, JSON.parse(name!) as string),
        );
        return target !== undefined && changesMarks(ruleset, target, depth + 1);
      });
  marks.set(chain, result);
  return result;
}

/** Whether a rule remembers a mark for the packets that follow. */
function setsConnectionMark({ chains }: NftRuleset): boolean {
  return [...chains.values()].some(({ rules }) =>
    rules.some(({ expr }) =>
      expr.some((statement) =>
        isRecord(statement) &&
        (isRecord(statement.mangle) && isRecord(statement.mangle.key) &&
            "ct" in statement.mangle.key || "xt" in statement)
      )
    )
  );
}
