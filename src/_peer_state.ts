/** What a peer gives to the process that goes on with it. */
import { PeerError } from "./errors.ts";

// Who has which session stands in its ticket; there is nothing else to keep.
const MAGIC = new TextEncoder().encode("HFPEER2\n");

/** Writes it: the sessions, as the resume package writes them, after a mark. */
export function encodePeerState(sessions: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(MAGIC.length + sessions.length);
  out.set(MAGIC);
  out.set(sessions, MAGIC.length);
  return out;
}

/**
 * Reads it.
 *
 * @throws {PeerError} `peer/snapshot` for other bytes.
 */
export function decodePeerState(bytes: Uint8Array): Uint8Array {
  if (
    bytes.length < MAGIC.length || MAGIC.some((byte, i) => bytes[i] !== byte)
  ) {
    throw new PeerError(
      "peer/snapshot",
      "Cannot restore the peer: the bytes are not those of suspend(): start without restore",
    );
  }
  return bytes.subarray(MAGIC.length);
}
