import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { EMIT_CHAIN_LIMIT, Emitter, relay } from "./emitter.ts";
import { countedSignal } from "./testdata/counted_signal.ts";

type Inner =
  | { readonly type: "tick"; readonly n: number }
  | { readonly type: "tock" };
type Outer = Inner | { readonly type: "inner"; readonly n: number };

const TOCK: Inner = { type: "tock" };

function tick(n: number): Inner {
  return { type: "tick", n };
}

function setUp() {
  const errors: unknown[] = [];
  const onListenerError = (error: unknown): void => {
    errors.push(error);
  };
  const inner = new Emitter<Inner>({ onListenerError });
  const outer = new Emitter<Outer>({ onListenerError });
  const heard: Outer[] = [];
  outer.on("*", (event) => heard.push(event));
  return { inner, outer, heard, errors };
}

Deno.test("relay() passes each event on as it is, in order, at once", () => {
  const { inner, outer, heard } = setUp();
  using _relay = relay(inner, outer);
  const event = tick(1);
  inner.emit(event);
  inner.emit(TOCK);
  assertEquals(heard, [event, TOCK]);
  assertStrictEquals(heard[0], event);
});

Deno.test("relay() passes on what map makes, and nothing for undefined", () => {
  const { inner, outer, heard } = setUp();
  using _relay = relay(inner, outer, {
    map: (event) =>
      event.type === "tick" ? { type: "inner", n: event.n * 10 } : undefined,
  });
  inner.emit(tick(1));
  inner.emit(TOCK);
  inner.emit(tick(2));
  assertEquals(heard, [{ type: "inner", n: 10 }, { type: "inner", n: 20 }]);
});

Deno.test("relay() goes on after map threw; the source's handler gets the error", async () => {
  const { inner, outer, heard, errors } = setUp();
  const boom = new Error("boom");
  using _relay = relay(inner, outer, {
    map: (event) => {
      if (event.type === "tock") throw boom;
      return event;
    },
  });
  inner.emit(TOCK);
  inner.emit(tick(1));
  await Promise.resolve();
  assertEquals(heard, [tick(1)]);
  assertStrictEquals(errors[0], boom);
  assertEquals(errors.length, 1);
});

Deno.test("relay() ends in each way and lets go of its signal", () => {
  const ways: Record<
    string,
    (inner: Emitter<Inner>, own: Disposable, abort: () => void) => void
  > = {
    "by dispose": (_, own) => own[Symbol.dispose](),
    "by signal": (_inner, _own, abort) => abort(),
    "by the source": (inner) => inner[Symbol.dispose](),
  };
  for (const [way, end] of Object.entries(ways)) {
    const { inner, outer, heard } = setUp();
    const counted = countedSignal();
    const own = relay(inner, outer, { signal: counted.signal });
    inner.emit(tick(1));
    assertEquals(counted.held, 1, way);
    for (let i = 0; i < 2; i++) end(inner, own, () => counted.abort());
    assertEquals(counted.held, 0, way);
    assertEquals(inner.hasListeners("tick"), false, way);
    inner.emit(tick(2));
    assertEquals(heard, [tick(1)], way);
    outer.emit(TOCK);
    assertEquals(heard.length, 2, `${way}: the target goes on`);
  }
});

Deno.test("relay() with an aborted signal starts nothing", () => {
  const { inner, outer } = setUp();
  const counted = countedSignal();
  counted.abort();
  relay(inner, outer, { signal: counted.signal })[Symbol.dispose]();
  assertEquals(inner.hasListeners("tick"), false);
  assertEquals(counted.added, 0);
});

Deno.test("relay() into an emitter that ended does nothing", () => {
  const { inner, outer, heard, errors } = setUp();
  using _relay = relay(inner, outer);
  outer[Symbol.dispose]();
  inner.emit(tick(1));
  assertEquals([heard.length, errors.length], [0, 0]);
});

Deno.test("relay() in a circle is stopped with an error, and does not hang", async () => {
  const errors: unknown[] = [];
  const onListenerError = (error: unknown): void => {
    errors.push(error);
  };
  const left = new Emitter<Inner>({ onListenerError });
  const right = new Emitter<Inner>({ onListenerError });
  using _there = relay(left, right);
  using _back = relay(right, left);
  let heard = 0;
  right.on("*", () => heard++);
  left.emit(TOCK);
  await Promise.resolve();
  assertEquals(heard, EMIT_CHAIN_LIMIT + 1);
  assertEquals(errors.length, 1);
  assert(errors[0] instanceof RangeError);
});

Deno.test("relay() writes to anything that has emit()", () => {
  const { inner } = setUp();
  const lines: string[] = [];
  using _relay = relay(inner, {
    emit: (event: Inner) => lines.push(JSON.stringify(event)),
  });
  inner.emit(tick(1));
  assertEquals(lines, ['{"type":"tick","n":1}']);
});

Deno.test("types: relay() without map needs a target that takes every event", () => {
  const { inner, outer } = setUp();
  const narrow = new Emitter<{ readonly type: "inner"; readonly n: number }>();
  const wrong = (): void => {
    // @ts-expect-error: the target does not know "tick"
    relay(inner, narrow);
    // @ts-expect-error: the source has events that the target lacks
    relay(outer, inner);
    // @ts-expect-error: map must make what the target takes
    relay(inner, narrow, { map: () => ({ type: "other" }) });
    // The event is narrowed inside map.
    relay(inner, narrow, {
      map: (event) =>
        event.type === "tick" ? { type: "inner", n: event.n } : undefined,
    });
  };
  assertEquals(typeof wrong, "function");
});
