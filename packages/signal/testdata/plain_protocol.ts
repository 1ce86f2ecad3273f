/**
 * The protocol once more, written from docs/signal-protocol.md alone, on
 * OpenSSL by `node:crypto` instead of WebCrypto, and without a line of the
 * package: what both compute is what the document says. For tests only.
 */
import { Buffer } from "node:buffer";
import {
  createCipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  sign,
} from "node:crypto";

const PKCS8_X25519 = Buffer.from("302e020100300506032b656e04220420", "hex");
const PKCS8_ED25519 = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_X25519 = Buffer.from("302a300506032b656e032100", "hex");

const x25519Private = (raw: Uint8Array): KeyObject =>
  createPrivateKey({
    ...{ key: Buffer.concat([PKCS8_X25519, raw]), format: "der" },
    type: "pkcs8",
  });
const x25519Public = (raw: Uint8Array): KeyObject =>
  createPublicKey({
    ...{ key: Buffer.concat([SPKI_X25519, raw]), format: "der", type: "spki" },
  });
const rawPublic = (key: KeyObject): Buffer =>
  createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
const sha = (kind: string, bytes: Uint8Array): Buffer =>
  createHash(kind).update(bytes).digest();
const label = (what: string) => Buffer.from(`holdfast signal 2 ${what}|`);

/** An identity by its seed. */
export class PlainIdentity {
  readonly seed: Uint8Array;
  readonly id: string;
  readonly raw: Buffer;
  readonly agree: KeyObject;

  constructor(seed: Uint8Array) {
    this.seed = seed;
    this.raw = rawPublic(this.#signing());
    this.id = this.raw.toString("base64url");
    this.agree = x25519Private(sha("sha512", seed).subarray(0, 32));
  }

  sign(bytes: Uint8Array): Buffer {
    return sign(null, bytes, this.#signing());
  }

  #signing(): KeyObject {
    return createPrivateKey({
      ...{ key: Buffer.concat([PKCS8_ED25519, this.seed]), format: "der" },
      type: "pkcs8",
    });
  }
}

const dh = (own: KeyObject, other: Uint8Array): Buffer =>
  diffieHellman({ privateKey: own, publicKey: x25519Public(other) });

function seal(
  key: Uint8Array,
  sequence: number,
  header: Uint8Array,
  content: Uint8Array,
): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(sequence), 4);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(header);
  const sealed = Buffer.concat([cipher.update(content), cipher.final()]);
  return Buffer.concat([header, sealed, cipher.getAuthTag()]);
}

/** What a vector starts from. */
export interface Inputs {
  readonly annSeed: string;
  readonly bobSeed: string;
  readonly annEphemeral: string;
  readonly bobEphemeral: string;
  readonly annEpoch: string;
  readonly bobEpoch: string;
}

/** All that follows from the inputs: Ann says hello to Bob, and a message. */
export function compute(inputs: Inputs): Record<string, string> {
  const hex = (text: string) => Buffer.from(text, "hex");
  const ann = new PlainIdentity(hex(inputs.annSeed));
  const bob = new PlainIdentity(hex(inputs.bobSeed));
  const annEphemeral = x25519Private(hex(inputs.annEphemeral));
  const bobEphemeral = x25519Private(hex(inputs.bobEphemeral));
  const [annEpoch, bobEpoch] = [hex(inputs.annEpoch), hex(inputs.bobEpoch)];
  const [ea, eb] = [rawPublic(annEphemeral), rawPublic(bobEphemeral)];
  const [sa, sb] = [rawPublic(ann.agree), rawPublic(bob.agree)];

  const helloHeader = Buffer.concat([Buffer.from([2, 1]), ea]);
  const helloKey = Buffer.from(
    hkdfSync(
      "sha256",
      dh(annEphemeral, sb),
      Buffer.alloc(0),
      Buffer.concat([label("hello"), helloHeader, bob.raw]),
      32,
    ),
  );
  const helloSignature = ann.sign(
    Buffer.concat([label("hello"), helloHeader, bob.raw, annEpoch]),
  );
  const hello = seal(
    helloKey,
    0,
    helloHeader,
    Buffer.concat([ann.raw, annEpoch, helloSignature]),
  );

  const welcomeHeader = Buffer.concat([
    Buffer.from([2, 2]),
    ea.subarray(0, 8),
    eb,
  ]);
  const transcript = sha("sha256", Buffer.concat([hello, welcomeHeader]));
  const keys = Buffer.from(
    hkdfSync(
      "sha256",
      Buffer.concat([
        dh(bobEphemeral, ea),
        dh(bob.agree, ea),
        dh(bobEphemeral, sa),
      ]),
      transcript,
      label("session"),
      32 + 2 * 104,
    ),
  );
  const welcomeSignature = bob.sign(
    Buffer.concat([label("welcome"), transcript, bobEpoch]),
  );
  const welcome = seal(
    keys.subarray(0, 32),
    0,
    welcomeHeader,
    Buffer.concat([bobEpoch, welcomeSignature]),
  );

  const frame = (
    direction: Buffer,
    kind: 3 | 4,
    sequence: number,
    content: Buffer,
  ) => {
    const key = direction.subarray(kind === 3 ? 0 : 32, kind === 3 ? 32 : 64);
    const header = Buffer.alloc(18);
    header.set([2, kind]);
    header.set(direction.subarray(64, 72), 2);
    header.writeBigUInt64BE(BigInt(sequence), 10);
    const padded = Buffer.alloc(256 - 34);
    padded.writeUInt32BE(content.length);
    padded.set(content, 4);
    return seal(key, sequence, header, padded);
  };
  const [forth, back] = [keys.subarray(32, 136), keys.subarray(136)];
  const data = frame(
    forth,
    3,
    1,
    Buffer.from([0, 1, ...new TextEncoder().encode("hello")]),
  );
  // The window: number 1 is the highest, and its bit is set.
  const window = Buffer.alloc(8 + 128);
  window.writeBigUInt64BE(1n);
  window[8] = 2;
  const ack = frame(back, 4, 1, Buffer.concat([Buffer.from([1]), window]));

  const topic = (bytes: Buffer) =>
    `holdfast/2/${sha("sha256", bytes).subarray(0, 16).toString("base64url")}`;
  const score = (broker: string) =>
    sha("sha256", Buffer.from(`holdfast signal 2 rank|${bob.id}|${broker}`))
      .subarray(0, 8).toString("hex");
  return {
    ...{ annId: ann.id, bobId: bob.id },
    ...{ annX25519: sa.toString("hex"), bobX25519: sb.toString("hex") },
    hello: hello.toString("hex"),
    transcript: transcript.toString("hex"),
    sessionKeys: keys.toString("hex"),
    welcome: welcome.toString("hex"),
    data: data.toString("hex"),
    ack: ack.toString("hex"),
    bobInboxDay20000: topic(
      Buffer.from(`holdfast signal 2 inbox|${bob.id}|20000`),
    ),
    annToBobDay20000: topic(
      Buffer.concat([
        Buffer.from("holdfast signal 2 pair|20000|"),
        forth.subarray(72),
      ]),
    ),
    bobScoreOfBroker: score("wss://broker.example:8084/mqtt"),
  };
}
