import {
  intersect,
  type IntervalSet,
  NONE,
  subtract,
  unite,
} from "./_interval_set.ts";

/**
 * Whether something holds: for all of the numbers that are asked about (ports,
 * or addresses of peers), or for some of them. `yes` are those for which it
 * holds for sure, `may` those for which it may hold, these included.
 */
export type Tri =
  | "yes"
  | "no"
  | "maybe"
  | { readonly yes: IntervalSet; readonly may: IntervalSet };

/** Both hold. */
export function and(a: Tri, b: Tri, all: IntervalSet): Tri {
  if (a === "no" || b === "no") return "no";
  if (a === "yes") return b;
  if (b === "yes") return a;
  if (a === "maybe" && b === "maybe") return "maybe";
  return {
    yes: intersect(yesOf(a, all), yesOf(b, all)),
    may: intersect(mayOf(a, all), mayOf(b, all)),
  };
}

/** One of them holds. */
export function or(a: Tri, b: Tri, all: IntervalSet): Tri {
  if (a === "yes" || b === "yes") return "yes";
  if (a === "no") return b;
  if (b === "no") return a;
  if (a === "maybe" && b === "maybe") return "maybe";
  return {
    yes: unite(yesOf(a, all), yesOf(b, all)),
    may: unite(mayOf(a, all), mayOf(b, all)),
  };
}

/** It does not hold. */
export function not(a: Tri, all: IntervalSet): Tri {
  if (a === "maybe") return a;
  if (a === "yes") return "no";
  if (a === "no") return "yes";
  return { yes: subtract(all, a.may), may: subtract(all, a.yes) };
}

/** Those for which it holds for sure. */
export function yesOf(a: Tri, all: IntervalSet): IntervalSet {
  if (a === "yes") return all;
  return a === "no" || a === "maybe" ? NONE : a.yes;
}

/** Those for which it may hold. */
export function mayOf(a: Tri, all: IntervalSet): IntervalSet {
  if (a === "no") return NONE;
  return a === "yes" || a === "maybe" ? all : a.may;
}
