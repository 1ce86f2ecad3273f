/** What the server of the lab offers; see `lab.ts`. A program, not a module. */
import net from "node:net";
import {
  CERTIFICATE,
  CERTIFICATE_KEY,
  EXPIRED_CERTIFICATE,
  EXPIRED_KEY,
} from "./certificates.ts";
import { type DnsServer, startDnsServer } from "./dns.ts";
import { LAB, PORTS } from "./lab.ts";

const names = { four: LAB.server4, six: LAB.server6 };
const dns: DnsServer[] = [];
for (const hostname of [LAB.server4, LAB.second4]) {
  dns.push(await startDnsServer({ hostname, port: 53, ...names }));
}

/** Serves each connection by a node socket, which can be reset. */
function serve(port: number, handle: (socket: net.Socket) => void): void {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    handle(socket);
  });
  server.listen(port, "::");
}

serve(PORTS.echo, (socket) => socket.pipe(socket));
serve(PORTS.hello, (socket) => socket.end("hello"));
serve(PORTS.reset, (socket) => {
  socket.once("data", () => socket.resetAndDestroy());
});
// Says goodbye, and goes on reading.
serve(PORTS.half, (socket) => {
  socket.resume();
  socket.end();
});
// Reads a byte, answers, and closes with input unread.
serve(PORTS.unread, (socket) => {
  socket.once("readable", () => {
    socket.read(1);
    socket.write("ok");
    setTimeout(() => socket.destroy(), 20);
  });
});
serve(PORTS.sink, (socket) => socket.pause());
// Ends each connection by itself, so that the port is free on the other side.
serve(PORTS.ends, (socket) => {
  socket.resume();
  setTimeout(() => socket.end(), 1_500);
  socket.once("end", () => socket.end());
});

Deno.serve({ hostname: "::", port: PORTS.http, onListen() {} }, (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/generate_204") return new Response(null, { status: 204 });
  if (request.method === "POST") return new Response(request.body);
  return new Response("holdfast lab\n");
});
Deno.serve(
  { hostname: "::", port: PORTS.portal, onListen() {} },
  () =>
    new Response(null, {
      status: 302,
      headers: { location: `http://${LAB.server4}:${PORTS.portal}/login` },
    }),
);
Deno.serve({
  ...{ hostname: "::", port: PORTS.tls, cert: CERTIFICATE },
  ...{ key: CERTIFICATE_KEY, onListen() {} },
}, () => new Response("by tls\n"));
Deno.serve(
  { hostname: "::", port: PORTS.control, onListen() {} },
  (request) => {
    const text = new URL(request.url).searchParams.get("set");
    if (text !== null) {
      const { server, silent, rcode } = JSON.parse(text);
      const chosen = dns[server - 1]!;
      if (silent !== undefined) chosen.silent = silent;
      if (rcode !== undefined) chosen.rcode = rcode ?? undefined;
    }
    return new Response("set");
  },
);
// A server whose clock is three days behind.
serve(PORTS.clock, (socket) => {
  socket.once("data", () => {
    const date = new Date(Date.now() - 3 * 86_400_000).toUTCString();
    socket.end(`HTTP/1.1 204 No Content\r\nDate: ${date}\r\n\r\n`);
  });
});
Deno.serve({
  ...{ hostname: "::", port: PORTS.expired, cert: EXPIRED_CERTIFICATE },
  ...{ key: EXPIRED_KEY, onListen() {} },
}, () => new Response("too late\n"));
// deno-lint-ignore no-console -- the one who waits reads it
console.log("ready");
