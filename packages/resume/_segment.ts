/** Memory in which frames lie as they go on the wire, one after the other. */
import { FRAME, HEADER_BYTES, putHeader } from "./_wire.ts";

/** Where a DATA frame lies, and what it carries. */
export interface Frame {
  /** Stream offset of the first payload byte. */
  readonly offset: number;
  length: number;
  /** Where the header stands in its segment. */
  readonly at: number;
}

/** A piece of memory with frames. */
export interface Segment {
  readonly bytes: Uint8Array<ArrayBuffer>;
  used: number;
  readonly frames: Frame[];
  /** Frames before it are acknowledged. */
  first: number;
}

/** What to put on the wire next, and the stream offset once it is there. */
export interface Outgoing {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly end: number;
}

/** The index of the frame that holds a stream offset. */
export function frameAt(segment: Segment, offset: number): number {
  let low = segment.first;
  let high = segment.frames.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (segment.frames[middle]!.offset <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** A part of a frame, framed anew. */
export function reframe(
  segment: Segment,
  frame: Frame,
  from: number,
  stop: number,
): Outgoing {
  const end = Math.min(stop, frame.offset + frame.length);
  const bytes = new Uint8Array(HEADER_BYTES + end - from);
  putHeader(bytes, 0, FRAME.data, end - from, from);
  const at = frame.at + HEADER_BYTES - frame.offset;
  bytes.set(segment.bytes.subarray(at + from, at + end), HEADER_BYTES);
  return { bytes, end };
}
