// deno-lint-ignore-file no-console -- that is what its test looks at
/**
 * Runs out of descriptors, in a process that may have few (`ulimit -n`): opens
 * connections to its own listener until nothing more can be opened, lets go of
 * them, and looks whether the listener lives. Prints one line of JSON.
 */
import { superviseAccept, superviseServe } from "../mod.ts";

const [what, which] = Deno.args;
const hostname = "127.0.0.1";
const told: string[] = [];

/** Opens until it fails, and gives what was opened. */
async function exhaust(port: number): Promise<Deno.Conn[]> {
  const conns: Deno.Conn[] = [];
  for (let i = 0; i < 500; i++) {
    try {
      conns.push(await Deno.connect({ hostname, port }));
    } catch {
      break;
    }
  }
  // The server is the one that fails, with its accept: let it.
  await new Promise((resolve) => setTimeout(resolve, 300));
  return conns;
}

function closeAll(conns: Iterable<Deno.Conn>): void {
  for (const conn of conns) conn.close();
}

async function plainAccept(listener: Deno.TcpListener, held: Deno.Conn[]) {
  for await (const conn of listener) held.push(conn);
}

async function accept(supervised: boolean): Promise<boolean> {
  const plain = Deno.listen({ hostname, port: 0 });
  const { port } = plain.addr;
  const held: Deno.Conn[] = [];
  let over = false;
  if (supervised) {
    const listener = superviseAccept(plain);
    listener.on("*", ({ type }) => told.push(type));
    (async () => {
      for await (const conn of listener) held.push(conn);
      over = true;
    })();
  } else {
    plainAccept(plain, held).catch((error) => {
      told.push(String(error.code));
      over = true;
    });
  }
  for (let round = 0; round < 3; round++) {
    closeAll(await exhaust(port));
    closeAll(held.splice(0));
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  if (over) return false;
  // Does it still take somebody?
  const before = held.length;
  const conn = await Deno.connect({ hostname, port });
  for (let i = 0; i < 500 && held.length === before; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  conn.close();
  return held.length > before;
}

async function serve(supervised: boolean): Promise<boolean> {
  const handler = () => new Response("hello");
  let port: number;
  if (supervised) {
    const server = superviseServe({ port: 0 }, handler);
    server.on("*", ({ type }) => told.push(type));
    port = server.addr.port;
  } else {
    const server = Deno.serve({ hostname, port: 0, onListen() {} }, handler);
    server.finished.catch((error) => told.push(error.message));
    port = server.addr.port;
  }
  for (let round = 0; round < 3; round++) {
    closeAll(await exhaust(port));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  try {
    const response = await fetch(`http://${hostname}:${port}/`, {
      headers: { connection: "close" },
    });
    return await response.text() === "hello";
  } catch {
    return false;
  }
}

const supervised = which === "supervised";
const alive =
  await (what === "accept" ? accept(supervised) : serve(supervised));
console.log(JSON.stringify({ alive, told: [...new Set(told)] }));
Deno.exit(0);
