/**
 * Signalling over several untrusted MQTT brokers at once: small sealed messages
 * between peers who know each other's id, each delivered once, as long as one
 * broker lives that both reach. A message goes to the best broker, to the next
 * when the *peer's* acknowledgement is late, and on until it comes; the peer
 * drops the copies by number.
 *
 * ```ts
 * import { createIdentity, openSignalling } from "@holdfast/signal";
 * import { assertEquals } from "@std/assert";
 * import { Aedes } from "aedes";
 * import { type AddressInfo, createServer } from "node:net";
 *
 * // A broker to try it with; yours are several like "wss://broker.example".
 * const aedes = await Aedes.createBroker();
 * const server = createServer(aedes.handle);
 * await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
 * const { port } = server.address() as AddressInfo;
 * const brokers = [`mqtt://127.0.0.1:${port}`];
 *
 * const ann = await openSignalling({ identity: await createIdentity(), brokers });
 * const bob = await openSignalling({ identity: await createIdentity(), brokers });
 *
 * await ann.send(bob.id, Uint8Array.of(1, 2)); // Resolves when Bob has it.
 * const { value } = await bob.receive().next();
 * assertEquals(value, { from: ann.id, bytes: Uint8Array.of(1, 2) });
 *
 * bob.handle(({ bytes }) => bytes.toReversed());
 * const answer = await ann.request(bob.id, Uint8Array.of(3, 4));
 * assertEquals(answer, Uint8Array.of(4, 3));
 *
 * await Promise.all([ann.close(), bob.close()]);
 * aedes.close(() => server.close());
 * ```
 *
 * @module
 */
export { SignalError, type SignalErrorCode } from "./errors.ts";
export type { SignallingEvent } from "./events.ts";
export {
  createIdentity,
  exportIdentity,
  type Identity,
  importIdentity,
} from "./identity.ts";
export type { NetworkNews } from "./_network_news.ts";
export { openSignalling, type SignallingOptions } from "./open_signalling.ts";
export type { Presence, PresenceEvent, PresenceStatus } from "./presence.ts";
export type {
  BrokerState,
  IncomingRequest,
  Message,
  ReceiveOptions,
  RequestHandler,
  RequestOptions,
  SendOptions,
  Signalling,
  SignallingState,
  SignallingStats,
} from "./signalling.ts";
