/** What a store gave back, as a core goes on with it. */
import type { CoreState } from "./_core_state.ts";
import { concat } from "./_keys.ts";
import { FRAME, getU64, HEADER_BYTES } from "./_wire.ts";
import { NO_BYTES } from "./_record_bytes.ts";
import type { StoredSession, WrittenFrames } from "./store.ts";
import { ResumeError } from "./errors.ts";

/**
 * Only what was read and made use of counts as received: the peer has the rest.
 *
 * @throws {ResumeError} `resume/store` when the output is not what was recorded.
 */
export function storedState(
  { cut, output }: Pick<StoredSession, "cut" | "output">,
): CoreState {
  return {
    acked: output[0]?.from ?? cut.written,
    sentMax: cut.written,
    unacked: payloadOf(output),
    finQueued: cut.finQueued,
    received: cut.consumed,
    unread: NO_BYTES,
    finReceived: cut.finRead,
    peerClosed: cut.peerClosed,
  };
}

/** The bytes that frames carry, one after the other. */
function payloadOf(
  output: readonly WrittenFrames[],
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let next = output[0]?.from ?? 0;
  for (const { from, to, frames } of output) {
    if (from !== next) throw broken(`nothing from ${next} to ${from}`);
    for (let at = 0; at < frames.length;) {
      const length = lengthAt(frames, at);
      if (frames[at] !== FRAME.data || getU64(frames, at + 4) !== next) {
        throw broken(`no frame at ${next}`);
      }
      at += HEADER_BYTES;
      parts.push(frames.subarray(at, at + length));
      at += length;
      next += length;
    }
    if (next !== to) throw broken(`${next} in place of ${to}`);
  }
  return concat(...parts);
}

function lengthAt(frames: Uint8Array, at: number): number {
  const length = (frames[at + 1]! << 16) | (frames[at + 2]! << 8) |
    frames[at + 3]!;
  if (at + HEADER_BYTES + length > frames.length) {
    throw broken("a frame that is cut short");
  }
  return length;
}

function broken(what: string): ResumeError {
  return new ResumeError(
    "resume/store",
    `Cannot go on with a stored session: its output has ${what}`,
  );
}
