/**
 * The frames in which sockets travel over a Unix socket: the hand-over
 * protocol, version 1 (README, "The transfer protocol"). Pure.
 *
 * A frame is a header of 16 bytes, JSON, and a tail of plain bytes. Descriptors
 * travel with the first byte of their frame: a receiver that reads the header
 * with a recvmsg of its own gets them with it, on every system.
 */
import { HandoffError } from "./error.ts";
import { isSocketKind, type SocketKind } from "./_socket_kind.ts";

/** The version of the protocol, the fourth byte of every frame. */
export const TRANSFER_VERSION = 1;
/** Bytes of a header. */
export const HEADER_BYTES = 16;
/** SCM_MAX_FD of Linux: more descriptors in one message are refused. */
export const DESCRIPTORS_MAX = 253;
/** The longest JSON of a frame. */
export const JSON_BYTES_MAX: number = 64 * 1024;

const MAGIC = [0x48, 0x46, 0x53]; // HFS
const TYPES = [
  "hello",
  "welcome",
  "sockets",
  "taken",
  "refused",
  "cancel",
  "ask",
] as const;

/** What a frame is. */
export type FrameType = typeof TYPES[number];

/** What is said about one socket. */
export interface SocketNote {
  readonly kind: SocketKind;
  /** Its own address in words, for a look at what is meant. */
  readonly local: string;
  /** Its peer's. */
  readonly remote: string;
  /** How many bytes of the tail are its unread ones. */
  readonly unread: number;
  /** What the sender says beside it; any JSON. */
  readonly meta?: unknown;
}

/** One frame. */
export interface Frame {
  readonly type: FrameType;
  /** How many descriptors came with it, or, in `taken`, were taken. */
  readonly descriptors: number;
  readonly json: Uint8Array;
  readonly tail: Uint8Array;
}

/** A frame as it is written: header, JSON and tail in one. */
export function encodeFrame(
  type: FrameType,
  parts: {
    readonly descriptors?: number;
    readonly json?: unknown;
    readonly tail?: readonly Uint8Array[];
  } = {},
): Uint8Array<ArrayBuffer> {
  const { descriptors = 0, json, tail = [] } = parts;
  const text = json === undefined
    ? new Uint8Array()
    : new TextEncoder().encode(JSON.stringify(json));
  const tailBytes = tail.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const frame = new Uint8Array(
    new ArrayBuffer(HEADER_BYTES + text.byteLength + tailBytes),
  );
  frame.set(MAGIC);
  frame[3] = TRANSFER_VERSION;
  frame[4] = TYPES.indexOf(type) + 1;
  frame[5] = descriptors;
  const view = new DataView(frame.buffer);
  view.setUint32(8, text.byteLength);
  view.setUint32(12, tailBytes);
  frame.set(text, HEADER_BYTES);
  let at = HEADER_BYTES + text.byteLength;
  for (const bytes of tail) {
    frame.set(bytes, at);
    at += bytes.byteLength;
  }
  return frame;
}

/** What the other side broke. */
export function badFrame(what: string): HandoffError {
  return new HandoffError(
    "handoff/bad-bytes",
    `Cannot read what the other process sends: ${what}: use the same version of the transfer protocol (${TRANSFER_VERSION}) on both sides`,
  );
}

interface Header {
  readonly type: FrameType;
  readonly descriptors: number;
  readonly jsonBytes: number;
  readonly tailBytes: number;
}

function parseHeader(bytes: Uint8Array, tailBytesMax: number): Header {
  if (MAGIC.some((byte, index) => bytes[index] !== byte)) {
    throw badFrame("it does not begin with HFS");
  }
  if (bytes[3] !== TRANSFER_VERSION) {
    throw badFrame(`it speaks version ${bytes[3]}`);
  }
  const type = TYPES[bytes[4]! - 1];
  if (type === undefined) throw badFrame(`there is no frame type ${bytes[4]}`);
  if (bytes[6] !== 0 || bytes[7] !== 0) {
    throw badFrame("reserved bytes are set");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const header = {
    type,
    descriptors: bytes[5]!,
    jsonBytes: view.getUint32(8),
    tailBytes: view.getUint32(12),
  };
  if (header.descriptors > DESCRIPTORS_MAX) {
    throw badFrame(`${header.descriptors} descriptors in one frame`);
  }
  if (header.jsonBytes > JSON_BYTES_MAX) {
    throw badFrame(`a text of ${header.jsonBytes} bytes`);
  }
  if (header.tailBytes > tailBytesMax) {
    throw badFrame(
      `${header.tailBytes} unread bytes, more than ${tailBytesMax}`,
    );
  }
  return header;
}

/** Cuts a stream of bytes into frames; never holds more than one. */
export class FrameDecoder {
  readonly #tailBytesMax: number;
  #buffer: Uint8Array = new Uint8Array(HEADER_BYTES);
  #filled = 0;
  #header: Header | undefined;

  constructor(tailBytesMax: number) {
    this.#tailBytesMax = tailBytesMax;
  }

  /** Whether a frame has begun and is not whole. */
  get partial(): boolean {
    return this.#filled > 0;
  }

  /**
   * The frames that these bytes complete.
   *
   * @throws {HandoffError} `handoff/bad-bytes`
   */
  push(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let at = 0;
    while (true) {
      const room = this.#buffer.byteLength - this.#filled;
      const some = bytes.subarray(at, at + room);
      this.#buffer.set(some, this.#filled);
      this.#filled += some.byteLength;
      at += some.byteLength;
      if (this.#filled < this.#buffer.byteLength) return frames;
      const frame = this.#advance();
      if (frame !== undefined) frames.push(frame);
      if (at === bytes.byteLength && this.#filled < this.#buffer.byteLength) {
        return frames;
      }
    }
  }

  #advance(): Frame | undefined {
    if (this.#header === undefined) {
      const header = parseHeader(this.#buffer, this.#tailBytesMax);
      const body = header.jsonBytes + header.tailBytes;
      if (body > 0) {
        this.#header = header;
        const whole = new Uint8Array(HEADER_BYTES + body);
        whole.set(this.#buffer);
        this.#buffer = whole;
        return undefined;
      }
      return this.#finish(header);
    }
    return this.#finish(this.#header);
  }

  #finish(header: Header): Frame {
    const bytes = this.#buffer;
    const tailAt = HEADER_BYTES + header.jsonBytes;
    this.#buffer = new Uint8Array(HEADER_BYTES);
    this.#filled = 0;
    this.#header = undefined;
    return {
      type: header.type,
      descriptors: header.descriptors,
      json: bytes.subarray(HEADER_BYTES, tailAt),
      tail: bytes.subarray(tailAt, tailAt + header.tailBytes),
    };
  }
}

/** The JSON of a `sockets` frame. */
export interface SocketsText {
  readonly sockets: readonly SocketNote[];
  readonly meta: unknown;
}

/**
 * Reads the JSON of a frame; `undefined` when it has none.
 *
 * @throws {HandoffError} `handoff/bad-bytes`
 */
export function parseJson(frame: Frame): unknown {
  if (frame.json.byteLength === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(
      frame.json,
    ));
  } catch {
    throw badFrame(`the text of a ${frame.type} frame is no JSON`);
  }
}

/**
 * What a `sockets` frame says, checked against itself.
 *
 * @throws {HandoffError} `handoff/bad-bytes`
 */
export function parseSockets(frame: Frame): SocketsText {
  const json = parseJson(frame) as Partial<SocketsText> | null | undefined;
  const notes = json?.sockets;
  if (!Array.isArray(notes) || notes.length !== frame.descriptors) {
    throw badFrame("a frame does not describe each of its descriptors");
  }
  let unread = 0;
  for (const note of notes as Partial<SocketNote>[]) {
    const { kind, local, remote, unread: own } = note ?? {};
    const fits = isSocketKind(kind) && typeof local === "string" &&
      typeof remote === "string" && Number.isSafeInteger(own) && own! >= 0;
    if (!fits) throw badFrame("a descriptor is described wrongly");
    unread += own!;
  }
  if (unread !== frame.tail.byteLength) {
    throw badFrame("a frame has more or fewer unread bytes than it says");
  }
  return { sockets: notes, meta: json!.meta };
}
