/**
 * In which order servers are asked, and when the next one: pure but for the
 * exchange and the wait, which are passed in.
 */
import { type DnsAnswer, type DnsServer, isConclusive } from "./_dns_types.ts";

/** What the race needs. */
export interface DnsRace {
  readonly servers: readonly DnsServer[];
  /** A server that is silent for so long gets company, in milliseconds. */
  readonly headStartMs: number;
  /** How often the same server is asked, a datagram each time. */
  readonly rounds: number;
  readonly ask: (
    server: DnsServer,
    signal: AbortSignal,
  ) => Promise<DnsAnswer>;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Which of several failures says the most. */
const TELLING: readonly DnsAnswer["kind"][] = [
  "sinkhole",
  "server-failure",
  "refused",
  "malformed",
  "unsent",
  "silent",
];

/**
 * The first answer that no other server could better, with who gave it; or the
 * most telling failure. Those that were asked in vain are left alone after it.
 */
export async function raceServers(
  race: DnsRace,
  signal: AbortSignal,
): Promise<readonly [DnsAnswer, DnsServer | undefined]> {
  const over = new AbortController();
  const ends = AbortSignal.any([signal, over.signal]);
  const failures: DnsAnswer[] = [];
  const found = Promise.withResolvers<readonly [DnsAnswer, DnsServer]>();
  let hurry = new AbortController();
  const run = async (server: DnsServer): Promise<void> => {
    const answer = await race.ask(server, ends);
    if (isConclusive(answer)) return found.resolve([answer, server]);
    failures.push(answer);
    // A server that says no must not cost the head start of the next.
    if (answer.kind !== "silent") hurry.abort();
  };
  const asking = (async (): Promise<void> => {
    const running: Promise<void>[] = [];
    for (let round = 0; round < race.rounds; round++) {
      // Each round waits longer: a slow server is not asked ever faster.
      const waitMs = race.headStartMs * 2 ** round;
      for (const server of race.servers) {
        if (ends.aborted) break;
        if (round > 0 && saidNo(failures, race.servers.length)) break;
        hurry = new AbortController();
        running.push(run(server));
        await race.pause(waitMs, AbortSignal.any([ends, hurry.signal]));
      }
    }
    await Promise.all(running);
  })();
  try {
    const winner = await Promise.race([found.promise, asking]);
    if (winner !== undefined) return winner;
    const told = TELLING.find((kind) => failures.some((f) => f.kind === kind));
    const failure = failures.find(({ kind }) => kind === told);
    return [failure ?? { kind: "silent" }, undefined];
  } finally {
    over.abort();
    await asking;
  }
}

/** Whether every server has answered, none of use: asking again is vain. */
function saidNo(failures: readonly DnsAnswer[], servers: number): boolean {
  return failures.filter(({ kind }) => kind !== "silent").length >= servers;
}
