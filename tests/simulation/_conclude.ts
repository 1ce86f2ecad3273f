/** How every life of a session must end once the network holds. */
import { type End, type Pair, world } from "./_world.ts";

const STEPS_MAX = 20_000;

/**
 * The network holds from now on; both programs write more than fits, read all,
 * and close. Then both ends come to an end: with all bytes, unless one closed
 * early or had no transport for too long (I12, I13, I14, I15, I16).
 */
export function conclude(pair: Pair): void {
  const early = pair.ends.some((end) => end.closed);
  pair.offline = false;
  pair.survivors = (bytes) => bytes;
  // More than fits, so that only an acknowledgement lets a writer finish.
  const goals = pair.ends.map(({ core, options }) =>
    core.acked + options.sendMax + 1
  );
  const over = () => pair.ends.every((end) => end.over !== undefined);
  for (let step = 0; !over(); step++) {
    world.hold(step < STEPS_MAX, `I12: no end: ${outcome(pair)}`);
    const moved = pair.deliverAll();
    for (const end of pair.ends) goOn(pair, end, goals[end.side]!);
    if (moved || over()) continue;
    world.hold(pair.dueAt < Infinity, `I12: stuck: ${outcome(pair)}`);
    pair.advance(Math.max(0, pair.dueAt - pair.time));
  }
  pair.check();
  if (early || outcome(pair) !== "closed/closed") return;
  const [a, b] = pair.ends;
  world.hold(a.eof && b.eof, "I14: an end was not seen");
  world.hold(
    a.read === b.core.written && b.read === a.core.written,
    `I12: read ${b.read} of ${a.core.written}, ${a.read} of ${b.core.written}`,
  );
}

function goOn(pair: Pair, end: End, goal: number): void {
  const { side, core } = end;
  const peer = pair.ends[1 - side]!;
  pair.read(side, 65_536);
  if (goal > core.written && !core.broken) {
    pair.write(side, goal - core.written);
  } else pair.closeWrite(side);
  // A program closes when it has all, or when there is nobody to wait for.
  if (
    end.eof && (peer.eof || peer.closed) || peer.over !== undefined ||
    end.over !== undefined
  ) pair.close(side);
}

/** How the client and the server came to be over. */
export function outcome(pair: Pair): string {
  return pair.ends.map((end) => end.over).join("/");
}
