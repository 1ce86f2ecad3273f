/** The frames that say something of an end, and not of its stream. */
import {
  CONTROL_PAYLOAD_MAX,
  FRAME,
  HEADER_BYTES,
  NOTICE,
  putHeader,
  RESET,
} from "./_wire.ts";

/** What an end tells ahead of time. */
export type Notice =
  | {
    /** This end goes away soon, and keeps the session for its successor. */
    readonly kind: "draining";
  }
  | {
    /** This end is reached elsewhere from now on. */
    readonly kind: "moved";
    /** Where, in words that the dial function understands. */
    readonly to: string;
  };

const encoder = new TextEncoder();

/** A notice that fits in a frame, or a RangeError: half a place is none. */
export function requireTellable(notice: Notice): void {
  const bytes = notice.kind === "moved" ? encoder.encode(notice.to).length : 0;
  if (bytes > CONTROL_PAYLOAD_MAX - 1) {
    throw new RangeError(
      `Cannot tell clients to move: "to" must have at most ${
        CONTROL_PAYLOAD_MAX - 1
      } bytes: current length is ${bytes}`,
    );
  }
}

/**
 * Writes a notice, which has been checked.
 *
 * @param ping The id of a PING that follows it.
 */
export function noticeFrame(
  notice: Notice,
  ping?: number,
): Uint8Array<ArrayBuffer> {
  const text = notice.kind === "moved" ? encoder.encode(notice.to) : [];
  const length = 1 + text.length;
  const end = HEADER_BYTES + length;
  const out = new Uint8Array(ping === undefined ? end : end + HEADER_BYTES);
  putHeader(out, 0, FRAME.notice, length, 0);
  out[HEADER_BYTES] = NOTICE[notice.kind];
  for (let i = 1; i < length; i++) out[HEADER_BYTES + i] = text[i - 1]!;
  if (ping !== undefined) putHeader(out, end, FRAME.ping, 0, ping);
  return out;
}

/** Reads one; a kind that this version does not know is no fault: it is only news. */
export function readNotice(payload: Uint8Array): Notice | undefined {
  switch (payload[0]) {
    case NOTICE.draining:
      return { kind: "draining" };
    case NOTICE.moved:
      return {
        kind: "moved",
        to: new TextDecoder().decode(payload.slice(1)),
      };
    default:
      return undefined;
  }
}

/** The frame that ends a session for good. */
export function resetFrame(code: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(HEADER_BYTES + 1);
  putHeader(out, 0, FRAME.reset, 1, 0);
  out[HEADER_BYTES] = code;
  return out;
}

/**
 * The last thing that this end told ahead of time, until the peer has certainly
 * heard it: a PING follows it on its way, and its PONG says so.
 */
export class Telling {
  #notice: Notice | undefined;
  #sent = false;

  /** Whether there is something that the peer may not have heard. */
  get unheard(): boolean {
    return this.#notice !== undefined;
  }

  /** Tells this from now on, in the place of what was not heard yet. */
  tell(notice: Notice): void {
    this.#notice = notice;
    this.#sent = false;
  }

  /** A new transport: what the last one may have swallowed is told again. */
  restart(): void {
    this.#sent = false;
  }

  /** What there is to say now, once; a PING goes after it. */
  next(): Notice | undefined {
    if (this.#sent || this.#notice === undefined) return undefined;
    this.#sent = true;
    return this.#notice;
  }

  /** The answer to that PING came. */
  heard(): void {
    if (this.#sent) this.#notice = undefined;
  }
}

const RESET_REASONS: Readonly<Record<number, string>> = {
  [RESET.protocol]: "the peer found a fault in the protocol",
  [RESET.shutdown]: "the peer ended it",
  [RESET.internal]: "the peer failed",
  [RESET.denied]: "the server does not allow it",
};

/** Why a peer reset the session, in words. */
export function resetReason(code: number): string {
  return RESET_REASONS[code] ?? `code ${code}`;
}
