/** What a server that is replaced gives to the process that goes on with it. */

/** A setup, and whatever else fits into JSON; then the sessions. */
export function writeState(
  head: Readonly<Record<string, unknown>>,
  peerState: Uint8Array,
): Uint8Array {
  const line = new TextEncoder().encode(JSON.stringify(head) + "\n");
  const out = new Uint8Array(line.length + peerState.length);
  out.set(line);
  out.set(peerState, line.length);
  return out;
}

/** Reads what {@linkcode writeState} wrote. */
export function readState<H>(
  bytes: Uint8Array,
): { readonly head: H; readonly peerState: Uint8Array } {
  const newline = bytes.indexOf(0x0a);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, newline)));
  return { head, peerState: bytes.subarray(newline + 1) };
}
