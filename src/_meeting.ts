/**
 * What two peers say through signalling to meet, sealed by the layer below. In
 * bytes and not in text, so that a message fits into the smallest packet of
 * signalling, of 256 bytes: what is small gets through where much else does
 * not. Numbers are big-endian.
 *
 * ```text
 * 1  version, 3
 * 1  kind
 * then, but for HEARD, REFUSED and NOT-LISTENING:
 * 6  since when the place holds, in ms since 1970
 * 1  number of candidates, each: 1 length of the address, 4 or 16, then that,
 *    and 2 port
 * then, for MEET and WHERE:
 * 1  length of the name, and the name in UTF-8
 * 1  length of the call key's id, 16 or 0 for none, that, and its key of 32
 * then, for HERE:
 * 1  length of the ticket's id, or 0 for none, that, and its key of 32
 * ```
 */
import { isIP } from "node:net";
import type { CallKey } from "./_calling_wire.ts";
import { CANDIDATES_MAX } from "./_candidates.ts";
import { ipBytes, ipText } from "./_ip_bytes.ts";
import { NAME_BYTES_MAX } from "./_tickets.ts";
import { PeerError } from "./errors.ts";

/** An address at which a peer may be reached. */
export interface Candidate {
  /** An IPv4 or IPv6 address. */
  readonly hostname: string;
  /** The port, from 1 to 65535. */
  readonly port: number;
}

/** Where one is, and since when: a later place makes an earlier one void. */
export interface Whereabouts {
  /** Grows with each change, also over restarts. */
  readonly at: number;
  readonly candidates: readonly Candidate[];
}

/**
 * `meet` asks for a ticket to connect with, `where` only for addresses, `moved`
 * for nothing: it tells. The first two say how to call the asker back.
 */
export type Question =
  & Whereabouts
  & (
    | {
      readonly type: "meet" | "where";
      /** The name of the stream. */
      readonly name: string;
      readonly back?: CallKey;
    }
    | { readonly type: "moved" }
  );

export type Answer =
  | (Whereabouts & {
    readonly type: "here";
    /** The id and the key of a one-time pre-shared key, for `meet`. */
    readonly ticket?: CallKey;
  })
  | { readonly type: "heard" }
  | { readonly type: "refused" }
  | { readonly type: "not-listening" };

type Kind = Question["type"] | Answer["type"];

const VERSION = 3;
const KINDS: readonly (Kind | undefined)[] = [
  ...[undefined, "meet", "where", "moved"] as const,
  ...["here", "heard", "refused", "not-listening"] as const,
];
const KEY_BYTES = 32;
const CALL_ID_BYTES = 16;
const encoder = new TextEncoder();

/** Writes a question or an answer. */
export function encodeMeeting(message: Question | Answer): Uint8Array {
  const out: number[] = [VERSION, KINDS.indexOf(message.type)];
  if ("candidates" in message) writePlace(out, message);
  if (message.type === "meet" || message.type === "where") {
    const name = encoder.encode(message.name);
    out.push(name.length, ...name);
    writeKey(out, message.back);
  }
  if (message.type === "here") writeKey(out, message.ticket);
  return Uint8Array.from(out);
}

function writePlace(out: number[], { at, candidates }: Whereabouts): void {
  for (let i = 5; i >= 0; i--) out.push(Math.floor(at / 256 ** i) % 256);
  out.push(candidates.length);
  for (const { hostname, port } of candidates) {
    const address = ipBytes(hostname);
    out.push(address.length, ...address, port >> 8, port & 255);
  }
}

function writeKey(out: number[], key: CallKey | undefined): void {
  const id = key === undefined ? [] : Uint8Array.fromHex(key.id);
  out.push(id.length, ...id);
  if (key !== undefined) out.push(...Uint8Array.fromHex(key.key));
}

/** Reads a question; `undefined` for anything else. */
export function decodeQuestion(bytes: Uint8Array): Question | undefined {
  try {
    const reader = new Reader(bytes);
    const type = reader.kind();
    if (type !== "meet" && type !== "where" && type !== "moved") {
      return undefined;
    }
    const place = reader.place();
    if (type === "moved") return reader.end({ type, ...place });
    const name = reader.name();
    const back = reader.key(CALL_ID_BYTES);
    return reader.end({ type, ...place, name, ...(back && { back }) });
  } catch {
    return undefined;
  }
}

/**
 * Reads an answer.
 *
 * @throws {PeerError} `peer/bad-answer` for anything else.
 */
export function decodeAnswer(bytes: Uint8Array): Answer {
  const reader = new Reader(bytes);
  const type = reader.kind();
  switch (type) {
    case "heard":
    case "refused":
    case "not-listening":
      return reader.end({ type });
    case "here": {
      const place = reader.place();
      const ticket = reader.key(undefined);
      return reader.end({ type, ...place, ...(ticket && { ticket }) });
    }
    default:
      throw badAnswer("it is of no known kind");
  }
}

/** Takes a message apart; whatever is not as it must be is thrown. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  kind(): Kind | undefined {
    if (this.#number() !== VERSION) throw badAnswer("its version is another");
    return KINDS[this.#number()];
  }

  place(): Whereabouts {
    const at = this.#take(6).reduce((sum, byte) => sum * 256 + byte, 0);
    const count = this.#number();
    if (count > CANDIDATES_MAX) {
      throw badAnswer(`it has more than ${CANDIDATES_MAX} candidates`);
    }
    const candidates = Array.from({ length: count }, () => this.#candidate());
    return { at, candidates };
  }

  #candidate(): Candidate {
    const length = this.#number();
    const hostname = length === 4 || length === 16
      ? ipText(this.#take(length))
      : "";
    const [high, low] = this.#take(2);
    const port = high! * 256 + low!;
    if (isIP(hostname) === 0 || port === 0) {
      throw badAnswer("one of its candidates is no address with a port");
    }
    return { hostname, port };
  }

  name(): string {
    const name = this.#take(this.#number());
    if (name.length > NAME_BYTES_MAX) throw badAnswer("its name is too long");
    return new TextDecoder("utf-8", { fatal: true }).decode(name);
  }

  /** A key with an id of so many bytes, or of any number from 16 on. */
  key(idBytes: number | undefined): CallKey | undefined {
    const length = this.#number();
    if (length === 0) return undefined;
    if (length < CALL_ID_BYTES || length !== (idBytes ?? length)) {
      throw badAnswer("its key has no id");
    }
    const id = this.#take(length).toHex();
    return { id, key: this.#take(KEY_BYTES).toHex() };
  }

  end<T>(message: T): T {
    if (this.#at === this.#bytes.length) return message;
    throw badAnswer("there is more than a message");
  }

  #number(): number {
    return this.#take(1)[0]!;
  }

  #take(length: number): Uint8Array {
    const part = this.#bytes.slice(this.#at, this.#at + length);
    if (part.length < length) throw badAnswer("it is cut off");
    this.#at += length;
    return part;
  }
}

/**
 * The name of a stream, checked.
 *
 * @throws {TypeError} For one that is too long.
 */
export function checkName(name: string): string {
  if (encoder.encode(name).length <= NAME_BYTES_MAX) return name;
  throw new TypeError(
    `Cannot connect: the name of a stream has at most ${NAME_BYTES_MAX} bytes: current value is ${
      JSON.stringify(name.slice(0, 100))
    }`,
  );
}

function badAnswer(why: string): PeerError {
  return new PeerError(
    "peer/bad-answer",
    `Cannot understand the peer's answer: ${why}: use the same version of Holdfast at both ends`,
  );
}
