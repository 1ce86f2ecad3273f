/**
 * What travels over brokers: four kinds of packets, of which the first bytes
 * are clear. docs/signal-protocol.md has the layouts.
 */
import { type Bytes, concat, toHex } from "./_bytes.ts";
import { SignalError } from "./errors.ts";

/** The version of the protocol; the first byte of every packet. */
export const VERSION = 2;
/** The tag of AES-GCM. */
export const SEAL_BYTES = 16;
/** By which a receiver knows the session of a packet. */
export const TAG_BYTES = 8;
/** By which the first sender knows what it is answered. */
export const REF_BYTES = 8;
/** An X25519 public key. */
export const KEY_BYTES = 32;
/** The clear part of a hello. */
export const HELLO_HEADER_BYTES: number = 2 + KEY_BYTES;
/** The clear part of a welcome. */
export const WELCOME_HEADER_BYTES: number = 2 + REF_BYTES + KEY_BYTES;
/** The clear part of data and acknowledgements. */
export const FRAME_HEADER_BYTES: number = 2 + TAG_BYTES + 8;
/** The largest packet: with an MQTT header and a topic it stays below 16 KiB. */
export const PACKET_BYTES_MAX = 16_000;

/** Packets are padded to one of these lengths, so that theirs says little. */
const BUCKETS: readonly number[] = [256, 1_024, 4_096, PACKET_BYTES_MAX];

/** How many bytes of content the largest packet has room for. */
export const CONTENT_BYTES_MAX: number = PACKET_BYTES_MAX - FRAME_HEADER_BYTES -
  SEAL_BYTES - 4;

/** Frames of a session; each kind has keys and numbers of its own. */
export type FrameKind = "data" | "ack";

const KINDS = ["hello", "welcome", "data", "ack"] as const;

/** A packet taken apart; the parts share the memory of the whole. */
export type Packet =
  | {
    readonly kind: "hello";
    readonly ephemeral: Bytes;
    readonly header: Bytes;
    readonly sealed: Bytes;
    readonly whole: Bytes;
  }
  | {
    readonly kind: "welcome";
    /** Of the hello that it answers, as hexadecimal digits. */
    readonly ref: string;
    readonly ephemeral: Bytes;
    readonly header: Bytes;
    readonly sealed: Bytes;
  }
  | Frame;

/** Data or an acknowledgement in a session. */
export interface Frame {
  readonly kind: FrameKind;
  /** As hexadecimal digits. */
  readonly tag: string;
  /** From 1, per session, direction and kind. */
  readonly sequence: number;
  readonly header: Bytes;
  readonly sealed: Bytes;
}

/** The clear part of a hello. */
export function helloHeader(ephemeral: Uint8Array): Bytes {
  return concat(Uint8Array.of(VERSION, 1), ephemeral);
}

/** The clear part of a welcome. */
export function welcomeHeader(ref: Uint8Array, ephemeral: Uint8Array): Bytes {
  return concat(Uint8Array.of(VERSION, 2), ref, ephemeral);
}

/** The clear part of a frame. */
export function frameHeader(
  kind: FrameKind,
  tag: Uint8Array,
  sequence: number,
): Bytes {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES);
  bytes[0] = VERSION;
  bytes[1] = KINDS.indexOf(kind) + 1;
  bytes.set(tag, 2);
  new DataView(bytes.buffer).setBigUint64(2 + TAG_BYTES, BigInt(sequence));
  return bytes;
}

/**
 * Takes a packet apart.
 *
 * @throws {SignalError} `signal/bad-frame`, for any bytes that are none.
 */
export function decodePacket(bytes: Uint8Array): Packet {
  if (bytes[0] !== VERSION) throw bad(`its version is ${bytes[0]}`);
  const kind = KINDS[bytes[1]! - 1];
  if (kind === undefined) throw bad(`its kind is ${bytes[1]}`);
  const length = kind === "hello"
    ? HELLO_HEADER_BYTES
    : kind === "welcome"
    ? WELCOME_HEADER_BYTES
    : FRAME_HEADER_BYTES;
  if (bytes.length < length + SEAL_BYTES) {
    throw bad(`it has ${bytes.length} bytes`);
  }
  // A copy, in memory that nobody else writes to while it is being opened.
  const whole = concat(bytes);
  const header = whole.subarray(0, length);
  const sealed = whole.subarray(length);
  if (kind === "hello") {
    return { kind, ephemeral: header.subarray(2), header, sealed, whole };
  }
  if (kind === "welcome") {
    return {
      kind,
      ref: toHex(header.subarray(2, 2 + REF_BYTES)),
      ephemeral: header.subarray(2 + REF_BYTES),
      header,
      sealed,
    };
  }
  const sequence = Number(
    new DataView(whole.buffer).getBigUint64(2 + TAG_BYTES),
  );
  if (sequence < 1 || sequence > Number.MAX_SAFE_INTEGER) {
    throw bad(`its sequence number is ${sequence}`);
  }
  return {
    kind,
    tag: toHex(header.subarray(2, 2 + TAG_BYTES)),
    sequence,
    header,
    sealed,
  };
}

/** What is sealed in a frame: its length, itself, and zeros up to a bucket. */
export function pad(content: Uint8Array): Bytes {
  const clear = FRAME_HEADER_BYTES + SEAL_BYTES;
  const packet = BUCKETS.find((size) => size - clear >= 4 + content.length);
  if (packet === undefined) {
    throw new RangeError(`Cannot seal ${content.length} bytes in one packet`);
  }
  const padded = new Uint8Array(packet - clear);
  new DataView(padded.buffer).setUint32(0, content.length);
  padded.set(content, 4);
  return padded;
}

/**
 * Takes the padding off.
 *
 * @throws {SignalError} `signal/bad-frame`, when the length is beyond the end.
 */
export function unpad(padded: Bytes): Bytes {
  if (padded.length < 4) throw bad("its content is cut off");
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0);
  if (length > padded.length - 4) throw bad("its content is cut off");
  return padded.subarray(4, 4 + length);
}

/** The error of everything that is no packet. */
export function bad(why: string, options?: ErrorOptions): SignalError {
  return new SignalError(
    "signal/bad-frame",
    `Cannot read frame: ${why}`,
    options,
  );
}
