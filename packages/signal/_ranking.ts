/**
 * Which brokers serve an id: rendezvous hashing (Thaler and Ravishankar, 1996),
 * so that two ends who know nothing of each other but an id, and share a list
 * of brokers or most of one, walk them in the same order.
 */

/** A broker, and how well it goes with an id. */
export interface Scored {
  /** Its canonical URL. */
  readonly broker: string;
  /** Larger is better. */
  readonly score: bigint;
}

/**
 * The order in which the brokers of an id are walked: by score, but each
 * operator once before any comes again, since what one runs fails together.
 */
export function rank(scored: readonly Scored[]): string[] {
  const best = [...scored].sort((a, b) =>
    a.score === b.score
      ? a.broker < b.broker ? -1 : 1
      : a.score > b.score
      ? -1
      : 1
  );
  const rounds = new Map<string, number>();
  return best.map(({ broker }, place) => {
    const operator = operatorOf(broker);
    const round = rounds.get(operator) ?? 0;
    rounds.set(operator, round + 1);
    return { broker, round, place };
  }).sort((a, b) => a.round - b.round || a.place - b.place)
    .map(({ broker }) => broker);
}

/**
 * Who runs a broker, as far as its name tells: the last two labels, or three
 * where the last two are short (`co.uk`). Addresses and single names are taken
 * as one each.
 */
export function operatorOf(broker: string): string {
  const { hostname, host } = new URL(broker);
  const labels = hostname.split(".");
  if (labels.length < 2 || /^\d+$|\]$/.test(labels.at(-1)!)) return host;
  const short = labels.length > 2 && labels.at(-2)!.length <= 3 &&
    labels.at(-1)!.length === 2;
  return labels.slice(short ? -3 : -2).join(".");
}

/** The brokers of an id, best first. The URLs are canonical. */
export async function rankFor(
  id: string,
  brokers: readonly string[],
): Promise<string[]> {
  return rank(
    await Promise.all(brokers.map(async (broker) => {
      const text = new TextEncoder().encode(
        `holdfast signal 2 rank|${id}|${broker}`,
      );
      const hash = await crypto.subtle.digest("SHA-256", text);
      return { broker, score: new DataView(hash).getBigUint64(0) };
    })),
  );
}

/** How a broker stands with one end, for {@linkcode homesOf}. */
export type Standing = "up" | "trying" | "down" | "idle";

/**
 * Those of an id's brokers that it should be on: from the first one on, until
 * as many as wanted are up, or may be soon. Those before that are down stay in
 * it, so that both ends come back to them.
 */
export function homesOf(
  ranked: readonly string[],
  standingOf: (broker: string) => Standing,
  wanted: number,
): string[] {
  let promising = 0;
  const homes: string[] = [];
  for (const broker of ranked) {
    if (promising >= wanted) break;
    homes.push(broker);
    // One not tried yet counts: it is about to be.
    if (standingOf(broker) !== "down") promising++;
  }
  return homes;
}

/** How many of the recipient's brokers are walked, after so long without it. */
export function widthAfter(
  elapsedMs: number,
  wanted: number,
  all: number,
): number {
  return Math.min(all, wanted + Math.floor(elapsedMs / 1_000));
}
