/** What the page of the browser test runs: one end of signalling. */
import { createIdentity, openSignalling } from "@holdfast/signal/browser";

/** What the page found. */
export interface SignalPageReport {
  readonly id: string;
  readonly received: readonly string[];
  readonly answer: string;
  readonly types: readonly string[];
}

/** Talks with a peer: sends so many, takes as many, asks, and answers. */
async function talk(
  brokers: string[],
  peer: string,
  count: number,
): Promise<SignalPageReport> {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const identity = await createIdentity();
  const signalling = await openSignalling({ identity, brokers });
  const types = new Set<string>();
  signalling.on("*", ({ type }) => types.add(type));
  signalling.handle(({ bytes }) => bytes.toReversed());
  const received: string[] = [];
  const reading = (async () => {
    for await (const { bytes } of signalling.receive()) {
      received.push(decoder.decode(bytes));
      if (received.length === count) return;
    }
  })();
  for (let i = 0; i < count; i++) {
    await signalling.send(peer, encoder.encode(`from the page ${i}`), {
      ordered: true,
    });
  }
  await reading;
  const answer = await signalling.request(peer, encoder.encode("question"));
  await signalling.close();
  return {
    id: signalling.id,
    received,
    answer: decoder.decode(answer),
    types: [...types].sort(),
  };
}

Object.assign(globalThis, { talk });
