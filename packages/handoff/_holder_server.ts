/** The path of a holder: who asks for what, and what is answered. */
import { Channel } from "./_channel.ts";
import { holdHandle } from "./_hold_fd.ts";
import { judgePeer, judgeSockets } from "./_judge.ts";
import { describeFd, type KernelSocket } from "./_kernel_socket.ts";
import type { Libc } from "./_libc.ts";
import { pollerIdle } from "./_poller.ts";
import { noteOf } from "./_sender_entry.ts";
import { isConn, SOCKET_KINDS } from "./_socket_kind.ts";
import { sameToken } from "./_token.ts";
import {
  badFrame,
  encodeFrame,
  type Frame,
  parseJson,
  parseSockets,
} from "./_transfer_frame.ts";
import { acceptAll, listenAt, removePath } from "./_unix_path.ts";
import { DetachedSocket } from "./detached_socket.ts";
import { HandoffError } from "./error.ts";
import type { HeldSocket, HolderEvent } from "./holder.ts";

/** How long a client may take for one message. */
const CLIENT_MS = 5000;
const CLIENTS_MAX = 64;

/** What a holder allows, and whom it tells. */
export interface HolderRules {
  readonly token: Uint8Array;
  readonly peerUid: number | "any";
  readonly stateBytesMax: number;
  readonly socketsMax: number;
  readonly held: Map<string, HeldSocket>;
  emit(event: HolderEvent): void;
}

/** See the top of the file. */
export class HolderServer {
  readonly #libc: Libc;
  readonly #path: string;
  readonly #rules: HolderRules;
  readonly #fd: number;
  readonly #stop: AbortController = new AbortController();
  readonly #clients: Set<Promise<void>> = new Set();
  readonly #accepting: Promise<void>;

  constructor(libc: Libc, path: string, rules: HolderRules) {
    this.#libc = libc;
    this.#path = path;
    this.#rules = rules;
    this.#fd = listenAt(libc, path);
    const F_SETFL = 4;
    libc.call.fcntl(this.#fd, F_SETFL, libc.layout.O_NONBLOCK);
    this.#accepting = this.#accept();
  }

  /** Keeps a socket; the older one of that name is closed. */
  keep(name: string, socket: DetachedSocket, state: Uint8Array): void {
    const { held, socketsMax, emit } = this.#rules;
    if (name === "" || name.length > 255) {
      throw new RangeError(
        `Cannot hold a socket: the name ${
          JSON.stringify(name)
        } has ${name.length} characters: use 1 to 255`,
      );
    }
    if (!held.has(name) && held.size >= socketsMax) {
      throw new HandoffError(
        "handoff/quota",
        `Cannot hold a socket: ${held.size} are held already: take some, or raise socketsMax`,
        { sockets: [socket] },
      );
    }
    held.get(name)?.socket[Symbol.dispose]();
    held.set(name, { name, socket, state });
    emit({ type: "stored", name, socket: noteOf(socket) });
  }

  async close(): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort();
      removePath(this.#libc, this.#path);
      this.#libc.call.close(this.#fd);
    }
    await this.#accepting;
    await Promise.all(this.#clients);
    await pollerIdle();
  }

  async #accept(): Promise<void> {
    for await (const fd of acceptAll(this.#libc, this.#fd, this.#stop.signal)) {
      if (this.#clients.size >= CLIENTS_MAX) {
        this.#libc.call.close(fd);
        continue;
      }
      const client = this.#serve(fd).finally(() =>
        this.#clients.delete(client)
      );
      this.#clients.add(client);
    }
  }

  /** One client, one request: a crash of it can leave nothing half done. */
  async #serve(fd: number): Promise<void> {
    const { stateBytesMax, peerUid, token, emit } = this.#rules;
    const channel = new Channel(this.#libc, fd, stateBytesMax);
    const slow = AbortSignal.timeout(CLIENT_MS);
    const signal = AbortSignal.any([this.#stop.signal, slow]);
    try {
      const stranger = judgePeer(channel.peer, peerUid);
      if (stranger !== null) throw refusal(stranger.code, stranger.reason);
      const hello = await channel.receive(signal);
      if (hello === null) return;
      const { frame } = hello;
      if (frame.type !== "hello" || !sameToken(frame.tail, token)) {
        throw refusal("handoff/not-trusted", "the token is not the right one");
      }
      channel.trySend(encodeFrame("welcome"), []);
      const request = await channel.receive(signal);
      if (request === null) return;
      if (request.frame.type === "sockets") {
        this.#store(channel, request.frame, request.fds);
      } else await this.#answer(channel, request.frame, signal);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      const code = error instanceof HandoffError
        ? error.code
        : "handoff/timed-out";
      const reason = error instanceof Error ? error.message : String(error);
      const json = { code, reason: reason.slice(0, 200) };
      channel.trySend(encodeFrame("refused", { json }), []);
      emit({ type: "refused", code, reason });
    } finally {
      channel.close();
    }
  }

  #store(channel: Channel, frame: Frame, fds: readonly number[]): void {
    const close = (): void => fds.forEach((fd) => this.#libc.call.close(fd));
    let name: string, found: KernelSocket;
    try {
      const { sockets, meta } = parseSockets({
        ...frame,
        // The tail is the state, not unread bytes.
        tail: new Uint8Array(0),
      });
      const seen = fds.map((fd) => describeFd(this.#libc, fd));
      const trouble = judgeSockets(sockets, seen, SOCKET_KINDS);
      if (trouble !== null) throw refusal(trouble.code, trouble.reason);
      if (fds.length !== 1) throw badFrame("one socket at a time is held");
      const { hold } = (meta ?? {}) as { hold?: unknown };
      if (typeof hold !== "string") throw badFrame("the name is missing");
      name = hold;
      found = seen[0]!;
    } catch (error) {
      close();
      throw error;
    }
    const [fd] = fds;
    const parts = { ...found };
    const socket = new DetachedSocket(holdHandle(fd!, parts.kind), fd!, parts);
    try {
      this.keep(name, socket, frame.tail.slice());
    } catch (error) {
      socket.close();
      throw error;
    }
    channel.trySend(encodeFrame("taken", { descriptors: 1 }), []);
  }

  async #answer(
    channel: Channel,
    frame: Frame,
    signal: AbortSignal,
  ): Promise<void> {
    const { held, emit } = this.#rules;
    const json = parseJson(frame) as {
      take?: unknown;
      drop?: unknown;
      list?: unknown;
    } | null;
    if (frame.type !== "ask" || json === null) {
      throw badFrame(`a ${frame.type} frame came`);
    }
    if (json.list === true) {
      const names = [...held.values()].map(({ name, socket }) => ({
        name,
        kind: socket.kind,
        local: noteOf(socket).local,
      }));
      channel.trySend(encodeFrame("taken", { json: { names } }), []);
      return;
    }
    const name = String(json.take ?? json.drop);
    const one = held.get(name);
    if (one === undefined) {
      throw refusal("handoff/no-such-socket", `nothing is held as "${name}"`);
    }
    if (json.drop !== undefined) {
      held.delete(name);
      one.socket.close();
      emit({ type: "dropped", name });
      channel.trySend(encodeFrame("taken", { descriptors: 1 }), []);
      return;
    }
    const note = { ...noteOf(one.socket), unread: one.state.byteLength };
    const bytes = encodeFrame("sockets", {
      descriptors: 1,
      json: { sockets: [note], meta: { hold: name } },
      tail: [one.state],
    });
    if (!await channel.send(bytes, [one.socket.fd], signal)) return;
    const answer = await channel.receive(signal);
    // Who did not say that it has it, has it not: it stays here.
    if (answer?.frame.type !== "taken") return;
    emit({ type: "taken", name, pid: channel.peer?.pid ?? null });
    if (!isConn(one.socket.kind) || held.get(name) !== one) return;
    held.delete(name);
    one.socket.close();
  }
}

function refusal(code: string, reason: string): HandoffError {
  return new HandoffError(code as "handoff/refused", reason);
}
