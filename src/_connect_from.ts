/** Connects from a chosen local address, which `Deno.connect` cannot. */
import { connFromSocket } from "@holdfast/handoff";
import { connect, type Socket } from "node:net";
import type { Candidate } from "./_meeting.ts";

/** One TCP connection; from `localAddress` if there is one. */
export async function connectFrom(
  { hostname, port }: Candidate,
  localAddress: string | undefined,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  if (localAddress === undefined) {
    const conn = await Deno.connect({ hostname, port, signal });
    conn.setNoDelay(true);
    return conn;
  }
  await requireNet(`${bracket(hostname)}:${port}`);
  await requireNet(localAddress);
  return connFromSocket(await open(hostname, port, localAddress, signal));
}

// Asked beforehand: what node:net throws for want of a permission comes in a
// later turn, where nobody can catch it.
async function requireNet(host: string): Promise<void> {
  const { state } = await Deno.permissions.query({ name: "net", host });
  if (state === "granted") return;
  throw new Deno.errors.NotCapable(
    `Requires net access to "${host}", run again with --allow-net=${host}`,
  );
}

function bracket(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

function open(
  host: string,
  port: number,
  localAddress: string,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect({ host, port, localAddress, allowHalfOpen: true });
    const onAbort = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    const onError = (error: Error): void => {
      signal.removeEventListener("abort", onAbort);
      reject(error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", onError);
    socket.once("connect", () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      // Nothing is read before somebody asks: see connFromSocket.
      socket.pause();
      resolve(socket);
    });
  });
}
