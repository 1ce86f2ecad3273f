/** Listens to a transport, as somebody on the path can. */
import type { Transport } from "../mod.ts";

/** What went over one transport. */
export interface Tape {
  /** What this end said, one array a write. */
  readonly said: Uint8Array<ArrayBuffer>[];
  /** What it heard, one array a read. */
  readonly heard: Uint8Array<ArrayBuffer>[];
}

/** The same transport; a copy of the first words goes on the tape. */
export function tap(transport: Transport, tape: Tape, words = 8): Transport {
  return {
    localAddr: transport.localAddr,
    remoteAddr: transport.remoteAddr,
    read: async (into) => {
      const n = await transport.read(into);
      if (n !== null && tape.heard.length < words) {
        tape.heard.push(into.slice(0, n));
      }
      return n;
    },
    write: (bytes) => {
      if (tape.said.length < words) tape.said.push(bytes.slice());
      return transport.write(bytes);
    },
    close: () => transport.close(),
  };
}

/** One array of several. */
export function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
