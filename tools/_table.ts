/**
 * Who may import whom: the table of DESIGN.md, in the order of publishing.
 */

/** The scope of every package. */
export const SCOPE = "@holdfast";

/** The root package, which composes the others. */
export const ROOT = "holdfast";

/** For each package, by short name, the packages that it may import. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  events: [],
  recovery: ["events"],
  netwatch: ["events"],
  signal: ["events", "recovery"],
  resume: ["events", "recovery"],
  firewall: ["events"],
  handoff: ["events"],
  [ROOT]: [
    "events",
    "recovery",
    "netwatch",
    "signal",
    "resume",
    "firewall",
    "handoff",
  ],
};

/**
 * Third parties that a package's published code may import beside `node:` and
 * `@std/async`; `"lazy"` ones only by `import()` or for types, since importing
 * them costs permissions or time that not every user of the package owes.
 */
export const THIRD_PARTIES: Readonly<
  Record<string, Readonly<Record<string, "static" | "lazy">>>
> = {
  recovery: { "dns-packet": "lazy" },
  resume: { ioredis: "lazy" },
  signal: { mqtt: "lazy", "mqtt/dist/mqtt.esm": "lazy" },
};

/** Sorts packages so that each stands after those that it may import. */
export function inOrder<T extends { readonly short: string }>(
  packages: readonly T[],
  table: Readonly<Record<string, readonly string[]>> = MAY_IMPORT,
): T[] {
  const done: T[] = [];
  let rest = [...packages];
  while (rest.length > 0) {
    const waiting = new Set(rest.map(({ short }) => short));
    const ready = rest.filter(({ short }) =>
      !(table[short] ?? []).some((other) => waiting.has(other))
    );
    if (ready.length === 0) {
      throw new RangeError(
        `Cannot order packages: ${
          [...waiting].join(", ")
        } import each other: break the circle`,
      );
    }
    done.push(...ready);
    rest = rest.filter((one) => !ready.includes(one));
  }
  return done;
}
