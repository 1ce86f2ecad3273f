/** The bytes of the handshake: how a transport is tied to a session. */
import {
  type Bytes,
  MAGIC,
  RECORD_BODY_MAX,
  RecordReader,
  RecordWriter,
} from "./_record_bytes.ts";
import { ProtocolViolation } from "./_wire.ts";

export { type Bytes, NO_BYTES, RECORD_HEADER_BYTES } from "./_record_bytes.ts";

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
  /** The server does not let this client go on. */
  denied: 6,
} as const;

export const MAC_BYTES = 32;
const SID_BYTES = 16;
const NONCE_BYTES = 16;
const PUBLIC_KEY_BYTES = 32;

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
  const w = new RecordWriter();
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
  const r = new RecordReader(body);
  const record = decodeBody(kind, r);
  r.end();
  return record;
}

function decodeBody(kind: number, r: RecordReader): HandshakeRecord {
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
