import { assert, assertEquals, assertThrows } from "@std/assert";
import type { EventStream } from "./mod.ts";
import { Emitter } from "./emitter.ts";
import { countedSignal } from "./testdata/counted_signal.ts";

type Count = { readonly type: "count"; readonly n: number };

function count(n: number): Count {
  return { type: "count", n };
}

function emitMany(emitter: Emitter<Count>, from: number, to: number): void {
  for (let n = from; n < to; n++) emitter.emit(count(n));
}

/** All that the stream gives until it is done. */
async function drain(stream: EventStream<Count>): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { n } of stream) numbers.push(n);
  return numbers;
}

Deno.test("events() gives all events from now on, in order, to waiting and to late readers", async () => {
  const emitter = new Emitter<Count>();
  emitter.emit(count(-1));
  await using stream = emitter.events();
  const early = [stream.next(), stream.next()];
  emitMany(emitter, 0, 4);
  const late = [stream.next(), stream.next()];
  const results = await Promise.all([...early, ...late]);
  assertEquals(results.map(({ value }) => value?.n), [0, 1, 2, 3]);
  assertEquals(stream.dropped, 0);
});

Deno.test("events() drops the oldest past its limit and counts them", async () => {
  const emitter = new Emitter<Count>();
  const stream = emitter.events({ limit: 3 });
  emitMany(emitter, 0, 3);
  assertEquals(stream.dropped, 0, "as many as the limit are kept");
  emitMany(emitter, 3, 10);
  assertEquals(stream.dropped, 7);
  assertEquals((await stream.next()).value, count(7));
  emitMany(emitter, 10, 12);
  assertEquals(stream.dropped, 8);
  emitter[Symbol.dispose]();
  assertEquals(await drain(stream), [9, 10, 11]);
  assertEquals(stream.dropped, 8, "what was dropped stays known after the end");
});

Deno.test("events() holds 256 by default", async () => {
  const emitter = new Emitter<Count>();
  for (const options of [undefined, {}, { limit: undefined }]) {
    await using stream = emitter.events(options);
    emitMany(emitter, 0, 256);
    assertEquals(stream.dropped, 0);
    emitMany(emitter, 256, 257);
    assertEquals(stream.dropped, 1);
    assertEquals((await stream.next()).value, count(1));
  }
});

Deno.test("events() keeps order around the ring, with any limit", async () => {
  for (const limit of [1, 2, 7, Number.MAX_SAFE_INTEGER]) {
    const emitter = new Emitter<Count>();
    const stream = emitter.events({ limit });
    const got: number[] = [];
    let next = 0;
    for (let round = 0; round < 30; round++) {
      const burst = Math.min(round % 5, limit);
      emitMany(emitter, next, next + burst);
      next += burst;
      for (let i = 0; i < burst; i++) got.push((await stream.next()).value!.n);
    }
    assertEquals(stream.dropped, 0);
    assertEquals(got, Array.from({ length: next }, (_, n) => n));
    await stream.return!();
  }
});

Deno.test("events() refuses a limit that is no positive integer, and starts nothing", () => {
  const emitter = new Emitter<Count>();
  const counted = countedSignal();
  for (const limit of [0, -1, 1.5, NaN, Infinity, 2 ** 60]) {
    assertThrows(
      () => emitter.events({ limit, signal: counted.signal }),
      RangeError,
      `Cannot read events: limit is ${limit}: pass a positive integer`,
    );
  }
  assertEquals(emitter.hasListeners("count"), false);
  assertEquals(counted.added, 0);
});

Deno.test("break out of for await ends the stream and lets go of everything", async () => {
  const emitter = new Emitter<Count>();
  const counted = countedSignal();
  const stream = emitter.events({ signal: counted.signal });
  emitMany(emitter, 0, 5);
  assertEquals(counted.held, 1);
  for await (const { n } of stream) if (n === 2) break;
  assertEquals(emitter.hasListeners("count"), false);
  assertEquals(counted.held, 0);
  emitMany(emitter, 5, 6);
  assertEquals(await stream.next(), { done: true, value: undefined });
});

Deno.test("for await ends the stream when its body throws", async () => {
  const emitter = new Emitter<Count>();
  emitMany(emitter, 0, 1);
  const stream = emitter.events();
  emitMany(emitter, 0, 1);
  let caught: unknown;
  try {
    for await (const event of stream) throw event;
  } catch (error) {
    caught = error;
  }
  assertEquals(caught, count(0));
  assertEquals(emitter.hasListeners("count"), false);
});

Deno.test("a stream ends in each way, lets go of its signal, and ending twice is nothing", async () => {
  const ways: Record<
    string,
    (
      stream: EventStream<Count>,
      emitter: Emitter<Count>,
      abort: () => void,
    ) => unknown
  > = {
    "return()": (stream) => stream.return!(),
    "await using": (stream) => stream[Symbol.asyncDispose](),
    "by signal": (_stream, _emitter, abort) => abort(),
    "by the emitter": (_, emitter) => emitter[Symbol.dispose](),
  };
  for (const [way, end] of Object.entries(ways)) {
    const emitter = new Emitter<Count>();
    const counted = countedSignal();
    const stream = emitter.events({ signal: counted.signal });
    const waiting = [stream.next(), stream.next()];
    assertEquals(counted.held, 1, way);
    for (let i = 0; i < 2; i++) {
      await end(stream, emitter, () => counted.abort());
      assertEquals(counted.held, 0, way);
      assertEquals(emitter.hasListeners("count"), false, way);
      emitter.emit(count(0));
      for (const next of [...waiting, stream.next()]) {
        assertEquals(await next, { done: true, value: undefined }, way);
      }
    }
  }
});

Deno.test("a stream still gives what it holds after its signal aborts or its source ends", async () => {
  const emitter = new Emitter<Count>();
  const controller = new AbortController();
  const first = emitter.events({ signal: controller.signal });
  const second = emitter.events();
  emitMany(emitter, 0, 2);
  controller.abort(new Error("enough"));
  emitMany(emitter, 2, 4);
  emitter[Symbol.dispose]();
  emitMany(emitter, 4, 6);
  assertEquals(await drain(first), [0, 1]);
  assertEquals(await drain(second), [0, 1, 2, 3]);
});

Deno.test("return() drops what the stream holds", async () => {
  const emitter = new Emitter<Count>();
  const stream = emitter.events();
  emitMany(emitter, 0, 3);
  assertEquals(await stream.return!(), { done: true, value: undefined });
  assertEquals(await drain(stream), []);
});

Deno.test("events() with an aborted signal, or of a disposed emitter, is done at once", async () => {
  const emitter = new Emitter<Count>();
  const aborted = countedSignal();
  aborted.abort();
  const first = emitter.events({ signal: aborted.signal });
  assertEquals(emitter.hasListeners("count"), false);
  emitter.emit(count(0));
  emitter[Symbol.dispose]();
  const counted = countedSignal();
  const second = emitter.events({ signal: counted.signal });
  assertEquals(await drain(first), []);
  assertEquals(await drain(second), []);
  assertEquals(aborted.added + counted.added, 0);
});

Deno.test("a stream takes its place among the listeners", async () => {
  const emitter = new Emitter<Count>();
  emitter.on("count", ({ n }) => {
    if (n === 0) emitter.emit(count(1));
  });
  const stream = emitter.events();
  emitter.on("*", ({ n }) => {
    if (n === 1) stream.return!();
  });
  emitter.emit(count(0));
  assertEquals(await drain(stream), []);
  await using other = emitter.events();
  emitter.emit(count(0));
  assertEquals((await other.next()).value?.n, 0);
  assertEquals((await other.next()).value?.n, 1);
});

Deno.test("a slow stream does not hold back a fast one", async () => {
  const emitter = new Emitter<Count>();
  await using slow = emitter.events({ limit: 1 });
  await using fast = emitter.events({ limit: 1 });
  for (let n = 0; n < 10; n++) {
    emitter.emit(count(n));
    assertEquals((await fast.next()).value?.n, n);
  }
  assertEquals([slow.dropped, fast.dropped], [9, 0]);
});

Deno.test("types: a stream's events are the union, and dropped is readonly", async () => {
  type Mixed = Count | { readonly type: "text"; readonly text: string };
  const emitter = new Emitter<Mixed>();
  await using stream: EventStream<Mixed> = emitter.events();
  emitter.emit({ type: "text", text: "hello" });
  const { value } = await stream.next();
  assert(value?.type === "text");
  const text: string = value.text;
  assertEquals(text, "hello");
  // @ts-expect-error: a count is not a text
  assertEquals(value.n, undefined);
  const write = (): void => {
    // @ts-expect-error: only the stream counts
    stream.dropped = 0;
  };
  assertEquals(typeof write, "function");
});
