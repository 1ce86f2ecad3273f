/** Telling the service manager how a program stands: sd_notify(3). */
import { Channel } from "./_channel.ts";
import { type Libc, libc, memory, useLibc } from "./_libc.ts";
import { needsFfi } from "./_not_supported.ts";
import { unixSockaddr } from "./_sockaddr.ts";
import { type DetachedSocket, handleIn } from "./detached_socket.ts";

/** What is told; see sd_notify(3). */
export interface SdState {
  /** The program serves: `READY=1`. */
  readonly ready?: boolean | undefined;
  /**
   * It begins to reload: `RELOADING=1`, with `MONOTONIC_USEC`, as
   * `Type=notify-reload` wants it.
   */
  readonly reloading?: boolean | undefined;
  /** It begins to stop: `STOPPING=1`. */
  readonly stopping?: boolean | undefined;
  /** The process that is the service now: `MAINPID=`. */
  readonly mainPid?: number | undefined;
  /** A line for people: `STATUS=`. */
  readonly status?: string | undefined;
  /**
   * Sockets that systemd is to keep for the next start, by name: `FDSTORE=1`.
   * The unit needs `FileDescriptorStoreMax=`. They come back through
   * `inheritedSockets`. This process keeps them too.
   */
  readonly store?: Readonly<Record<string, DetachedSocket>> | undefined;
  /** Names to forget: `FDSTOREREMOVE=1`. */
  readonly unstore?: readonly string[] | undefined;
}

/** The lines of a state, one message each. Pure. */
export function sdMessages(
  state: SdState,
  monotonicUs: bigint,
): { readonly text: string; readonly name?: string }[] {
  const line = (text: string): string => text.replaceAll(/[\r\n\0]/g, " ");
  const first = [
    ...(state.mainPid === undefined ? [] : [`MAINPID=${state.mainPid}`]),
    ...(state.reloading
      ? ["RELOADING=1", `MONOTONIC_USEC=${monotonicUs}`]
      : []),
    ...(state.ready ? ["READY=1"] : []),
    ...(state.stopping ? ["STOPPING=1"] : []),
    ...(state.status === undefined ? [] : [`STATUS=${line(state.status)}`]),
  ];
  return [
    ...(first.length === 0 ? [] : [{ text: first.join("\n") }]),
    ...Object.keys(state.store ?? {}).map((name) => ({
      text: `FDSTORE=1\nFDNAME=${line(name)}`,
      name,
    })),
    ...(state.unstore ?? []).map((name) => ({
      text: `FDSTOREREMOVE=1\nFDNAME=${line(name)}`,
    })),
  ];
}

/**
 * Tells systemd, or whoever set `NOTIFY_SOCKET`, how this program stands.
 * Needs `--allow-ffi` and `--allow-env=NOTIFY_SOCKET`; without FFI, and with
 * `--allow-run=systemd-notify`, that program tells it (the unit needs
 * `NotifyAccess=all` then, and sockets cannot be stored).
 *
 * @example
 * ```ts
 * import { sdNotify } from "@holdfast/handoff";
 * import { assertEquals } from "@std/assert";
 *
 * // Started by hand there is nobody to tell.
 * assertEquals(await sdNotify({ ready: true, mainPid: Deno.pid }), false);
 * ```
 *
 * @returns Whether somebody was told: false without a `NOTIFY_SOCKET`.
 * @throws {HandoffError} `handoff/not-supported` when neither way is allowed.
 */
export async function sdNotify(state: SdState): Promise<boolean> {
  const path = Deno.env.get("NOTIFY_SOCKET");
  if (path === undefined || path === "") return false;
  // CLOCK_MONOTONIC, on which performance.now() runs, but from boot on.
  const messages = sdMessages(state, await monotonicUs());
  const library = libc();
  if (library !== undefined) {
    const unuse = useLibc();
    try {
      for (const { text, name } of messages) {
        const socket = name === undefined ? undefined : state.store![name];
        send(library, path, text, socket);
      }
    } finally {
      unuse();
    }
    return true;
  }
  if (state.store !== undefined) {
    throw needsFfi("store a socket", "keep it in a holder");
  }
  const { state: may } = await Deno.permissions.query({
    name: "run",
    command: "systemd-notify",
  });
  if (may !== "granted") {
    throw needsFfi(
      "tell systemd",
      "with --allow-run=systemd-notify, and NotifyAccess=all in the unit",
    );
  }
  for (const { text } of messages) {
    await new Deno.Command("systemd-notify", { args: text.split("\n") })
      .output();
  }
  return true;
}

async function monotonicUs(): Promise<bigint> {
  const { hrtime } = await import("node:process");
  return hrtime.bigint() / 1000n;
}

function send(
  library: Libc,
  path: string,
  text: string,
  socket: DetachedSocket | undefined,
): void {
  const { call, layout } = library;
  // An abstract one, as some container managers have, begins with "@".
  const address = unixSockaddr(layout, path.replace(/^@/, "x"));
  if (path.startsWith("@")) address[2] = 0;
  const length = address.byteLength - (path.startsWith("@") ? 1 : 0);
  const fd = call.socket(layout.AF_UNIX, layout.SOCK_DGRAM, 0);
  try {
    if (fd < 0 || call.connect(fd, address, length) !== 0) {
      throw new Deno.errors.NotFound(
        `Cannot tell systemd: nobody listens at NOTIFY_SOCKET ${path}: start this program as a service with Type=notify`,
      );
    }
    const bytes = memory(new TextEncoder().encode(text).byteLength);
    bytes.set(new TextEncoder().encode(text));
    if (socket !== undefined) handleIn(socket);
    const channel = new Channel(library, fd, 0);
    const sent = channel.trySend(
      bytes,
      socket === undefined ? [] : [socket.fd],
    );
    if (sent < 0) {
      throw new Deno.errors.WouldBlock(
        `Cannot tell systemd: sendmsg failed with error ${-sent}: try again`,
      );
    }
  } finally {
    if (fd >= 0) call.close(fd);
  }
}
