/** The bytes of the handshake: how a transport is tied to a session. */
import { getU32, getU64, ProtocolViolation, putU32, putU64 } from "./_wire.ts";

/** The versions that this end speaks. */
export const VERSION_MIN = 1;
/** The newest version that this end speaks. */
export const VERSION_MAX = 1;

export const RECORD = {
  new: 1,
  resume: 2,
  welcome: 3,
  resumed: 4,
  refused: 5,
  confirm: 6,
} as const;

/** Why a server refuses, as it stands in a REFUSED record. */
export const REFUSAL = {
  /** No such session, or no proof of it: one answer for both. */
  unknown: 1,
  /** The epoch was used before; `value` is the newest one. */
  stale: 2,
  /** Too much to do; `value` is when to come back, in milliseconds. */
  busy: 3,
  version: 4,
  /** The session ended; `value` is how far the server had received. */
  gone: 5,
} as const;

const MAGIC = [0x48, 0x46, 0x52, 0x31]; // "HFR1"
/** Magic, kind, 16-bit length. */
export const RECORD_HEADER_BYTES = 7;
/** The longest body of a handshake record. */
export const RECORD_BODY_MAX = 512;
export const KEY_ID_BYTES_MAX = 255;
export const MAC_BYTES = 32;
const SID_BYTES = 16;
const NONCE_BYTES = 16;
const PUBLIC_KEY_BYTES = 32;

export type Bytes = Uint8Array<ArrayBuffer>;

/** Opens a session. */
export interface NewRecord {
  readonly kind: "new";
  readonly versionMin: number;
  readonly versionMax: number;
  readonly nonce: Bytes;
  readonly publicKey: Bytes;
  readonly limit: number;
  /** Names the pre-shared key; empty without one. */
  readonly keyId: Bytes;
}
/** Accepts a new session. */
export interface WelcomeRecord {
  readonly kind: "welcome";
  readonly version: number;
  readonly sid: Bytes;
  readonly nonce: Bytes;
  readonly publicKey: Bytes;
  readonly limit: number;
  readonly ttlMs: number;
  readonly mac: Bytes;
}
/** Ties a new transport to a session. */
export interface ResumeRecord {
  readonly kind: "resume";
  readonly versionMin: number;
  readonly versionMax: number;
  readonly sid: Bytes;
  readonly epoch: number;
  readonly nonce: Bytes;
  readonly received: number;
  readonly limit: number;
  readonly mac: Bytes;
}
/** Accepts the new transport. */
export interface ResumedRecord {
  readonly kind: "resumed";
  readonly version: number;
  readonly epoch: number;
  readonly nonce: Bytes;
  readonly received: number;
  readonly limit: number;
  readonly ttlMs: number;
  readonly mac: Bytes;
}
/** Refuses either; the MAC is zeros where no key is shared. */
export interface RefusedRecord {
  readonly kind: "refused";
  readonly code: number;
  readonly value: number;
  readonly mac: Bytes;
}
/** The client's proof that it is here now, before any stream byte. */
export interface ConfirmRecord {
  readonly kind: "confirm";
  readonly mac: Bytes;
}
export type HandshakeRecord =
  | NewRecord
  | WelcomeRecord
  | ResumeRecord
  | ResumedRecord
  | RefusedRecord
  | ConfirmRecord;

/** Writes a record. Its MAC, if it has one, is its last 32 bytes. */
export function encodeRecord(record: HandshakeRecord): Bytes {
  const w = new Writer();
  switch (record.kind) {
    case "new":
      w.u8(record.versionMin).u8(record.versionMax).bytes(record.nonce)
        .bytes(record.publicKey).u64(record.limit).u8(record.keyId.length)
        .bytes(record.keyId);
      break;
    case "welcome":
      w.u8(record.version).bytes(record.sid).bytes(record.nonce)
        .bytes(record.publicKey).u64(record.limit).u32(record.ttlMs)
        .bytes(record.mac);
      break;
    case "resume":
      w.u8(record.versionMin).u8(record.versionMax).bytes(record.sid)
        .u64(record.epoch).bytes(record.nonce).u64(record.received)
        .u64(record.limit).bytes(record.mac);
      break;
    case "resumed":
      w.u8(record.version).u64(record.epoch).bytes(record.nonce)
        .u64(record.received).u64(record.limit).u32(record.ttlMs)
        .bytes(record.mac);
      break;
    case "refused":
      w.u8(record.code).u64(record.value).bytes(record.mac);
      break;
    case "confirm":
      w.bytes(record.mac);
      break;
  }
  return w.record(RECORD[record.kind]);
}

/**
 * The length of the body that follows a record's header.
 *
 * @throws {ProtocolViolation} When it is no header of this protocol.
 */
export function bodyLength(header: Uint8Array): number {
  if (MAGIC.some((byte, i) => header[i] !== byte)) {
    throw new ProtocolViolation("not a Holdfast resume handshake");
  }
  const length = (header[5]! << 8) | header[6]!;
  if (length > RECORD_BODY_MAX) {
    throw new ProtocolViolation(
      `handshake record of ${length} bytes: at most ${RECORD_BODY_MAX}`,
    );
  }
  return length;
}

/**
 * Reads a record from its header and body.
 *
 * @throws {ProtocolViolation} For anything that `encodeRecord` does not make.
 */
export function decodeRecord(kind: number, body: Bytes): HandshakeRecord {
  const r = new Reader(body);
  const record = decodeBody(kind, r);
  r.end();
  return record;
}

function decodeBody(kind: number, r: Reader): HandshakeRecord {
  switch (kind) {
    case RECORD.new:
      return {
        kind: "new",
        versionMin: r.u8(),
        versionMax: r.u8(),
        nonce: r.bytes(NONCE_BYTES),
        publicKey: r.bytes(PUBLIC_KEY_BYTES),
        limit: r.u64(),
        keyId: r.bytes(r.u8()),
      };
    case RECORD.welcome:
      return {
        kind: "welcome",
        version: r.u8(),
        sid: r.bytes(SID_BYTES),
        nonce: r.bytes(NONCE_BYTES),
        publicKey: r.bytes(PUBLIC_KEY_BYTES),
        limit: r.u64(),
        ttlMs: r.u32(),
        mac: r.bytes(MAC_BYTES),
      };
    case RECORD.resume:
      return {
        kind: "resume",
        versionMin: r.u8(),
        versionMax: r.u8(),
        sid: r.bytes(SID_BYTES),
        epoch: r.u64(),
        nonce: r.bytes(NONCE_BYTES),
        received: r.u64(),
        limit: r.u64(),
        mac: r.bytes(MAC_BYTES),
      };
    case RECORD.resumed:
      return {
        kind: "resumed",
        version: r.u8(),
        epoch: r.u64(),
        nonce: r.bytes(NONCE_BYTES),
        received: r.u64(),
        limit: r.u64(),
        ttlMs: r.u32(),
        mac: r.bytes(MAC_BYTES),
      };
    case RECORD.refused:
      return {
        kind: "refused",
        code: r.u8(),
        value: r.u64(),
        mac: r.bytes(MAC_BYTES),
      };
    case RECORD.confirm:
      return { kind: "confirm", mac: r.bytes(MAC_BYTES) };
    default:
      throw new ProtocolViolation(`unknown handshake record ${kind}`);
  }
}

/** What a MAC at the end of a record covers of it. */
export function withoutMac(record: Bytes): Bytes {
  return record.subarray(0, record.length - MAC_BYTES);
}

class Writer {
  readonly #out = new Uint8Array(RECORD_HEADER_BYTES + RECORD_BODY_MAX);
  #at = RECORD_HEADER_BYTES;

  u8(value: number): this {
    this.#out[this.#at++] = value;
    return this;
  }
  u32(value: number): this {
    putU32(this.#out, this.#at, value);
    this.#at += 4;
    return this;
  }
  u64(value: number): this {
    putU64(this.#out, this.#at, value);
    this.#at += 8;
    return this;
  }
  bytes(value: Uint8Array): this {
    this.#out.set(value, this.#at);
    this.#at += value.length;
    return this;
  }
  record(kind: number): Bytes {
    const length = this.#at - RECORD_HEADER_BYTES;
    this.#out.set(MAGIC);
    this.#out[4] = kind;
    this.#out[5] = length >>> 8;
    this.#out[6] = length;
    return this.#out.slice(0, this.#at);
  }
}

class Reader {
  readonly #from: Bytes;
  #at = 0;

  constructor(from: Bytes) {
    this.#from = from;
  }
  #need(n: number): number {
    if (this.#at + n > this.#from.length) {
      throw new ProtocolViolation("handshake record too short");
    }
    const at = this.#at;
    this.#at += n;
    return at;
  }
  u8(): number {
    return this.#from[this.#need(1)]!;
  }
  u32(): number {
    return getU32(this.#from, this.#need(4));
  }
  u64(): number {
    const value = getU64(this.#from, this.#need(8));
    if (!Number.isSafeInteger(value)) {
      throw new ProtocolViolation("number beyond 2^53 - 1 in a handshake");
    }
    return value;
  }
  bytes(length: number): Bytes {
    const at = this.#need(length);
    return this.#from.slice(at, at + length);
  }
  end(): void {
    if (this.#at !== this.#from.length) {
      throw new ProtocolViolation("handshake record too long");
    }
  }
}
