/** The receiving end of node's channel, in the child; see `_ipc.ts`. */
import process from "node:process";
import { datagramHandleOf, handleOf, type RawHandle } from "./_handles.ts";
import { holdAnyFd } from "./_hold_fd.ts";
import {
  IPC_VERSION,
  type IpcAnswer,
  type IpcOffer,
  parseOffer,
} from "./_ipc.ts";
import { judgeSockets, type Trouble } from "./_judge.ts";
import type { SocketKind } from "./_socket_kind.ts";
import { takeHandle } from "./detached_socket.ts";
import { ReceivedSocket } from "./received_socket.ts";
import { noteOf } from "./_sender_entry.ts";
import type { TransferredSocket } from "./transfer_event.ts";

/** What the receiver may take, and whom it tells. */
export interface IpcRules {
  readonly kinds: readonly SocketKind[];
  readonly unreadBytesMax: number;
  readonly waitingMax: number;
  waiting(): number;
  onReceived(socket: ReceivedSocket, note: TransferredSocket): void;
  onRefused(trouble: Trouble): void;
  onEnd(): void;
}

/** Listens to the parent; gives how to stop. `undefined` without a channel. */
export function receiveFromParent(rules: IpcRules): (() => void) | undefined {
  if (typeof process.send !== "function") return undefined;
  const onMessage = (message: unknown, handle: unknown): void => {
    const offer = parseOffer(message);
    if (offer !== undefined) take(offer, handle, rules);
  };
  process.on("message", onMessage);
  process.on("disconnect", rules.onEnd);
  return () => {
    process.off("message", onMessage);
    process.off("disconnect", rules.onEnd);
  };
}

function answer(message: IpcAnswer): void {
  process.send?.(message);
}

function take(offer: IpcOffer, handle: unknown, rules: IpcRules): void {
  const { id, kind } = offer;
  const refuse = (trouble: Trouble): void => {
    answer({ holdfast: IPC_VERSION, refused: id, ...trouble });
    rules.onRefused(trouble);
  };
  const raw = rawHandle(handle);
  if (raw === undefined) {
    return refuse({ code: "handoff/surprise", reason: "no socket came along" });
  }
  const fd = raw.fdForIpc();
  closeWhole(handle, raw);
  const held = fd < 0 ? undefined : holdAnyFd(fd);
  if (held === undefined) {
    return refuse({
      code: "handoff/surprise",
      reason: "what came along is no socket",
    });
  }
  let unread: Uint8Array;
  try {
    unread = Uint8Array.fromBase64(offer.unread);
  } catch {
    held.close();
    return refuse({ code: "handoff/bad-bytes", reason: "unread is no base64" });
  }
  const note = { kind, local: "", remote: "", unread: unread.byteLength };
  const trouble = rules.waiting() >= rules.waitingMax
    ? { code: "handoff/quota", reason: "too many sockets wait here" }
    : unread.byteLength > rules.unreadBytesMax
    ? { code: "handoff/quota", reason: "too many unread bytes" }
    : judgeSockets([note], [held], rules.kinds);
  if (trouble !== null) {
    held.close();
    return refuse(trouble);
  }
  const { localAddr, remoteAddr, fd: number } = held;
  // The same handle under another object: nothing is closed in between.
  const socket = new ReceivedSocket(takeHandle(held), number, {
    kind,
    localAddr,
    remoteAddr,
    unread,
    meta: offer.meta,
    peer: null,
  });
  answer({ holdfast: IPC_VERSION, taken: id });
  rules.onReceived(socket, noteOf(socket));
}

/** Raw handles come from us; sockets and servers from plain `child.send`. */
function rawHandle(handle: unknown): RawHandle | undefined {
  if (typeof handle !== "object" || handle === null) return undefined;
  const raw = handle as Partial<RawHandle>;
  if (typeof raw.fdForIpc === "function") return raw as RawHandle;
  // A datagram socket first: asking one for `_handle` prints a warning.
  return datagramHandleOf(handle) ?? handleOf(handle);
}

function closeWhole(handle: unknown, raw: RawHandle): void {
  const { close } = handle as { close?: () => void };
  if (handle === raw || typeof close !== "function") raw.close();
  else close.call(handle);
}
