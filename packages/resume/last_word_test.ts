/** What ends a session at once is told, although the transport is full. */
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { openSession } from "./_handshake_client.ts";
import { HandshakeIo } from "./_handshake_io.ts";
import { FrameParser } from "./_frame_parser.ts";
import { FRAME, RESET } from "./_wire.ts";
import {
  acceptResumable,
  connectResumable,
  type ResumableConn,
  type ResumeServer,
} from "./mod.ts";

const STALL_MS = 20_000;
const MIB = 1024 * 1024;

/** A server whose client takes nothing, until its transport is full. */
async function openFull() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = acceptResumable(listener, { sendBufferBytes: 64 * MIB });
  const { port } = listener.addr;
  const transport = await Deno.connect({ hostname: "127.0.0.1", port });
  const io = new HandshakeIo(transport);
  await openSession(io, 2 ** 40, undefined);
  const accepted = await server.accept();
  for (let left = 64 * MIB; left > 0;) {
    left -= await accepted.write(new Uint8Array(Math.min(left, 8 * MIB)));
  }
  return { server, accepted, transport };
}

const ENDS: Record<
  string,
  [RESET: number, end: (server: ResumeServer, conn: ResumableConn) => unknown]
> = {
  "abort()": [RESET.shutdown, (_, conn) => conn.abort()],
  "revoke()": [RESET.denied, (server, { sid }) => server.revoke(sid)],
  "close() of the server": [RESET.shutdown, (server) => void server.close()],
};

for (const [name, [code, end]] of Object.entries(ENDS)) {
  Deno.test(`${name} is told to a client although much is under way to it (I15)`, async () => {
    const { server, accepted, transport } = await openFull();
    end(server, accepted);
    const heard: number[] = [];
    const parser = new FrameParser();
    const into = new Uint8Array(MIB);
    await deadline(
      (async () => {
        for (let n; (n = await transport.read(into)) !== null;) {
          parser.parse(into.subarray(0, n), {
            onData: () => {},
            onControl: (type, _, payload) => {
              if (type === FRAME.reset) heard.push(payload[0]!);
            },
          });
        }
      })(),
      STALL_MS,
    );
    assertEquals(heard, [code]);
    transport.close();
    await server.close();
  });
}

Deno.test("a client that takes nothing more is not waited for", async () => {
  const { server, accepted, transport } = await openFull();
  accepted.abort();
  assert(accepted.state.name === "closed");
  await deadline(accepted.closed, STALL_MS);
  transport.close();
  await deadline(server.close(), STALL_MS);
});

Deno.test("a RESET arrives although both directions are full", async () => {
  for (let i = 0; i < 10; i++) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using server = acceptResumable(listener);
    const { port } = listener.addr;
    const client = await connectResumable(() =>
      Deno.connect({ hostname: "127.0.0.1", port })
    );
    const accepted = await server.accept();
    const bytes = new Uint8Array(64 * 1024);
    const run = async (step: () => Promise<unknown>): Promise<void> => {
      try {
        for (;;) await step();
      } catch {
        // It is over.
      }
    };
    const busy = [client, accepted].flatMap((conn) => [
      run(() => conn.write(bytes)),
      run(() => conn.read(new Uint8Array(64 * 1024))),
    ]);
    while (accepted.bytesRead < MIB || client.bytesRead < MIB) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const lost = client.once("lost");
    accepted.abort();
    assertEquals((await deadline(lost, STALL_MS)).code, "resume/reset");
    await Promise.all(busy);
  }
});
