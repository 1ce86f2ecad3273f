/** The server's side of the handshake. */
import type { HandshakeIo, ReadRecord } from "./_handshake_io.ts";
import {
  agree,
  check,
  concat,
  ephemeralKeys,
  nextSecret,
  randomBytes,
  sealRecord,
  type SessionSecret,
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
const REFUSAL_LABELS = {
  [REFUSAL.stale]: "server stale",
  [REFUSAL.gone]: "server gone",
  [REFUSAL.denied]: "server denied",
} as const;

/** A handshake record that opens a session, with its bytes. */
export interface Opening<R extends NewRecord | ResumeRecord> {
  readonly record: R;
  readonly bytes: Bytes;
}

/** A NEW that was answered and not yet confirmed. */
export interface Welcome {
  readonly secret: SessionSecret;
  /** Answers the client: from now on it may take the session for open. */
  send(): Promise<void>;
  /** Waits for the client's proof that it is here now. */
  confirmed(): Promise<void>;
}

/** Answers a NEW record. */
export async function welcome(
  io: HandshakeIo,
  opening: Opening<NewRecord>,
  offer: {
    readonly sid: Bytes;
    readonly limit: number;
    readonly ttlMs: number;
    readonly presharedKey: Bytes | undefined;
  },
): Promise<Welcome> {
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
  const secret = await agree(
    ephemeral.privateKey,
    opening.record.publicKey,
    offer.presharedKey,
    concat(opening.bytes, withoutMac(bare)),
  );
  const sent = await sealRecord(
    bare,
    secret,
    "server welcome",
    opening.bytes,
  );
  return {
    secret,
    send: () => io.send(sent),
    confirmed: () => confirmed(io, secret, opening.bytes, sent),
  };
}

/** A RESUME that was answered and not yet confirmed. */
export interface Grant {
  /** What proves the session from the confirmation on. */
  readonly next: SessionSecret;
  /** Answers the client: from now on it may use the next secret. */
  send(): Promise<void>;
  /** Waits for the client's proof that it is here now. */
  confirmed(): Promise<void>;
}

/** What the two ends of a session will prove themselves with, and why. */
export interface NextProof {
  /** Of this server. */
  readonly nonce: Bytes;
  /** What follows from it and the client's. */
  readonly next: SessionSecret;
}

/** Begins to answer a RESUME: what comes of it is to be recorded first. */
export async function nextProof(
  opening: Opening<ResumeRecord>,
  secret: SessionSecret,
): Promise<NextProof> {
  const nonce = randomBytes(16);
  return { nonce, next: await nextSecret(secret, opening.record.nonce, nonce) };
}

/** Answers a RESUME record whose proof was good. */
export async function grantResume(
  io: HandshakeIo,
  opening: Opening<ResumeRecord>,
  secret: SessionSecret,
  { nonce, next }: NextProof,
  told: Position,
  ttlMs: number,
): Promise<Grant> {
  const bare = encodeRecord({
    kind: "resumed",
    version: VERSION_MAX,
    epoch: opening.record.epoch,
    nonce,
    received: told.received,
    limit: told.limit,
    ttlMs,
    mac: NO_MAC,
  });
  const sent = await sealRecord(
    bare,
    secret,
    "server resumed",
    opening.bytes,
  );
  return {
    next,
    send: () => io.send(sent),
    confirmed: () => confirmed(io, next, opening.bytes, sent),
  };
}

// A recorded NEW or RESUME can be played back; the answer to this server's
// fresh nonce cannot. No stream byte is sent or taken before it.
async function confirmed(
  io: HandshakeIo,
  secret: SessionSecret,
  opening: Bytes,
  answer: Bytes,
): Promise<void> {
  const { record } = await io.read();
  if (
    record.kind !== "confirm" ||
    !await check(secret, record.mac, "client confirm", opening, answer)
  ) throw new ProtocolViolation("the client could not prove itself");
}

/**
 * Which of the secrets a RESUME record is proven with, if with any. All of them
 * are tried, so that it takes as long for each.
 */
export async function provenSecret(
  opening: Opening<ResumeRecord>,
  candidates: readonly SessionSecret[],
): Promise<SessionSecret | undefined> {
  const { record, bytes } = opening;
  const said = withoutMac(bytes);
  let proven: SessionSecret | undefined;
  for (const secret of candidates) {
    if (await check(secret, record.mac, "client resume", said)) {
      proven ??= secret;
    }
  }
  return proven;
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
  secret: SessionSecret,
  code: typeof REFUSAL.denied | typeof REFUSAL.gone | typeof REFUSAL.stale,
  value: number,
): Promise<void> {
  const bare = encodeRecord({ kind: "refused", code, value, mac: NO_MAC });
  const label = REFUSAL_LABELS[code];
  await io.send(await sealRecord(bare, secret, label, opening.bytes));
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

/** The secret of no session: so that an unknown id takes as long as a known one. */
export function decoySecret(): SessionSecret {
  return randomBytes(64);
}
