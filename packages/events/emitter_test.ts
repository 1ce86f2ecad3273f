import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import type { EventOf, Events } from "./mod.ts";
import { EMIT_CHAIN_LIMIT, Emitter } from "./emitter.ts";
import { countedSignal } from "./testdata/counted_signal.ts";

type DoorEvent =
  | { readonly type: "opened"; readonly by: string }
  | { readonly type: "closed" }
  | { readonly type: "locked"; readonly turns: number };

const OPENED: DoorEvent = { type: "opened", by: "key" };
const CLOSED: DoorEvent = { type: "closed" };
const LOCKED: DoorEvent = { type: "locked", turns: 2 };

/** An emitter whose listeners' errors are kept, and a log to write to. */
function setUp() {
  const errors: unknown[] = [];
  const log: string[] = [];
  const emitter = new Emitter<DoorEvent>({
    onListenerError: (error) => errors.push(error),
  });
  const note = (name: string) => (event: DoorEvent): void => {
    log.push(`${name}:${event.type}`);
  };
  return { emitter, errors, log, note };
}

Deno.test("emit() delivers the very object before it returns, to its type and to *", () => {
  const { emitter } = setUp();
  const seen: DoorEvent[] = [];
  emitter.on("opened", (event) => seen.push(event));
  emitter.on("*", (event) => seen.push(event));
  emitter.on("closed", () => seen.push(CLOSED));
  emitter.emit(OPENED);
  assertEquals(seen.length, 2);
  for (const event of seen) assertStrictEquals(event, OPENED);
});

Deno.test("emit() keeps the order of registration across types and *", () => {
  const { emitter, log, note } = setUp();
  emitter.on("*", note("1"));
  emitter.on("opened", note("2"));
  emitter.on("*", note("3"));
  emitter.on("closed", note("4"));
  emitter.on("opened", note("5"));
  emitter.emit(OPENED);
  emitter.emit(LOCKED);
  emitter.emit(CLOSED);
  assertEquals(log, [
    ...["1:opened", "2:opened", "3:opened", "5:opened"],
    ...["1:locked", "3:locked"],
    ...["1:closed", "3:closed", "4:closed"],
  ]);
});

Deno.test("emit() without listeners does nothing", () => {
  setUp().emitter.emit(OPENED);
});

Deno.test("emit() reaches who listens to * for a type that nobody named", () => {
  const emitter = new Emitter<{ readonly type: string }>();
  const seen: string[] = [];
  emitter.on("*", (event) => seen.push(event.type));
  emitter.on("known", () => {});
  const types = Array.from({ length: 100 }, (_, i) => `unknown-${i}`);
  for (const type of [...types, "__proto__", "known", "constructor"]) {
    emitter.emit({ type });
  }
  assertEquals(seen, [...types, "__proto__", "known", "constructor"]);
});

Deno.test("emit() inside a listener delivers after the delivery under way, in order", () => {
  const { emitter, log, note } = setUp();
  emitter.on("opened", () => {
    log.push("emits");
    emitter.emit(CLOSED);
    emitter.emit(LOCKED);
    log.push("goes on");
  });
  emitter.on("closed", () => emitter.emit(LOCKED));
  emitter.on("*", note("*"));
  emitter.emit(OPENED);
  assertEquals(log, [
    "emits",
    "goes on",
    "*:opened",
    "*:closed",
    "*:locked",
    "*:locked",
  ]);
});

Deno.test("on() inside a listener misses the event under way and those that wait", () => {
  const { emitter, log, note } = setUp();
  emitter.on("*", note("early"));
  emitter.on("opened", () => {
    emitter.emit(CLOSED);
    emitter.on("*", note("late"));
    emitter.emit(LOCKED);
  });
  emitter.emit(OPENED);
  assertEquals(log, [
    "early:opened",
    "early:closed",
    "early:locked",
    "late:locked",
  ]);
});

Deno.test("a subscription that ends inside a listener hears nothing more", () => {
  const { emitter, log, note } = setUp();
  emitter.on("opened", () => {
    emitter.emit(CLOSED); // Waits, and its list still names the second listener.
    second[Symbol.dispose]();
  });
  const second = emitter.on("*", note("ended"));
  emitter.on("*", note("other"));
  emitter.emit(OPENED);
  assertEquals(log, ["other:opened", "other:closed"]);
});

Deno.test("a listener may end its own subscription", () => {
  const { emitter, log } = setUp();
  const own = emitter.on("opened", () => {
    log.push("once");
    own[Symbol.dispose]();
  });
  emitter.emit(OPENED);
  emitter.emit(OPENED);
  assertEquals(log, ["once"]);
});

Deno.test("a listener that throws stops nobody, and its error is reported after the delivery", async () => {
  const { emitter, errors, log, note } = setUp();
  const boom = new Error("boom");
  emitter.on("opened", () => {
    throw boom;
  });
  emitter.on("opened", note("next"));
  emitter.emit(OPENED);
  assertEquals(log, ["next:opened"]);
  assertEquals(errors, [], "not while emit() runs");
  await Promise.resolve();
  assertEquals(errors.length, 1);
  assertStrictEquals(errors[0], boom);
  emitter.emit(OPENED);
  assertEquals(log, ["next:opened", "next:opened"]);
  await Promise.resolve();
  assertEquals(errors.length, 2);
});

Deno.test("by default a listener's error becomes an uncaught error, after the others heard", async () => {
  const emitter = new Emitter<DoorEvent>();
  const boom = new Error("boom");
  const heard: string[] = [];
  emitter.on("opened", () => {
    throw boom;
  });
  emitter.on("opened", () => heard.push("next"));
  const uncaught = Promise.withResolvers<unknown>();
  const onError = (event: ErrorEvent): void => {
    event.preventDefault();
    uncaught.resolve(event.error);
  };
  globalThis.addEventListener("error", onError, { once: true });
  emitter.emit(OPENED);
  assertEquals(heard, ["next"]);
  assertStrictEquals(await uncaught.promise, boom);
});

Deno.test("listeners and error handlers are called as plain functions", async () => {
  const seen: unknown[] = [];
  const emitter = new Emitter<DoorEvent>({
    onListenerError(this: unknown) {
      seen.push(this);
    },
  });
  emitter.on("opened", function (this: unknown) {
    seen.push(this);
    throw new Error("boom");
  });
  emitter.emit(OPENED);
  await Promise.resolve();
  assertEquals(seen, [undefined, undefined]);
});

Deno.test("emit() stops listeners that answer each other without end", async () => {
  const { emitter, errors } = setUp();
  let count = 0;
  emitter.on("opened", () => {
    count++;
    emitter.emit(CLOSED);
  });
  emitter.on("closed", () => {
    count++;
    emitter.emit(OPENED);
  });
  emitter.emit(OPENED);
  await Promise.resolve();
  assertEquals(count, EMIT_CHAIN_LIMIT + 1);
  assertEquals(errors.length, 1);
  assert(errors[0] instanceof RangeError);
  assertMatch(errors[0].message, /^Cannot emit "closed": .*10000/);
  // The next event starts with a full allowance.
  emitter.emit(OPENED);
  assertEquals(count, 2 * (EMIT_CHAIN_LIMIT + 1));
});

Deno.test("emit() throws its RangeError into the listener that goes too far", () => {
  const { emitter } = setUp();
  let caught: unknown;
  let closed = 0;
  emitter.on("closed", () => closed++);
  emitter.on("opened", () => {
    for (let i = 0; i < EMIT_CHAIN_LIMIT; i++) emitter.emit(CLOSED);
    emitter.emit(LOCKED); // Nobody listens to it: it does not count.
    try {
      emitter.emit(CLOSED);
    } catch (error) {
      caught = error;
    }
  });
  emitter.emit(OPENED);
  assert(caught instanceof RangeError);
  assertEquals(closed, EMIT_CHAIN_LIMIT);
});

Deno.test("on() keeps two subscriptions of one function apart", () => {
  const { emitter, log, note } = setUp();
  const listener = note("same");
  const first = emitter.on("opened", listener);
  emitter.on("opened", listener);
  emitter.emit(OPENED);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  emitter.emit(OPENED);
  assertEquals(log.length, 3);
});

Deno.test("on() with a signal ends when it aborts, and lets go of it in each way to end", () => {
  const ways: Record<
    string,
    (emitter: Emitter<DoorEvent>, own: Disposable, abort: () => void) => void
  > = {
    "by dispose": (_, own) => own[Symbol.dispose](),
    "by signal": (_emitter, _own, abort) => abort(),
    "by the emitter": (emitter) => emitter[Symbol.dispose](),
    "by all, twice": (emitter, own, abort) => {
      for (let i = 0; i < 2; i++) {
        own[Symbol.dispose]();
        abort();
        emitter[Symbol.dispose]();
      }
    },
  };
  for (const [way, end] of Object.entries(ways)) {
    const { emitter, log, note } = setUp();
    const counted = countedSignal();
    const own = emitter.on("opened", note("on"), { signal: counted.signal });
    emitter.emit(OPENED);
    assertEquals(counted.held, 1, way);
    end(emitter, own, () => counted.abort());
    assertEquals(counted.held, 0, way);
    emitter.emit(OPENED);
    assertEquals(log, ["on:opened"], way);
  }
});

Deno.test("on() with an aborted signal, or on a disposed emitter, starts nothing", () => {
  const { emitter, log, note } = setUp();
  const aborted = countedSignal();
  aborted.abort();
  const counted = countedSignal();
  emitter.on("opened", note("aborted"), { signal: aborted.signal });
  assertEquals(emitter.hasListeners("opened"), false);
  emitter.emit(OPENED);
  emitter[Symbol.dispose]();
  const late = emitter.on("opened", note("late"), { signal: counted.signal });
  emitter.emit(OPENED);
  late[Symbol.dispose]();
  assertEquals(log, []);
  assertEquals(aborted.added + counted.added, 0);
});

Deno.test("a subscription is deaf once its signal is aborted, whoever hears of the abort first", () => {
  const { emitter, log, note } = setUp();
  const controller = new AbortController();
  controller.signal.addEventListener("abort", () => emitter.emit(CLOSED));
  emitter.on("*", note("aborted"), { signal: controller.signal });
  emitter.on("*", note("other"));
  controller.abort();
  assertEquals(log, ["other:closed"]);
});

Deno.test("an abort inside a listener ends the subscription within the delivery", () => {
  const { emitter, log, note } = setUp();
  const controller = new AbortController();
  emitter.on("*", () => controller.abort());
  emitter.on("*", note("aborted"), { signal: controller.signal });
  emitter.emit(OPENED);
  assertEquals(log, []);
});

Deno.test("hasListeners() tells whether a type would be heard", () => {
  const { emitter } = setUp();
  assertEquals(emitter.hasListeners("opened"), false);
  const opened = emitter.on("opened", () => {});
  assertEquals(emitter.hasListeners("opened"), true);
  assertEquals(emitter.hasListeners("closed"), false);
  const all = emitter.on("*", () => {});
  assertEquals(emitter.hasListeners("closed"), true);
  all[Symbol.dispose]();
  opened[Symbol.dispose]();
  assertEquals(emitter.hasListeners("opened"), false);
});

Deno.test("once() resolves with the next event of the type and hears no other", async () => {
  const { emitter } = setUp();
  const opened = emitter.once("opened");
  const any = emitter.once("*");
  emitter.emit(CLOSED);
  emitter.emit(OPENED);
  emitter.emit({ type: "opened", by: "force" });
  assertStrictEquals(await opened, OPENED);
  assertStrictEquals(await any, CLOSED);
  assertEquals(emitter.hasListeners("opened"), false);
});

Deno.test("once() takes the first of several events that wait for delivery", async () => {
  const { emitter } = setUp();
  emitter.on("closed", () => {
    emitter.emit({ type: "locked", turns: 1 });
    emitter.emit({ type: "locked", turns: 2 });
  });
  const locked = emitter.once("locked");
  emitter.emit(CLOSED);
  assertEquals((await locked).turns, 1);
});

Deno.test("once() rejects with the signal's reason, whatever it is", async () => {
  for (const reason of [new Error("enough"), "enough", null, 0]) {
    for (const when of ["before", "after"]) {
      const { emitter } = setUp();
      const counted = countedSignal();
      if (when === "before") counted.abort(reason);
      const pending = emitter.once("opened", { signal: counted.signal });
      if (when === "after") {
        assertEquals(counted.held, 1);
        counted.abort(reason);
      } else assertEquals(counted.added, 0);
      const got = await pending.then(() => "resolved", (error) => ({ error }));
      assertEquals(got, { error: reason });
      assertEquals(counted.held, 0);
      assertEquals(emitter.hasListeners("opened"), false);
    }
  }
});

Deno.test("once() lets go of its signal when the event comes or the emitter ends", async () => {
  const { emitter } = setUp();
  const counted = countedSignal();
  const opened = emitter.once("opened", { signal: counted.signal });
  const closed = emitter.once("closed", { signal: counted.signal });
  assertEquals(counted.held, 2);
  emitter.emit(OPENED);
  await opened;
  assertEquals(counted.held, 1);
  emitter[Symbol.dispose]();
  assertEquals(counted.held, 0);
  await assertRejects(() => closed, DOMException, "disposed");
});

Deno.test("once() rejects with an AbortError when the emitter ends or has ended", async () => {
  const { emitter } = setUp();
  const pending = emitter.once("opened");
  emitter[Symbol.dispose]();
  for (const promise of [pending, emitter.once("opened")]) {
    const error = await assertRejects(() => promise, DOMException);
    assertEquals(error.name, "AbortError");
  }
});

Deno.test("dispose ends all subscriptions at once, also those that wait for an event", () => {
  const { emitter, log, note } = setUp();
  emitter.on("opened", () => {
    emitter.emit(CLOSED);
    emitter[Symbol.dispose]();
    emitter[Symbol.dispose]();
    emitter.emit(LOCKED);
  });
  emitter.on("*", note("*"));
  emitter.emit(OPENED);
  emitter.emit(OPENED);
  assertEquals(log, []);
  assertEquals(emitter.hasListeners("opened"), false);
});

Deno.test("Emitter works with using", () => {
  const { log, note } = setUp();
  let kept: Emitter<DoorEvent>;
  {
    using emitter = new Emitter<DoorEvent>();
    kept = emitter;
    emitter.on("*", note("in"));
    emitter.emit(OPENED);
  }
  kept.emit(OPENED);
  assertEquals(log, ["in:opened"]);
});

Deno.test("types: names are checked and payloads narrowed", () => {
  const { emitter } = setUp();
  const source: Events<DoorEvent> = emitter;
  source.on("opened", (event) => {
    const by: string = event.by;
    // @ts-expect-error: another member's field
    event.turns;
    return by;
  });
  source.on("*", (event) => {
    // @ts-expect-error: not narrowed yet
    event.by;
    return event.type === "locked" ? event.turns : undefined;
  });
  // @ts-expect-error: no such event
  source.on("opend", () => {});
  // @ts-expect-error: no such event
  emitter.emit({ type: "opend" });
  // @ts-expect-error: the payload is missing
  emitter.emit({ type: "opened" });
  // @ts-expect-error: events are readonly
  source.on("opened", (event) => event.by = "force");
  // @ts-expect-error: the reading side cannot write
  source.emit;
  const turns = (): Promise<number> =>
    source.once("locked").then((event) => event.turns);
  // @ts-expect-error: no such event
  const wrong = (): unknown => source.once("unlocked");
  assertEquals(typeof turns, typeof wrong);
});

Deno.test("types: EventOf knows members with several types, and sources of any type", () => {
  type Link =
    | { readonly type: "up" | "down"; readonly name: string }
    | { readonly type: "gone" };
  const link = new Emitter<Link>();
  const names: string[] = [];
  link.on("down", (event) => names.push(event.name));
  link.emit({ type: "down", name: "eth0" });
  assertEquals(names, ["eth0"]);

  const any: EventOf<{ readonly type: string; readonly at: number }, "x"> = {
    type: "x",
    at: 1,
  };
  const both: EventOf<DoorEvent, "opened" | "locked">[] = [
    { type: "opened", by: "key" },
    { type: "locked", turns: 1 },
    // @ts-expect-error: left out
    { type: "closed" },
  ];
  assertEquals(both.length + any.at, 4);
});

Deno.test("types: a consumer may ask for no more than the on() that it needs", () => {
  // Events<E> itself is invariant: this is how a package takes "anything that
  // tells me when a door opens" without importing the door.
  interface Openings {
    on(
      type: "opened",
      listener: (event: { readonly by: string }) => void,
      options?: { readonly signal?: AbortSignal },
    ): Disposable;
  }
  const { emitter } = setUp();
  const openings: Openings = emitter;
  const by: string[] = [];
  openings.on("opened", (event) => by.push(event.by));
  emitter.emit(OPENED);
  assertEquals(by, ["key"]);
});
