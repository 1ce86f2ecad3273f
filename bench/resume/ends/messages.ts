/**
 * The peers that carry messages, at full speed. They have no flow control that
 * a program could wait for, so the receiver confirms every 256 KiB, and the
 * sender keeps at most 4 MiB unconfirmed: without that they would buffer all of
 * it, and be slower for it.
 */
import type { Handlers } from "./main.ts";
import {
  type MessageConn,
  type MessageSide,
  messageSide,
} from "./message_sides.ts";

const CONFIRM_EVERY_BYTES = 256 * 1024;
const UNCONFIRMED_MAX_BYTES = 4 * 1024 * 1024;

async function receive(
  conn: MessageConn,
  messages: number,
  size: number,
): Promise<void> {
  const every = Math.max(1, Math.floor(CONFIRM_EVERY_BYTES / size));
  let got = 0;
  await new Promise<void>((resolve, reject) => {
    conn.listen((bytes) => {
      if (bytes !== size) reject(new Error(`a message of ${bytes} bytes`));
      got++;
      if (got % every !== 0 && got !== messages) return;
      // Its size is of no matter: how often it comes is what it says.
      conn.send(new Uint8Array(8));
      if (got === messages) resolve();
    });
  });
}

/** Milliseconds from the first message until the last one was confirmed. */
async function send(
  conn: MessageConn,
  messages: number,
  size: number,
): Promise<number> {
  const every = Math.max(1, Math.floor(CONFIRM_EVERY_BYTES / size));
  const ahead = Math.max(1, Math.floor(UNCONFIRMED_MAX_BYTES / size));
  let confirmed = 0;
  let wake = (): void => {};
  conn.listen(() => {
    confirmed = Math.min(messages, confirmed + every);
    wake();
  });
  const message = crypto.getRandomValues(new Uint8Array(size));
  const moved = () => new Promise<void>((resolve) => wake = resolve);
  const start = performance.now();
  for (let sent = 0; sent < messages;) {
    while (sent < messages && sent - confirmed < ahead) {
      conn.send(message);
      sent++;
    }
    await moved();
  }
  while (confirmed < messages) await moved();
  const ms = performance.now() - start;
  conn.close();
  return ms;
}

/** See the module's comment. */
export async function handlers(name: string): Promise<Handlers> {
  const side: MessageSide = await messageSide(name);
  let accept: () => Promise<MessageConn>;
  return {
    async listen(): Promise<number> {
      const listener = await side.listen();
      accept = listener.accept;
      return listener.port;
    },
    receive: async ({ bytes, size }: { bytes: number; size: number }) =>
      await receive(await accept(), Math.ceil(bytes / size), size),
    async send(
      { port, bytes, size }: { port: number; bytes: number; size: number },
    ): Promise<number> {
      const conn = await side.connect(port);
      return await send(conn, Math.ceil(bytes / size), size);
    },
  };
}
