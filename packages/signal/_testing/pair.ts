/** Two ends on real brokers, and a count of what arrives. For tests only. */
import type { BrokerProcess } from "@holdfast/testkit/broker";
import {
  createIdentity,
  openSignalling,
  type Signalling,
  type SignallingEvent,
  type SignallingOptions,
} from "../mod.ts";

/** One end, and what has come to it. */
export interface End extends AsyncDisposable {
  readonly signalling: Signalling;
  /** How many times each message came. */
  readonly received: Map<string, number>;
  readonly events: SignallingEvent[];
}

/** Opens an end, and reads its messages unless told not to. */
export async function openEnd(
  options: Partial<SignallingOptions> & { readonly brokers: readonly string[] },
  reads = true,
): Promise<End> {
  const identity = options.identity ?? await createIdentity();
  const signalling = await openSignalling({ ...options, identity });
  const received = new Map<string, number>();
  const events: SignallingEvent[] = [];
  signalling.on("*", (event) => events.push(event));
  const reading = reads ? read(signalling, received) : Promise.resolve();
  return {
    signalling,
    received,
    events,
    async [Symbol.asyncDispose]() {
      await signalling.close();
      await reading;
    },
  };
}

/** Waits until so many of the brokers are up. */
export async function untilUp(end: End, count: number): Promise<void> {
  const isUp = () =>
    end.signalling.state.brokers.filter(({ status }) => status === "up")
      .length >= count;
  while (!isUp()) await end.signalling.once("broker-up");
}

/** Sends `count` messages, a few milliseconds apart; resolves when all are acknowledged. */
export async function sendMany(
  from: End,
  to: End,
  count: number,
  options: {
    readonly prefix?: string;
    readonly onSent?: (sent: number) => void;
  } = {},
): Promise<void> {
  const { prefix = "", onSent } = options;
  const sends: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    const bytes = new TextEncoder().encode(`${prefix}${i}`);
    sends.push(from.signalling.send(to.signalling.id, bytes));
    // What fails is thrown below, not as an unhandled rejection meanwhile.
    sends.at(-1)!.catch(() => {});
    onSent?.(i + 1);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await Promise.all(sends);
}

/** How many of the messages are missing, and how many came more than once. */
export function tally(
  end: End,
  count: number,
  prefix = "",
): { lost: number; duplicated: number } {
  let lost = 0;
  let duplicated = 0;
  for (let i = 0; i < count; i++) {
    const times = end.received.get(`${prefix}${i}`) ?? 0;
    if (times === 0) lost++;
    duplicated += Math.max(0, times - 1);
  }
  return { lost, duplicated };
}

/** The URLs of brokers. */
export function urlsOf(brokers: readonly BrokerProcess[]): string[] {
  return brokers.map(({ url }) => url);
}

async function read(
  signalling: Signalling,
  received: Map<string, number>,
): Promise<void> {
  for await (const { bytes } of signalling.receive()) {
    const text = new TextDecoder().decode(bytes);
    received.set(text, (received.get(text) ?? 0) + 1);
  }
}
