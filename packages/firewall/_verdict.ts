import { familyOf } from "./_address.ts";
import { isMost, rangeTexts } from "./_address_set.ts";
import {
  intersect,
  type IntervalSet,
  NONE,
  sizeOf,
  subtract,
} from "./_interval_set.ts";
import { evaluate, type Evaluation, type Place } from "./_nft_evaluate.ts";
import { linkOf, questionOf, type Word } from "./_nft_packet.ts";
import type { NftRuleset } from "./_nft_ruleset.ts";
import type { Drop } from "./_nft_flow.ts";
import type { Asked } from "./_request.ts";
import type { Family } from "./outcome.ts";

/** What a ruleset does to the asked connection, of one family and link. */
export type Verdict =
  & { readonly family: Family; readonly link: Word }
  & (
    | {
      readonly status: "open";
      /** The sources that are not let in, or of which it cannot be told. */
      readonly except: IntervalSet;
    }
    | {
      readonly status: "blocked";
      readonly place: Place;
      readonly blocked: IntervalSet;
      readonly except: IntervalSet;
    }
    | { readonly status: "unknown"; readonly why: string }
  );

/** Interfaces that are asked about one by one. */
const LINKS_MAX = 64;
/** Sources of an outcome that are named one by one. */
const EXCEPT_MAX = 100;

/** Verdicts on all families, and where it matters on all interfaces. */
export function verdictsOf(
  ruleset: NftRuleset,
  asked: Asked,
): readonly Verdict[] {
  return asked.families.flatMap((family) => {
    const general = verdictOf(ruleset, asked, family, linkOf(asked));
    if (general.status !== "unknown" || asked.interface !== undefined) {
      return [general];
    }
    const links = linksOf(ruleset);
    return links.length < 2
      ? [general]
      : links.map((link) => verdictOf(ruleset, asked, family, link));
  });
}

/** The verdict on most of the sources. */
export function verdictOf(
  ruleset: NftRuleset,
  asked: Asked,
  family: Family,
  link: Word,
): Verdict {
  const question = questionOf(asked, family, link);
  const { all } = question;
  const evaluation = evaluate(ruleset, question);
  const { open, blocked, unknown } = evaluation;
  const base = { family, link };
  if (isMost(open, all)) {
    return { ...base, status: "open", except: subtract(all, open) };
  }
  const place = isMost(blocked, all) ? placeOf(evaluation) : undefined;
  if (place !== undefined) {
    const except = subtract(all, blocked);
    return { ...base, status: "blocked", place, blocked, except };
  }
  const doubt = evaluation.doubts.find(({ set }) =>
    intersect(set, unknown).length > 0
  );
  const why = unknown.length > 0 && doubt !== undefined
    ? doubt.what
    : "some sources are let in, and others are not";
  return { ...base, status: "unknown", why };
}

/** Where most of what is dropped for sure is dropped first. */
export function placeOf(
  { stages, blocked }: Evaluation,
): Place | undefined {
  let left = blocked;
  let best: Place | undefined;
  let most = 0;
  for (const { packet, blocked: here, drops } of stages) {
    let stopped = intersect(left, here);
    left = subtract(left, here);
    // The last place that a packet comes to is the one that is sure.
    for (const { set, what: drop } of drops.toReversed()) {
      const part = intersect(stopped, set);
      stopped = subtract(stopped, set);
      if (sizeOf(part) <= most) continue;
      most = sizeOf(part);
      best = { drop, packet };
    }
    // The first packet comes first, however few sources it concerns.
    if (best !== undefined && isMost(here, blocked)) return best;
  }
  return best;
}

/** All numbers that are dropped in a place, whatever else becomes of them. */
export function droppedAt(
  { stages }: Evaluation,
  { chain, rule }: Drop,
): IntervalSet {
  return stages.flatMap(({ drops }) => drops)
    .filter(({ what }) => what.chain === chain && what.rule === rule)
    .map(({ set }) => set)
    .toSorted((a, b) => sizeOf(b) - sizeOf(a))[0] ?? NONE;
}

/** Interfaces that the rules name, each alone, and all others. */
function linksOf(ruleset: NftRuleset): readonly Word[] {
  const names = new Set<string>();
  for (const { rules } of ruleset.chains.values()) {
    const text = JSON.stringify(rules.map(({ expr }) => expr));
    if (!/"(iif|iifname|oif|oifname)"/.test(text)) continue;
    collectNames(rules.map(({ expr }) => expr), names);
  }
  for (const { elements } of ruleset.sets.values()) {
    for (const element of elements) {
      if (typeof element !== "string" || familyOf(element)) continue;
      if (/^[\w.@-]{1,15}\*?$/.test(element)) names.add(element);
    }
  }
  names.delete("lo");
  // So many that each alone would take too long: one must be named.
  if (names.size > LINKS_MAX) return [];
  const all = [...names];
  const exact = all.filter((name) => !name.endsWith("*"));
  return [
    ...exact.map((is) => ({ is, not: [] })),
    ...all.filter((name) => name.endsWith("*")).map((name) => ({
      ...{ is: undefined, like: name.slice(0, -1), not: ["lo", ...exact] },
    })),
    { is: undefined, not: ["lo", ...all] },
  ];
}

/** Texts to the right of a question for an interface. */
function collectNames(value: unknown, names: Set<string>): void {
  if (Array.isArray(value)) {
    for (const one of value) collectNames(one, names);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const record = value as Record<string, unknown>;
  const left = JSON.stringify(record.left ?? record.key ?? null);
  if (/"(iif|iifname|oif|oifname)"/.test(left)) {
    const right = JSON.stringify(record.right ?? record.data ?? null);
    for (const [, name] of right.matchAll(/"([\w.-]{1,15}\*?)"/g)) {
      if (!KEYWORDS.has(name!) && !familyOf(name!)) names.add(name!);
    }
  }
  for (const one of Object.values(record)) collectNames(one, names);
}

const KEYWORDS = new Set([
  ...["set", "concat", "elem", "val", "range", "prefix", "addr", "len"],
  ...["accept", "drop", "jump", "goto", "target", "return", "continue"],
]);

/** The sources that an outcome does not hold for, as text. */
export function exceptTexts(
  set: IntervalSet,
  family: Family,
): readonly string[] {
  return rangeTexts(set, family, EXCEPT_MAX);
}
