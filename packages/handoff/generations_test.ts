import { assertEquals } from "@std/assert";
import { encodeHello, MessageDecoder } from "./_frames.ts";
import { Lineage } from "./_lineage.ts";
import type { ControlChannel } from "./spawned.ts";

/** A channel that keeps what is written to it. */
function channel(): ControlChannel & { readonly types: string[] } {
  const decoder = new MessageDecoder();
  decoder.push(encodeHello());
  const types: string[] = [];
  return {
    types,
    read: () => new Promise(() => {}),
    write: (bytes) => {
      for (const message of decoder.push(bytes)) {
        types.push(
          message.type === "draining"
            ? `draining ${message.draining}`
            : message.type,
        );
      }
      return Promise.resolve(bytes.byteLength);
    },
    close: () => {},
  };
}

Deno.test("a process tells its successor how many finish their work", () => {
  const changes: number[] = [];
  const lineage = new Lineage((count) => changes.push(count));
  const before = channel(), after = channel();
  lineage.descendFrom(before);
  lineage.setAncestors(2); // its own predecessor, and one before that
  lineage.precede(after);
  lineage.setAncestors(1);
  lineage.setAncestors(0);
  assertEquals(changes, [1, 2, 1, 0]);
  assertEquals(after.types, ["draining 3", "draining 2", "draining 1"]);
});

Deno.test("the oldest process is the one that is hurried", () => {
  const middle = new Lineage(() => {});
  const before = channel();
  middle.descendFrom(before);
  middle.hurry();
  assertEquals(before.types, ["hurry"]);
  assertEquals(middle.hurried.signal.aborted, false);
  const oldest = new Lineage(() => {});
  oldest.hurry();
  assertEquals(oldest.hurried.signal.aborted, true);
});

Deno.test("an upgrade waits until few enough are draining, or its time is over", async () => {
  const lineage = new Lineage(() => {});
  lineage.descendFrom(channel());
  lineage.setAncestors(4);
  const waiting = lineage.atMost(3, new AbortController().signal);
  lineage.setAncestors(3);
  assertEquals(await waiting, true);
  const stop = new AbortController();
  const never = lineage.atMost(1, stop.signal);
  stop.abort();
  assertEquals(await never, false);
});
