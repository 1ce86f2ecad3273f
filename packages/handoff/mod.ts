/**
 * Passes listening sockets to other processes, and replaces a running server
 * by its next version without refusing a client. Needs no FFI.
 *
 * ```ts
 * import { listen, spawnWithSockets } from "@holdfast/handoff";
 * import { assert } from "@std/assert";
 *
 * // Any program that knows systemd's LISTEN_FDS can take the socket.
 * using web = await listen({ port: 0 });
 * const child = await spawnWithSockets("sh", { web }, {
 *   args: ["-c", 'test "$LISTEN_FDNAMES" = web && test -S /dev/fd/3'],
 * });
 * const status = await child.status;
 * assert(status.success);
 * ```
 *
 * A server that replaces itself: see {@linkcode openUpgrader}.
 *
 * @module
 */
export type { SocketAddr, SocketKind } from "./_socket_kind.ts";
export { adopt, type Adopted } from "./adopt.ts";
export { detach, type Detachable, type DetachOptions } from "./detach.ts";
export { DetachedSocket, type DetachedSocketParts } from "./detached_socket.ts";
export {
  HandoffError,
  type HandoffErrorCode,
  type HandoffErrorOptions,
} from "./error.ts";
export type { InheritanceProtocol } from "./_listen_fds.ts";
export {
  InheritedSockets,
  inheritedSockets,
  type InheritedSocketsOptions,
} from "./inherit.ts";
export {
  listen,
  type PassableListenOptions,
  type PassableListenUnixOptions,
} from "./listen.ts";
export { PassableListener } from "./listener.ts";
export type { PeerCredentials } from "./_kernel_socket.ts";
export { type ReceivedParts, ReceivedSocket } from "./received_socket.ts";
export type {
  ReceiveOptions,
  ReceiverStatus,
  ReceiveSource,
} from "./receive_options.ts";
export { receiveSockets, SocketReceiver } from "./receiver.ts";
export type { DenoServeOptions } from "./_deno_serve.ts";
export {
  type DrainOptions,
  serveDeno,
  type ServedListener,
  serveNode,
} from "./serve.ts";
export { sdNotify, type SdState } from "./sd_notify.ts";
export {
  openSender,
  type SenderOptions,
  type SenderStatus,
  type SendOptions,
  sendSocket,
  type SendTarget,
  SocketSender,
} from "./sender.ts";
export type {
  TransferEvent,
  TransferMode,
  TransferredSocket,
} from "./transfer_event.ts";
export {
  connFromSocket,
  SocketConn,
  type SocketConnAddrs,
} from "./socket_conn.ts";
export {
  type PassableSocket,
  spawnWithSockets,
  type SpawnWithSocketsOptions,
} from "./spawn.ts";
export {
  type ControlChannel,
  SpawnedProcess,
  type SpawnedStatus,
} from "./spawned.ts";
export type {
  UpgradeEvent,
  UpgradePhase,
  UpgraderState,
} from "./upgrade_event.ts";
export type {
  DetachedConnection,
  HandedConnection,
  UpgradeOptions,
} from "./upgrade_options.ts";
export {
  openUpgrader,
  Upgrader,
  type UpgraderOptions,
  type UpgraderStart,
} from "./upgrader.ts";
