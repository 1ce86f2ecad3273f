import { assertEquals } from "@std/assert";
import { openPair } from "./testdata/pair.ts";

/** Two connected ends of whatever kind. */
interface Ends {
  readonly a: Deno.Conn;
  readonly b: Deno.Conn;
}

/** What an operation came to: its value, or the class of its error. */
async function outcome(
  run: () => Promise<unknown> | unknown,
): Promise<unknown> {
  try {
    return await run() ?? null;
  } catch (error) {
    return (error as Error).constructor.name;
  }
}

const one = Uint8Array.of(1);
const into = () => new Uint8Array(8);

/** Scripts of which both kinds must make the same. */
const SCRIPTS: Readonly<Record<string, (ends: Ends) => Promise<unknown[]>>> = {
  "bytes, then the end": async ({ a, b }) => {
    const said = [await a.write(Uint8Array.of(1, 2, 3))];
    await a.closeWrite();
    const buffer = into();
    return [
      ...said,
      await b.read(buffer),
      [...buffer.subarray(0, 3)],
      await b.read(buffer),
      await b.read(buffer),
    ];
  },
  "nothing read, nothing written": async ({ a }) => [
    await a.read(new Uint8Array(0)),
    await a.write(new Uint8Array(0)),
  ],
  "half-close leaves the other direction": async ({ a, b }) => {
    await a.closeWrite();
    return [
      await b.read(into()),
      await b.write(one),
      await a.read(into()),
      await outcome(() => a.write(one)),
    ];
  },
  "a closed end": async ({ a }) => {
    a.close();
    return [
      await outcome(() => a.read(into())),
      await outcome(() => a.write(one)),
      await outcome(() => a.closeWrite()),
      await outcome(() => a.close()),
    ];
  },
  "close while a read waits": async ({ a }) => {
    const reading = outcome(() => a.read(into()));
    await new Promise((resolve) => setTimeout(resolve, 10));
    a.close();
    return [await reading];
  },
  "the other end closed": async ({ a, b }) => {
    await b.write(one);
    b.close();
    return [await a.read(into()), await a.read(into())];
  },
  "a write after the other end closed, once that is known": async (
    { a, b },
  ) => {
    b.close();
    await a.read(into());
    // TCP answers the first such write with a reset; from then on it fails.
    let last: unknown;
    for (let i = 0; i < 20 && typeof last !== "string"; i++) {
      last = await outcome(() => a.write(one));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return [last];
  },
  "two reads are served in order": async ({ a, b }) => {
    const [first, second] = [into(), into()];
    const reads = Promise.all([a.read(first.subarray(0, 2)), a.read(second)]);
    await b.write(Uint8Array.of(1, 2));
    await new Promise((resolve) => setTimeout(resolve, 10));
    await b.write(Uint8Array.of(3));
    return [await reads, first[0], first[1], second[0]];
  },
  "a readable that is cancelled while it waits": async ({ a, b }) => {
    const reader = a.readable.getReader();
    const waiting = outcome(() => reader.read());
    await new Promise((resolve) => setTimeout(resolve, 10));
    await reader.cancel();
    return [
      await waiting,
      await b.read(into()),
      await outcome(() => a.read(into())),
      await outcome(() => a.write(one)),
      await outcome(() => a.close()),
    ];
  },
  "an iteration that is left": async ({ a, b }) => {
    await b.write(one);
    for await (const _chunk of a.readable) break;
    return [
      await b.read(into()),
      await outcome(() => a.read(into())),
      await outcome(() => a.close()),
    ];
  },
  "a readable that is cancelled after the end": async ({ a, b }) => {
    b.close();
    const reader = a.readable.getReader();
    const { done } = await reader.read();
    return [done, await outcome(() => reader.cancel())];
  },
  "a writable that is aborted": async ({ a, b }) => {
    const reading = outcome(() => b.read(into()));
    await a.writable.abort();
    await reading;
    return [
      await outcome(() => a.read(into())),
      await outcome(() => a.write(one)),
    ];
  },
  "memory of one's own, and pipes in both directions": async ({ a, b }) => {
    const echo = b.readable.pipeTo(b.writable);
    await a.write(Uint8Array.of(1, 2, 3));
    const reader = a.readable.getReader({ mode: "byob" });
    const first = await reader.read(new Uint8Array(2));
    const rest = await reader.read(new Uint8Array(8), { min: 1 });
    reader.releaseLock();
    await a.closeWrite();
    await echo;
    return [[...first.value!], [...rest.value!]];
  },
  "a disposed end": async ({ a, b }) => {
    a[Symbol.dispose]();
    return [await b.read(into()), await outcome(() => a.read(into()))];
  },
};

async function plainPair(): Promise<Ends & Disposable> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const [a, b] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port }),
    listener.accept(),
  ]);
  listener.close();
  return {
    a,
    b,
    [Symbol.dispose]() {
      for (const end of [a, b]) {
        try {
          end.close();
        } catch {
          // The script closed it.
        }
      }
    },
  };
}

for (const [name, script] of Object.entries(SCRIPTS)) {
  Deno.test(`a ResumableConn does as a Deno.TcpConn does: ${name} (I24)`, async () => {
    using plain = await plainPair();
    const expected = await script(plain);
    await using pair = await openPair();
    assertEquals(
      await script({ a: pair.client, b: pair.accepted }),
      expected,
    );
    await using other = await openPair();
    assertEquals(
      await script({ a: other.accepted, b: other.client }),
      expected,
      "from the server's side",
    );
  });
}
