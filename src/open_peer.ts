import { listen } from "@holdfast/handoff";
import { acceptResumable, type TransportSource } from "@holdfast/resume";
import { openSignalling, type Signalling } from "@holdfast/signal";
import { Crossroads } from "./_crossroads.ts";
import { followNetwork } from "./_network.ts";
import { openPort } from "./_open_port.ts";
import { PeerHandle } from "./_peer.ts";
import { decodePeerState } from "./_peer_state.ts";
import { Tickets } from "./_tickets.ts";
import type { Peer } from "./peer.ts";
import type { Limitation } from "./peer_events.ts";
import type { PeerOptions } from "./peer_options.ts";

/**
 * Opens a peer: it is found by its id, and its streams go on whatever happens
 * to brokers, connections, addresses and its own process.
 *
 * What is optional and cannot be had, such as a watch of the network without
 * its permissions, stands in `state.limited`, and the rest works.
 *
 * @throws {SignalError} `signal/no-broker`, when no broker could be reached.
 * @throws {PeerError} `peer/snapshot`, when `restore` is not usable.
 */
export async function openPeer(options: PeerOptions): Promise<Peer> {
  const { signal } = options;
  signal?.throwIfAborted();
  const restore = options.restore && decodePeerState(options.restore);
  const tickets = await Tickets.of(options.identity);
  await using undo = new AsyncDisposableStack();
  const ownsListener = options.listen !== undefined &&
    !("accept" in options.listen);
  const crossroads = new Crossroads(await listenAt(options.listen));
  const server = acceptResumable(crossroads, {
    ...options.stream,
    ttlMs: options.ttlMs,
    store: options.store,
    commits: options.commits,
    presharedKey: (id) => tickets.keyFor(id, Date.now()),
    authorize: async ({ keyId }) => {
      const ticket = await tickets.read(keyId);
      if (ticket === undefined) return false;
      return options.allow === undefined || await options.allow(ticket.peer);
    },
    restore,
    onListenerError: options.onListenerError,
  });
  undo.defer(() => server.close());
  const limited: Limitation[] = [];
  const followed = await followNetwork(options.network, signal);
  if (followed.own) undo.defer(() => followed.network?.close());
  if (followed.limited !== undefined) {
    limited.push({ part: "network", reason: followed.limited });
  }
  const lease = await openPort(options, crossroads.addr, limited);
  undo.defer(() => lease?.[Symbol.asyncDispose]());
  const signalling = await openBrokers(options, followed.network, limited);
  undo.move();
  return new PeerHandle({
    ...{ options, server, crossroads, ownsListener, signalling, tickets },
    ...{ followed, lease, limited },
  });
}

async function listenAt(
  where: PeerOptions["listen"],
): Promise<TransportSource | undefined> {
  if (where === undefined || "accept" in where) return where;
  return await listen({ hostname: where.hostname, port: where.port });
}

async function openBrokers(
  { identity, brokers, signal }: PeerOptions,
  network: Parameters<typeof openSignalling>[0]["network"],
  limited: Limitation[],
): Promise<Signalling | undefined> {
  if (brokers.length > 0) {
    return await openSignalling({ identity, brokers, network, signal });
  }
  limited.push({
    part: "signalling",
    reason:
      "Cannot find other peers, nor be found: there are no brokers: open the peer with some, or use serve and connect with known addresses",
  });
  return undefined;
}
