import { Channel } from "./_channel.ts";
import { holdHandle } from "./_hold_fd.ts";
import { judgePeer, judgeSockets } from "./_judge.ts";
import { describeFd } from "./_kernel_socket.ts";
import { libc, useLibc } from "./_libc.ts";
import { needsFfi } from "./_not_supported.ts";
import { pollerIdle } from "./_poller.ts";
import { parseRefusal } from "./_receiver_core.ts";
import { noteOf } from "./_sender_entry.ts";
import { SOCKET_KINDS, type SocketKind } from "./_socket_kind.ts";
import { tokenBytes } from "./_token.ts";
import {
  badFrame,
  encodeFrame,
  type Frame,
  parseJson,
  parseSockets,
} from "./_transfer_frame.ts";
import { connectTo } from "./_unix_path.ts";
import { detach, type Detachable } from "./detach.ts";
import { DetachedSocket, handleIn } from "./detached_socket.ts";
import { HandoffError } from "./error.ts";

/** Options for a request to a holder. */
export interface HolderRequestOptions {
  /** The holder's token. */
  readonly token?: Uint8Array | string | undefined;
  /** The user that the holder must run as; by default this process's. */
  readonly peerUid?: number | "any" | undefined;
  /**
   * How long the holder may take.
   *
   * @default {5000}
   */
  readonly timeoutMs?: number | undefined;
  /** Aborts the request. */
  readonly signal?: AbortSignal | undefined;
}

/** What was taken from a holder. */
export interface TakenSocket {
  /** The socket: a listener's duplicate, a connection itself. */
  readonly socket: DetachedSocket;
  /** The state that was stored with it. */
  readonly state: Uint8Array;
}

/** What a holder keeps. */
export interface HeldName {
  /** The name. */
  readonly name: string;
  /** What it is. */
  readonly kind: SocketKind;
  /** Its address. */
  readonly local: string;
}

/**
 * Takes a socket from a holder: see `openHolder`.
 *
 * @throws {HandoffError} `handoff/no-such-socket` when nothing is held under
 *   that name, `handoff/peer-gone` when no holder is at the path.
 */
export async function takeFromHolder(
  path: string,
  name: string,
  options: HolderRequestOptions = {},
): Promise<TakenSocket> {
  return await request(path, options, async (channel, ask) => {
    const { frame, fds } = await ask(
      encodeFrame("ask", { json: { take: name } }),
      [],
    );
    const library = libc()!;
    try {
      if (frame.type !== "sockets" || fds.length !== 1) {
        throw badFrame(`a ${frame.type} frame came`);
      }
      const state = frame.tail.slice();
      const { sockets } = parseSockets(frame);
      const found = describeFd(library, fds[0]!);
      const notes = sockets.map((note) => ({ ...note, unread: 0 }));
      const trouble = judgeSockets(notes, [found], SOCKET_KINDS);
      if (trouble !== null) {
        throw new HandoffError("handoff/surprise", trouble.reason);
      }
      const handle = holdHandle(fds[0]!, found!.kind);
      channel.trySend(encodeFrame("taken", { descriptors: 1 }), []);
      return { socket: new DetachedSocket(handle, fds[0]!, found!), state };
    } catch (error) {
      fds.forEach((fd) => library.call.close(fd));
      throw error;
    }
  });
}

/**
 * Gives a holder a socket to keep, with a state for the process that takes it.
 * A listener goes on here too; a connection is held beside this process, for
 * the case that it is killed: store it again when its state changes, and drop
 * it when it ends.
 */
export async function storeInHolder(
  path: string,
  name: string,
  socket: Detachable,
  options: HolderRequestOptions & {
    /** What the next process has to know; its unread bytes, at the least. */
    readonly state?: Uint8Array | undefined;
  } = {},
): Promise<DetachedSocket> {
  const held = await detach(socket);
  const state = options.state ?? held.unread;
  await request(path, options, async (_channel, ask) => {
    handleIn(held);
    const note = { ...noteOf(held), unread: 0 };
    const frame = encodeFrame("sockets", {
      descriptors: 1,
      json: { sockets: [note], meta: { hold: name } },
      tail: [state],
    });
    await ask(frame, [held.fd]);
  });
  return held;
}

/** Makes a holder forget a name and close its hold. */
export async function dropFromHolder(
  path: string,
  name: string,
  options: HolderRequestOptions = {},
): Promise<void> {
  await request(path, options, async (_channel, ask) => {
    await ask(encodeFrame("ask", { json: { drop: name } }), []);
  });
}

/** What a holder keeps. */
export async function listHolder(
  path: string,
  options: HolderRequestOptions = {},
): Promise<HeldName[]> {
  return await request(path, options, async (_channel, ask) => {
    const { frame } = await ask(
      encodeFrame("ask", { json: { list: true } }),
      [],
    );
    return (parseJson(frame) as { names: HeldName[] }).names;
  });
}

type Ask = (
  bytes: Uint8Array<ArrayBuffer>,
  fds: readonly number[],
) => Promise<{ readonly frame: Frame; readonly fds: readonly number[] }>;

async function request<T>(
  path: string,
  options: HolderRequestOptions,
  run: (channel: Channel, ask: Ask) => Promise<T>,
): Promise<T> {
  const { timeoutMs = 5000 } = options;
  const token = tokenBytes(options.token);
  const library = libc();
  if (library === undefined) {
    throw needsFfi(
      "ask a holder at a path",
      "let it start this program: holdfast handoff hold -- COMMAND",
    );
  }
  const slow = new AbortController();
  const timer = setTimeout(() => slow.abort(), timeoutMs);
  const signal = AbortSignal.any(
    [slow.signal, ...(options.signal ? [options.signal] : [])],
  );
  const unuse = useLibc();
  let channel: Channel | undefined;
  try {
    const fd = connectTo(library, path);
    if (fd === undefined) throw gone("its queue is full");
    channel = new Channel(library, fd, 2 ** 30);
    const trouble = judgePeer(
      channel.peer,
      options.peerUid ?? library.call.geteuid(),
    );
    if (trouble !== null) {
      throw new HandoffError(
        "handoff/not-trusted",
        `Cannot ask the holder: ${trouble.reason}: give peerUid if that is right`,
      );
    }
    const ask: Ask = async (bytes, fds) => {
      await channel!.send(bytes, fds, signal);
      const answer = await channel!.receive(signal);
      if (answer === null) throw gone("it ended without an answer");
      if (answer.frame.type !== "refused") return answer;
      const { code, reason } = parseRefusal(answer.frame);
      throw new HandoffError(
        code as "handoff/refused",
        `Cannot do that: the holder refuses: ${reason}`,
      );
    };
    await ask(encodeFrame("hello", { tail: [token] }), []);
    return await run(channel, ask);
  } catch (error) {
    if (!slow.signal.aborted) throw error;
    throw new HandoffError(
      "handoff/timed-out",
      `Cannot ask the holder at ${path}: it did not answer within ${timeoutMs} ms: look whether it hangs`,
    );
  } finally {
    clearTimeout(timer);
    channel?.close();
    await pollerIdle();
    unuse();
  }
}

function gone(why: string): HandoffError {
  return new HandoffError(
    "handoff/peer-gone",
    `Cannot ask the holder: ${why}: see whether it runs`,
  );
}
