import { assert, assertEquals } from "@std/assert";
import type { Transport } from "@holdfast/resume";
import { Callbacks, CALLERS_MAX } from "./_callbacks.ts";
import { encodeCall } from "./_calling_wire.ts";
import { Connecting } from "./_connecting.ts";
import { Crossroads } from "./_crossroads.ts";

const KEY = { id: "ab".repeat(16), key: "cd".repeat(32) };

/** A listener that is given its connections. */
function source() {
  const waiting: ((transport: Transport) => void)[] = [];
  const ready: Transport[] = [];
  return {
    come(transport: Transport) {
      const taker = waiting.shift();
      if (taker) taker(transport);
      else ready.push(transport);
    },
    accept: () =>
      ready.length > 0
        ? Promise.resolve(ready.shift()!)
        : new Promise<Transport>((resolve) => waiting.push(resolve)),
    close() {},
  };
}

/** A connection that says `bytes`, so many at a time, and then nothing. */
function saying(bytes: Uint8Array, step = 7) {
  let at = 0;
  const closed = Promise.withResolvers<null>();
  return {
    closed: false,
    read(into: Uint8Array): Promise<number | null> {
      if (at === bytes.length) return closed.promise;
      const part = bytes.subarray(at, at + Math.min(step, into.length));
      into.set(part);
      at += part.length;
      return Promise.resolve(part.length);
    },
    write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
    close() {
      this.closed = true;
      closed.resolve(null);
    },
  };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

async function readAll(transport: Transport, length: number) {
  const out: number[] = [];
  while (out.length < length) {
    const into = new Uint8Array(3);
    out.push(...into.subarray(0, (await transport.read(into))!));
  }
  return out;
}

Deno.test("what is no call goes to the server with every byte that it said", async () => {
  const listener = source();
  const crossroads = new Crossroads(listener);
  using _waiting = crossroads.expect(KEY.id, { key: KEY.key, offer() {} });
  const bytes = new TextEncoder().encode("HFCALLing nobody");
  const accepting = crossroads.accept();
  listener.come(saying(bytes, 1));
  assertEquals(await readAll(await accepting, bytes.length), [...bytes]);
  crossroads.close();
});

Deno.test("a call goes to who waits for it, once, and no byte of the stream with it", async () => {
  const listener = source();
  const crossroads = new Crossroads(listener);
  const offered: Transport[] = [];
  using _waiting = crossroads.expect(KEY.id, {
    key: KEY.key,
    offer: (transport) => void offered.push(transport),
  });
  const accepting = crossroads.accept().catch(() => undefined);
  const call = await encodeCall(KEY, 5);
  listener.come(saying(Uint8Array.of(...call, 1, 2, 3), 64));
  await settle();
  assertEquals(offered.length, 1);
  assertEquals(await readAll(offered[0]!, 3), [1, 2, 3]);
  // The same again, an older one, one with another key, one for nobody.
  const wrong = [
    call,
    await encodeCall(KEY, 4),
    await encodeCall({ ...KEY, key: "ce".repeat(32) }, 9),
    await encodeCall({ ...KEY, id: "ac".repeat(16) }, 9),
  ].map((bytes) => saying(bytes, 64));
  for (const transport of wrong) listener.come(transport);
  await settle();
  assert(wrong.every(({ closed }) => closed));
  assertEquals(offered.length, 1);
  crossroads.close();
  assertEquals(await accepting, undefined);
});

Deno.test("connections that say nothing are bounded, and harm no other", async () => {
  const listener = source();
  const crossroads = new Crossroads(listener);
  using _waiting = crossroads.expect(KEY.id, { key: KEY.key, offer() {} });
  const accepting = crossroads.accept();
  const silent = Array.from({ length: 70 }, () => saying(new Uint8Array(0)));
  for (const transport of silent) listener.come(transport);
  await settle();
  assertEquals(silent.filter(({ closed }) => closed).length, 70 - 64);
  silent[0]!.close();
  await settle();
  const good = saying(new TextEncoder().encode("HFR1"));
  listener.come(good);
  assertEquals(await readAll(await accepting, 4), [72, 70, 82, 49]);
  crossroads.close();
  await settle();
  assert(silent.every(({ closed }) => closed), "closed with it");
});

Deno.test("those who can be called back are bounded; the oldest is forgotten", async () => {
  let asked = 0;
  const callbacks = new Callbacks({
    progress: () => {
      asked++;
      return undefined;
    },
    localAddress: () => undefined,
    interfaces: () => [],
    serve() {},
    called() {},
  });
  const nowhere = { at: 1, candidates: [{ hostname: "127.0.0.1", port: 9 }] };
  for (let i = 0; i < CALLERS_MAX + 10; i++) {
    callbacks.asked(`peer ${i}`, "", KEY, nowhere, "meet");
  }
  assertEquals(callbacks.size, CALLERS_MAX);
  callbacks.end();
  assertEquals(callbacks.size, 0);
  await settle();
  assert(asked > 0);
});

Deno.test("who joins a flight shares its end, and one that failed is begun anew", async () => {
  const connecting = new Connecting();
  let begun = 0;
  const fail = () => {
    begun++;
    return Promise.reject(new Error("no"));
  };
  const both = await Promise.allSettled([
    connecting.get("a", undefined, fail),
    connecting.get("a", undefined, fail),
  ]);
  assert(both.every(({ status }) => status === "rejected"));
  assertEquals(begun, 1);
  await connecting.get("a", undefined, fail).catch(() => {});
  assertEquals(begun, 2);
  // The last one who waits ends it.
  const gone = new AbortController();
  const ended = Promise.withResolvers<unknown>();
  const waiting = connecting.get("b", gone.signal, (signal) => {
    signal.addEventListener("abort", () => ended.resolve(signal.reason));
    return new Promise(() => {});
  });
  gone.abort("enough");
  assertEquals(await waiting.catch((reason) => reason), "enough");
  assertEquals(await ended.promise, "enough");
});
