/** The bytes of the protocol: frames of an attached stream. See docs/resume-protocol.md. */

/** Type, 24-bit length, 64-bit offset. */
export const HEADER_BYTES = 12;
/** The longest payload of one DATA frame. */
export const FRAME_PAYLOAD_MAX = 65_536;
/** The longest payload of any other frame. */
export const CONTROL_PAYLOAD_MAX = 256;

export const FRAME = {
  data: 1,
  ack: 2,
  fin: 3,
  ping: 4,
  pong: 5,
  close: 6,
  reset: 7,
  notice: 8,
} as const;

/** Why a peer resets a session, as it stands in a RESET frame. */
export const RESET = {
  protocol: 1,
  shutdown: 2,
  internal: 3,
  denied: 4,
} as const;

/** What an end tells ahead of time, as it stands in a NOTICE frame. */
export const NOTICE = {
  draining: 1,
  moved: 2,
} as const;

/** Writes a frame header at `at`. */
export function putHeader(
  into: Uint8Array,
  at: number,
  type: number,
  length: number,
  offset: number,
): void {
  into[at] = type;
  into[at + 1] = length >>> 16;
  into[at + 2] = length >>> 8;
  into[at + 3] = length;
  putU64(into, at + 4, offset);
}

/** Rewrites the length of a frame that grew before it was sent. */
export function putLength(into: Uint8Array, at: number, length: number): void {
  into[at + 1] = length >>> 16;
  into[at + 2] = length >>> 8;
  into[at + 3] = length;
}

/** Writes a safe integer as 8 bytes, high half first. */
export function putU64(into: Uint8Array, at: number, value: number): void {
  putU32(into, at, Math.floor(value / 0x1_0000_0000));
  putU32(into, at + 4, value >>> 0);
}

/** Writes 4 bytes. */
export function putU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

/** Reads 4 bytes. */
export function getU32(from: Uint8Array, at: number): number {
  return ((from[at]! << 24) | (from[at + 1]! << 16) | (from[at + 2]! << 8) |
    from[at + 3]!) >>> 0;
}

/** Reads 8 bytes; above 2^53 - 1 the result is not a safe integer: check it. */
export function getU64(from: Uint8Array, at: number): number {
  return getU32(from, at) * 0x1_0000_0000 + getU32(from, at + 4);
}

/** The peer broke the protocol; the session cannot go on. */
export class ProtocolViolation extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ProtocolViolation";
  }
}
