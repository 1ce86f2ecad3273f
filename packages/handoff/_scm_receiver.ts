/** The receiving end of one connection: carries out what `_receiver_core.ts` decides. */
import { Channel } from "./_channel.ts";
import { holdHandle } from "./_hold_fd.ts";
import { judgePeer, judgeSockets, type Trouble } from "./_judge.ts";
import {
  describeFd,
  type KernelSocket,
  type PeerCredentials,
} from "./_kernel_socket.ts";
import type { Libc } from "./_libc.ts";
import {
  inputOf,
  RECEIVER_START,
  type ReceiverAction,
  type ReceiverInput,
  type ReceiverState,
  stepReceiver,
} from "./_receiver_core.ts";
import type { SocketKind } from "./_socket_kind.ts";
import { sameToken, TOKEN_BYTES_MAX } from "./_token.ts";
import {
  encodeFrame,
  type Frame,
  HEADER_BYTES,
  parseSockets,
  type SocketNote,
} from "./_transfer_frame.ts";
import { HandoffError } from "./error.ts";
import { ReceivedSocket } from "./received_socket.ts";

/** Frames that are answered at once. */
const ANSWERS_MAX = 32;

/** Told in the welcome: how many sockets one frame may bring. */
const SOCKETS_PER_FRAME = 32;

/** What one connection may do, and whom it tells. */
export interface PeerRules {
  readonly token: Uint8Array;
  readonly peerUid: number | "any";
  readonly kinds: readonly SocketKind[];
  readonly unreadBytesMax: number;
  /** How many sockets one peer may send in all. */
  readonly socketsMax: number;
  readonly helloTimeoutMs: number;
  readonly frameTimeoutMs: number;
  /** How many sockets there is room for now. */
  free(): number;
  /** Resolves when there is room for another socket. */
  room(signal: AbortSignal): Promise<void>;
  onJoin(peer: PeerCredentials | null): void;
  onReceived(
    sockets: readonly ReceivedSocket[],
    notes: readonly SocketNote[],
  ): void;
  onRefused(trouble: Trouble, peer: PeerCredentials | null): void;
  onLeave(peer: PeerCredentials | null): void;
}

interface Taken {
  readonly fds: readonly number[];
  readonly notes: readonly SocketNote[];
  readonly found: readonly KernelSocket[];
  readonly unread: readonly Uint8Array[];
  readonly meta: unknown;
}

/** See the top of the file. */
export class PeerConnection {
  readonly done: Promise<void>;
  readonly #libc: Libc;
  readonly #channel: Channel;
  readonly #rules: PeerRules;
  readonly #peer: PeerCredentials | null;
  readonly #stop: AbortController = new AbortController();
  readonly #taken: Map<number, Taken> = new Map();
  #state: ReceiverState = RECEIVER_START;
  readonly #slow: AbortController = new AbortController();
  readonly #either: AbortSignal = AbortSignal.any([
    this.#stop.signal,
    this.#slow.signal,
  ]);
  readonly #answers: Uint8Array[] = [];
  #lastId = 0;
  #count = 0;
  #trusted = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(libc: Libc, fd: number, rules: PeerRules) {
    this.#libc = libc;
    const tail = Math.max(rules.unreadBytesMax, TOKEN_BYTES_MAX);
    this.#channel = new Channel(libc, fd, tail);
    this.#rules = rules;
    this.#peer = this.#channel.peer;
    this.done = this.#run();
  }

  /** Ends the connection; what is not the program's yet is closed. */
  close(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const stranger = judgePeer(this.#peer, this.#rules.peerUid);
    if (stranger !== null) {
      // Before a byte of it is read, descriptors least of all.
      this.#refuse(stranger);
      return this.#channel.close();
    }
    try {
      while (this.#state.phase !== "closed") {
        const most = Math.min(ANSWERS_MAX, this.#rules.free());
        const waiting = this.#answers.length;
        if (waiting >= most || waiting > 0 && !this.#channel.ready()) {
          this.#flush();
        }
        const input = await this.#next();
        // What came before is answered before anything else is.
        if (input.type !== "sockets" || input.trouble !== null) this.#flush();
        this.#dispatch(input);
      }
    } finally {
      clearInterval(this.#timer);
      this.#channel.close();
      for (const id of [...this.#taken.keys()]) this.#discard(id);
      if (this.#trusted) this.#rules.onLeave(this.#peer);
    }
  }

  async #next(): Promise<ReceiverInput> {
    const { helloTimeoutMs } = this.#rules;
    try {
      if (this.#trusted) await this.#rules.room(this.#stop.signal);
      const arrived = this.#trusted
        ? await this.#channel.receive(this.#either)
        : await within(helloTimeoutMs, this.#stop.signal, (signal) => {
          return this.#channel.receive(signal);
        });
      if (arrived === null) return { type: "ended" };
      const { frame, fds } = arrived;
      if (frame.type === "sockets") return this.#look(frame, fds);
      const right = frame.type === "hello" &&
        sameToken(frame.tail, this.#rules.token);
      return inputOf(frame, right);
    } catch (error) {
      if (error instanceof HandoffError) return { type: "bad-bytes", error };
      if (this.#stop.signal.aborted) return { type: "cancel" };
      return { type: "too-slow" };
    }
  }

  /** A frame may take its time to begin, and not to come whole. */
  #watchFrames(): void {
    let slow = 0;
    const timer = setInterval(() => {
      if (!this.#channel.partial) slow = 0;
      else if (++slow === 2) this.#slow.abort();
    }, this.#rules.frameTimeoutMs / 2);
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }

  #look(frame: Frame, fds: readonly number[]): ReceiverInput {
    const id = ++this.#lastId;
    const found = fds.map((fd) => describeFd(this.#libc, fd));
    // Ours from here on, to deliver or to close.
    const rest = { notes: [], found: [], unread: [], meta: undefined };
    this.#taken.set(id, { fds, ...rest });
    const { sockets: notes, meta } = parseSockets(frame);
    const unread: Uint8Array[] = [];
    let at = 0;
    for (const note of notes) {
      unread.push(frame.tail.subarray(at, at += note.unread));
    }
    const count = this.#count + fds.length;
    const quota: Trouble | null = count > this.#rules.socketsMax
      ? {
        code: "handoff/quota",
        reason: `it sent more than ${this.#rules.socketsMax} sockets`,
      }
      : null;
    const trouble = quota ?? judgeSockets(notes, found, this.#rules.kinds);
    if (trouble === null) {
      this.#count = count;
      const sure = found as KernelSocket[];
      this.#taken.set(id, { fds, notes, found: sure, unread, meta });
    }
    return { type: "sockets", id, trouble };
  }

  #dispatch(input: ReceiverInput): void {
    const { state, actions } = stepReceiver(this.#state, input);
    this.#state = state;
    for (const action of actions) this.#act(action);
  }

  #act(action: ReceiverAction): void {
    switch (action.type) {
      case "welcome": {
        this.#trusted = true;
        this.#watchFrames();
        const welcome = encodeFrame("welcome", {
          descriptors: SOCKETS_PER_FRAME,
        });
        this.#channel.trySend(welcome, []);
        return this.#rules.onJoin(this.#peer);
      }
      case "acknowledge":
        return this.#acknowledge(action.id);
      case "deliver":
        return this.#deliver(action.id);
      case "discard":
        return this.#discard(action.id);
      case "refuse":
        return this.#refuse(action);
      case "close":
        return this.#channel.close();
    }
  }

  /** Gathered while more frames are here: one call answers many. */
  #acknowledge(id: number): void {
    const descriptors = this.#taken.get(id)!.fds.length;
    this.#answers.push(encodeFrame("taken", { descriptors }));
  }

  /**
   * At once or not at all: a sender that leaves no room in its receive buffer
   * reads none of its answers.
   */
  #flush(): void {
    const answers = this.#answers.splice(0);
    if (answers.length === 0) return;
    const bytes = new Uint8Array(
      new ArrayBuffer(answers.length * HEADER_BYTES),
    );
    answers.forEach((one, index) => bytes.set(one, index * HEADER_BYTES));
    const sent = this.#channel.trySend(bytes, []);
    const whole = Math.floor(Math.max(0, sent) / HEADER_BYTES);
    for (let i = 0; i < whole; i++) this.#dispatch({ type: "acknowledged" });
    if (whole < answers.length) {
      this.#dispatch({ type: "acknowledging-failed" });
    }
  }

  #deliver(id: number): void {
    const taken = this.#taken.get(id)!;
    this.#taken.delete(id);
    const { fds, notes, found, unread, meta } = taken;
    const peer = this.#peer;
    const sockets = fds.map((fd, index) => {
      const parts = { ...found[index]!, unread: unread[index]!.slice() };
      return new ReceivedSocket(holdHandle(fd, parts.kind), fd, {
        ...parts,
        meta: notes[index]!.meta ?? meta,
        peer,
      });
    });
    this.#rules.onReceived(sockets, notes);
  }

  #discard(id: number): void {
    const taken = this.#taken.get(id);
    this.#taken.delete(id);
    for (const fd of taken?.fds ?? []) this.#libc.call.close(fd);
  }

  #refuse({ code, reason }: Trouble): void {
    this.#channel.trySend(
      encodeFrame("refused", { json: { code, reason } }),
      [],
    );
    this.#rules.onRefused({ code, reason }, this.#peer);
  }
}

/** Runs with a deadline. */
async function within<T>(
  ms: number,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const slow = new AbortController();
  const timer = setTimeout(() => slow.abort(), ms);
  try {
    return await run(AbortSignal.any([signal, slow.signal]));
  } finally {
    clearTimeout(timer);
  }
}
