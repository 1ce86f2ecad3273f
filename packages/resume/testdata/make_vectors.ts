/**
 * The test vectors of docs/resume-protocol.md, as the code makes them: fixed
 * keys and nonces instead of random ones, and the same functions otherwise.
 * tools/make_resume_vectors.ts writes them down, vectors_test.ts compares them.
 */
import {
  agree,
  concat,
  nextSecret,
  type ProofLabel,
  prove,
  sealRecord,
  type SessionSecret,
} from "../_keys.ts";
import { noticeFrame, resetFrame } from "../_notice.ts";
import {
  type Bytes,
  encodeRecord,
  MAC_BYTES,
  REFUSAL,
  withoutMac,
} from "../_records.ts";
import { StreamCore } from "../_stream_core.ts";
import { FRAME, HEADER_BYTES, NOTICE, putHeader, RESET } from "../_wire.ts";

/** Bytes in hexadecimal. */
export type Hex = string;

/** NEW, WELCOME and CONFIRM: what went in, and what came out of it. */
export interface OpeningVector {
  readonly name: string;
  readonly clientPrivate: Hex;
  readonly serverPrivate: Hex;
  /** Empty without one. */
  readonly presharedKey: Hex;
  readonly keyId: Hex;
  readonly clientNonce: Hex;
  readonly clientLimit: number;
  readonly sid: Hex;
  readonly serverNonce: Hex;
  readonly serverLimit: number;
  readonly ttlMs: number;
  readonly clientPublic: Hex;
  readonly serverPublic: Hex;
  readonly new: Hex;
  readonly welcome: Hex;
  /** The client's proof key, then the server's. */
  readonly secret: Hex;
  readonly confirm: Hex;
}

/** RESUME, RESUMED and CONFIRM, and the keys that follow. */
export interface ResumptionVector {
  readonly name: string;
  readonly secret: Hex;
  readonly sid: Hex;
  readonly epoch: number;
  readonly clientNonce: Hex;
  readonly clientMark: number;
  readonly clientLimit: number;
  readonly serverNonce: Hex;
  readonly serverMark: number;
  readonly serverLimit: number;
  readonly ttlMs: number;
  readonly resume: Hex;
  readonly resumed: Hex;
  readonly nextSecret: Hex;
  readonly confirm: Hex;
}

/** An answer to `resume`, proven with `secret` if it is proven. */
export interface RefusalVector {
  readonly name: string;
  readonly code: number;
  readonly value: number;
  /** Empty where there is no proof. */
  readonly secret: Hex;
  readonly resume: Hex;
  readonly refused: Hex;
}

/** One frame. */
export interface FrameVector {
  readonly name: string;
  readonly type: number;
  readonly offset: number;
  readonly payload: Hex;
  readonly frame: Hex;
}

/** The whole of testdata/vectors.json. */
export interface Vectors {
  readonly openings: readonly OpeningVector[];
  readonly resumptions: readonly ResumptionVector[];
  readonly refusals: readonly RefusalVector[];
  readonly frames: readonly FrameVector[];
}

const NO_MAC = new Uint8Array(MAC_BYTES);
const VERSIONS = { versionMin: 1, versionMax: 1 } as const;
// The private keys of RFC 7748, section 6.1.
const CLIENT_PRIVATE =
  "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
const SERVER_PRIVATE =
  "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
// What stands before the 32 bytes of an X25519 key in PKCS #8 (RFC 8410).
const PKCS8_HEAD = "302e020100300506032b656e04220420";

/** Bytes that count up, for nonces and ids that tell themselves apart. */
function counting(from: number, length: number): Bytes {
  return Uint8Array.from({ length }, (_, i) => (from + i) & 0xff);
}

async function keyPair(
  hex: Hex,
): Promise<{ readonly privateKey: CryptoKey; readonly publicKey: Bytes }> {
  const privateKey = await crypto.subtle.importKey(
    "pkcs8",
    Uint8Array.fromHex(PKCS8_HEAD + hex),
    "X25519",
    true,
    ["deriveBits"],
  );
  const { x } = await crypto.subtle.exportKey("jwk", privateKey) as JsonWebKey;
  const publicKey = Uint8Array.fromBase64(x!, { alphabet: "base64url" });
  return { privateKey, publicKey };
}

async function confirmation(
  secret: SessionSecret,
  ...said: Bytes[]
): Promise<Hex> {
  const mac = await prove(secret, "client confirm", ...said);
  return encodeRecord({ kind: "confirm", mac }).toHex();
}

async function opening(
  name: string,
  presharedKey: Bytes | undefined,
  keyId: Bytes,
): Promise<OpeningVector> {
  const client = await keyPair(CLIENT_PRIVATE);
  const server = await keyPair(SERVER_PRIVATE);
  const clientNonce = counting(0x10, 16);
  const serverNonce = counting(0x20, 16);
  const sid = counting(0xa0, 16);
  const [clientLimit, serverLimit, ttlMs] = [262_144, 1_048_576, 120_000];
  const first = encodeRecord({
    kind: "new",
    ...VERSIONS,
    nonce: clientNonce,
    publicKey: client.publicKey,
    limit: clientLimit,
    keyId,
  });
  const bare = encodeRecord({
    kind: "welcome",
    version: 1,
    sid,
    nonce: serverNonce,
    publicKey: server.publicKey,
    limit: serverLimit,
    ttlMs,
    mac: NO_MAC,
  });
  const secret = await agree(
    server.privateKey,
    client.publicKey,
    presharedKey,
    concat(first, withoutMac(bare)),
  );
  const welcome = await sealRecord(bare, secret, "server welcome", first);
  return {
    name,
    clientPrivate: CLIENT_PRIVATE,
    serverPrivate: SERVER_PRIVATE,
    presharedKey: (presharedKey ?? new Uint8Array(0)).toHex(),
    keyId: keyId.toHex(),
    clientNonce: clientNonce.toHex(),
    clientLimit,
    sid: sid.toHex(),
    serverNonce: serverNonce.toHex(),
    serverLimit,
    ttlMs,
    clientPublic: client.publicKey.toHex(),
    serverPublic: server.publicKey.toHex(),
    new: first.toHex(),
    welcome: welcome.toHex(),
    secret: secret.toHex(),
    confirm: await confirmation(secret, first, welcome),
  };
}

interface Resuming {
  readonly name: string;
  readonly secret: Hex;
  readonly sid: Hex;
  readonly epoch: number;
  readonly clientMark: number;
  readonly clientLimit: number;
  readonly serverMark: number;
  readonly serverLimit: number;
}

async function resumeRecord(from: Resuming, nonce: Bytes): Promise<Bytes> {
  const secret = Uint8Array.fromHex(from.secret);
  const bare = encodeRecord({
    kind: "resume",
    ...VERSIONS,
    sid: Uint8Array.fromHex(from.sid),
    epoch: from.epoch,
    nonce,
    received: from.clientMark,
    limit: from.clientLimit,
    mac: NO_MAC,
  });
  return await sealRecord(bare, secret, "client resume");
}

async function resumption(from: Resuming): Promise<ResumptionVector> {
  const secret = Uint8Array.fromHex(from.secret);
  const clientNonce = counting(0x30 + from.epoch, 16);
  const serverNonce = counting(0x50 + from.epoch, 16);
  const ttlMs = 60_000;
  const resume = await resumeRecord(from, clientNonce);
  const bare = encodeRecord({
    kind: "resumed",
    version: 1,
    epoch: from.epoch,
    nonce: serverNonce,
    received: from.serverMark,
    limit: from.serverLimit,
    ttlMs,
    mac: NO_MAC,
  });
  const resumed = await sealRecord(bare, secret, "server resumed", resume);
  const next = await nextSecret(secret, clientNonce, serverNonce);
  return {
    ...from,
    clientNonce: clientNonce.toHex(),
    serverNonce: serverNonce.toHex(),
    ttlMs,
    resume: resume.toHex(),
    resumed: resumed.toHex(),
    nextSecret: next.toHex(),
    confirm: await confirmation(next, resume, resumed),
  };
}

async function refusal(
  name: string,
  code: number,
  value: number,
  resume: Hex,
  proof?: { readonly label: ProofLabel; readonly secret: Hex },
): Promise<RefusalVector> {
  const bare = encodeRecord({ kind: "refused", code, value, mac: NO_MAC });
  let refused = bare;
  if (proof !== undefined) {
    const [key, before] = [proof.secret, resume].map((hex) =>
      Uint8Array.fromHex(hex)
    );
    refused = await sealRecord(bare, key!, proof.label, before!);
  }
  const secret = proof?.secret ?? "";
  return { name, code, value, secret, resume, refused: refused.toHex() };
}

async function refusals(
  { resume, secret, epoch }: ResumptionVector,
): Promise<RefusalVector[]> {
  return [
    await refusal("unknown", REFUSAL.unknown, 0, resume),
    await refusal("stale", REFUSAL.stale, epoch + 5, resume, {
      label: "server stale",
      secret,
    }),
    await refusal("busy", REFUSAL.busy, 1_000, resume),
    await refusal("version", REFUSAL.version, 0, resume),
    await refusal("gone", REFUSAL.gone, 300_001, resume, {
      label: "server gone",
      secret,
    }),
    await refusal("denied", REFUSAL.denied, 0, resume, {
      label: "server denied",
      secret,
    }),
  ];
}

/** A stream core on a transport, somewhere in the middle of its streams. */
function attachedCore(sent: number, received: number): StreamCore {
  const nothing = new Uint8Array(0);
  const core = new StreamCore(
    { sendMax: 1_048_576, window: 1_048_576, heartbeatMs: 2_000 },
    {
      acked: sent,
      sentMax: sent,
      unacked: nothing,
      finQueued: false,
      received,
      unread: nothing,
      finReceived: false,
      peerClosed: false,
    },
  );
  core.attach({ received: sent, limit: sent + 100_000 }, core.position, 0);
  return core;
}

function receive(core: StreamCore, frame: Bytes): void {
  core.receive({ bytes: frame, references: 0 }, frame.length, 0);
}

function dataFrame(name: string, offset: number, text: string): FrameVector {
  const payload = new TextEncoder().encode(text);
  const core = attachedCore(offset, 0);
  core.write(payload);
  const frame = core.output(0)!.toHex();
  return { name, type: FRAME.data, offset, payload: payload.toHex(), frame };
}

function ackFrame(received: number, text: string): FrameVector {
  const core = attachedCore(0, received);
  const data = Uint8Array.fromHex(dataFrame("", received, text).frame);
  receive(core, data);
  core.read(new Uint8Array(data.length));
  const offset = received + data.length - HEADER_BYTES;
  const limit = offset + 1_048_576;
  return {
    name: "ACK, of all that came, and of a window beyond",
    type: FRAME.ack,
    offset,
    payload: limit.toString(16).padStart(16, "0"),
    frame: core.output(1_000)!.toHex(),
  };
}

/** A frame without a payload that a core sends after what `act` does to it. */
function bareFrame(
  name: string,
  type: number,
  offset: number,
  act: (core: StreamCore) => void,
  at = 0,
): FrameVector {
  const core = attachedCore(70_000, 9_000);
  act(core);
  const frame = core.output(at)!.slice(-HEADER_BYTES).toHex();
  return { name, type, offset, payload: "", frame };
}

function frames(): FrameVector[] {
  const ping = new Uint8Array(HEADER_BYTES);
  putHeader(ping, 0, FRAME.ping, 0, 77);
  const moved = noticeFrame({ kind: "moved", to: "127.0.0.1:4000" });
  const notice = { type: FRAME.notice, offset: 0 };
  return [
    dataFrame("DATA at the start", 0, "hello"),
    dataFrame("DATA above 2^32", 2 ** 40 + 3, "far away"),
    ackFrame(5_000_000_000, "some bytes"),
    bareFrame("FIN", FRAME.fin, 70_000, (core) => core.closeWrite()),
    bareFrame("PING", FRAME.ping, 0, () => {}, 2_000),
    bareFrame("PONG", FRAME.pong, 77, (core) => receive(core, ping)),
    bareFrame("CLOSE", FRAME.close, 9_000, (core) => core.close()),
    {
      name: "RESET, not allowed",
      type: FRAME.reset,
      offset: 0,
      payload: Uint8Array.of(RESET.denied).toHex(),
      frame: resetFrame(RESET.denied).toHex(),
    },
    {
      name: "NOTICE, draining",
      ...notice,
      payload: Uint8Array.of(NOTICE.draining).toHex(),
      frame: noticeFrame({ kind: "draining" }).toHex(),
    },
    {
      name: "NOTICE, moved",
      ...notice,
      payload: concat(
        Uint8Array.of(NOTICE.moved),
        new TextEncoder().encode("127.0.0.1:4000"),
      ).toHex(),
      frame: moved.toHex(),
    },
  ];
}

/** Makes all of them; the same ones each time. */
export async function makeVectors(): Promise<Vectors> {
  const plain = await opening(
    "without a pre-shared key",
    undefined,
    new Uint8Array(0),
  );
  const preshared = await opening(
    "with a pre-shared key",
    counting(0xc0, 24),
    new TextEncoder().encode("table 7"),
  );
  const first = await resumption({
    name: "the first, with the keys of the opening",
    secret: plain.secret,
    sid: plain.sid,
    epoch: 2,
    clientMark: 300_000,
    clientLimit: 562_144,
    serverMark: 70_000,
    serverLimit: 1_118_576,
  });
  const second = await resumption({
    name: "the next, with the keys of the first, far into the streams",
    secret: first.nextSecret,
    sid: plain.sid,
    epoch: 4,
    clientMark: 2 ** 33 + 1,
    clientLimit: 2 ** 33 + 262_145,
    serverMark: 2 ** 53 - 2,
    serverLimit: 2 ** 53 - 1,
  });
  return {
    openings: [plain, preshared],
    resumptions: [first, second],
    refusals: await refusals(first),
    frames: frames(),
  };
}
