/** What the page shows, out of what is known. */
import type { Actions } from "./actions.ts";
import type { Stage } from "./stage.ts";
import type { BrokerView, Direction, Sample, View } from "./view.ts";

// Programs say where they stand twenty times a second.
const SILENT_MS = 700;
/** Over how long a rate is taken. */
const RATE_MS = 500;

interface Point {
  readonly at: number;
  readonly up: number;
  readonly down: number;
}

/** Follows what arrives: how fast, and since when nothing does. */
export class Meter {
  readonly #points: Point[] = [];
  #upAt = 0;
  #downAt = 0;

  /** Takes where the receivers stand now. */
  take(at: number, up: number, down: number): Sample {
    const last = this.#points.at(-1);
    if (last === undefined || up > last.up) this.#upAt = at;
    if (last === undefined || down > last.down) this.#downAt = at;
    this.#points.push({ at, up, down });
    while (this.#points[0]!.at < at - RATE_MS) this.#points.shift();
    const first = this.#points[0]!;
    const seconds = Math.max(0.001, (at - first.at) / 1000);
    return {
      at,
      up: Math.max(0, up - first.up) / seconds,
      down: Math.max(0, down - first.down) / seconds,
    };
  }

  /** Since when at least one of the two hears nothing; absent while both do. */
  silentSince(now: number): number | undefined {
    const since = Math.min(this.#upAt, this.#downAt);
    return now - since > SILENT_MS ? since : undefined;
  }
}

/** The view at this moment. */
export function viewOf(
  stage: Stage,
  actions: Actions | undefined,
  meter: Meter,
): View {
  const { facts, history } = stage;
  const { client, server } = facts;
  const now = history.elapsed;
  const silentSince = meter.silentSince(now);
  const phase = client.lost !== undefined
    ? "lost"
    : actions === undefined
    ? "starting"
    : silentSince === undefined
    ? "streaming"
    : "waiting";
  return {
    phase,
    why: phase === "streaming" ? "" : whyNot(stage),
    ...(client.lost === undefined ? {} : { over: client.lost }),
    now,
    ...(silentSince === undefined ? {} : { silentSince }),
    client: {
      pid: client.pid,
      id: stage.clientId?.id ?? "",
      state: client.lost !== undefined
        ? "down"
        : client.asleep
        ? "asleep"
        : "running",
      address: client.address ?? "127.0.0.1",
    },
    server: {
      pid: server.pid,
      id: stage.serverId?.id ?? "",
      state: server.up ? "running" : "down",
      port: server.port,
      generation: server.generation,
      origin: server.origin,
    },
    link: {
      attached: client.attached,
      blocked: stage.blocked,
      firewall: typeof stage.namespace === "string" ? "proxy" : "nft",
      port: stage.proxyPort,
      number: client.resumed + 1,
    },
    brokers: brokersOf(stage),
    up: honest(facts.up, phase === "lost"),
    down: honest(facts.down, phase === "lost"),
    longestPauseMs: facts.longestPauseMs,
    resumed: client.resumed,
    actions: actions?.view() ?? {},
  };
}

// The sender's word may be a moment older than the receiver's, and what arrived
// was certainly sent. Once the stream is over, what has not arrived is lost.
function honest(direction: Direction, over: boolean): Direction {
  const { received, lost } = direction;
  const sent = Math.max(direction.sent, received);
  return { ...direction, sent, lost: over ? lost + sent - received : lost };
}

function brokersOf({ brokers, brokersUp, facts }: Stage): BrokerView[] {
  return brokers.map((broker) => ({
    port: broker.port,
    pid: broker.pid,
    up: brokersUp.has(broker),
    client: facts.brokersOf.client.includes(broker.url),
    server: facts.brokersOf.server.includes(broker.url),
  }));
}

function whyNot({ facts, blocked }: Stage): string {
  const { client, server } = facts;
  if (client.lost !== undefined) return "the stream is over";
  if (client.epoch === 0) return "the programs start";
  if (client.asleep) return "the client sleeps";
  if (!server.up) return "no server runs";
  if (blocked) return "the port is blocked";
  return client.attached ? "nothing arrives" : "looking for a new path";
}
