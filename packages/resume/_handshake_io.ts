/** Reads and writes handshake records on a transport. */
import {
  bodyLength,
  type Bytes,
  decodeRecord,
  encodeRecord,
  type HandshakeRecord,
  RECORD_HEADER_BYTES,
} from "./_records.ts";
import { sendAtOnce } from "./_deno.ts";
import { concat } from "./_keys.ts";
import { ProtocolViolation } from "./_wire.ts";
import type { Transport } from "./transport.ts";

/** A record as it was read, with its bytes for the proofs. */
export interface ReadRecord {
  readonly record: HandshakeRecord;
  readonly bytes: Bytes;
}

/** Keeps what a read brought beyond a record: the first frames may be there. */
export class HandshakeIo {
  readonly transport: Transport;
  #held: Bytes = new Uint8Array(0);

  constructor(transport: Transport) {
    this.transport = transport;
    sendAtOnce(transport);
  }

  /** The bytes after the last record that was read. */
  get rest(): Bytes {
    return this.#held;
  }

  /** @throws {ProtocolViolation} When the peer says something else, or hangs up. */
  async read(): Promise<ReadRecord> {
    await this.#fill(RECORD_HEADER_BYTES);
    const length = RECORD_HEADER_BYTES + bodyLength(this.#held);
    await this.#fill(length);
    const bytes = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    const body = bytes.slice(RECORD_HEADER_BYTES);
    return { record: decodeRecord(bytes[4]!, body), bytes };
  }

  async #fill(length: number): Promise<void> {
    while (this.#held.length < length) {
      const chunk = new Uint8Array(1024);
      const n = await this.transport.read(chunk);
      if (n === null) {
        throw new ProtocolViolation("the peer hung up during the handshake");
      }
      this.#held = concat(this.#held, chunk.subarray(0, n));
    }
  }

  async write(record: HandshakeRecord): Promise<Bytes> {
    const bytes = encodeRecord(record);
    await this.send(bytes);
    return bytes;
  }

  async send(bytes: Bytes): Promise<void> {
    await writeAll(this.transport, bytes);
  }
}

/** Writes everything, however little the transport takes at a time. */
export async function writeAll(
  transport: Transport,
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const n = await transport.write(at === 0 ? bytes : bytes.subarray(at));
    if (n < 1) throw new Error("Cannot write: the transport took nothing");
    at += n;
  }
}
