/** What is sealed in a frame of kind `data`, before the padding. */
import { type Bytes, concat } from "./_bytes.ts";
import { bad, CONTENT_BYTES_MAX } from "./_packet.ts";

/** What one end has to say to the other. */
export type Content =
  | { readonly type: "message"; readonly bytes: Uint8Array }
  | {
    readonly type: "ordered";
    /** From 1, per epoch: the place of this one. */
    readonly place: number;
    /** Below this place nothing comes any more: it was delivered or given up. */
    readonly floor: number;
    readonly bytes: Uint8Array;
  }
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
  }
  | {
    readonly type: "chunk";
    /** Names the whole, per epoch. */
    readonly whole: number;
    readonly index: number;
    readonly count: number;
    readonly bytes: Uint8Array;
  }
  /** Small messages that travel together. */
  | { readonly type: "bundle"; readonly parts: readonly Uint8Array[] }
  /** Says nothing: its acknowledgement says that the peer is there. */
  | { readonly type: "probe" }
  /** Below this place nothing comes any more. */
  | { readonly type: "floor"; readonly floor: number }
  /** The sender is about to close. */
  | { readonly type: "bye" };

/** What became of a request. */
export type AnswerStatus = "ok" | "handler-failed" | "no-handler";

const STATUSES: readonly AnswerStatus[] = [
  "ok",
  "handler-failed",
  "no-handler",
];
const MESSAGE = 1;
const REQUEST = 2;
const ORDERED = 3;
const CHUNK = 4;
const PROBE = 5;
const BYE = 6;
const FLOOR = 7;
const BUNDLE = 8;
const ANSWER = 16; // plus the index of the status

const CHUNK_HEAD_BYTES = 9;
/** What each message of a bundle costs besides. */
export const BUNDLE_HEAD_BYTES = 2;
/** How many bytes of a whole one chunk carries; one is left for the flags. */
export const CHUNK_BYTES: number = CONTENT_BYTES_MAX - CHUNK_HEAD_BYTES - 1;
/** How many chunks a whole may have. */
export const CHUNKS_MAX = 0xffff;

/** As bytes; a request id has 1 to 64 bytes, which the caller checks. */
export function encodeContent(content: Content): Bytes {
  switch (content.type) {
    case "message":
      return concat(Uint8Array.of(MESSAGE), content.bytes);
    case "ordered": {
      const head = new DataView(new ArrayBuffer(17));
      head.setUint8(0, ORDERED);
      head.setBigUint64(1, BigInt(content.place));
      head.setBigUint64(9, BigInt(content.floor));
      return concat(new Uint8Array(head.buffer), content.bytes);
    }
    case "chunk": {
      const head = new DataView(new ArrayBuffer(CHUNK_HEAD_BYTES));
      head.setUint8(0, CHUNK);
      head.setUint32(1, content.whole);
      head.setUint16(5, content.index);
      head.setUint16(7, content.count);
      return concat(new Uint8Array(head.buffer), content.bytes);
    }
    case "bundle":
      return concat(
        Uint8Array.of(BUNDLE),
        ...content.parts.flatMap((part) => [
          Uint8Array.of(part.length >> 8, part.length & 0xff),
          part,
        ]),
      );
    case "floor": {
      const head = new DataView(new ArrayBuffer(9));
      head.setUint8(0, FLOOR);
      head.setBigUint64(1, BigInt(content.floor));
      return new Uint8Array(head.buffer);
    }
    case "probe":
      return Uint8Array.of(PROBE);
    case "bye":
      return Uint8Array.of(BYE);
    case "request":
    case "answer": {
      const type = content.type === "request"
        ? REQUEST
        : ANSWER + STATUSES.indexOf(content.status);
      const id = new TextEncoder().encode(content.requestId);
      return concat(Uint8Array.of(type, id.length), id, content.bytes);
    }
  }
}

/**
 * Reads content.
 *
 * @throws {SignalError} `signal/bad-frame`, for any bytes that are none.
 */
export function decodeContent(bytes: Uint8Array): Content {
  const [type] = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (type) {
    case MESSAGE:
      return { type: "message", bytes: bytes.subarray(1) };
    case PROBE:
      return { type: "probe" };
    case BYE:
      return { type: "bye" };
    case BUNDLE:
      return { type: "bundle", parts: decodeParts(bytes.subarray(1)) };
    case FLOOR: {
      const floor = bytes.length === 9 ? Number(view.getBigUint64(1)) : 0;
      if (!isPlace(floor)) throw bad("its floor is none");
      return { type: "floor", floor };
    }
    case ORDERED: {
      if (bytes.length < 17) throw bad("its place is cut off");
      const [place, floor] = [1, 9].map((at) => Number(view.getBigUint64(at)));
      if (!isPlace(place!) || !isPlace(floor!) || floor! > place!) {
        throw bad("its place is none");
      }
      return {
        type: "ordered",
        place: place!,
        floor: floor!,
        bytes: bytes.subarray(17),
      };
    }
    case CHUNK: {
      if (bytes.length < CHUNK_HEAD_BYTES) throw bad("its chunk is cut off");
      const [index, count] = [view.getUint16(5), view.getUint16(7)];
      if (index >= count) throw bad("its chunk is beyond the last");
      return {
        type: "chunk",
        whole: view.getUint32(1),
        index,
        count,
        bytes: bytes.subarray(CHUNK_HEAD_BYTES),
      };
    }
    default:
      return decodeNamed(bytes);
  }
}

function decodeParts(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + ((bytes[at]! << 8) | (bytes[at + 1] ?? 0));
    if (at + 2 > bytes.length || end > bytes.length) {
      throw bad("its bundle is cut off");
    }
    parts.push(bytes.subarray(at + 2, end));
    at = end;
  }
  if (parts.length === 0) throw bad("its bundle is empty");
  return parts;
}

/** How many messages of its user it carries, whole ones in pieces aside. */
export function messagesIn(content: Content): number {
  return content.type === "bundle" ? content.parts.length : 1;
}

/** How many bytes of its user it carries. */
export function bytesIn(content: Content): number {
  if (content.type === "bundle") {
    return content.parts.reduce((sum, { length }) => sum + length, 0);
  }
  return "bytes" in content ? content.bytes.length : 0;
}

function decodeNamed(bytes: Uint8Array): Content {
  const [type, length] = bytes;
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

function isPlace(value: number): boolean {
  return value >= 1 && value <= Number.MAX_SAFE_INTEGER;
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
