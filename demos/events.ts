// deno-lint-ignore-file no-console -- a command-line program
/**
 * `@holdfast/events` alone: two sources watched as one, a listener that throws,
 * and a slow reader whose stream drops the oldest and says how many.
 *
 *     deno run demos/events.ts
 *
 * Needs no permission.
 *
 * @module
 */
import { merge } from "@holdfast/events";
import { Emitter, EventReader } from "@holdfast/events/emitter";

type LinkEvent =
  | { readonly type: "up"; readonly name: string }
  | { readonly type: "down"; readonly name: string; readonly reason: string };

type BrokerEvent = {
  readonly type: "message";
  readonly broker: string;
  readonly n: number;
};

/** A handle: all may listen, only itself emits. */
class Link extends EventReader<LinkEvent> {
  readonly #emitter: Emitter<LinkEvent>;
  constructor() {
    const emitter = new Emitter<LinkEvent>();
    super(emitter);
    this.#emitter = emitter;
  }
  lose(name: string, reason: string): void {
    this.#emitter.emit({ type: "down", name, reason });
  }
  regain(name: string): void {
    this.#emitter.emit({ type: "up", name });
  }
}

/** What did not hold; the demo fails when there is any. */
const broken: string[] = [];

function expect(holds: boolean, what: string): void {
  console.log(`   ${holds ? "holds" : "DOES NOT HOLD"}: ${what}`);
  if (!holds) broken.push(what);
}

const link = new Link();
const broker = new Emitter<BrokerEvent>();

console.log("1. Two sources, merged, in one stream");
const errors: unknown[] = [];
const all = merge([link, broker], {
  onListenerError: (error) => errors.push(error),
});
const everything = all.events();
link.lose("wlan0", "carrier lost");
broker.emit({ type: "message", broker: "127.0.0.1:1883", n: 0 });
link.regain("wlan0");
const types: string[] = [];
for await (const event of everything) {
  console.log(`   ${JSON.stringify(event)}`);
  types.push(event.type);
  if (event.type === "up") break; // Ends the stream.
}
expect(types.join() === "down,message,up", "events arrive in order");

console.log("2. A listener that throws stops nobody");
const reasons: string[] = [];
all.on("down", () => {
  throw new Error("a bug in somebody's listener");
});
all.on("down", (event) => reasons.push(event.reason));
link.lose("eth0", "address removed");
await Promise.resolve(); // Errors are reported in a microtask.
console.log(`   reported: ${errors.join()}`);
expect(reasons.join() === "address removed", "the next listener heard it");
expect(errors.length === 1, "the error was reported once");

console.log("3. A reader that is too slow: 1000 events, room for 8");
const slow = all.events({ limit: 8 });
for (let n = 1; n <= 1000; n++) {
  broker.emit({ type: "message", broker: "127.0.0.1:1883", n });
}
all[Symbol.dispose](); // The stream still gives what it holds.
const kept: number[] = [];
for await (const event of slow) {
  if (event.type === "message") kept.push(event.n);
}
console.log(`   kept ${kept.join(" ")}, dropped ${slow.dropped}`);
expect(
  kept.join() === "993,994,995,996,997,998,999,1000",
  "the newest are kept",
);
expect(slow.dropped === 992, "each dropped event is counted");
expect(!broker.hasListeners("message"), "nobody is left listening");

console.log(
  broken.length === 0 ? "All of it held." : "Something did not hold.",
);
if (broken.length > 0) Deno.exit(1);
