// In a file of its own, since each file starts with cold code: once V8 has
// inlined the emitter into its callers, the stack overflows elsewhere.
import { assertEquals } from "@std/assert";
import { Emitter } from "./emitter.ts";

type Passed = { readonly type: "passed" } | { readonly type: "asked" };

Deno.test("emit() works again after the stack overflowed inside it", () => {
  // Each emitter passes on to the next: deep enough, some call fails in the
  // emitter itself, where no listener's try is around it.
  const emitters = Array.from(
    { length: 20_000 },
    () => new Emitter<Passed>({ onListenerError: () => {} }),
  );
  let ends = 0;
  emitters.forEach((emitter, i) => {
    const next = emitters[i + 1];
    emitter.on("passed", (event) => next ? next.emit(event) : ends++);
  });
  emitters[0]!.emit({ type: "passed" });
  assertEquals(ends, 0, "the stack held: the test says nothing");
  let deaf = 0;
  for (const emitter of emitters) {
    let heard = 0;
    using _subscription = emitter.on("asked", () => heard++);
    emitter.emit({ type: "asked" });
    if (heard !== 1) deaf++;
  }
  assertEquals(deaf, 0);
});
