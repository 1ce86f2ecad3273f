/** The server's side of the handshake. */
import type { HandshakeIo, ReadRecord } from "./_handshake_io.ts";
import {
  agree,
  check,
  concat,
  ephemeralKeys,
  randomBytes,
  sealRecord,
  type SessionKeys,
  sessionKeys,
} from "./_keys.ts";
import {
  type Bytes,
  encodeRecord,
  MAC_BYTES,
  type NewRecord,
  REFUSAL,
  type ResumeRecord,
  VERSION_MAX,
  VERSION_MIN,
  withoutMac,
} from "./_records.ts";
import type { Position } from "./_stream_core.ts";
import { ProtocolViolation } from "./_wire.ts";

const NO_MAC = new Uint8Array(MAC_BYTES);

/** A handshake record that opens a session, with its bytes. */
export interface Opening<R extends NewRecord | ResumeRecord> {
  readonly record: R;
  readonly bytes: Bytes;
}

/** Answers a NEW record and waits for the client's proof. */
export async function welcome(
  io: HandshakeIo,
  opening: Opening<NewRecord>,
  offer: {
    readonly sid: Bytes;
    readonly limit: number;
    readonly ttlMs: number;
    readonly presharedKey: Bytes | undefined;
  },
): Promise<SessionKeys> {
  const ephemeral = await ephemeralKeys();
  const bare = encodeRecord({
    kind: "welcome",
    version: VERSION_MAX,
    sid: offer.sid,
    nonce: randomBytes(16),
    publicKey: ephemeral.publicKey,
    limit: offer.limit,
    ttlMs: offer.ttlMs,
    mac: NO_MAC,
  });
  const keys = await agree(
    ephemeral.privateKey,
    opening.record.publicKey,
    offer.presharedKey,
    concat(opening.bytes, withoutMac(bare)),
  );
  const sent = await sealRecord(
    bare,
    keys.server,
    "server welcome",
    opening.bytes,
  );
  await io.send(sent);
  await confirmed(io, keys, opening.bytes, sent);
  return keys;
}

/** Answers a RESUME record whose proof was good, and waits for the client's. */
export async function grantResume(
  io: HandshakeIo,
  opening: Opening<ResumeRecord>,
  keys: SessionKeys,
  told: Position,
  ttlMs: number,
): Promise<void> {
  const bare = encodeRecord({
    kind: "resumed",
    version: VERSION_MAX,
    epoch: opening.record.epoch,
    nonce: randomBytes(16),
    received: told.received,
    limit: told.limit,
    ttlMs,
    mac: NO_MAC,
  });
  const sent = await sealRecord(
    bare,
    keys.server,
    "server resumed",
    opening.bytes,
  );
  await io.send(sent);
  await confirmed(io, keys, opening.bytes, sent);
}

// A recorded NEW or RESUME can be played back; the answer to this server's
// fresh nonce cannot. No stream byte is sent or taken before it.
async function confirmed(
  io: HandshakeIo,
  keys: SessionKeys,
  opening: Bytes,
  answer: Bytes,
): Promise<void> {
  const { record } = await io.read();
  if (
    record.kind !== "confirm" ||
    !await check(keys.client, record.mac, "client confirm", opening, answer)
  ) throw new ProtocolViolation("the client could not prove itself");
}

/** Whether a RESUME record comes from who opened the session. */
export function provesSession(
  opening: Opening<ResumeRecord>,
  keys: SessionKeys,
): Promise<boolean> {
  const { record, bytes } = opening;
  return check(keys.client, record.mac, "client resume", withoutMac(bytes));
}

/** Turns a transport away without a proof. */
export async function refuse(
  io: HandshakeIo,
  code: number,
  value = 0,
): Promise<void> {
  await io.write({ kind: "refused", code, value, mac: NO_MAC });
}

/** Turns a proven resumption away, so that the client can believe it. */
export async function refuseProven(
  io: HandshakeIo,
  opening: Opening<ResumeRecord>,
  keys: SessionKeys,
  code: typeof REFUSAL.gone | typeof REFUSAL.stale,
  value: number,
): Promise<void> {
  const bare = encodeRecord({ kind: "refused", code, value, mac: NO_MAC });
  const label = code === REFUSAL.gone ? "server gone" : "server stale";
  await io.send(await sealRecord(bare, keys.server, label, opening.bytes));
}

/** Reads the first record and checks that a version is shared. */
export async function readOpening(
  io: HandshakeIo,
): Promise<Opening<NewRecord> | Opening<ResumeRecord> | "version"> {
  const { record, bytes }: ReadRecord = await io.read();
  if (record.kind !== "new" && record.kind !== "resume") {
    throw new ProtocolViolation(`a client cannot open with "${record.kind}"`);
  }
  if (record.versionMin > VERSION_MAX || record.versionMax < VERSION_MIN) {
    return "version";
  }
  return { record, bytes } as Opening<NewRecord> | Opening<ResumeRecord>;
}

/** Fresh keys of no session: so that an unknown id takes as long as a known one. */
export function decoyKeys(): Promise<SessionKeys> {
  return sessionKeys(randomBytes(64));
}
