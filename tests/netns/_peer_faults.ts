/** Faults of the peer lab, drawn from a seed, and done one after the other. */
import { delay } from "@std/async/delay";
import type { BrokerIndex, Host, PeerLab } from "@holdfast/testkit/peer-lab";
import type { Pair } from "./_peer_pair.ts";

/** One of them. */
export interface PeerFault {
  readonly what:
    | "address-swap"
    | "both-move"
    | "broker-freeze"
    | "broker-kill"
    | "crash"
    | "firewall-drop"
    | "firewall-flush"
    | "link-flap"
    | "move"
    | "replace"
    | "sleep";
  readonly host: Host;
  readonly broker: BrokerIndex;
  /** How long it lasts, where it does. */
  readonly forMs: number;
  /** The pause before the next one. */
  readonly thenMs: number;
}

/** All that happens in one run. */
export interface PeerScenario {
  readonly seed: number;
  readonly durable: boolean;
  readonly openPort: boolean;
  readonly faults: readonly PeerFault[];
}

/** mulberry32: small, and the same everywhere. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The scenario of a seed. */
export function scenarioOf(seed: number): PeerScenario {
  const next = random(seed);
  const below = (n: number) => Math.floor(next() * n);
  const durable = seed % 2 === 1;
  const whats: PeerFault["what"][] = [
    ...["address-swap", "both-move", "broker-freeze", "broker-kill"] as const,
    ...["firewall-drop", "firewall-flush", "link-flap", "move"] as const,
    ...["sleep", durable ? "crash" : "replace"] as const,
  ];
  // Different ones, in any order: each run has most of them.
  const drawn = Array.from(
    { length: 5 + below(4) },
    () => whats.splice(below(whats.length), 1)[0]!,
  );
  const faults = drawn.map((what): PeerFault => ({
    what,
    host: next() < 0.5 ? "a" : "b",
    broker: below(3) as BrokerIndex,
    forMs: 50 + below(1_500),
    // Often before the one before has healed.
    thenMs: next() < 0.4 ? below(100) : below(1_500),
  }));
  return { seed, durable, openPort: next() < 0.5, faults };
}

/** Brings them about, in order; in the end all brokers run. */
export async function inflict(
  lab: PeerLab,
  pair: Pair,
  faults: readonly PeerFault[],
): Promise<void> {
  let last = 2;
  // One broker at a time is down: with none left, both cannot meet.
  let down: BrokerIndex | undefined;
  const takeDown = async (broker: BrokerIndex) => {
    if (down !== undefined) await lab.revive(down);
    down = broker;
  };
  for (const { what, host, broker, forMs, thenMs } of faults) {
    const { link } = lab.place(host);
    const otherLink = (of: Host) => lab.place(of).link === 0 ? 1 : 0;
    switch (what) {
      case "address-swap":
        await lab.move(host, { link, last: ++last });
        break;
      case "move":
        await lab.move(host, { link: otherLink(host), last: ++last });
        break;
      case "both-move":
        last++;
        await Promise.all([
          lab.move("a", { link: otherLink("a"), last }),
          lab.move("b", { link: otherLink("b"), last }),
        ]);
        break;
      case "broker-freeze":
        await takeDown(broker);
        lab.freeze(broker, true);
        break;
      case "broker-kill":
        await takeDown(broker);
        await lab.kill(broker);
        break;
      case "firewall-drop":
        await lab.flushRules("b");
        await lab.dropAll("b");
        break;
      case "firewall-flush":
        await lab.flushRules("b");
        break;
      case "link-flap":
        await lab.flap(host, forMs);
        break;
      case "sleep":
        pair.signal(host, "SIGSTOP");
        await delay(forMs);
        pair.signal(host, "SIGCONT");
        break;
      case "crash":
        await pair.crash();
        break;
      case "replace":
        await pair.upgrade();
        break;
    }
    await delay(thenMs);
  }
  if (down !== undefined) await lab.revive(down);
}
