/**
 * Bytes written and not yet acknowledged, laid out exactly as they go on the
 * wire: replaying and sending read the same memory, without a second copy, and
 * small writes grow the last unsent frame instead of each paying for one.
 */
import type { Budget } from "./_budget.ts";
import { frameAt, type Outgoing, reframe, type Segment } from "./_segment.ts";
import type { WrittenFrames } from "./store.ts";
import {
  FRAME,
  FRAME_PAYLOAD_MAX,
  HEADER_BYTES,
  putHeader,
  putLength,
} from "./_wire.ts";

// An idle session holds nothing; a busy one soon gets segments so large that one
// system call moves many frames: measured, a write of 1 MiB reaches raw TCP,
// where writes of 256 KiB stay a tenth below, and of 128 KiB a third.
const SEGMENT_BYTES_MIN = 4 * 1024;
const SEGMENT_BYTES_MAX = 1024 * 1024;
const SPARES_MAX = 2;
// What a stream may hold although others have taken all memory: a program that
// must answer before it reads on could never give back what it has not read.
const SHARE_MIN = 4 * 1024;

/** See the module's comment. */
export class SendBuffer {
  readonly #capacity: number;
  #budget: Budget | undefined;
  #segments: Segment[] = [];
  // Kept while there is traffic, so that a busy stream allocates nothing.
  #spares: Segment[] = [];
  #segmentBytes = SEGMENT_BYTES_MIN;
  #acked: number;
  #sent: number;
  #end: number;
  // A store has, or is being given, all before it.
  #sealed: number;
  #current = 0;

  /** Starts at a stream offset: 0 for a new stream. */
  constructor(capacity: number, offset = 0, budget?: Budget) {
    this.#capacity = capacity;
    this.#budget = budget;
    this.#acked =
      this.#sent =
      this.#end =
      this.#sealed =
        offset;
  }

  /** All before it was received by the peer. */
  get acked(): number {
    return this.#acked;
  }

  /** All before it was put on the present transport, or acknowledged. */
  get sent(): number {
    return this.#sent;
  }

  /** The offset after the last byte written. */
  get end(): number {
    return this.#end;
  }

  /** How many bytes `append` would take. */
  get room(): number {
    const held = this.#end - this.#acked;
    const shared = Math.max(this.#budget?.left ?? Infinity, SHARE_MIN - held);
    return Math.max(0, Math.min(this.#capacity - held, shared));
  }

  /** Takes as much as fits and tells how much. */
  append(bytes: Uint8Array): number {
    const total = Math.min(bytes.length, this.room);
    this.#appendAll(bytes, total);
    return total;
  }

  /** Takes all, whatever the capacity: it was taken before, elsewhere. */
  restore(bytes: Uint8Array): void {
    this.#appendAll(bytes, bytes.length);
  }

  #appendAll(bytes: Uint8Array, total: number): void {
    this.#budget?.add(total);
    let taken = 0;
    while (taken < total) taken += this.#appendSome(bytes, taken, total);
  }

  #appendSome(bytes: Uint8Array, from: number, to: number): number {
    let segment = this.#segments.at(-1);
    const last = segment?.frames.at(-1);
    const space = segment === undefined
      ? 0
      : segment.bytes.length - segment.used;
    // Only a frame of which nothing is on the wire, or in a store, may still
    // change its length.
    if (
      segment !== undefined && last !== undefined && space > 0 &&
      last.offset >= this.#sent && last.offset >= this.#sealed &&
      last.length < FRAME_PAYLOAD_MAX
    ) {
      const n = Math.min(to - from, space, FRAME_PAYLOAD_MAX - last.length);
      segment.bytes.set(bytes.subarray(from, from + n), segment.used);
      segment.used += n;
      last.length += n;
      putLength(segment.bytes, last.at, last.length);
      this.#end += n;
      return n;
    }
    if (segment === undefined || space <= HEADER_BYTES) {
      segment = this.#newSegment(to - from);
    }
    const at = segment.used;
    const n = Math.min(
      to - from,
      segment.bytes.length - at - HEADER_BYTES,
      FRAME_PAYLOAD_MAX,
    );
    putHeader(segment.bytes, at, FRAME.data, n, this.#end);
    segment.bytes.set(bytes.subarray(from, from + n), at + HEADER_BYTES);
    segment.used = at + HEADER_BYTES + n;
    segment.frames.push({ offset: this.#end, length: n, at });
    this.#end += n;
    return n;
  }

  #newSegment(wanted: number): Segment {
    let segment = this.#spares.pop();
    if (segment === undefined) {
      while (
        this.#segmentBytes < SEGMENT_BYTES_MAX && this.#segmentBytes < wanted
      ) this.#segmentBytes *= 2;
      segment = {
        bytes: new Uint8Array(this.#segmentBytes),
        used: 0,
        frames: [],
        first: 0,
      };
      this.#segmentBytes = Math.min(this.#segmentBytes * 2, SEGMENT_BYTES_MAX);
    }
    this.#segments.push(segment);
    return segment;
  }

  /** From here on new bytes begin a frame of their own. */
  seal(): void {
    this.#sealed = this.#end;
  }

  /**
   * The frames from one offset to another, where frames end: those of one
   * segment lie together. They do not change while they wait for a store, as
   * nothing can be acknowledged that was not sent.
   */
  frames(from: number, to: number): WrittenFrames[] {
    const out: WrittenFrames[] = [];
    for (const segment of this.#segments) {
      const first = segment.frames.findIndex((f) => f.offset >= from);
      const last = segment.frames.findLastIndex((f) => f.offset < to);
      if (first < 0 || last < first) continue;
      const [start, stop] = [segment.frames[first]!, segment.frames[last]!];
      out.push({
        from: start.offset,
        to: stop.offset + stop.length,
        frames: segment.bytes.subarray(
          start.at,
          stop.at + HEADER_BYTES + stop.length,
        ),
      });
    }
    return out;
  }

  /**
   * The next bytes for the wire: whole frames as far as they lie together, up
   * to the stream offset `limit` (the peer's credit). Where the credit or a
   * replay stops inside a frame, that part alone is framed anew.
   */
  take(limit: number): Outgoing | undefined {
    const stop = Math.min(limit, this.#end);
    if (this.#sent >= stop) return undefined;
    const segment = this.#seek();
    let i = frameAt(segment, this.#sent);
    const first = segment.frames[i]!;
    if (first.offset !== this.#sent || first.offset + first.length > stop) {
      return this.#taken(reframe(segment, first, this.#sent, stop));
    }
    let last = first;
    for (i++; i < segment.frames.length; i++) {
      const next = segment.frames[i]!;
      if (next.offset + next.length > stop) break;
      last = next;
    }
    const bytes = segment.bytes.subarray(
      first.at,
      last.at + HEADER_BYTES + last.length,
    );
    return this.#taken({ bytes, end: last.offset + last.length });
  }

  // At once and not when the write is done: a frame must not grow under it.
  #taken(outgoing: Outgoing): Outgoing {
    this.#sent = outgoing.end;
    return outgoing;
  }

  // The segment that holds the byte at `sent`.
  #seek(): Segment {
    const ends = (segment: Segment): number => {
      const last = segment.frames.at(-1)!;
      return last.offset + last.length;
    };
    while (ends(this.#segments[this.#current]!) <= this.#sent) this.#current++;
    return this.#segments[this.#current]!;
  }

  /** Forgets what the peer has. The caller checks that the offset is sane. */
  acknowledge(offset: number): void {
    const released = offset - this.#acked;
    this.#acked = offset;
    if (this.#sent < offset) this.#sent = offset;
    let freed = 0;
    for (const segment of this.#segments) {
      while (segment.first < segment.frames.length) {
        const frame = segment.frames[segment.first]!;
        if (frame.offset + frame.length > offset) break;
        segment.first++;
      }
      if (segment.first < segment.frames.length) break;
      freed++;
      if (segment.bytes.length === SEGMENT_BYTES_MAX) this.#reuse(segment);
    }
    if (freed > 0) {
      this.#segments.splice(0, freed);
      this.#current = Math.max(0, this.#current - freed);
    }
    // Last: it may wake others, and they find this one in order.
    this.#budget?.release(released);
  }

  /** Gives back its share of the budget, for good: the stream is over. */
  leaveBudget(): void {
    const budget = this.#budget;
    this.#budget = undefined;
    budget?.release(this.#end - this.#acked);
  }

  #reuse(segment: Segment): void {
    if (this.#spares.length === SPARES_MAX) return;
    segment.used = 0;
    segment.frames.length = 0;
    segment.first = 0;
    this.#spares.push(segment);
  }

  /** Gives back all memory that holds nothing; for a stream that went quiet. */
  shrink(): void {
    this.#spares = [];
    if (this.#segments.length === 0) this.#segmentBytes = SEGMENT_BYTES_MIN;
  }

  /** Starts over at `offset`, for a new transport whose peer has all before it. */
  rewind(offset: number): void {
    this.acknowledge(offset);
    this.#sent = offset;
    this.#current = 0;
    // The dead transport may still be reading them.
    this.#spares = [];
  }

  /** A copy of the bytes not yet acknowledged. */
  unacknowledged(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.#end - this.#acked);
    for (const segment of this.#segments) {
      for (const frame of segment.frames) {
        const skip = Math.max(0, this.#acked - frame.offset);
        if (skip >= frame.length) continue;
        const at = frame.at + HEADER_BYTES;
        out.set(
          segment.bytes.subarray(at + skip, at + frame.length),
          frame.offset + skip - this.#acked,
        );
      }
    }
    return out;
  }
}
