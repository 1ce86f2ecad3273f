import {
  type Bytes,
  concat,
  fromBase64Url,
  toBase64Url,
  toHex,
} from "./_bytes.ts";
import { SignalError } from "./errors.ts";

/** The only version of the protocol so far; the first byte of a frame. */
export const VERSION = 1;
/** The clear part: version, kind, sender, epoch, sequence. */
export const HEADER_BYTES = 50;
/** The tag of AES-GCM. */
export const TAG_BYTES = 16;
/** What a frame adds to a message at the most: also the longest request id. */
export const OVERHEAD_BYTES_MAX = 132;
/** How many sequence numbers one acknowledgement carries. */
export const ACK_SEQUENCES_MAX = 128;

/** What a frame carries; each kind has keys and numbers of its own. */
export type FrameKind = "data" | "ack";

/** The clear part of a frame, which the tag authenticates. */
export interface FrameHeader {
  readonly kind: FrameKind;
  /** The peer id of who sealed it. */
  readonly sender: string;
  /** 64 random bits as 16 hexadecimal digits. */
  readonly epoch: string;
  /** From 1, per (sender, epoch, recipient, kind). */
  readonly sequence: number;
}

/** A frame taken apart; the parts share the memory of the whole. */
export interface Frame {
  readonly header: FrameHeader;
  readonly headerBytes: Bytes;
  readonly sealed: Bytes;
}

/** What is sealed in a frame of kind `data`. */
export type Content =
  | { readonly type: "message"; readonly bytes: Uint8Array }
  | {
    readonly type: "request";
    readonly requestId: string;
    readonly bytes: Uint8Array;
  }
  | {
    readonly type: "answer";
    readonly requestId: string;
    readonly status: AnswerStatus;
    readonly bytes: Uint8Array;
  };

/** What became of a request. */
export type AnswerStatus = "ok" | "handler-failed" | "no-handler";

/** What is sealed in a frame of kind `ack`. */
export interface Acknowledgement {
  /** The epoch of the one who sent what is acknowledged. */
  readonly epoch: string;
  readonly sequences: readonly number[];
}

const KINDS: readonly FrameKind[] = ["data", "ack"];
const STATUSES: readonly AnswerStatus[] = [
  "ok",
  "handler-failed",
  "no-handler",
];
const MESSAGE = 1;
const REQUEST = 2;
const ANSWER = 16; // plus the index of the status

/** The header as bytes; it is also the additional data of AES-GCM. */
export function encodeHeader(header: FrameHeader): Bytes {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes[0] = VERSION;
  bytes[1] = KINDS.indexOf(header.kind) + 1;
  bytes.set(fromBase64Url(header.sender)!, 2);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(34, BigInt(`0x${header.epoch}`));
  view.setBigUint64(42, BigInt(header.sequence));
  return bytes;
}

/**
 * Takes a frame apart.
 *
 * @throws {SignalError} `signal/bad-frame`, for any bytes that are none.
 */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.length < HEADER_BYTES + TAG_BYTES) {
    throw bad(`it has ${bytes.length} bytes`);
  }
  if (bytes[0] !== VERSION) throw bad(`its version is ${bytes[0]}`);
  const kind = KINDS[bytes[1]! - 1];
  if (kind === undefined) throw bad(`its kind is ${bytes[1]}`);
  // A copy, in memory that nobody else writes to while it is being opened.
  const whole = concat(bytes);
  const view = new DataView(whole.buffer);
  return {
    header: {
      kind,
      sender: toBase64Url(whole.subarray(2, 34)),
      epoch: toHex(whole.subarray(34, 42)),
      sequence: readSequence(view, 42),
    },
    headerBytes: whole.subarray(0, HEADER_BYTES),
    sealed: whole.subarray(HEADER_BYTES),
  };
}

/** What to seal; a request id has 1 to 64 bytes, which the caller checks. */
export function encodeContent(content: Content): Bytes {
  if (content.type === "message") {
    return concat(Uint8Array.of(MESSAGE), content.bytes);
  }
  const type = content.type === "request"
    ? REQUEST
    : ANSWER + STATUSES.indexOf(content.status);
  const id = new TextEncoder().encode(content.requestId);
  return concat(Uint8Array.of(type, id.length), id, content.bytes);
}

/**
 * Reads what was sealed.
 *
 * @throws {SignalError} `signal/bad-frame`, for any bytes that are no content.
 */
export function decodeContent(bytes: Uint8Array): Content {
  const [type, length] = bytes;
  if (type === MESSAGE) return { type: "message", bytes: bytes.subarray(1) };
  const status = STATUSES[(type ?? 0) - ANSWER];
  if (type !== REQUEST && status === undefined) {
    throw bad(`its content is of type ${type}`);
  }
  if (length === undefined || length < 1 || bytes.length < 2 + length) {
    throw bad("its request id is cut off");
  }
  const requestId = readText(bytes.subarray(2, 2 + length));
  const rest = bytes.subarray(2 + length);
  return status === undefined
    ? { type: "request", requestId, bytes: rest }
    : { type: "answer", requestId, status, bytes: rest };
}

/** At most {@linkcode ACK_SEQUENCES_MAX} numbers, which the caller sees to. */
export function encodeAck(ack: Acknowledgement): Bytes {
  const view = new DataView(new ArrayBuffer(8 + 8 * ack.sequences.length));
  view.setBigUint64(0, BigInt(`0x${ack.epoch}`));
  ack.sequences.forEach((sequence, index) =>
    view.setBigUint64(8 + 8 * index, BigInt(sequence))
  );
  return new Uint8Array(view.buffer);
}

/**
 * Reads an acknowledgement.
 *
 * @throws {SignalError} `signal/bad-frame`, for any bytes that are none.
 */
export function decodeAck(bytes: Uint8Array): Acknowledgement {
  const count = bytes.length / 8 - 1;
  if (!Number.isInteger(count) || count < 1 || count > ACK_SEQUENCES_MAX) {
    throw bad(`its acknowledgement has ${bytes.length} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    epoch: toHex(bytes.subarray(0, 8)),
    sequences: Array.from(
      { length: count },
      (_, index) => readSequence(view, 8 + 8 * index),
    ),
  };
}

function readSequence(view: DataView, at: number): number {
  const sequence = Number(view.getBigUint64(at));
  if (sequence < 1 || sequence > Number.MAX_SAFE_INTEGER) {
    throw bad(`its sequence number is ${sequence}`);
  }
  return sequence;
}

function readText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      bytes,
    );
  } catch (cause) {
    throw bad("its request id is no text", { cause });
  }
}

function bad(why: string, options?: ErrorOptions): SignalError {
  return new SignalError(
    "signal/bad-frame",
    `Cannot read frame: ${why}`,
    options,
  );
}
