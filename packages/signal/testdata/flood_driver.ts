// deno-lint-ignore-file no-console -- that is what its test looks at
/**
 * Two ends, a broker that floods both, one that dies, and one that is well:
 * prints by how much the memory of the process grew under the flood. Needs
 * `--v8-flags=--expose-gc`.
 */
import { HostileBroker } from "../_testing/hostile_broker.ts";
import { openEnd, sendMany, tally, untilUp } from "../_testing/pair.ts";

const ROUNDS = 24;
const EACH = 500;

await using flooder = new HostileBroker();
await using dead = new HostileBroker({ malice: () => {} });
await using well = new HostileBroker();
const brokers = [flooder, dead, well].map(({ url }) => url);
await using ann = await openEnd({ brokers });
await using bob = await openEnd({ brokers });
await Promise.all([untilUp(ann, 3), untilUp(bob, 3)]);
await sendMany(ann, bob, 20, { prefix: "before " });
await dead[Symbol.asyncDispose]();
const topics = flooder.topics();
const seen = [flooder, well].flatMap(({ recorded }) => recorded)
  .find(({ payload }) => payload[1] === 3)!;

function flood(): void {
  for (let i = 0; i < EACH; i++) {
    const payload = crypto.getRandomValues(new Uint8Array(256));
    // Of each kind, and some that look like one of a session.
    payload.set([2, 1 + i % 4]);
    if (i % 5 === 0) payload.set(seen.payload.subarray(0, 10));
    flooder.deliver({ topic: topics[i % topics.length]!, payload });
  }
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 200));

async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    flood();
    await settle();
    ann.events.length = bob.events.length = 0;
  }
}

async function rss(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    await settle();
    (globalThis as unknown as { gc(): void }).gc();
  }
  return Deno.memoryUsage().rss;
}

// The first rounds fill buffers and caches to their bounds.
await rounds(8);
const before = await rss();
await rounds(ROUNDS);
const grownMiB = (await rss() - before) / 1024 / 1024;
await sendMany(ann, bob, 20, { prefix: "after " });
console.log(JSON.stringify({
  ...{ grownMiB, flooded: ROUNDS * EACH },
  ...tally(bob, 20, "after "),
}));
