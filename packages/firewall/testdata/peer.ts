// deno-lint-ignore-file no-console -- it answers by lines
// The other machine: runs in a network namespace of its own, and connects to
// where its input says. One JSON line in, one out.
import dgram from "node:dgram";
import net from "node:net";
import type { Probe } from "./lab.ts";
import { TextLineStream } from "./lines.ts";

let lastPort = 10_000;

/**
 * A source port that was not used for long: the kernel remembers connections,
 * and a packet of one that it knows is not new.
 */
function freshPort(): number {
  lastPort = lastPort >= 60_000 ? 10_001 : lastPort + 1;
  return lastPort;
}

/** Whether a connection opens and its server's first byte arrives. */
function probeTcp([host, port, ms, , from]: Probe): Promise<boolean> {
  return new Promise((resolve) => {
    const localPort = freshPort();
    const socket = net.connect({
      ...{ host, port, localPort },
      localAddress: from ?? (host.includes(":") ? "::" : "0.0.0.0"),
    });
    const end = (open: boolean) => {
      clearTimeout(timer);
      // A reset, so that no state of the connection stays in the kernel.
      socket.destroy();
      resolve(open);
    };
    const timer = setTimeout(end, ms, false);
    socket.on("data", () => end(true));
    socket.on("error", () => end(false));
    socket.on("close", () => end(false));
  });
}

/** Whether a datagram comes back, and another one, of a known connection. */
function probeUdp([host, port, ms, , from]: Probe): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(host.includes(":") ? "udp6" : "udp4");
    const end = (open: boolean) => {
      clearTimeout(timer);
      socket.close();
      resolve(open);
    };
    const timer = setTimeout(end, ms, false);
    let left = 2;
    const send = () => socket.send("x", port, host, () => {});
    socket.on("message", () => --left === 0 ? end(true) : send());
    socket.on("error", () => end(false));
    socket.bind(freshPort(), from, send);
  });
}

/** Connects, and keeps it. */
function stay([host, port]: [string, number]): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    socket.on("data", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.unref();
  });
}

const probe = (one: Probe) => one[3] === "udp" ? probeUdp(one) : probeTcp(one);

console.log('"ready"');
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const line of lines) {
  const { commands, probes, stay: where } = JSON.parse(line);
  if (where !== undefined) {
    console.log(JSON.stringify([await stay(where)]));
    continue;
  }
  for (const [command, ...args] of commands ?? []) {
    const { success } = new Deno.Command(command, { args }).outputSync();
    if (!success) throw new Error(`${command} ${args.join(" ")} failed`);
  }
  console.log(JSON.stringify(await Promise.all((probes ?? []).map(probe))));
}
