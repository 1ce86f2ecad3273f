import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { delay } from "@std/async/delay";
import { acceptResumable, ResumeError } from "./mod.ts";
import { messages } from "./messages.ts";
import { openPair, type Pair } from "./testdata/pair.ts";
import { Table } from "./testdata/table.ts";

const TABLE = new Table(5);

function text(message: Uint8Array | null): string | null {
  return message === null ? null : new TextDecoder().decode(message);
}

function bytes(message: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(message);
}

async function writeAll(pair: Pair, frame: Uint8Array): Promise<void> {
  for (let at = 0; at < frame.length;) {
    at += await pair.client.write(frame.subarray(at));
  }
}

function frame(length: number, payload = 0): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(4 + payload);
  new DataView(out.buffer).setUint32(0, length);
  return out;
}

Deno.test("messages keep their boundaries, both ways, down to empty ones", async () => {
  await using pair = await openPair();
  const client = messages(pair.client);
  const server = messages(pair.accepted);
  assertEquals(client.conn, pair.client);
  for (const message of ["a", "", "b".repeat(70_000), "", "c"]) {
    await client.send(bytes(message));
    await server.send(bytes(`${message}!`));
    assertEquals(text(await server.receive()), message);
    assertEquals(text(await client.receive()), `${message}!`);
  }
  await pair.client.closeWrite();
  assertEquals([await server.receive(), await server.receive()], [null, null]);
});

Deno.test("on the wire a message is its length in four bytes, and itself", async () => {
  await using pair = await openPair();
  await messages(pair.client).send(bytes("hey"));
  const into = new Uint8Array(16);
  const n = await pair.accepted.read(into);
  assertEquals([...into.subarray(0, n!)], [0, 0, 0, 3, 104, 101, 121]);
});

Deno.test("concurrent sends never interleave, and the message may be reused at once", async () => {
  await using pair = await openPair({ connect: { sendBufferBytes: 5_000 } });
  const client = messages(pair.client);
  const sizes = [30_000, 0, 1, 12_345, 4_996, 4_997, 60_000];
  const scratch = new Uint8Array(60_000);
  const sending = sizes.map((size, i) => {
    scratch.fill(i);
    return client.send(scratch.subarray(0, size));
  });
  const server = messages(pair.accepted);
  for (const [i, size] of sizes.entries()) {
    const message = (await server.receive())!;
    assertEquals(message.length, size);
    assert(message.every((byte) => byte === i), `message ${i} is mixed`);
  }
  await Promise.all(sending);
});

Deno.test("a send waits while the stream is full; its abort takes it back only before its first byte", async () => {
  await using pair = await openPair({
    connect: { sendBufferBytes: 1_000 },
    accept: { receiveWindowBytes: 1_000 },
  });
  const client = messages(pair.client);
  const begun = new AbortController();
  const waiting = new AbortController();
  const first = client.send(TABLE.at(0, 9_000), { signal: begun.signal });
  const second = client.send(bytes("never"), { signal: waiting.signal });
  const third = client.send(bytes("third"));
  await delay(20);
  begun.abort(new Error("one"));
  waiting.abort(new Error("two"));
  await assertRejects(() => first, Error, "one");
  await assertRejects(() => second, Error, "two");
  await assertRejects(
    () =>
      client.send(bytes("x"), { signal: AbortSignal.abort(new Error("0")) }),
    Error,
    "0",
  );
  const server = messages(pair.accepted);
  assertEquals(await server.receive(), TABLE.at(0, 9_000));
  assertEquals(text(await server.receive()), "third");
  await third;
});

Deno.test("an aborted receive loses no message", async () => {
  await using pair = await openPair();
  const client = messages(pair.client);
  const server = messages(pair.accepted);
  const control = new AbortController();
  const given = server.receive({ signal: control.signal });
  const next = server.receive();
  control.abort(new Error("enough"));
  await assertRejects(() => given, Error, "enough");
  const last = new AbortController();
  await client.send(bytes("1"));
  assertEquals(text(await next), "1");
  const alone = server.receive({ signal: last.signal });
  last.abort(new Error("enough"));
  await assertRejects(() => alone, Error, "enough");
  await client.send(bytes("2"));
  await client.send(bytes("3"));
  while (pair.accepted.bytesRead < 15) await delay(1);
  assertEquals(text(await server.receive()), "2");
  assertEquals(text(await server.receive()), "3");
});

Deno.test("too long a message is refused where it is sent, and where it is announced", async () => {
  await using pair = await openPair();
  const client = messages(pair.client, { messageBytesMax: 10 });
  await assertRejects(
    () => client.send(new Uint8Array(11)),
    RangeError,
    "Cannot send a message of 11 bytes: at most 10",
  );
  await client.send(new Uint8Array(10));
  const server = messages(pair.accepted, { messageBytesMax: 10 });
  assertEquals((await server.receive())?.length, 10);
  await writeAll(pair, frame(11));
  for (let i = 0; i < 2; i++) {
    const error = await assertRejects(() => server.receive(), ResumeError);
    assertEquals(error.code, "resume/protocol");
  }
  assertThrows(
    () => messages(pair.client, { messageBytesMax: -1 }),
    RangeError,
    "messageBytesMax",
  );
});

Deno.test("an announced length costs no memory until it has arrived", async () => {
  await using pair = await openPair();
  // Every array that is made from here on, by its size.
  const sizes: number[] = [];
  const original = globalThis.Uint8Array;
  const server = messages(pair.accepted, { messageBytesMax: 2 ** 30 });
  await writeAll(pair, frame(2 ** 30, 100));
  globalThis.Uint8Array = new Proxy(original, {
    construct(target, args, newTarget) {
      if (typeof args[0] === "number") sizes.push(args[0]);
      return Reflect.construct(target, args, newTarget);
    },
  });
  const receiving = server.receive();
  try {
    while (pair.accepted.bytesRead < 104) await delay(1);
    await delay(5);
  } finally {
    globalThis.Uint8Array = original;
  }
  assert(sizes.length > 0 && Math.max(...sizes) < 300_000, `${sizes}`);
  pair.client.abort();
  await assertRejects(() => receiving, ResumeError);
});

Deno.test("a stream that ends inside a message says so", async () => {
  for (const torn of [frame(5, 4), frame(5).subarray(0, 3)]) {
    await using pair = await openPair();
    const server = messages(pair.accepted);
    await messages(pair.client).send(bytes("whole"));
    await writeAll(pair, torn);
    await pair.client.closeWrite();
    assertEquals(text(await server.receive()), "whole");
    const error = await assertRejects(() => server.receive(), ResumeError);
    assertEquals(error.code, "resume/protocol");
    assert(error.message.includes("ended inside a message"), error.message);
  }
});

Deno.test("a lost stream rejects sends and receives, and ends an iteration with its error", async () => {
  await using pair = await openPair({ connect: { sendBufferBytes: 1_000 } });
  const client = messages(pair.client);
  const server = messages(pair.accepted);
  const sends = [
    client.send(new Uint8Array(1_000_000)),
    client.send(new Uint8Array(1)),
  ];
  const iterating = (async () => {
    for await (const message of server) assertEquals(message.length, -1);
  })();
  const caught = Promise.allSettled([...sends, iterating]);
  await delay(10);
  await pair.server.close();
  for (const end of await caught) {
    assert(end.status === "rejected" && end.reason instanceof ResumeError);
  }
  await assertRejects(() => client.send(new Uint8Array(1)), ResumeError);
});

/** Moves the server's end into another server, as a new process would. */
async function move(pair: Pair) {
  const state = await pair.server.suspend();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  pair.listener.close();
  pair.proxy.forward("127.0.0.1", listener.addr.port);
  const server = acceptResumable(listener, { restore: state });
  return { server, conn: await server.accept() };
}

Deno.test("messages go on in another process in the middle of one, both ways", async () => {
  await using pair = await openPair({
    connect: { receiveWindowBytes: 2_000 },
    accept: { sendBufferBytes: 2_000 },
  });
  const client = messages(pair.client);
  const before = messages(pair.accepted);
  const half = frame(8, 8);
  half.set(bytes("12345678"), 4);
  await client.send(bytes("whole"));
  await writeAll(pair, half.subarray(0, 7));
  assertEquals(text(await before.receive()), "whole");
  const torn = before.receive();
  const cut = before.send(TABLE.at(0, 30_000));
  const untouched = before.send(bytes("not begun"));
  const ends = Promise.allSettled([torn, cut, untouched]);
  await delay(20);

  const after = await move(pair);
  for (const end of await ends) {
    assertEquals(end.status, "rejected");
    assertEquals(
      (end as PromiseRejectedResult).reason.code,
      "resume/suspended",
    );
  }
  const { received, unsent } = before.remainder();
  assertEquals([...received], [...half.subarray(0, 7)]);
  assert(unsent.length > 0 && unsent.length < 30_000);
  const server = messages(after.conn, { remainder: { received, unsent } });
  await writeAll(pair, half.subarray(7));
  assertEquals(text(await server.receive()), "12345678");
  const next = server.send(bytes("next"));
  assertEquals(await client.receive(), TABLE.at(0, 30_000));
  assertEquals(text(await client.receive()), "next");
  await next;
  pair.client.abort();
  await after.server.close();
});
