/**
 * The handles behind `node:net` and `node:dgram` in Deno. They are internals
 * (`process.binding`), so each is looked at before it is used, everything has a
 * fallback or a `handoff/not-supported`, and tests pin them for each version.
 */
import process from "node:process";

/** A handle that holds one descriptor. */
export interface RawHandle {
  /** A duplicate descriptor that the caller owns; negative when impossible. */
  fdForIpc(): number;
  /** Takes a descriptor over and sets `O_NONBLOCK`; 0 is success. */
  open(fd: number): number;
  /** Closes the descriptor; a connection is not shut down by it. */
  close(): void;
  /** Fills in the local address; 0 is success. */
  getsockname?(out: HandleAddress): number;
  /** Fills in the peer's address; 0 is success. */
  getpeername?(out: HandleAddress): number;
  /** Moves the stream into Deno's table of resources; gives its number. */
  takeStream?(): number;
  /** Lends a Deno connection's descriptor, by its resource number. */
  openFromRid?(rid: number): number;
  readStop?(): number;
  recvStop?(): number;
}

/** What `getsockname` fills in. */
export interface HandleAddress {
  address?: string;
  port?: number;
  family?: string;
}

/** Makes a handle: 0 for connections, 1 for listeners. */
export type HandleClass = new (kind?: number) => RawHandle;

/** The kinds of TCP and pipe handles. */
export const KIND_CONN = 0;
/** See {@linkcode KIND_CONN}. */
export const KIND_LISTENER = 1;

/** The handle classes, and how to tell what a descriptor is. */
export interface Handles {
  readonly TCP: HandleClass;
  readonly Pipe: HandleClass;
  readonly UDP: HandleClass;
  guessHandleType(fd: number): string;
}

let known: Handles | null | undefined;

/** The handles of this Deno; `undefined` where they are not as expected. */
export function handles(): Handles | undefined {
  if (known === undefined) known = find() ?? null;
  return known ?? undefined;
}

function find(): Handles | undefined {
  // Descriptors of sockets do not exist on Windows.
  if (Deno.build.os === "windows") return undefined;
  try {
    const binding = (process as unknown as {
      binding(name: string): Record<string, unknown>;
    }).binding;
    const { TCP } = binding("tcp_wrap");
    const { Pipe } = binding("pipe_wrap");
    const { UDP } = binding("udp_wrap");
    const { guessHandleType } = binding("util");
    const classes = [TCP, Pipe, UDP];
    const fits = classes.every((one) =>
      typeof one === "function" &&
      ["open", "close", "fdForIpc"].every((name) =>
        typeof one.prototype[name] === "function"
      )
    ) && typeof guessHandleType === "function";
    return fits
      ? { TCP, Pipe, UDP, guessHandleType } as unknown as Handles
      : undefined;
  } catch {
    return undefined;
  }
}

/** The handle behind a `node:net` socket or server; `undefined` if none fits. */
export function handleOf(socket: unknown): RawHandle | undefined {
  const handle = (socket as { _handle?: Partial<RawHandle> | null })._handle;
  return isHandle(handle) ? handle : undefined;
}

/** The handle behind a `node:dgram` socket. */
export function datagramHandleOf(socket: object): RawHandle | undefined {
  const symbol = Object.getOwnPropertySymbols(socket)
    .find((one) => one.description === "kStateSymbol");
  if (symbol === undefined) return undefined;
  const state = (socket as Record<symbol, { handle?: Partial<RawHandle> }>)[
    symbol
  ];
  return isHandle(state?.handle) ? state.handle : undefined;
}

function isHandle(
  handle: Partial<RawHandle> | null | undefined,
): handle is RawHandle {
  return typeof handle?.fdForIpc === "function" &&
    typeof handle.open === "function" && typeof handle.close === "function";
}

/** Closes a descriptor that this process owns, without any permission. */
export function closeFd(fd: number): void {
  const all = handles();
  if (all === undefined) return;
  for (const kind of [KIND_CONN, KIND_LISTENER]) {
    const handle = new all.TCP(kind);
    if (handle.open(fd) === 0) return handle.close();
  }
}
