/**
 * Cuts what a transport delivers into frames, wherever it was torn. A DATA
 * payload is passed on in the pieces in which it arrives; nothing is buffered
 * but the header or the control frame that a transport tore, and for these
 * there is memory only once one was torn.
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

const NOTHING = new Uint8Array(0);
const TYPE_MAX = Math.max(...Object.values(FRAME));

/** See the module's comment; one for each transport. */
export class FrameParser {
  /** The part of a torn header, or of a torn control frame, that has come. */
  #torn: Uint8Array | undefined;
  #tornBytes = 0;
  /** Whether the header of the present frame was read. */
  #inFrame = false;
  #type = 0;
  #offset = 0;
  /** How much of the present payload is still to come. */
  #left = 0;

  /** @throws {ProtocolViolation} For bytes that are no frame. */
  parse(bytes: Uint8Array, handler: FrameHandler): void {
    for (let at = 0; at < bytes.length;) {
      if (!this.#inFrame) at = this.#header(bytes, at, handler);
      else if (this.#type === FRAME.data) at = this.#data(bytes, at, handler);
      else at = this.#control(bytes, at, handler);
    }
  }

  #data(bytes: Uint8Array, at: number, handler: FrameHandler): number {
    const n = Math.min(this.#left, bytes.length - at);
    const offset = this.#offset;
    this.#left -= n;
    this.#offset += n;
    this.#inFrame = this.#left > 0;
    handler.onData(offset, bytes.subarray(at, at + n));
    return at + n;
  }

  #header(bytes: Uint8Array, at: number, handler: FrameHandler): number {
    let end = at + HEADER_BYTES - this.#tornBytes;
    if (end > bytes.length) return this.#keep(bytes, at, bytes.length);
    if (this.#tornBytes === 0) this.#open(bytes, at);
    else {
      end = this.#keep(bytes, at, end);
      this.#tornBytes = 0;
      this.#open(this.#torn!, 0);
    }
    this.#inFrame = this.#left > 0;
    // An empty one may end what was delivered. Of DATA it carries nothing.
    if (!this.#inFrame && this.#type !== FRAME.data) {
      handler.onControl(this.#type, this.#offset, NOTHING);
    }
    return end;
  }

  #control(bytes: Uint8Array, at: number, handler: FrameHandler): number {
    const end = at + Math.min(this.#left, bytes.length - at);
    this.#left -= end - at;
    if (this.#left > 0) return this.#keep(bytes, at, end);
    let payload = bytes.subarray(at, end);
    if (this.#tornBytes > 0) {
      this.#keep(bytes, at, end);
      payload = this.#torn!.subarray(0, this.#tornBytes);
      this.#tornBytes = 0;
    }
    this.#inFrame = false;
    handler.onControl(this.#type, this.#offset, payload);
    return end;
  }

  #keep(bytes: Uint8Array, from: number, to: number): number {
    this.#torn ??= new Uint8Array(CONTROL_PAYLOAD_MAX);
    this.#torn.set(bytes.subarray(from, to), this.#tornBytes);
    this.#tornBytes += to - from;
    return to;
  }

  #open(header: Uint8Array, at: number): void {
    this.#type = header[at]!;
    this.#left = (header[at + 1]! << 16) | (header[at + 2]! << 8) |
      header[at + 3]!;
    this.#offset = getU64(header, at + 4);
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
}
