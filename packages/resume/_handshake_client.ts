/** The client's side of the handshake. */
import type { HandshakeIo } from "./_handshake_io.ts";
import {
  agree,
  check,
  concat,
  ephemeralKeys,
  nextSecret,
  type ProofLabel,
  prove,
  randomBytes,
  sealRecord,
  type SessionSecret,
} from "./_keys.ts";
import {
  type Bytes,
  encodeRecord,
  MAC_BYTES,
  NO_BYTES,
  REFUSAL,
  type RefusedRecord,
  VERSION_MAX,
  VERSION_MIN,
  withoutMac,
} from "./_records.ts";
import type { Position } from "./_stream_core.ts";
import { ProtocolViolation } from "./_wire.ts";
import { ResumeError } from "./errors.ts";

/** A key that both ends hold already. */
export interface PresharedKey {
  /** Tells the server which key it is: at most 255 bytes, sent in clear. */
  readonly id: Uint8Array<ArrayBuffer>;
  /** The key: at least 16 bytes that nobody can guess. */
  readonly key: Uint8Array<ArrayBuffer>;
}

/** A session as the server granted it. */
export interface Granted {
  readonly sid: Bytes;
  readonly secret: SessionSecret;
  readonly peer: Position;
  readonly ttlMs: number;
}

/** What a resumption came to. */
export interface Resumption {
  readonly peer: Position;
  readonly ttlMs: number;
  /** What proves the session from now on. */
  readonly secret: SessionSecret;
}

/** The server turned a resumption away. */
export class Refused extends Error {
  readonly refusal: number;
  readonly value: number;
  constructor(refusal: number, value: number) {
    super(`the server refused the session (code ${refusal})`);
    this.name = "Refused";
    this.refusal = refusal;
    this.value = value;
  }
}

const NO_MAC = new Uint8Array(MAC_BYTES);

/** Opens a session. */
export async function openSession(
  io: HandshakeIo,
  limit: number,
  presharedKey: PresharedKey | undefined,
): Promise<Granted> {
  const ephemeral = await ephemeralKeys();
  const sent = await io.write({
    kind: "new",
    versionMin: VERSION_MIN,
    versionMax: VERSION_MAX,
    nonce: randomBytes(16),
    publicKey: ephemeral.publicKey,
    limit,
    keyId: presharedKey?.id ?? NO_BYTES,
  });
  const { record, bytes } = await io.read();
  if (record.kind === "refused") throw openingRefused(record);
  if (record.kind !== "welcome") throw unexpected(record.kind);
  requireVersion(record.version);
  const secret = await agree(
    ephemeral.privateKey,
    record.publicKey,
    presharedKey?.key,
    concat(sent, withoutMac(bytes)),
  );
  const proven = await check(
    secret,
    record.mac,
    "server welcome",
    sent,
    withoutMac(bytes),
  );
  if (!proven) {
    throw new ResumeError(
      "resume/refused",
      "Cannot open a session: the server does not hold the same pre-shared key",
    );
  }
  const mac = await prove(secret, "client confirm", sent, bytes);
  await io.write({ kind: "confirm", mac });
  return {
    sid: record.sid,
    secret,
    peer: { received: 0, limit: record.limit },
    ttlMs: record.ttlMs,
  };
}

/** Ties a new transport to the session. */
export async function resumeSession(
  io: HandshakeIo,
  session: { readonly sid: Bytes; readonly secret: SessionSecret },
  epoch: number,
  told: Position,
): Promise<Resumption> {
  const { sid, secret } = session;
  const nonce = randomBytes(16);
  const bare = encodeRecord({
    kind: "resume",
    versionMin: VERSION_MIN,
    versionMax: VERSION_MAX,
    sid,
    epoch,
    nonce,
    received: told.received,
    limit: told.limit,
    mac: NO_MAC,
  });
  const sent = await sealRecord(bare, secret, "client resume");
  await io.send(sent);
  const { record, bytes } = await io.read();
  if (record.kind === "refused") {
    throw await resumptionRefused(record, secret, sent, bytes);
  }
  if (record.kind !== "resumed") throw unexpected(record.kind);
  requireVersion(record.version);
  const proven = record.epoch === epoch &&
    await check(
      secret,
      record.mac,
      "server resumed",
      sent,
      withoutMac(bytes),
    );
  if (!proven) throw new ProtocolViolation("the server could not prove itself");
  const next = await nextSecret(secret, nonce, record.nonce);
  const mac = await prove(next, "client confirm", sent, bytes);
  await io.write({ kind: "confirm", mac });
  return {
    peer: { received: record.received, limit: record.limit },
    ttlMs: record.ttlMs,
    secret: next,
  };
}

function openingRefused(record: RefusedRecord): ResumeError {
  if (record.code === REFUSAL.busy) {
    return new ResumeError(
      "resume/busy",
      `Cannot open a session: the server is full: try again in ${record.value} ms`,
    );
  }
  if (record.code === REFUSAL.version) {
    return new ResumeError(
      "resume/version",
      `Cannot open a session: the server speaks none of the protocol versions ${VERSION_MIN} to ${VERSION_MAX}`,
    );
  }
  return new ResumeError(
    "resume/refused",
    "Cannot open a session: the server refused it",
  );
}

// These change what this end does for good, so they need a proof; anybody may
// say "unknown" or "busy".
const PROVEN_REFUSALS: Readonly<Record<number, ProofLabel>> = {
  [REFUSAL.stale]: "server stale",
  [REFUSAL.gone]: "server gone",
  [REFUSAL.denied]: "server denied",
};

async function resumptionRefused(
  record: RefusedRecord,
  secret: SessionSecret,
  sent: Bytes,
  bytes: Bytes,
): Promise<Error> {
  const label = PROVEN_REFUSALS[record.code];
  if (
    label !== undefined &&
    !await check(secret, record.mac, label, sent, withoutMac(bytes))
  ) {
    return new ProtocolViolation("the server could not prove its refusal");
  }
  return new Refused(record.code, record.value);
}

function unexpected(kind: string): ProtocolViolation {
  return new ProtocolViolation(`unexpected handshake record "${kind}"`);
}

function requireVersion(version: number): void {
  if (version < VERSION_MIN || version > VERSION_MAX) {
    throw new ProtocolViolation(`the server chose protocol version ${version}`);
  }
}
