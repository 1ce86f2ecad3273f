/**
 * One end of a resumable byte stream, without sockets, timers or randomness:
 * time is passed in, bytes are handed over, and what must go on the wire is
 * asked for. Everything that decides whether a byte is lost or doubled is here.
 */
import type { CoreOptions, CoreState, Position } from "./_core_state.ts";
import { ControlFrames, PING } from "./_control_frames.ts";
import { type FrameHandler, FrameParser } from "./_frame_parser.ts";
import { Liveness } from "./_liveness.ts";
import { type Notice, noticeFrame, readNotice, Telling } from "./_notice.ts";
import { PendingPongs } from "./_pending_pongs.ts";
import { type Chunk, ReceiveBuffer } from "./_receive_buffer.ts";
import { SafePoint } from "./_safe_point.ts";
import { SendBuffer } from "./_send_buffer.ts";
import type { StreamCut, WrittenFrames } from "./store.ts";
import { FRAME, getU64, ProtocolViolation, RESET } from "./_wire.ts";

// An acknowledgement waits this long for more bytes to acknowledge.
const ACK_DELAY_MS = 25;
const ACK_BYTES_MAX = 256 * 1024;

export type { CoreOptions, CoreState, Position } from "./_core_state.ts";

/** See the module's comment. */
export class StreamCore implements FrameHandler {
  readonly #options: CoreOptions;
  readonly #send: SendBuffer;
  readonly #inbox: ReceiveBuffer;
  readonly #ackBytes: number;
  #parser = new FrameParser();
  #attached = false;

  // Sending.
  #sentMax: number;
  #peerLimit = 0;
  #finQueued = false;
  #finSent = false;
  #finAcked = false;
  #peerClosed = false;
  #replayTo = 0;

  // What a store has, if one keeps the stream.
  #safe: SafePoint | undefined;

  // Receiving.
  #received: number;
  #finReceived = false;
  #ackSent = 0;
  #limitSent = 0;
  #ackAt: number | undefined;
  #ackNow = false;

  // Liveness and control.
  readonly #liveness: Liveness;
  readonly #pongs = new PendingPongs();
  #closed = false;
  #closeSent = false;
  #closeHeard = false;
  #reset: number | undefined;
  #telling: Telling | undefined;
  #noticeIn: Notice | undefined;
  #now = 0;

  constructor(options: CoreOptions, state?: CoreState) {
    this.#options = options;
    this.#ackBytes = Math.max(
      1,
      Math.min(ACK_BYTES_MAX, Math.floor(options.window / 4)),
    );
    this.#inbox = new ReceiveBuffer(options.budget);
    this.#liveness = new Liveness(options.heartbeatMs);
    this.#send = new SendBuffer(options.sendMax, state?.acked, options.budget);
    this.#sentMax = state?.sentMax ?? 0;
    this.#received = state?.received ?? 0;
    if (options.durable) this.#safe = new SafePoint();
    if (state === undefined) return;
    this.#send.restore(state.unacked);
    this.#inbox.restore(state.unread);
    this.#finQueued = state.finQueued;
    this.#finReceived = state.finReceived;
    this.#peerClosed = state.peerClosed;
    // All that a store gave back it has.
    if (options.durable) this.#safe = new SafePoint(this.cut());
  }

  /** Whether a transport carries the stream now. */
  get attached(): boolean {
    return this.#attached;
  }
  /** All payload bytes that the program wrote. */
  get written(): number {
    return this.#send.end;
  }
  /** All payload bytes that the peer has acknowledged. */
  get acked(): number {
    return this.#send.acked;
  }
  /** All payload bytes that arrived, read by the program or not. */
  get arrived(): number {
    return this.#received;
  }
  /** All payload bytes that the program read. */
  get consumed(): number {
    return this.#received - this.#inbox.size;
  }
  /**
   * What a resuming side tells: arrived bytes, and one more for the end. Of a
   * durable stream only what the program has read, and a store knows of: the
   * peer keeps the rest, so that no store needs to.
   */
  get receivedMark(): number {
    if (this.#safe !== undefined) return this.#safe.mark;
    return this.#received + (this.#finReceived ? 1 : 0);
  }
  /** What to tell a peer in a handshake. */
  get position(): Position {
    return { received: this.receivedMark, limit: this.limit };
  }
  /** Whether the program closed it. */
  get closed(): boolean {
    return this.#closed;
  }
  /** The offset up to which the peer may send. */
  get limit(): number {
    return this.consumed + this.#options.window;
  }
  /** Whether `read` would return at once. */
  get readable(): boolean {
    return this.#inbox.size > 0 || this.#finReceived;
  }
  /** Whether `write` would take something at once. */
  get writable(): boolean {
    return this.#send.room > 0;
  }
  /** Whether nobody will take what would be written. */
  get broken(): boolean {
    return this.#finQueued || this.#peerClosed;
  }
  /** Why the peer ended the session, if it did. */
  get resetCode(): number | undefined {
    return this.#reset;
  }
  /** How many bytes of the present transport repeat what an older one carried. */
  get replayTo(): number {
    return this.#replayTo;
  }

  /**
   * Whether this end needs the network no more: it closed, the peer has all or
   * wants nothing, and what there is to say to it was said; or the peer closed
   * and said all it had to say.
   */
  get done(): boolean {
    if (this.#closed) return this.delivered && this.#told;
    return this.#peerClosed && this.#finReceived &&
      this.#ackSent === this.#received + 1;
  }

  /** Whether a store lacks something of a durable stream. */
  get unsafe(): boolean {
    return this.#safe?.lacks(this.#stand) ?? false;
  }

  get #stand(): StreamCut {
    return {
      written: this.#send.end,
      consumed: this.consumed,
      finQueued: this.#finQueued,
      finRead: this.#finReceived && (this.#inbox.size === 0 || this.#closed),
      peerClosed: this.#peerClosed,
    };
  }

  /** Where the stream stands now, for a store; what is written later is apart. */
  cut(): StreamCut {
    this.#send.seal();
    return this.#stand;
  }

  /** What was written between what a store has and a cut. */
  unsafeFrames({ written }: StreamCut): WrittenFrames[] {
    return this.#send.frames(this.#safe?.written ?? 0, written);
  }

  /** A store has all up to this cut: it may be sent and acknowledged. */
  safe(cut: StreamCut): void {
    // What it made safe waited long enough.
    if (this.#safe?.advance(cut)) this.#ackNow = true;
  }

  /** Whether it closed, and nothing that was written can be lost any more. */
  get delivered(): boolean {
    return this.#closed && (this.#finAcked || this.#peerClosed);
  }

  get #told(): boolean {
    if (this.#options.closeIsHeard) return this.#closeHeard;
    return this.#closeSent || !this.#attached;
  }

  /** Whether nothing is missing at either end, now that the peer ended at this mark. */
  concluded(mark: number): boolean {
    this.#applyAck(Math.min(mark, this.#sentMax));
    return mark > this.#send.end && (this.#closed || this.#finReceived);
  }

  /** Takes as much as there is room for. */
  write(bytes: Uint8Array): number {
    return this.#send.append(bytes);
  }

  /** Gives what has arrived; 0 for nothing yet, `null` for the end. */
  read(into: Uint8Array): number | null {
    const n = this.#inbox.read(into);
    if (n === 0 && this.#finReceived && this.#inbox.size === 0) return null;
    return n;
  }

  /** Tells the peer something, on this transport or the next. */
  notify(notice: Notice): void {
    (this.#telling ??= new Telling()).tell(notice);
  }

  /** Whether what it was told may still be on its way to it. */
  get telling(): boolean {
    return this.#attached && !this.#closed && !!this.#telling?.unheard;
  }

  /** What the peer told, once. */
  takeNotice(): Notice | undefined {
    const notice = this.#noticeIn;
    this.#noticeIn = undefined;
    return notice;
  }

  /** Calls once when other streams gave memory back, if that is what is missing. */
  onRoom(wake: () => void): void {
    if (this.#options.budget?.left === 0) this.#options.budget.onRoom(wake);
  }

  /** No longer calls it. */
  forgetRoom(wake: () => void): void {
    this.#options.budget?.forget(wake);
  }

  /** Gives back its share of the budget, for good: the stream is over. */
  leaveBudget(): void {
    this.#send.leaveBudget();
    this.#inbox.leaveBudget();
  }

  /** Ends the sending direction after what was written. */
  closeWrite(): void {
    this.#finQueued = true;
  }

  /** Ends both directions: what was written still goes, nothing more is read. */
  close(): void {
    this.#closed = true;
    this.#finQueued = true;
    this.#inbox.clear();
  }

  /** Memory for the next read of the transport. */
  chunk(size: number, previous: Chunk | undefined): Chunk {
    return this.#inbox.chunk(size, previous);
  }

  /**
   * Starts over on a new transport, whose handshake told each end what the
   * other has, and how far it may be sent to.
   *
   * @throws {ProtocolViolation} When the peer claims what cannot be.
   */
  attach(peer: Position, told: Position, now: number): void {
    const peerMark = peer.received;
    // It may say less than it acknowledged: while the new transport was made the
    // old one went on. A peer that truly lost bytes will find the gap itself.
    this.#applyAck(peerMark);
    if (!this.#options.skipReplay) this.#send.rewind(this.#send.acked);
    this.#replayTo = Math.min(this.#sentMax, this.#send.end);
    this.#peerLimit = peer.limit;
    this.#parser = new FrameParser();
    this.#attached = true;
    this.#telling?.restart();
    this.#finSent = this.#finAcked;
    this.#closeSent = false;
    this.#ackSent = told.received;
    // Not today's: the program may have read since, and the peer must hear it.
    this.#limitSent = told.limit;
    this.#ackAt = undefined;
    // What came over the old transport after the peer was told: it must hear of
    // it, or it would wait for ever for room.
    this.#ackNow = this.receivedMark > told.received;
    this.#liveness.attach(now);
    this.#pongs.take();
  }

  /** The transport is gone; what it had not delivered stays. */
  detach(): void {
    this.#attached = false;
    this.shrink();
  }

  /** Whether nothing has come for a heartbeat. */
  quiet(now: number): boolean {
    return this.#liveness.quiet(now);
  }

  /** Gives back memory that holds nothing; for a stream that went quiet. */
  shrink(): void {
    this.#send.shrink();
    this.#inbox.shrink();
  }

  /**
   * Takes bytes from the transport.
   *
   * @throws {ProtocolViolation} When they are not what a sane peer sends.
   */
  receive(chunk: Chunk, length: number, now: number): void {
    this.#now = now;
    this.#liveness.heard(now);
    try {
      this.#parser.parse(chunk.bytes.subarray(0, length), this);
    } finally { // What came before a fault is the program's to read.
      this.#inbox.settle(chunk);
    }
  }

  onData(offset: number, bytes: Uint8Array): void {
    if (this.#closed) return;
    if (offset > this.#received) {
      throw new ProtocolViolation(
        `data at ${offset} leaves a gap after ${this.#received}`,
      );
    }
    const fresh = offset + bytes.length - this.#received;
    if (fresh <= 0) {
      // It does not know that this has arrived: it shall.
      if (this.#safe === undefined) this.#ackAt ??= this.#now + ACK_DELAY_MS;
      return;
    }
    if (this.#finReceived) throw new ProtocolViolation("data after the end");
    if (this.#received + fresh > this.#limitSent) {
      throw new ProtocolViolation(
        `data up to ${
          this.#received + fresh
        } beyond the limit ${this.#limitSent}`,
      );
    }
    this.#inbox.add(bytes.subarray(bytes.length - fresh));
    this.#received += fresh;
    if (this.#safe !== undefined) return;
    if (this.#received - this.#ackSent >= this.#ackBytes) this.#ackNow = true;
    else this.#ackAt ??= this.#now + ACK_DELAY_MS;
  }

  onControl(type: number, offset: number, payload: Uint8Array): void {
    switch (type) {
      case FRAME.ack:
        if (payload.length !== 8) throw new ProtocolViolation("short ACK");
        this.#applyAck(offset);
        this.#peerLimit = Math.max(this.#peerLimit, getU64(payload, 0));
        return;
      case FRAME.fin:
        return this.#onFin(offset);
      case FRAME.ping:
        return this.#pongs.ping(offset);
      case FRAME.pong:
        if (offset === PING.close) {
          this.#closeHeard = this.#closeSent;
          return;
        }
        if (offset === PING.notice) return this.#telling?.heard();
        return this.#liveness.answered(this.#now);
      case FRAME.close:
        this.#peerClosed = true;
        return;
      case FRAME.notice:
        this.#noticeIn = readNotice(payload);
        return;
      case FRAME.reset:
        this.#reset = payload[0] ?? RESET.internal;
        return;
    }
  }

  #onFin(offset: number): void {
    if (this.#closed) return;
    if (offset !== this.#received) {
      throw new ProtocolViolation(
        `end at ${offset} when ${this.#received} bytes arrived`,
      );
    }
    this.#finReceived = true;
    if (this.#safe === undefined) this.#ackNow = true;
  }

  // `mark` counts the end of the stream as one more byte.
  #applyAck(mark: number): void {
    const end = this.#send.end;
    const finSeen = this.#finQueued && this.#sentMax === end &&
      mark === end + 1;
    if (mark > this.#sentMax && !finSeen) {
      throw new ProtocolViolation(
        `acknowledgement of ${mark} when ${this.#sentMax} bytes were sent`,
      );
    }
    if (finSeen) this.#finAcked = true;
    const offset = Math.min(mark, end);
    if (offset > this.#send.acked) this.#send.acknowledge(offset);
  }

  /**
   * The next bytes for the transport, to be written whole before asking again;
   * `undefined` when there is nothing to say.
   */
  output(now: number): Uint8Array<ArrayBuffer> | undefined {
    if (!this.#attached) return undefined;
    const notice = this.#telling?.next();
    if (notice !== undefined) return noticeFrame(notice, PING.notice);
    const control = this.#control(now);
    if (control !== undefined) return control;
    const safe = this.#safe?.written ?? Infinity;
    const data = this.#send.take(Math.min(this.#peerLimit, safe));
    if (data === undefined) return undefined;
    this.#sentMax = Math.max(this.#sentMax, data.end);
    return data.bytes;
  }

  #control(now: number): Uint8Array<ArrayBuffer> | undefined {
    const ack = this.#ackDue(now);
    const fin = this.#finQueued && !this.#finSent &&
      this.#send.sent === this.#send.end &&
      (this.#safe === undefined || this.#safe.finQueued);
    // At once: two ends that closed with more to say would wait for each other.
    const close = this.#closed && !this.#closeSent;
    const ping = this.#liveness.pingDue(now);
    if (!(ack || fin || close || ping || this.#pongs.any)) return undefined;
    const out = new ControlFrames();
    if (ack) {
      out.addAck(this.receivedMark, this.limit);
      this.#ackSent = this.receivedMark;
      this.#limitSent = this.limit;
      this.#ackAt = undefined;
      this.#ackNow = false;
    }
    for (const id of this.#pongs.take()) out.add(FRAME.pong, id);
    if (ping) {
      out.add(FRAME.ping, PING.liveness);
      this.#liveness.pinged(now);
    }
    if (fin) {
      out.add(FRAME.fin, this.#send.end);
      this.#finSent = true;
    }
    if (close) {
      out.add(FRAME.close, this.#received);
      // Its answer says that the CLOSE before it arrived.
      if (this.#options.closeIsHeard) out.add(FRAME.ping, PING.close);
      this.#closeSent = true;
    }
    return out.bytes;
  }

  #ackDue(now: number): boolean {
    if (this.#ackNow || now >= (this.#ackAt ?? Infinity)) return true;
    // Credit is told once half a window was read, not byte by byte.
    const grown = this.limit - this.#limitSent;
    return grown >= Math.max(1, this.#options.window >>> 1) && !this.#closed;
  }

  /** Whether the path is dead; see {@linkcode Liveness}. */
  dead(now: number): boolean {
    return this.#liveness.dead(now);
  }

  /** When to ask for `output` and `dead` again, if nothing happens before. */
  wakeAt(now: number = this.#liveness.heardAt): number {
    return Math.min(this.#liveness.wakeAt(now), this.#ackAt ?? Infinity);
  }

  /** A copy of the whole state, for another process to go on with. */
  export(): CoreState {
    return {
      acked: this.#send.acked,
      sentMax: this.#sentMax,
      unacked: this.#send.unacknowledged(),
      finQueued: this.#finQueued,
      received: this.#received,
      unread: this.#inbox.peekAll(),
      finReceived: this.#finReceived,
      peerClosed: this.#peerClosed,
    };
  }
}
