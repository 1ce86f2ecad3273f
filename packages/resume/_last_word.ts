/** The last thing that is said over a transport. */
import { type Alarm, alarms } from "./_alarms.ts";
import { writeAll } from "./_handshake_io.ts";
import type { Transport } from "./transport.ts";

const LAST_WORD_MS = 1_000;
const DRAIN_BYTES = 64 * 1024;

/**
 * Says it after the write that is under way, and closes the transport; never
 * rejects, and takes a second at most. Where the transport can, it ends its own
 * half first and waits for the peer to hang up: closing TCP with input unread
 * destroys what is under way to the peer.
 */
export async function sayLast(
  transport: Transport,
  frame: Uint8Array,
  writing: Promise<void> | undefined,
): Promise<void> {
  const lastCall: Alarm = {
    at: Infinity,
    slot: -1,
    ring: () => closeQuietly(transport),
  };
  alarms.set(lastCall, performance.now() + LAST_WORD_MS);
  try {
    if (writing !== undefined) await writing;
    await writeAll(transport, frame);
    const { closeWrite } = transport as Partial<Deno.Conn>;
    if (closeWrite !== undefined) {
      await closeWrite.call(transport);
      const into = new Uint8Array(DRAIN_BYTES);
      while (await transport.read(into) !== null);
    }
  } catch {
    // It broke: there is nobody to be told.
  } finally {
    alarms.clear(lastCall);
    closeQuietly(transport);
  }
}

/** Closes a transport that may be closed already. */
export function closeQuietly(transport: { close(): void }): void {
  try {
    transport.close();
  } catch {
    // It was closed by whoever noticed first.
  }
}
