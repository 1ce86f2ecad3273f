/**
 * The state of a peer whose process was killed before it could write it.
 *
 * `openPeer` takes over from a process that had time for `suspend()`, and has
 * no option for a store yet: who may come back with which key is all that it
 * misses, since the session itself is in the store. So that is put down here
 * in the form of `suspend()`.
 */
import { acceptResumable } from "@holdfast/resume";

/** Lets the peer of that id come back with the key of that name. */
export async function killedPeerState(
  keyId: string,
  peer: string,
): Promise<Uint8Array> {
  const nothing = acceptResumable({
    accept: () => new Promise<never>(() => {}),
    close() {},
  });
  const sessions = await nothing.suspend();
  const head = new TextEncoder().encode(
    `HFPEER1\n${JSON.stringify({ tickets: [], peers: { [keyId]: peer } })}\n`,
  );
  const out = new Uint8Array(head.length + sessions.length);
  out.set(head);
  out.set(sessions, head.length);
  return out;
}
