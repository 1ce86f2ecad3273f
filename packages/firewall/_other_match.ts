import type { Span } from "./_address.ts";
import type { Family } from "./outcome.ts";

/**
 * Whether a rule concerns all that is asked about, none of it, or a part of
 * it, or one cannot tell.
 */
export type Match = "yes" | "no" | "maybe";

/** A packet of the connection, or a set of them. */
export interface OtherPacket {
  readonly family: Family;
  readonly protocol: "tcp" | "udp";
  /** Its flags of TCP: of the first, the answer to it, or a later one. */
  readonly flags: "S" | "SA" | "A";
  readonly direction: "in" | "out";
  /** Our port. */
  readonly port: number;
  /** The other side; undefined for anywhere. */
  readonly peer: Span | undefined;
  readonly interface: string | undefined;
  /** Our address; left out for each. */
  readonly own?: Span | undefined;
}

/** Of the verdicts on several families the worst. */
export function worstOf<V extends { readonly type: string }>(
  verdicts: readonly V[],
): V {
  const of = (type: string) => verdicts.find((one) => one.type === type);
  return (of("blocked") ?? of("unknown") ?? verdicts[0])!;
}

/** All conditions of a rule hold. */
export function every(matches: Iterable<Match>): Match {
  let worst: Match = "yes";
  for (const match of matches) {
    if (match === "no") return "no";
    if (match === "maybe") worst = "maybe";
  }
  return worst;
}

/** One of the conditions holds. */
export function some(matches: Iterable<Match>): Match {
  return negate(every([...matches].map(negate)));
}

/** The condition does not hold. */
export function negate(match: Match): Match {
  return match === "maybe" ? match : match === "yes" ? "no" : "yes";
}

/** Whether what is asked about lies in the union of some spans. */
export function within(asked: Span, spans: readonly Span[]): Match {
  let next = asked.lo;
  let touched = false;
  for (const { lo, hi } of [...spans].sort(byStart)) {
    if (hi < asked.lo || lo > asked.hi) continue;
    touched = true;
    if (lo > next) return "maybe";
    if (hi >= next) next = hi + 1n;
  }
  if (next > asked.hi) return "yes";
  return touched ? "maybe" : "no";
}

function byStart(a: Span, b: Span): number {
  return a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : 0;
}

/** An entry of a table of addresses: the most specific one decides. */
export interface TableEntry {
  readonly family: Family;
  readonly span: Span;
  readonly negated: boolean;
}

/**
 * Whether all that is asked about is in a table of addresses, where a longer
 * prefix wins over a shorter one, and may take addresses out again.
 */
export function inTable(asked: Span, entries: readonly TableEntry[]): Match {
  const touching = entries.filter(({ span }) =>
    span.hi >= asked.lo && span.lo <= asked.hi
  );
  const around = touching.filter(({ span }) =>
    span.lo <= asked.lo && span.hi >= asked.hi
  );
  const size = ({ span }: TableEntry) => span.hi - span.lo;
  const best = around.reduce<TableEntry | undefined>(
    (kept, entry) =>
      kept === undefined || size(entry) < size(kept) ? entry : kept,
    undefined,
  );
  const outer = best !== undefined && !best.negated;
  // Entries inside of what is asked, which decide for a part of it.
  const inner = touching.filter((entry) => !around.includes(entry));
  if (inner.every(({ negated }) => !negated === outer)) {
    return outer ? "yes" : "no";
  }
  return outer ? "maybe" : coveredBy(asked, inner);
}

/** Parts that together are all of it, none of which is taken out again. */
function coveredBy(asked: Span, inner: readonly TableEntry[]): Match {
  if (inner.some(({ negated }) => negated)) return "maybe";
  return within(asked, inner.map(({ span }) => span));
}
