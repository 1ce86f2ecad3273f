/** What two hosts say in the end, compared. */
import type { Host } from "@holdfast/testkit/peer-lab";
import type { Line } from "../../demos/main/lines.ts";

/** Bytes that did not arrive, and whether the hashes of what did are equal. */
export interface PeerVerdict {
  readonly bytes: number;
  readonly lost: number;
  /** `undefined` where a process was replaced: no hash has it all. */
  readonly hashesEqual: boolean | undefined;
  readonly resumed: number;
}

/** Each host compared each byte with what it should be, or it would have failed. */
export function verdictOf(done: Record<Host, Line>): PeerVerdict {
  let [bytes, lost] = [0, 0];
  let hashesEqual: boolean | undefined = true;
  for (const [from, to] of [["a", "b"], ["b", "a"]] as const) {
    const { sent } = done[from];
    const { received } = done[to];
    bytes += received.bytes;
    lost += Math.abs(sent.bytes - received.bytes);
    if (sent.from !== 0 || received.from !== 0) hashesEqual = undefined;
    else if (hashesEqual) hashesEqual = sent.sha256 === received.sha256;
  }
  return { bytes, lost, hashesEqual, resumed: done.a.stats.resumed };
}
