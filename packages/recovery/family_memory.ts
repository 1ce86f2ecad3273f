/** Which family works lately, and how long a connection takes. */
export interface FamilyMemory {
  /** The family to try first at this time (`performance.now()`). */
  first(now: number): "v4" | "v6";
  /** How long a connection to this family took lately, in milliseconds. */
  connectMs(family: "v4" | "v6"): number | undefined;
  /** Takes what came of one host that has both families, or one. */
  take(outcome: FamilyOutcome, now: number): void;
  /** Forgets everything: the network is another one. */
  forget(): void;
}

/** What came of one race of addresses. */
export interface FamilyOutcome {
  /** The family of the connection that won. */
  readonly won: "v4" | "v6";
  /** How long its own socket took, in milliseconds. */
  readonly ms: number;
  /** Whether IPv6 was tried first, and had its head start in vain. */
  readonly sixWasSilent: boolean;
}

/** So many races in a row lost show that IPv6 is broken here. */
const LOST_MAX = 3;
/** When a broken IPv6 gets its next chance: after twice as long each time. */
const PROBE_FIRST_MS = 30_000;
const PROBE_MAX_MS = 600_000;
const WEIGHT = 0.25;

/**
 * A memory that several dials share, so that a broken IPv6 costs its head start
 * three times and not for ever. It gets another chance after half a minute, then
 * less and less often; forget it all when the network has changed.
 *
 * ```ts
 * import { familyMemory } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = familyMemory();
 * assertEquals(memory.first(0), "v6");
 * const lost = { won: "v4", ms: 20, sixWasSilent: true } as const;
 * for (let i = 0; i < 3; i++) memory.take(lost, 0);
 * assertEquals([memory.first(0), memory.first(30_000)], ["v4", "v6"]);
 * memory.forget();
 * assertEquals(memory.first(0), "v6");
 * ```
 */
export function familyMemory(): FamilyMemory {
  let [lost, probeMs, probeAt] = [0, PROBE_FIRST_MS, 0];
  const took = new Map<"v4" | "v6", number>();
  return {
    first(now) {
      if (lost < LOST_MAX || now >= probeAt) return "v6";
      return "v4";
    },
    connectMs: (family) => took.get(family),
    take({ won, ms, sixWasSilent }, now) {
      // Down at once and up slowly: a lost SYN is no long way.
      const before = took.get(won) ?? ms;
      const later = ms < before ? ms : before + WEIGHT * (ms - before);
      took.set(won, later);
      if (won === "v6") [lost, probeMs] = [0, PROBE_FIRST_MS];
      if (!sixWasSilent) return;
      lost++;
      if (lost < LOST_MAX) return;
      probeAt = now + probeMs;
      probeMs = Math.min(PROBE_MAX_MS, 2 * probeMs);
    },
    forget() {
      [lost, probeMs, probeAt] = [0, PROBE_FIRST_MS, 0];
      took.clear();
    },
  };
}
