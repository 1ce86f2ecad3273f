/** What a server gives to the process that goes on with it. */
import { PeerError } from "./errors.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** See the module's comment. */
export interface ServerSnapshot {
  /** The sessions, as the resume package writes them. */
  readonly sessions: Uint8Array;
  /** What handlers kept, by session. */
  readonly kept: ReadonlyMap<string, Bytes>;
}

const MAGIC = "HFSERVER1";

/** Writes it: a line of JSON after the mark, then the sessions. */
export function encodeServerState(
  { sessions, kept }: ServerSnapshot,
): Bytes {
  const texts = Object.fromEntries(
    [...kept].map(([sid, bytes]) => [sid, bytes.toBase64()]),
  );
  const head = new TextEncoder().encode(`${MAGIC} ${JSON.stringify(texts)}\n`);
  const out = new Uint8Array(head.length + sessions.length);
  out.set(head);
  out.set(sessions, head.length);
  return out;
}

/**
 * Reads it.
 *
 * @throws {PeerError} `peer/snapshot` for other bytes.
 */
export function decodeServerState(bytes: Uint8Array): ServerSnapshot {
  const newline = Math.max(0, bytes.indexOf(0x0a));
  const text = new TextDecoder().decode(bytes.subarray(0, newline));
  try {
    if (!text.startsWith(`${MAGIC} `)) throw new TypeError("another mark");
    const texts = JSON.parse(text.slice(MAGIC.length));
    const kept = new Map(
      Object.entries(texts as Record<string, string>)
        .map(([sid, text]) => [sid, Uint8Array.fromBase64(text)]),
    );
    return { sessions: bytes.subarray(newline + 1), kept };
  } catch (cause) {
    throw new PeerError(
      "peer/snapshot",
      "Cannot restore the server: the bytes are not those of its predecessor: start both with the same version",
      { cause },
    );
  }
}
