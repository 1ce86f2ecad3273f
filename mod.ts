/**
 * Networking that survives the network.
 *
 * Two peers that know each other's id find each other over MQTT brokers, and
 * keep one byte stream while brokers die, connections break, addresses change
 * and programs are replaced.
 *
 * ```ts
 * import { openPeer } from "@holdfast/holdfast";
 * import { createIdentity } from "@holdfast/signal";
 *
 * const brokers = ["mqtt://broker-one.example", "mqtt://broker-two.example"];
 *
 * // One program listens, and prints its id...
 * export async function serve(): Promise<void> {
 *   await using peer = await openPeer({
 *     identity: await createIdentity(),
 *     brokers,
 *     listen: { hostname: "0.0.0.0", port: 0 },
 *   });
 *   console.log(peer.id);
 *   for await (const { peer: from, conn } of peer) {
 *     console.log(`${from} is here, from`, conn.remoteAddr);
 *     // Its events say why, should it end early.
 *     void conn.readable.pipeTo(conn.writable).catch(() => {});
 *   }
 * }
 *
 * // ...and another one connects to that id, which is all it knows.
 * export async function greet(id: string): Promise<void> {
 *   await using peer = await openPeer({
 *     identity: await createIdentity(),
 *     brokers,
 *   });
 *   const conn = await peer.connect(id); // a Deno.Conn that lasts
 *   await conn.write(new TextEncoder().encode("hello"));
 *   await conn[Symbol.asyncDispose](); // when it has arrived
 * }
 * ```
 *
 * @module
 */
export { connect } from "./src/connect.ts";
export type { ConnectTarget, ConnectToOptions } from "./src/connect_options.ts";
export type { Candidate } from "./src/_meeting.ts";
export { PeerError, type PeerErrorCode } from "./src/errors.ts";
export { openFirewall, type OpenFirewallOptions } from "./src/open_firewall.ts";
export { openPeer } from "./src/open_peer.ts";
export type {
  Peer,
  PeerConnection,
  PeerConnectOptions,
  PeerState,
} from "./src/peer.ts";
export type {
  Limitation,
  PeerCalledEvent,
  PeerConnectedEvent,
  PeerEvent,
  PeerFirewallEvent,
  PeerLocatedEvent,
  PeerMovedEvent,
  PeerNetworkEvent,
  PeerSignallingEvent,
  PeerStreamEvent,
} from "./src/peer_events.ts";
export type {
  ListenAt,
  OpenPort,
  PeerOptions,
  PeerStreamOptions,
  PortLease,
} from "./src/peer_options.ts";
export type { PeerStats } from "./src/peer_stats.ts";
export { serve } from "./src/serve.ts";
export type {
  ServeContext,
  ServeHandler,
  ServeOptions,
  UpgradeCommand,
} from "./src/serve_options.ts";
export type { Server, ServerStats } from "./src/server.ts";
export type { ServerEvent } from "./src/server_events.ts";
