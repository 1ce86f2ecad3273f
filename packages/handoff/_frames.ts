/** The wire format of the control channel, as the README describes it. Pure. */
import { HandoffError } from "./error.ts";

/** The version of the protocol that this code speaks. */
export const PROTOCOL_VERSION = 1;
/** How much of the state goes into one chunk. */
export const CHUNK_BYTES: number = 256 * 1024;
/** The longest payload that is accepted. */
export const PAYLOAD_BYTES_MAX: number = 1024 * 1024;
const REASON_BYTES_MAX = 1024;

const MAGIC = [0x48, 0x46, 0x48] as const; // "HFH"
const HELLO_BYTES = 4;
const HEADER_BYTES = 5;
const DIGEST_BYTES = 32;
const STATE_BYTES = 9;

/** One message of the channel. */
export type Message =
  | { readonly type: "prepared" }
  /** The length of the state that follows; `undefined` when there is none. */
  | { readonly type: "state"; readonly length: number | undefined }
  | { readonly type: "chunk"; readonly bytes: Uint8Array }
  | { readonly type: "end"; readonly digest: Uint8Array }
  | { readonly type: "ready" }
  | { readonly type: "go" }
  | { readonly type: "failed"; readonly reason: string }
  /** After GO: how many processes still finish their work, this one too. */
  | { readonly type: "draining"; readonly draining: number }
  /** After GO: the oldest of them should end at once. */
  | { readonly type: "hurry" };

const NUMBERS: Readonly<Record<Message["type"], number>> = {
  prepared: 1,
  state: 2,
  chunk: 3,
  end: 4,
  ready: 5,
  go: 6,
  failed: 7,
  draining: 8,
  hurry: 9,
};
const TYPES = new Map(
  Object.entries(NUMBERS).map(([type, number]) => [number, type]),
) as ReadonlyMap<number, Message["type"]>;

/** What each side sends first. */
export function encodeHello(): Uint8Array {
  return Uint8Array.of(...MAGIC, PROTOCOL_VERSION);
}

/** The head of a message whose payload of `length` bytes follows by itself. */
export function encodeHeader(
  type: Message["type"],
  length: number,
): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = NUMBERS[type];
  new DataView(header.buffer).setUint32(1, length);
  return header;
}

/** A whole message. */
export function encodeMessage(message: Message): Uint8Array {
  const payload = encodePayload(message);
  const bytes = new Uint8Array(HEADER_BYTES + payload.byteLength);
  bytes.set(encodeHeader(message.type, payload.byteLength));
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

function encodePayload(message: Message): Uint8Array {
  switch (message.type) {
    case "state": {
      const payload = new Uint8Array(STATE_BYTES);
      payload[0] = message.length === undefined ? 0 : 1;
      new DataView(payload.buffer).setBigUint64(1, BigInt(message.length ?? 0));
      return payload;
    }
    case "chunk":
      return message.bytes;
    case "end":
      return message.digest;
    case "draining":
      return Uint8Array.of(message.draining);
    case "failed":
      return new TextEncoder().encode(message.reason).subarray(
        0,
        REASON_BYTES_MAX,
      );
    default:
      return new Uint8Array();
  }
}

/** Turns bytes, cut anywhere, into messages. */
export class MessageDecoder {
  #stage: "hello" | "header" | "payload" = "hello";
  #type: Message["type"] = "prepared";
  #part: Uint8Array = new Uint8Array(HELLO_BYTES);
  #filled = 0;

  /**
   * Takes the next bytes.
   *
   * @throws {HandoffError} `handoff/bad-bytes`; the decoder is of no use then.
   */
  push(bytes: Uint8Array): Message[] {
    const messages: Message[] = [];
    for (let offset = 0; offset < bytes.byteLength;) {
      const part = bytes.subarray(
        offset,
        offset + this.#part.byteLength - this.#filled,
      );
      this.#part.set(part, this.#filled);
      this.#filled += part.byteLength;
      offset += part.byteLength;
      if (this.#filled === this.#part.byteLength) this.#finishPart(messages);
    }
    return messages;
  }

  #finishPart(messages: Message[]): void {
    const part = this.#part;
    if (this.#stage === "hello") {
      checkHello(part);
      this.#expect("header", HEADER_BYTES);
      return;
    }
    if (this.#stage === "header") {
      const type = TYPES.get(part[0]!);
      const length = new DataView(part.buffer).getUint32(1);
      if (type === undefined) throw badBytes(`message ${part[0]} is unknown`);
      checkLength(type, length);
      this.#type = type;
      this.#expect("payload", length);
      if (length > 0) return;
    }
    messages.push(decodeMessage(this.#type, this.#part));
    this.#expect("header", HEADER_BYTES);
  }

  #expect(stage: "header" | "payload", length: number): void {
    this.#stage = stage;
    this.#part = new Uint8Array(length);
    this.#filled = 0;
  }
}

function checkHello(hello: Uint8Array): void {
  if (MAGIC.some((byte, index) => hello[index] !== byte)) {
    throw badBytes("the other side does not begin with its name");
  }
  if (hello[3] === PROTOCOL_VERSION) return;
  throw badBytes(
    `the other side speaks version ${hello[3]}, this one ${PROTOCOL_VERSION}`,
  );
}

/** Before memory is taken for the payload. */
function checkLength(type: Message["type"], length: number): void {
  const [min, max] = type === "chunk"
    ? [1, PAYLOAD_BYTES_MAX]
    : type === "state"
    ? [STATE_BYTES, STATE_BYTES]
    : type === "end"
    ? [DIGEST_BYTES, DIGEST_BYTES]
    : type === "draining"
    ? [1, 1]
    : [0, type === "failed" ? REASON_BYTES_MAX : 0];
  if (length >= min && length <= max) return;
  throw badBytes(`message "${type}" says that it has ${length} bytes`);
}

function decodeMessage(type: Message["type"], payload: Uint8Array): Message {
  switch (type) {
    case "state":
      return { type, length: decodeStateLength(payload) };
    case "chunk":
      return { type, bytes: payload };
    case "end":
      return { type, digest: payload };
    case "draining":
      return { type, draining: payload[0]! };
    case "failed":
      return { type, reason: new TextDecoder().decode(payload) };
    default:
      return { type };
  }
}

function decodeStateLength(payload: Uint8Array): number | undefined {
  const length = new DataView(payload.buffer).getBigUint64(1);
  const present = payload[0];
  if (present === 1 && length <= BigInt(Number.MAX_SAFE_INTEGER)) {
    return Number(length);
  }
  if (present === 0 && length === 0n) return undefined;
  throw badBytes("the announcement of the state makes no sense");
}

/** The other side does not keep to the protocol. */
export function badBytes(what: string): HandoffError {
  return new HandoffError(
    "handoff/bad-bytes",
    `Cannot read the control channel: ${what}: start successors that use the same version of @holdfast/handoff`,
  );
}
