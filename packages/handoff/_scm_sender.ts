/** The sending end of a connection: carries out what `_sender_core.ts` decides. */
import { Channel } from "./_channel.ts";
import { type Libc, useLibc } from "./_libc.ts";
import { pollerIdle } from "./_poller.ts";
import { parseRefusal } from "./_receiver_core.ts";
import {
  SENDER_START,
  type SenderAction,
  type SenderInput,
  type SenderState,
  stepSender,
} from "./_sender_core.ts";
import { encodeFrame, type Frame } from "./_transfer_frame.ts";
import {
  type DetachedSocket,
  handleIn,
  takeHandle,
} from "./detached_socket.ts";
import { type Entry, goesAlone, noteOf } from "./_sender_entry.ts";
import { sendError } from "./_send_error.ts";
import { HandoffError } from "./error.ts";

/** See the top of the file. */
export class ScmSender {
  readonly #release: () => void = useLibc();
  readonly #channel: Channel;
  readonly #timeoutMs: number;
  readonly #stop: AbortController = new AbortController();
  readonly #entries: Map<number, readonly Entry[]> = new Map();
  readonly #queue: Entry[] = [];
  #perFrame = 1;
  #state: SenderState = SENDER_START;
  #lastId = 0;
  #writing: Promise<void> = Promise.resolve();
  #reading: Promise<void> | undefined;
  #isReading = false;
  #welcomed: PromiseWithResolvers<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #refusal: { code: string; reason: string } | undefined;

  constructor(libc: Libc, fd: number, timeoutMs: number) {
    this.#channel = new Channel(libc, fd, 0);
    this.#timeoutMs = timeoutMs;
  }

  get closed(): boolean {
    return this.#channel.closed;
  }

  get peer(): Channel["peer"] {
    return this.#channel.peer;
  }

  /** Says hello; resolves when the receiver lets this process in. */
  async greet(token: Uint8Array): Promise<void> {
    this.#welcomed = Promise.withResolvers();
    const hello = encodeFrame("hello", {
      json: { pid: Deno.pid },
      tail: [token],
    });
    this.#channel.trySend(hello, []);
    this.#watch();
    await this.#welcomed.promise;
  }

  /**
   * Sends a socket; resolves when the receiver has it. Those that are sent
   * while others wait go together, if the receiver can.
   */
  send(socket: DetachedSocket, meta: unknown): Promise<void> {
    const alone = goesAlone(socket, meta);
    return new Promise((resolve, reject) => {
      this.#enqueue({ socket, meta, alone, resolve, reject });
    });
  }

  #enqueue(entry: Entry): void {
    if (this.#queue.push(entry) === 1) {
      this.#writing = this.#writing.then(() => this.#drain());
    }
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      let count = 1;
      const most = Math.min(this.#perFrame, this.#queue.length);
      if (!this.#queue[0]!.alone) {
        while (count < most && !this.#queue[count]!.alone) count++;
      }
      await this.#write(this.#queue.slice(0, count));
      this.#queue.splice(0, count);
    }
  }

  /** Waits for what is on its way, and closes. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#reading;
    this.#channel.close();
    await pollerIdle();
    this.#release();
  }

  async #write(entries: readonly Entry[]): Promise<void> {
    const id = ++this.#lastId;
    const sockets = entries.map(({ socket }) => socket);
    this.#entries.set(id, entries);
    try {
      const fds = sockets.map((socket) => {
        handleIn(socket);
        return socket.fd;
      });
      const frame = encodeFrame("sockets", {
        descriptors: fds.length,
        json: {
          sockets: entries.map(({ socket, meta }) => ({
            ...noteOf(socket),
            meta,
          })),
        },
        tail: sockets.map(({ unread }) => unread),
      });
      if (this.#state.phase === "closed") throw this.#gone();
      const count = this.#channel.trySend(frame, fds);
      if (count !== frame.byteLength) {
        const slow = AbortSignal.any([
          this.#stop.signal,
          AbortSignal.timeout(this.#timeoutMs),
        ]);
        const rest = frame.subarray(Math.max(0, count));
        const left = count > 0 ? [] : fds;
        if (!await this.#channel.send(rest, left, slow)) throw this.#gone();
      }
      this.#written(id, fds.length);
    } catch (cause) {
      this.#failed(id, cause);
    }
  }

  /** A frame that is not whole is not taken: the receiver drops it. */
  #failed(id: number, cause: unknown): void {
    const [code, why] = cause instanceof HandoffError
      ? [cause.code, "it has closed the channel"]
      : ["handoff/timed-out", String(cause)];
    for (const entry of this.#take(id)) {
      // Of a socket that was closed meanwhile, say so.
      const closed = entry.socket.closed;
      entry.reject(closed ? cause : sendError(code, why, [entry.socket]));
    }
    if (!(cause instanceof Deno.errors.BadResource)) {
      this.#dispatch({ type: "cancel-failed" });
    }
  }

  #written(id: number, descriptors: number): void {
    this.#dispatch({ type: "written", frame: { id, descriptors } });
    this.#watch();
  }

  #gone(): HandoffError {
    return sendError(
      "handoff/peer-gone",
      "it has closed the channel",
      [],
      false,
    );
  }

  /** Reads answers for as long as some are due. */
  #watch(): void {
    if (this.#state.phase === "closed") return;
    this.#timer ??= setTimeout(() => this.#overdue(), this.#timeoutMs);
    if (!this.#isReading) this.#reading = this.#read();
  }

  #overdue(): void {
    this.#timer = undefined;
    this.#dispatch({ type: "give-up", why: "it did not answer" });
  }

  get #due(): boolean {
    return this.#state.inFlight.length > 0 ||
      (this.#state.phase === "greeting" && this.#welcomed !== undefined);
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      while (this.#state.phase !== "closed" && this.#due) {
        const arrived = await this.#channel.receive(this.#stop.signal);
        if (arrived === null) {
          this.#dispatch({ type: "ended" });
          break;
        }
        this.#answer(arrived.frame);
      }
    } catch (error) {
      this.#dispatch({ type: "bad-bytes", why: String(error) });
    } finally {
      // In the very turn in which it stops: whoever needs the next answer has
      // to start it again.
      this.#isReading = false;
      if (!this.#due) this.#quiet();
    }
  }

  #quiet(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #answer(frame: Frame): void {
    // An answer came: the next one has all the time again.
    if (this.#timer !== undefined) {
      this.#quiet();
      this.#timer = setTimeout(() => this.#overdue(), this.#timeoutMs);
    }
    if (frame.type === "welcome") {
      this.#perFrame = Math.max(1, frame.descriptors);
      this.#dispatch({ type: "welcome" });
      this.#welcomed?.resolve();
    } else if (frame.type === "taken") {
      this.#dispatch({ type: "taken", descriptors: frame.descriptors });
    } else if (frame.type === "refused") {
      this.#refusal = parseRefusal(frame);
      this.#dispatch({ type: "refused", ...this.#refusal });
    } else this.#dispatch({ type: "bad-bytes", why: frame.type });
  }

  #dispatch(input: SenderInput): void {
    const { state, actions } = stepSender(this.#state, input);
    this.#state = state;
    for (const action of actions) this.#act(action);
  }

  #act(action: SenderAction): void {
    switch (action.type) {
      case "sent":
        for (const { socket, resolve } of this.#take(action.id)) {
          takeHandle(socket).close();
          resolve();
        }
        return;
      case "kept":
        return this.#kept(this.#take(action.id), action);
      case "cancel":
        return this.#cancel();
      case "close":
        this.#quiet();
        this.#stop.abort();
        this.#channel.close();
        this.#welcomed?.reject(
          this.#refusal === undefined
            ? this.#gone()
            : sendError(this.#refusal.code, this.#refusal.reason, [], false),
        );
    }
  }

  /**
   * Says that this process keeps what is on its way, and makes sure that
   * nothing can be acknowledged any more: then what was, is known.
   */
  #cancel(): void {
    const said = this.#channel.trySend(encodeFrame("cancel"), []);
    this.#channel.shutdown();
    try {
      while (this.#channel.read() === "some");
    } catch {
      // What it said makes no sense; what it acknowledged before does.
    }
    const drain = this.#channel.arrived();
    for (const { frame } of drain) this.#answer(frame);
    const EPIPE = 32;
    this.#dispatch({
      type: said > 0 || said === -EPIPE ? "ended" : "cancel-failed",
    });
  }

  #kept(
    entries: readonly Entry[],
    action: SenderAction & { readonly type: "kept" },
  ): void {
    const { code, why, uncertain } = action;
    // One of several is not wanted: which, is found by sending each alone.
    if (entries.length > 1 && this.#state.phase === "open" && !uncertain) {
      for (const entry of entries) this.#enqueue({ ...entry, alone: true });
      return;
    }
    for (const { socket, reject } of entries) {
      reject(sendError(code, why, [socket], uncertain));
    }
  }

  #take(id: number): readonly Entry[] {
    const entries = this.#entries.get(id) ?? [];
    this.#entries.delete(id);
    return entries;
  }
}
