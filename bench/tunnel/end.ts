// deno-lint-ignore-file no-console -- a command-line program
/**
 * One process of `bench/tunnel.ts`. The first line that it says is a port.
 *
 *     end.ts sink BYTES              reads so much, says the milliseconds
 *     end.ts forward HOST:PORT       a plain forwarder, for one hop
 *     end.ts serve HOST:PORT         the far end of a tunnel
 *     end.ts connect HOST:PORT       the near end
 *     end.ts send HOST:PORT BYTES    writes so much, 64 KiB at a time
 *     end.ts echo                    echoes each connection
 *     end.ts serve-one HOST:PORT     as serve, but one session for all
 *     end.ts connect-one HOST:PORT   as connect, but one session for all
 */
import {
  connectTunnel,
  parseTunnelAddress,
  serveTunnel,
} from "@holdfast/resume/tunnel";

import { connectOne, serveOne } from "./one_session.ts";

const CHUNK_BYTES = 64 * 1024;
const LOOPBACK = { hostname: "127.0.0.1", port: 0 };

type Tcp = Extract<ReturnType<typeof parseTunnelAddress>, { port: number }>;

async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let n; (n = await from.read(buffer)) !== null;) {
    for (let at = 0; at < n;) at += await to.write(buffer.subarray(at, n));
  }
  await to.closeWrite();
}

async function forward(listener: Deno.TcpListener, to: Tcp): Promise<void> {
  for await (const near of listener) {
    const far = await Deno.connect(to);
    near.setNoDelay(true);
    far.setNoDelay(true);
    Promise.all([copy(near, far), copy(far, near)]).catch(() => {})
      .finally(() => [near, far].forEach((conn) => conn.close()));
  }
}

/** How long the bytes take from the first one to the last; it then says so to the sender. */
async function sink(listener: Deno.TcpListener, bytes: number): Promise<void> {
  for await (const conn of listener) {
    const into = new Uint8Array(256 * 1024);
    let got = await conn.read(into) ?? 0;
    const from = performance.now();
    while (got < bytes) {
      const n = await conn.read(into);
      if (n === null) break;
      got += n;
    }
    console.log(got === bytes ? performance.now() - from : NaN);
    conn.close();
  }
}

async function send(to: Tcp, bytes: number): Promise<void> {
  using conn = await Deno.connect(to);
  const chunk = crypto.getRandomValues(new Uint8Array(CHUNK_BYTES));
  for (let sent = 0; sent < bytes;) {
    sent += await conn.write(chunk.subarray(0, bytes - sent));
  }
  await conn.read(new Uint8Array(1)); // The sink hangs up when it has it all.
}

const [role, first, second] = Deno.args;
if (role === "send") {
  await send(parseTunnelAddress(first!) as Tcp, Number(second));
} else {
  const listener = Deno.listen(LOOPBACK);
  console.log(listener.addr.port);
  if (role === "sink") await sink(listener, Number(first));
  else if (role === "echo") {
    for await (const conn of listener) {
      conn.setNoDelay(true);
      conn.readable.pipeTo(conn.writable).catch(() => {});
    }
  } else {
    const to = parseTunnelAddress(first!) as Tcp;
    if (role === "forward") await forward(listener, to);
    else if (role === "serve") serveTunnel(listener, { targets: [to] });
    else if (role === "serve-one") await serveOne(listener, to);
    else if (role === "connect-one") await connectOne(listener, to);
    else connectTunnel(listener, () => Deno.connect(to));
  }
}
