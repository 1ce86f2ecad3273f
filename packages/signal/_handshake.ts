/**
 * First contact: a signed hello, a signed welcome, and keys that neither a
 * recording nor a stolen identity opens later. The pattern is that of Noise IK
 * (https://noiseprotocol.org/noise.html), with a signature in place of its
 * static-static secret, so that who steals a key cannot speak to its owner in
 * the name of others.
 */
import {
  type Bytes,
  concat,
  equalBytes,
  fromBase64Url,
  toBase64Url,
  toHex,
} from "./_bytes.ts";
import {
  aesKey,
  type EphemeralPair,
  ephemeralPair,
  hkdf,
  openWith,
  sealWith,
  sharedSecret,
} from "./_keys.ts";
import {
  helloHeader,
  type Packet,
  REF_BYTES,
  TAG_BYTES,
  welcomeHeader,
} from "./_packet.ts";
import {
  type Identity,
  isSignedBy,
  privateKeyOf,
  publicKeyOf,
  signAs,
} from "./identity.ts";

/** Random bytes that name the time in which an end counts its messages. */
export const EPOCH_BYTES = 8;
const SIGNATURE_BYTES = 64;
const NO_SALT = new Uint8Array(0);

/** What both ends have of a session in the end. */
export interface SessionSecrets {
  readonly peer: string;
  readonly ownEpoch: Bytes;
  /** As hexadecimal digits. */
  readonly peerEpoch: string;
  readonly out: DirectionSecrets;
  readonly in: DirectionSecrets;
}

/** What belongs to one direction. */
export interface DirectionSecrets {
  readonly data: CryptoKey;
  readonly ack: CryptoKey;
  readonly tag: Bytes;
  /** Of which the topics of each day are made. */
  readonly topic: Bytes;
}

/** A hello on its way, and what is needed to understand its welcome. */
export interface PendingHello {
  readonly peer: string;
  readonly packet: Bytes;
  /** As hexadecimal digits. */
  readonly ref: string;
  readonly epoch: Bytes;
  readonly ephemeral: EphemeralPair;
}

/** Makes a hello to a peer, whose id has been checked. */
export async function makeHello(
  identity: Identity,
  peer: string,
  epoch: Bytes,
  pair: Promise<EphemeralPair> = ephemeralPair(),
): Promise<PendingHello> {
  const ephemeral = await pair;
  const header = helloHeader(ephemeral.publicKey);
  const secret = await sharedSecret(ephemeral.privateKey, publicKeyOf(peer));
  const signature = await signAs(
    identity,
    concat(label("hello"), header, fromBase64Url(peer)!, epoch),
  );
  const content = concat(fromBase64Url(identity.id)!, epoch, signature);
  const packet = await sealWith(
    await helloKey(secret, header, peer),
    0,
    header,
    content,
  );
  return {
    peer,
    packet,
    ref: toHex(refOf(ephemeral.publicKey)),
    epoch,
    ephemeral,
  };
}

/** A hello of a peer who has proven who it is. */
export interface OpenedHello {
  readonly peer: string;
  readonly epoch: Bytes;
  readonly ephemeral: Bytes;
  readonly whole: Bytes;
}

/** Opens a hello; `undefined` when it is not authentic, or not for this end. */
export async function openHello(
  identity: Identity,
  packet: Packet & { readonly kind: "hello" },
): Promise<OpenedHello | undefined> {
  const { ephemeral, header, sealed, whole } = packet;
  const secret = await secretOrNone(privateKeyOf(identity), ephemeral);
  if (secret === undefined) return undefined;
  const key = await helloKey(secret, header, identity.id);
  const content = await openWith(key, 0, header, sealed);
  if (content?.length !== 32 + EPOCH_BYTES + SIGNATURE_BYTES) return undefined;
  const peer = toBase64Url(content.subarray(0, 32));
  const epoch = content.slice(32, 32 + EPOCH_BYTES);
  const signature = content.slice(32 + EPOCH_BYTES);
  try {
    publicKeyOf(peer);
  } catch {
    return undefined;
  }
  const signed = concat(
    label("hello"),
    header,
    fromBase64Url(identity.id)!,
    epoch,
  );
  if (!await isSignedBy(peer, signature, signed)) return undefined;
  return { peer, epoch, ephemeral, whole };
}

/** Answers a hello: the welcome, and the session as this end has it. */
export async function makeWelcome(
  identity: Identity,
  hello: OpenedHello,
  epoch: Bytes,
  pair: Promise<EphemeralPair> = ephemeralPair(),
): Promise<{ readonly packet: Bytes; readonly secrets: SessionSecrets }> {
  const ephemeral = await pair;
  const header = welcomeHeader(refOf(hello.ephemeral), ephemeral.publicKey);
  const secret = concat(
    await sharedSecret(ephemeral.privateKey, hello.ephemeral),
    await sharedSecret(privateKeyOf(identity), hello.ephemeral),
    await sharedSecret(ephemeral.privateKey, publicKeyOf(hello.peer)),
  );
  const keys = await schedule(secret, hello.whole, header);
  const signature = await signAs(
    identity,
    concat(label("welcome"), keys.transcript, epoch),
  );
  const packet = await sealWith(
    await aesKey(keys.welcome),
    0,
    header,
    concat(epoch, signature),
  );
  return {
    packet,
    secrets: {
      peer: hello.peer,
      ownEpoch: epoch,
      peerEpoch: toHex(hello.epoch),
      in: await direction(keys.forth),
      out: await direction(keys.back),
    },
  };
}

/** Opens a welcome; `undefined` when it is not authentic. */
export async function openWelcome(
  identity: Identity,
  hello: PendingHello,
  packet: Packet & { readonly kind: "welcome" },
): Promise<SessionSecrets | undefined> {
  const { ephemeral, header, sealed } = packet;
  const { privateKey } = hello.ephemeral;
  const ee = await secretOrNone(privateKey, ephemeral);
  const se = await secretOrNone(privateKeyOf(identity), ephemeral);
  if (ee === undefined || se === undefined) return undefined;
  const es = await sharedSecret(privateKey, publicKeyOf(hello.peer));
  const keys = await schedule(concat(ee, es, se), hello.packet, header);
  const key = await aesKey(keys.welcome);
  const content = await openWith(key, 0, header, sealed);
  if (content?.length !== EPOCH_BYTES + SIGNATURE_BYTES) return undefined;
  const epoch = content.slice(0, EPOCH_BYTES);
  const signed = concat(label("welcome"), keys.transcript, epoch);
  const signature = content.slice(EPOCH_BYTES);
  if (!await isSignedBy(hello.peer, signature, signed)) return undefined;
  return {
    peer: hello.peer,
    ownEpoch: hello.epoch,
    peerEpoch: toHex(epoch),
    out: await direction(keys.forth),
    in: await direction(keys.back),
  };
}

/** Whether two packets are the same hello. */
export function isSameHello(a: OpenedHello, whole: Bytes): boolean {
  return equalBytes(a.whole, whole);
}

const DIRECTION_BYTES = 32 + 32 + TAG_BYTES + 32;

/** All keys of a session, from what only its two ends know. */
async function schedule(secret: Bytes, hello: Bytes, header: Bytes) {
  const transcript = new Uint8Array(
    await crypto.subtle.digest("SHA-256", concat(hello, header)),
  );
  const all = await hkdf(
    secret,
    transcript,
    label("session"),
    32 + 2 * DIRECTION_BYTES,
  );
  return {
    transcript,
    welcome: all.slice(0, 32),
    forth: all.slice(32, 32 + DIRECTION_BYTES),
    back: all.slice(32 + DIRECTION_BYTES),
  };
}

async function direction(bytes: Bytes): Promise<DirectionSecrets> {
  return {
    data: await aesKey(bytes.slice(0, 32)),
    ack: await aesKey(bytes.slice(32, 64)),
    tag: bytes.slice(64, 64 + TAG_BYTES),
    topic: bytes.slice(64 + TAG_BYTES),
  };
}

async function helloKey(
  secret: Bytes,
  header: Bytes,
  recipient: string,
): Promise<CryptoKey> {
  const info = concat(label("hello"), header, fromBase64Url(recipient)!);
  return await aesKey(await hkdf(secret, NO_SALT, info, 32));
}

/** A key of low order, which only an attacker would send, has no secret. */
async function secretOrNone(
  privateKey: CryptoKey,
  publicKey: Bytes,
): Promise<Bytes | undefined> {
  try {
    return await sharedSecret(privateKey, publicKey);
  } catch {
    return undefined;
  }
}

function refOf(ephemeral: Bytes): Bytes {
  return ephemeral.slice(0, REF_BYTES);
}

function label(what: string): Bytes {
  return new TextEncoder().encode(`holdfast signal 2 ${what}|`);
}
