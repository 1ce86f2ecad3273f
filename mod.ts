/**
 * Networking that survives the network.
 *
 * Two peers that know each other's id find each other over MQTT brokers, and
 * keep one byte stream while brokers die, connections break, addresses change
 * and programs are replaced.
 *
 * ```ts no-eval
 * import { openPeer } from "@holdfast/holdfast";
 * import { createIdentity } from "@holdfast/signal";
 *
 * const brokers = ["mqtt://broker-one.example", "mqtt://broker-two.example"];
 *
 * // One program...
 * const identity = await createIdentity();
 * await using server = await openPeer({
 *   identity,
 *   brokers,
 *   listen: { hostname: "0.0.0.0", port: 0 },
 * });
 * console.log(server.id);
 * const accepting = server.accept();
 *
 * // ...and another one, which knows nothing but the id.
 * await using client = await openPeer({
 *   identity: await createIdentity(),
 *   brokers,
 * });
 * const conn = await client.connect(server.id); // a Deno.Conn that lasts
 * await conn.write(new TextEncoder().encode("hello"));
 *
 * const { peer, conn: accepted } = await accepting;
 * console.log(peer === client.id, accepted.remoteAddr);
 * ```
 *
 * @module
 */
export type { Candidate } from "./src/_meeting.ts";
export { PeerError, type PeerErrorCode } from "./src/errors.ts";
export { openPeer } from "./src/open_peer.ts";
export type { Peer, PeerConnection, PeerConnectOptions } from "./src/peer.ts";
export type {
  PeerConnectedEvent,
  PeerEvent,
  PeerLocatedEvent,
  PeerNetworkEvent,
  PeerSignallingEvent,
  PeerStreamEvent,
} from "./src/peer_events.ts";
export type {
  ListenAt,
  PeerOptions,
  PeerStreamOptions,
} from "./src/peer_options.ts";
