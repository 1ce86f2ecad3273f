import { allAddresses, intervalOf, rangeTexts } from "./_address_set.ts";
import {
  intersect,
  type IntervalSet,
  sameSet,
  sizeOf,
  subtract,
  toSet,
  unite,
} from "./_interval_set.ts";
import { evaluate, type Evaluation } from "./_nft_evaluate.ts";
import { allPorts, PORTS } from "./_nft_packet.ts";
import type { NftRuleset } from "./_nft_ruleset.ts";
import { type Asked, sourceSpan } from "./_request.ts";
import type { Family } from "./outcome.ts";

/** The difference between two rulesets. */
export interface Difference {
  /** Combinations of port, protocol, family and range of sources. */
  readonly compared: number;
  /** What changes, and whether it was asked for. */
  readonly changed: readonly Change[];
}

/** Ports of which something changes. */
export interface Change {
  readonly family: Family;
  readonly protocol: "tcp" | "udp";
  readonly source: IntervalSet;
  readonly ports: IntervalSet;
  readonly asked: boolean;
}

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

/**
 * Compares what two rulesets do to every port, of both protocols and families,
 * from the asked sources and from all others. Whole ranges of ports are walked
 * at once, so that it takes one walk and not 65 535.
 */
export function compareRulesets(
  before: NftRuleset,
  after: NftRuleset,
  asked: Asked,
): Difference {
  let compared = 0;
  const changed: Change[] = [];
  for (const family of FAMILIES) {
    for (const { source, inside } of sourceClasses(asked, family)) {
      for (const protocol of ["tcp", "udp"] as const) {
        compared += sizeOf(PORTS);
        const question = allPorts(family, protocol, source);
        const ports = differing(
          evaluate(before, question),
          evaluate(after, question),
        );
        if (ports.length === 0) continue;
        const wanted = inside && protocol === asked.protocol &&
          asked.families.includes(family) &&
          sameSet(ports, intersect(ports, [asked.port, asked.port + 1]));
        changed.push({ family, protocol, source, ports, asked: wanted });
      }
    }
  }
  return { compared, changed };
}

/** `tcp ipv4 8080 from 10.0.0.0/8`. */
export function changeText(change: Change): string {
  const { family, protocol, ports, source } = change;
  const ranges: string[] = [];
  for (let i = 0; i < ports.length; i += 2) {
    const [lo, hi] = [Number(ports[i]), Number(ports[i + 1]) - 1];
    ranges.push(lo === hi ? `${lo}` : `${lo}-${hi}`);
  }
  const from = sameSet(source, allAddresses(family))
    ? ""
    : ` from ${rangeTexts(source, family, 4).join(", ")}`;
  return `${protocol} ${family} ${ranges.join(",")}${from}`;
}

/** The asked sources, and all others. */
function sourceClasses(
  asked: Asked,
  family: Family,
): readonly { source: IntervalSet; inside: boolean }[] {
  const every = allAddresses(family);
  if (asked.source === undefined) return [{ source: every, inside: true }];
  if (asked.source.family !== family) {
    return [{ source: every, inside: false }];
  }
  const inside = toSet([intervalOf(sourceSpan(asked, family), family)]);
  const others = subtract(every, inside);
  return [
    { source: inside, inside: true },
    ...others.length > 0 ? [{ source: others, inside: false }] : [],
  ];
}

/** Ports that fare otherwise, or that a new rule may apply to. */
function differing(before: Evaluation, after: Evaluation): IntervalSet {
  const moved = (["open", "blocked", "unknown"] as const).map((name) =>
    unite(
      subtract(before[name], after[name]),
      subtract(after[name], before[name]),
    )
  );
  return moved.reduce(unite, after.touched);
}
