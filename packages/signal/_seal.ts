import { type Bytes, concat, toBase64Url } from "./_bytes.ts";
import {
  encodeHeader,
  type Frame,
  type FrameHeader,
  type FrameKind,
  VERSION,
} from "./_frame.ts";
import { sharedSecret } from "./_keys.ts";
import { type Identity, privateKeyOf, publicKeyOf } from "./identity.ts";

const NONCE_BYTES = 12;

/** What one AES key is for. No two of them ever share a nonce. */
export interface KeyUse {
  readonly kind: FrameKind;
  /** The peer id of who seals with it. */
  readonly sender: string;
  /** The peer id of who opens with it. */
  readonly recipient: string;
  /** The sender's: a new one restarts the sequence, and has another key. */
  readonly epoch: string;
}

/** The secret that an identity shares with one peer, as a key for HKDF. */
export async function agree(
  identity: Identity,
  peerId: string,
): Promise<CryptoKey> {
  return await sharedSecret(privateKeyOf(identity), publicKeyOf(peerId));
}

/** HKDF-SHA-256 (RFC 5869) from the shared secret to the key of one use. */
export async function deriveKey(
  shared: CryptoKey,
  use: KeyUse,
): Promise<CryptoKey> {
  // Every part has a fixed length or alphabet, so no two uses read the same.
  const info = `holdfast signal ${VERSION}|${use.kind}|${use.sender}|` +
    `${use.recipient}|${use.epoch}`;
  return await crypto.subtle.deriveKey(
    {
      name: "HKDF",
      hash: "SHA-256",
      salt: new Uint8Array(0),
      info: new TextEncoder().encode(info),
    },
    shared,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}

/** One whole frame: the very bytes that every broker gets. */
export async function seal(
  key: CryptoKey,
  header: FrameHeader,
  content: Bytes,
): Promise<Bytes> {
  const additionalData = encodeHeader(header);
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv: nonceOf(header.sequence), additionalData },
    key,
    content,
  );
  return concat(additionalData, new Uint8Array(sealed));
}

/** What was sealed; `undefined` when it is not authentic. */
export async function open(
  key: CryptoKey,
  frame: Frame,
): Promise<Bytes | undefined> {
  try {
    const content = await crypto.subtle.decrypt(
      {
        name: "AES-GCM",
        iv: nonceOf(frame.header.sequence),
        additionalData: frame.headerBytes,
      },
      key,
      frame.sealed,
    );
    return new Uint8Array(content);
  } catch {
    // WebCrypto says OperationError and nothing more, by design.
    return undefined;
  }
}

/** Where a peer listens: known to who knows its id, and to every broker. */
export async function inboxTopic(peerId: string): Promise<string> {
  const hash = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(`holdfast inbox${peerId}`),
  );
  return `holdfast/1/${toBase64Url(new Uint8Array(hash, 0, 16))}`;
}

function nonceOf(sequence: number): Bytes {
  const nonce = new Uint8Array(NONCE_BYTES);
  new DataView(nonce.buffer).setBigUint64(4, BigInt(sequence));
  return nonce;
}
