import { assertEquals, assertRejects } from "@std/assert";
import type { Events } from "./mod.ts";
import { Emitter, EventReader } from "./emitter.ts";
import { countedSignal } from "./testdata/counted_signal.ts";

type DoorEvent =
  | { readonly type: "opened"; readonly by: string }
  | { readonly type: "closed" };

class Door extends EventReader<DoorEvent> implements Disposable {
  readonly #emitter: Emitter<DoorEvent>;
  constructor() {
    const emitter = new Emitter<DoorEvent>();
    super(emitter);
    this.#emitter = emitter;
  }
  open(by: string): void {
    this.#emitter.emit({ type: "opened", by });
  }
  [Symbol.dispose](): void {
    this.#emitter[Symbol.dispose]();
  }
}

Deno.test("EventReader passes on, once and events through", async () => {
  using door = new Door();
  const by: string[] = [];
  const own = door.on("opened", (event) => by.push(event.by));
  const once = door.once("opened");
  await using stream = door.events({ limit: 1 });
  door.open("key");
  own[Symbol.dispose]();
  door.open("force");
  assertEquals(by, ["key"]);
  assertEquals((await once).by, "key");
  assertEquals(stream.dropped, 1);
  assertEquals((await stream.next()).value, { type: "opened", by: "force" });
});

Deno.test("EventReader passes signals through and ends with its source", async () => {
  const door = new Door();
  const counted = countedSignal();
  const { signal } = counted;
  let heard = 0;
  door.on("opened", () => heard++, { signal });
  const once = door.once("closed", { signal });
  const stream = door.events({ signal });
  assertEquals(counted.held, 3);
  door.open("key");
  door[Symbol.dispose]();
  assertEquals(counted.held, 0);
  door.open("key");
  assertEquals(heard, 1);
  await assertRejects(() => once, DOMException, "disposed");
  assertEquals((await stream.next()).value?.type, "opened");
  assertEquals((await stream.next()).done, true);
});

Deno.test("EventReader shows no way to write", () => {
  using door = new Door();
  const source: Events<DoorEvent> = door;
  assertEquals("emit" in source, false);
  assertEquals(Object.keys(door), []);
  assertEquals(JSON.stringify(door), "{}");
  // @ts-expect-error: only the owner emits
  door.emit;
});
