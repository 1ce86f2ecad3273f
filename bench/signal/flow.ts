/** What is sent at a steady pace, and how it arrives. */

/** One way of sending from one end to another. */
export interface Carrier extends AsyncDisposable {
  /** Resolves when it is known to have arrived, where that is known. */
  send(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Calls for each message that arrives, copies included. */
  onMessage(listener: (bytes: Uint8Array) => void): void;
  /** Copies handed to brokers so far. */
  copies(): number;
}

/** What became of a flow of messages. */
export interface FlowResult {
  readonly sent: number;
  readonly lost: number;
  readonly duplicated: number;
  /** The longest time without any arrival, in milliseconds. */
  readonly gapMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly copiesPerMessage: number;
}

/** How to send. */
export interface FlowOptions {
  readonly perSecond: number;
  readonly seconds: number;
  readonly bytes: number;
  /** What happens meanwhile. */
  readonly harm?: () => Promise<void>;
  /** How long to wait for what is late, in milliseconds. */
  readonly patienceMs: number;
}

/** Sends by the clock, whatever becomes of what was sent before. */
export async function flow(
  carrier: Carrier,
  options: FlowOptions,
): Promise<FlowResult> {
  const { perSecond, seconds, bytes, patienceMs } = options;
  const total = perSecond * seconds;
  const sentAt = new Float64Array(total);
  const times = new Uint16Array(total);
  const latencies: number[] = [];
  let lastAt = Infinity;
  let gapMs = 0;
  let arrived = 0;
  carrier.onMessage((message) => {
    const index = new DataView(message.buffer, message.byteOffset).getUint32(0);
    const now = performance.now();
    if (times[index]!++ > 0) return;
    arrived++;
    latencies.push(now - sentAt[index]!);
    gapMs = Math.max(gapMs, now - lastAt);
    lastAt = now;
  });
  const before = carrier.copies();
  const harm = options.harm?.() ?? Promise.resolve();
  const start = performance.now();
  for (let index = 0; index < total;) {
    const due = Math.min(
      total,
      Math.ceil((performance.now() - start) / 1_000 * perSecond),
    );
    for (; index < due; index++) {
      const message = new Uint8Array(bytes);
      new DataView(message.buffer).setUint32(0, index);
      sentAt[index] = performance.now();
      carrier.send(message).catch(() => {});
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await harm;
  const until = performance.now() + patienceMs;
  while (arrived < total && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  // Late copies would come now.
  await new Promise((resolve) => setTimeout(resolve, 300));
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(share * total))] ??
      Infinity;
  return {
    sent: total,
    lost: total - arrived,
    duplicated: times.reduce((sum, count) => sum + Math.max(0, count - 1), 0),
    gapMs,
    p50Ms: at(0.5),
    // Of all that were sent: what is lost counts as the slowest.
    p99Ms: arrived < 0.99 * total ? Infinity : at(0.99),
    copiesPerMessage: (carrier.copies() - before) / total,
  };
}

/** Sends as fast as it goes with so many under way; messages in a second. */
export async function burst(
  carrier: Carrier,
  count: number,
  bytes: number,
  underWay: number,
  /** Numbers below this one were used before. */
  first = 0,
): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let arrived = 0;
  const seen = new Uint8Array(count);
  carrier.onMessage((message) => {
    const index = new DataView(message.buffer, message.byteOffset).getUint32(0);
    // Of before, or a copy.
    if (index < first || seen[index - first]!++ > 0) return;
    if (++arrived === count) resolve();
  });
  const start = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const message = new Uint8Array(bytes);
      new DataView(message.buffer).setUint32(0, first + next++);
      await carrier.send(message);
    }
  };
  await Promise.all(Array.from({ length: underWay }, lane));
  await promise;
  return count / (performance.now() - start) * 1_000;
}
