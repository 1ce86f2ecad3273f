/** Events as lines that a person reads. */
import type { PeerEvent } from "@holdfast/holdfast";

/** One line for an event, or nothing for one of too little weight. */
export function describe(event: PeerEvent): string | undefined {
  switch (event.type) {
    case "peer-connected":
      return `stream ${event.sid.slice(0, 8)} with ${
        event.peer.slice(0, 8)
      }… (${event.reason})`;
    case "peer-located":
      return `${event.peer.slice(0, 8)}… is at ${event.candidates.join(", ")}`;
    case "signalling":
      return describeSignalling(event.event);
    case "stream":
      return describeStream(event.event);
    case "peer-called":
      return `called ${
        event.peer.slice(0, 8)
      }… at ${event.to} (${event.reason})`;
    case "moved":
      return `is at ${event.candidates.join(", ")} now (${event.reason})`;
    case "firewall":
    case "network":
      return undefined;
  }
}

function describeSignalling(
  event: Extract<PeerEvent, { type: "signalling" }>["event"],
): string | undefined {
  if (event.type === "broker-down") {
    return `broker ${event.broker} is down: ${event.reason}`;
  }
  return event.type === "broker-up"
    ? `broker ${event.broker} is up`
    : undefined;
}

function describeStream(
  event: Extract<PeerEvent, { type: "stream" }>["event"],
): string | undefined {
  switch (event.type) {
    case "detached":
      return `lost its connection (${event.reason}), keeps ${
        bytes(event.pendingBytes)
      }`;
    case "resumed":
      return `goes on, ${event.local} to ${event.remote}, after ${
        event.pauseMs.toFixed(0)
      } ms, sends ${bytes(event.replayedBytes)} again`;
    case "redial-failed":
      return `redial ${event.attempt} failed: ${event.error}`;
    case "lost":
      return `LOST: ${event.error}`;
    case "slow":
      return `waits for its peer, ${
        bytes(event.pendingBytes)
      } not acknowledged`;
    case "attached":
    case "closed":
    case "peer-draining":
    case "peer-moved":
      return undefined;
  }
}

/** A number of bytes as a person writes it. */
export function bytes(n: number): string {
  if (n < 10_000) return `${n} B`;
  return n < 10_000_000
    ? `${Math.round(n / 1000)} kB`
    : `${(n / 1e6).toFixed(1)} MB`;
}
