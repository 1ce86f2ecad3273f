/**
 * Cuts what a transport delivers into frames, wherever it was torn. A DATA
 * payload is passed on in the pieces in which it arrives; nothing is buffered
 * but headers and the few bytes of control frames.
 */
import {
  CONTROL_PAYLOAD_MAX,
  FRAME,
  FRAME_PAYLOAD_MAX,
  getU64,
  HEADER_BYTES,
  ProtocolViolation,
} from "./_wire.ts";

/** Receives the parsed frames. */
export interface FrameHandler {
  /** A piece of a DATA payload and its own stream offset. */
  onData(offset: number, bytes: Uint8Array): void;
  /** Any other frame, whole; the payload is valid during the call only. */
  onControl(type: number, offset: number, payload: Uint8Array): void;
}

const TYPE_MAX = Math.max(...Object.values(FRAME));

/** See the module's comment; one for each transport. */
export class FrameParser {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  readonly #control = new Uint8Array(CONTROL_PAYLOAD_MAX);
  #controlBytes = 0;
  #type = 0;
  #offset = 0;
  #left = 0;

  /** @throws {ProtocolViolation} For bytes that are no frame. */
  parse(bytes: Uint8Array, handler: FrameHandler): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#headerBytes < HEADER_BYTES) {
        at += this.#collectHeader(bytes, at);
        if (this.#headerBytes < HEADER_BYTES) return;
        this.#open();
        if (this.#left === 0) this.#close(handler);
        continue;
      }
      const n = Math.min(this.#left, bytes.length - at);
      const part = bytes.subarray(at, at + n);
      at += n;
      this.#left -= n;
      if (this.#type === FRAME.data) {
        handler.onData(this.#offset, part);
        this.#offset += n;
        if (this.#left === 0) this.#headerBytes = 0;
      } else {
        this.#control.set(part, this.#controlBytes);
        this.#controlBytes += n;
        if (this.#left === 0) this.#close(handler);
      }
    }
  }

  #collectHeader(bytes: Uint8Array, at: number): number {
    const n = Math.min(HEADER_BYTES - this.#headerBytes, bytes.length - at);
    this.#header.set(bytes.subarray(at, at + n), this.#headerBytes);
    this.#headerBytes += n;
    return n;
  }

  #open(): void {
    const header = this.#header;
    this.#type = header[0]!;
    this.#left = (header[1]! << 16) | (header[2]! << 8) | header[3]!;
    this.#offset = getU64(header, 4);
    this.#controlBytes = 0;
    if (this.#type < 1 || this.#type > TYPE_MAX) {
      throw new ProtocolViolation(`unknown frame type ${this.#type}`);
    }
    const max = this.#type === FRAME.data
      ? FRAME_PAYLOAD_MAX
      : CONTROL_PAYLOAD_MAX;
    if (this.#left > max) {
      throw new ProtocolViolation(
        `frame of type ${this.#type} with ${this.#left} bytes: at most ${max}`,
      );
    }
    if (!Number.isSafeInteger(this.#offset + this.#left)) {
      throw new ProtocolViolation("stream offset beyond 2^53 - 1");
    }
  }

  #close(handler: FrameHandler): void {
    this.#headerBytes = 0;
    if (this.#type === FRAME.data) return; // An empty one carries nothing.
    handler.onControl(
      this.#type,
      this.#offset,
      this.#control.subarray(0, this.#controlBytes),
    );
  }
}
