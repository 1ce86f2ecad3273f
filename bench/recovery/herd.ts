/** A thousand clients after an outage of 5 s, in made-up time. */
import { backoff, OUTAGE_BACKOFF } from "@holdfast/recovery";
import { type Part, round } from "./numbers.ts";

const CLIENTS = 1_000;
const PER_SECOND = 100;
const DOWN_MS = 5_000;
const IDEAL_MS = DOWN_MS + CLIENTS / PER_SECOND * 1_000;

function herd(waitMs: (attempt: number) => number): [number, number] {
  const due = Array.from({ length: CLIENTS }, () => ({
    ...{ at: waitMs(0), attempt: 0 },
  }));
  let [room, roomAt, attempts, allBackMs] = [0, DOWN_MS, 0, 0];
  while (due.length > 0) {
    let first = 0;
    for (let i = 1; i < due.length; i++) {
      if (due[i]!.at < due[first]!.at) first = i;
    }
    const client = due[first]!;
    attempts++;
    if (client.at >= DOWN_MS) {
      const earned = (client.at - roomAt) / 1_000 * PER_SECOND;
      room = Math.min(PER_SECOND / 10, room + earned);
      roomAt = client.at;
      if (room >= 1) {
        room--;
        allBackMs = client.at;
        due[first] = due.at(-1)!;
        due.pop();
        continue;
      }
    }
    client.at += waitMs(++client.attempt);
  }
  return [attempts / CLIENTS, allBackMs / IDEAL_MS];
}

/** Ours, a fixed second, and exponential without jitter. */
export function herds(): Part {
  const [attempts, vsIdeal] = herd(backoff(OUTAGE_BACKOFF));
  const [fixed, fixedVsIdeal] = herd(() => 1_000 + Math.random());
  const [full, fullVsIdeal] = herd(backoff());
  return {
    figures: {
      herd_attempts_per_client: round(attempts),
      herd_vs_ideal: round(vsIdeal),
    },
    peers: {
      fixed_1s_attempts_per_client: round(fixed),
      fixed_1s_vs_ideal: round(fixedVsIdeal),
      full_jitter_attempts_per_client: round(full),
      full_jitter_vs_ideal: round(fullVsIdeal),
    },
  };
}
