/** What a peer gives to the process that goes on with it. */
import type { Ticket } from "./_tickets.ts";
import { PeerError } from "./errors.ts";

export interface PeerState {
  readonly tickets: readonly Ticket[];
  /** Which peer opened the session with which key id. */
  readonly peers: Readonly<Record<string, string>>;
  /** The sessions, as the resume package writes them. */
  readonly sessions: Uint8Array;
}

const MAGIC = "HFPEER1\n";

/** Writes it: a line of JSON after the mark, then the sessions. */
export function encodePeerState(state: PeerState): Uint8Array<ArrayBuffer> {
  const { tickets, peers, sessions } = state;
  const head = new TextEncoder().encode(
    `${MAGIC}${JSON.stringify({ tickets, peers })}\n`,
  );
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
export function decodePeerState(bytes: Uint8Array): PeerState {
  const newline = bytes.indexOf(0x0a, MAGIC.length);
  const text = new TextDecoder().decode(
    bytes.subarray(0, Math.max(0, newline)),
  );
  if (newline < 0 || !text.startsWith(MAGIC)) throw bad();
  try {
    const { tickets, peers } = JSON.parse(text.slice(MAGIC.length));
    if (
      !Array.isArray(tickets) || typeof peers !== "object" || peers === null
    ) {
      throw bad();
    }
    return { tickets, peers, sessions: bytes.subarray(newline + 1) };
  } catch (cause) {
    throw bad(cause);
  }
}

function bad(cause?: unknown): PeerError {
  return new PeerError(
    "peer/snapshot",
    "Cannot restore the peer: the bytes are not those of suspend(): start without restore",
    { cause },
  );
}
