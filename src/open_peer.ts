import { listen } from "@holdfast/handoff";
import { acceptResumable, type TransportSource } from "@holdfast/resume";
import { openSignalling } from "@holdfast/signal";
import { PeerHandle } from "./_peer.ts";
import { decodePeerState } from "./_peer_state.ts";
import { Tickets } from "./_tickets.ts";
import type { Peer } from "./peer.ts";
import type { PeerOptions } from "./peer_options.ts";

/**
 * Opens a peer: it is found by its id, and its streams go on whatever happens
 * to brokers, connections, addresses and its own process.
 *
 * @throws {SignalError} `signal/no-broker`, when no broker could be reached.
 * @throws {PeerError} `peer/snapshot`, when `restore` is not usable.
 */
export async function openPeer(options: PeerOptions): Promise<Peer> {
  options.signal?.throwIfAborted();
  const restored = options.restore === undefined
    ? undefined
    : decodePeerState(options.restore);
  const source = await listenAt(options.listen);
  const tickets = new Tickets(restored?.tickets);
  const keyOf = (id: string) => tickets.find(id, Date.now())?.key;
  const server = source && acceptResumable(source, {
    ...options.stream,
    ttlMs: options.ttlMs,
    presharedKey: (id) => {
      const key = keyOf(id.toHex());
      return key === undefined ? undefined : Uint8Array.fromHex(key);
    },
    restore: restored?.sessions,
    onListenerError: options.onListenerError,
  });
  try {
    const signalling = await openSignalling({
      identity: options.identity,
      brokers: options.brokers,
      network: options.network,
      signal: options.signal,
    });
    return new PeerHandle({
      options,
      server,
      signalling,
      tickets,
      peers: restored?.peers ?? {},
    });
  } catch (error) {
    await server?.close();
    throw error;
  }
}

async function listenAt(
  where: PeerOptions["listen"],
): Promise<TransportSource | undefined> {
  if (where === undefined || "accept" in where) return where;
  return await listen({ hostname: where.hostname, port: where.port });
}
