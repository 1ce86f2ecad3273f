import { assertEquals } from "@std/assert";
import { EarlyTransport } from "./_early_transport.ts";
import { HandshakeIo } from "./_handshake_io.ts";

Deno.test("a transport that is written to before its proof came passes on all that a stream asks of it", async () => {
  const asked: string[] = [];
  const inner = {
    read: () => Promise.resolve(null),
    write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
    close: () => void asked.push("close"),
    closeWrite: () => Promise.resolve(void asked.push("closeWrite")),
    ref: () => void asked.push("ref"),
    unref: () => void asked.push("unref"),
  };
  const early = new EarlyTransport(
    new HandshakeIo(inner),
    () => Promise.resolve(),
  );
  early.unref();
  early.ref();
  await early.closeWrite();
  early.close();
  assertEquals(asked, ["unref", "ref", "closeWrite", "close"]);
});
