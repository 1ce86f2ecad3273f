import { type Bytes, concat, toBase64Url } from "./_bytes.ts";
import { LruMap } from "./_lru.ts";

const DAY_MS = 86_400_000;
const PREFIX = "holdfast/2/";

/** The number of a day, in UTC since 1970: topics change with it. */
export function dayOf(wallMs: number): number {
  return Math.floor(wallMs / DAY_MS);
}

/** The days on whose topics an end listens: clocks may be a day apart. */
export function daysAround(wallMs: number): readonly number[] {
  const day = dayOf(wallMs);
  return [day - 1, day, day + 1];
}

/**
 * Where a peer is written to for the first time: known to who knows its id,
 * and to nobody who does not.
 */
export function inboxTopic(peer: string, day: number): Promise<string> {
  const name = `${peer}|${day}`;
  let topic = inboxes.get(name);
  if (topic === undefined) {
    topic = topicOf(
      new TextEncoder().encode(`holdfast signal 2 inbox|${name}`),
    );
    inboxes.set(name, topic);
  }
  return topic;
}

const inboxes = new LruMap<string, Promise<string>>(256);

/** Where one end writes to the other in a session: known to the two. */
export async function pairTopic(secret: Bytes, day: number): Promise<string> {
  const text = new TextEncoder().encode(`holdfast signal 2 pair|${day}|`);
  return await topicOf(concat(text, secret));
}

async function topicOf(bytes: Bytes): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return PREFIX + toBase64Url(new Uint8Array(hash, 0, 16));
}
