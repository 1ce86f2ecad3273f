/** The commands of `holdfast`, each loaded when it is asked for. */

/** A command: gives the exit code. */
export type CommandLine = (args: string[]) => Promise<number>;

interface Module {
  main(args: string[]): Promise<number>;
}

const of =
  (load: () => Promise<Module>, ...first: string[]): CommandLine =>
  async (args) => (await load()).main([...first, ...args]);

const recovery = () => import("@holdfast/recovery/cli");
const netwatch = () => import("@holdfast/netwatch/cli");

/** By name, in the order of the help. */
export const COMMANDS: Readonly<Record<string, CommandLine>> = {
  watch: of(netwatch, "watch"),
  snapshot: of(netwatch, "snapshot"),
  check: of(recovery, "check"),
  doctor: of(recovery, "doctor"),
  failures: of(recovery, "failures"),
  peer: of(() => import("./_cli_peer.ts")),
  signal: of(() => import("@holdfast/signal/cli")),
  firewall: of(() => import("@holdfast/firewall/cli")),
  handoff: of(() => import("@holdfast/handoff/cli")),
  tunnel: async (args) =>
    (await import("@holdfast/resume/cli")).main(args, { network: networkNews }),
};

/** What netwatch sees, for a tunnel; nothing where it may not look. */
async function networkNews() {
  try {
    const { watchNetwork } = await import("@holdfast/netwatch");
    return await watchNetwork();
  } catch {
    return undefined; // Without it a cut is found all the same, if later.
  }
}

/** The name that was probably meant, if there is one at most two letters off. */
export function nearest(
  word: string,
  names: readonly string[],
): string | undefined {
  const scored = names.map((name) => [distance(word, name), name] as const)
    .sort(([a], [b]) => a - b);
  const [best] = scored;
  return best !== undefined && best[0] <= 2 ? best[1] : undefined;
}

/** How many letters to change, add or take away (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + cost));
    }
    row = next;
  }
  return row[b.length]!;
}
