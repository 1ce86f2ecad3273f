import { assert, assertEquals } from "@std/assert";
import { ReceiveBuffer } from "./_receive_buffer.ts";
import { liveBytes } from "./testdata/memory.ts";

const CHUNK_BYTES = 128 * 1024;
const HEADER_BYTES = 12;

/** Takes `total` bytes in payloads of one size, as frames bring them. */
function filled(payloadBytes: number, total: number): ReceiveBuffer {
  const buffer = new ReceiveBuffer();
  let next = 0;
  while (buffer.size < total) {
    const chunk = { bytes: new Uint8Array(CHUNK_BYTES), references: 0 };
    for (
      let at = HEADER_BYTES;
      at + payloadBytes <= CHUNK_BYTES && buffer.size < total;
      at += HEADER_BYTES + payloadBytes
    ) {
      const payload = chunk.bytes.subarray(at, at + payloadBytes);
      for (let i = 0; i < payload.length; i++) payload[i] = next++ & 0xff;
      buffer.add(payload);
    }
    buffer.settle(chunk);
  }
  return buffer;
}

Deno.test("a peer that cuts its frames small costs no more memory than it sends (I13)", () => {
  const total = 2 * 1024 * 1024;
  filled(4, 4096);
  const before = liveBytes();
  // Frames of 16 bytes of which 4 are payload: each would have been a piece.
  const buffer = filled(4, total);
  const held = liveBytes() - before;
  assertEquals(buffer.size, total);
  assert(held < 4 * total, `${held} bytes of memory for ${total}`);
});

Deno.test("what is read is the same whatever is kept in place and what is copied", () => {
  for (const payloadBytes of [1, 4, 5, 100, 511, 512, 513, 4_096, 65_536]) {
    const total = 300_000;
    const buffer = filled(payloadBytes, total);
    const into = new Uint8Array(7_777);
    let next = 0;
    for (let n; (n = buffer.read(into)) > 0;) {
      for (let i = 0; i < n; i++) assertEquals(into[i], next++ & 0xff);
    }
    assert(next >= total);
  }
});
