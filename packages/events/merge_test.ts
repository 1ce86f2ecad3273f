import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Events, merge, type MergedEvents } from "./mod.ts";
import { Emitter } from "./emitter.ts";
import { countedSignal } from "./testdata/counted_signal.ts";

type DoorEvent =
  | { readonly type: "opened"; readonly by: string }
  | { readonly type: "closed" };
type LightEvent = { readonly type: "lit"; readonly watts: number };

const OPENED: DoorEvent = { type: "opened", by: "key" };
const CLOSED: DoorEvent = { type: "closed" };
const LIT: LightEvent = { type: "lit", watts: 5 };

function setUp() {
  return {
    door: new Emitter<DoorEvent>(),
    light: new Emitter<LightEvent>(),
  };
}

Deno.test("merge() gives the very events of all sources, in the order of delivery", () => {
  const { door, light } = setUp();
  using house = merge([door, light]);
  const seen: unknown[] = [];
  house.on("*", (event) => seen.push(event));
  door.emit(OPENED);
  light.emit(LIT);
  door.emit(CLOSED);
  assertEquals(seen.length, 3);
  assert(seen[0] === OPENED && seen[1] === LIT && seen[2] === CLOSED);
});

Deno.test("merge() offers on, once and events like any source", async () => {
  const { door, light } = setUp();
  using house = merge([door, light]);
  await using stream = house.events({ limit: 1 });
  const lit = house.once("lit");
  const by: string[] = [];
  using _subscription = house.on("opened", (event) => by.push(event.by));
  door.emit(OPENED);
  light.emit(LIT);
  assertEquals(by, ["key"]);
  assertEquals((await lit).watts, 5);
  assertEquals((await stream.next()).value, LIT);
  assertEquals(stream.dropped, 1);
});

Deno.test("merge() delivers what its listeners cause after the event under way", () => {
  const { door, light } = setUp();
  using house = merge([door, light]);
  const types: string[] = [];
  house.on("opened", () => {
    light.emit(LIT);
    door.emit(CLOSED);
  });
  house.on("*", (event) => types.push(event.type));
  door.emit(OPENED);
  assertEquals(types, ["opened", "lit", "closed"]);
});

Deno.test("merge() of one source twice gives its events twice; of none, nothing", () => {
  const { door } = setUp();
  using twice = merge([door, door]);
  let heard = 0;
  twice.on("opened", () => heard++);
  door.emit(OPENED);
  assertEquals(heard, 2);
  using none = merge([]);
  none.on("*" as never, () => heard++);
  assertEquals(heard, 2);
});

Deno.test("merge() outlives a source that ends", () => {
  const { door, light } = setUp();
  using house = merge([door, light]);
  const types: string[] = [];
  house.on("*", (event) => types.push(event.type));
  door[Symbol.dispose]();
  light.emit(LIT);
  assertEquals(types, ["lit"]);
});

Deno.test("merge() ends by dispose: the sources are free, streams give what they hold", async () => {
  const { door, light } = setUp();
  const house = merge([door, light]);
  const stream = house.events();
  const pending = house.once("closed");
  door.emit(OPENED);
  house[Symbol.dispose]();
  house[Symbol.dispose]();
  assertEquals(door.hasListeners("opened"), false);
  assertEquals(light.hasListeners("lit"), false);
  door.emit(CLOSED);
  assertEquals((await stream.next()).value, OPENED);
  assertEquals((await stream.next()).done, true);
  await assertRejects(() => pending, DOMException, "disposed");
  // The sources themselves go on.
  let heard = 0;
  door.on("closed", () => heard++);
  door.emit(CLOSED);
  assertEquals(heard, 1);
});

Deno.test("merge() with a signal ends when it aborts, and lets go of it in each way to end", async () => {
  for (const way of ["dispose", "signal", "both"]) {
    const { door, light } = setUp();
    const counted = countedSignal();
    const house = merge([door, light], { signal: counted.signal });
    const stream = house.events();
    assert(counted.held > 0, way);
    if (way !== "signal") house[Symbol.dispose]();
    if (way !== "dispose") counted.abort();
    assertEquals(counted.held, 0, way);
    assertEquals(door.hasListeners("opened"), false, way);
    assertEquals(light.hasListeners("lit"), false, way);
    assertEquals((await stream.next()).done, true, way);
  }
});

Deno.test("merge() lets go of its signal for a source that ends", () => {
  const { door, light } = setUp();
  const counted = countedSignal();
  using _house = merge([door, light], { signal: counted.signal });
  const before = counted.held;
  door[Symbol.dispose]();
  light[Symbol.dispose]();
  // One remains: that of the merged source itself.
  assertEquals([before, counted.held], [3, 1]);
});

Deno.test("merge() with an aborted signal has ended", async () => {
  const { door, light } = setUp();
  const counted = countedSignal();
  counted.abort();
  const house = merge([door, light], { signal: counted.signal });
  assertEquals(door.hasListeners("opened"), false);
  await assertRejects(() => house.once("opened"), DOMException, "disposed");
  assertEquals(counted.added, 0);
});

Deno.test("merge() reports its own listeners' errors to its own handler", async () => {
  const ofDoor: unknown[] = [];
  const ofHouse: unknown[] = [];
  const door = new Emitter<DoorEvent>({
    onListenerError: (e) => ofDoor.push(e),
  });
  using house = merge([door], { onListenerError: (e) => ofHouse.push(e) });
  const heard: string[] = [];
  house.on("*", () => {
    throw "boom";
  });
  house.on("*", (event) => heard.push(event.type));
  door.emit(OPENED);
  await Promise.resolve();
  assertEquals([ofDoor, ofHouse, heard], [[], ["boom"], ["opened"]]);
});

Deno.test("merge() of merged sources", () => {
  const { door, light } = setUp();
  using inner = merge([door]);
  using outer = merge([inner, light]);
  const types: string[] = [];
  outer.on("*", (event) => types.push(event.type));
  door.emit(OPENED);
  light.emit(LIT);
  assertEquals(types, ["opened", "lit"]);
});

Deno.test("types: merge() infers the union of its sources' events", () => {
  const { door, light } = setUp();
  using house = merge([door, light]);
  const exact: MergedEvents<DoorEvent | LightEvent> = house;
  exact.on("lit", (event) => {
    const watts: number = event.watts;
    // @ts-expect-error: that is another source's event
    event.by;
    return watts;
  });
  // @ts-expect-error: no source has it
  house.on("locked", () => {});
  // @ts-expect-error: the union is no smaller
  const wrong: MergedEvents<LightEvent> = house;
  assert(wrong === house);
  const readers: readonly Events<DoorEvent>[] = [door, door];
  using doors = merge(readers);
  const fromArray: Events<DoorEvent> = doors;
  fromArray.on("opened", (event) => event.by);
  // @ts-expect-error: the merged side cannot write
  house.emit;
  // @ts-expect-error: not a source
  const notASource = () => merge([door, new EventTarget()]);
  assertEquals(typeof notASource, "function");
});
