import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { runs, testWith } from "@holdfast/testkit";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { adopt } from "./adopt.ts";
import { libc, useLibc } from "./_libc.ts";
import { detach } from "./detach.ts";
import type { DetachedSocket } from "./detached_socket.ts";
import { HandoffError } from "./error.ts";
import { listen } from "./listen.ts";
import { receiveSockets, type SocketReceiver } from "./receiver.ts";
import { openSender } from "./sender.ts";
import { countFds, countFdsAtMost } from "./testdata/fds.ts";
import { startReceiver } from "./testdata/receiver_process.ts";
import { toText } from "./testdata/text.ts";
import type { TransferEvent } from "./transfer_event.ts";

// Else the first test would seem to leak it.
useLibc();
libc();
const HOST = "127.0.0.1";
const here = (name: string): string =>
  new URL(`./testdata/${name}`, import.meta.url).pathname;

async function privatePath(): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o700);
  return `${folder}/sockets`;
}

/** A detached connection and its peer. */
async function pair(): Promise<{ held: DetachedSocket; peer: Deno.TcpConn }> {
  using listener = await listen({ port: 0 });
  const [peer, conn] = await Promise.all([
    Deno.connect({ hostname: HOST, port: listener.addr.port }),
    listener.accept(),
  ]);
  return { held: await detach(conn), peer };
}

/** What a misbehaving sender was told, and what the receiver says of it. */
async function misbehave(
  receiver: SocketReceiver,
  path: string,
  what: string,
): Promise<{ told: { code?: string } | null; events: TransferEvent[] }> {
  const events: TransferEvent[] = [];
  using _listening = receiver.on("*", (event) => void events.push(event));
  const { stdout } = await new Deno.Command("python3", {
    args: [here("misbehave.py"), path, what],
  }).output();
  const text = toText(stdout).trim();
  return { told: text === "" ? null : JSON.parse(text), events };
}

testWith({
  name: "what nobody announced or wants is refused, said, and closed",
  needs: ["linux", "python3", "sh"],
  timeout: 120_000,
  fn: async () => {
    const path = await privatePath();
    await using receiver = receiveSockets(path, { frameTimeoutMs: 200 });
    await misbehave(receiver, path, "garbage");
    const before = await countFds();
    const codes: Record<string, string> = {
      "garbage": "handoff/bad-bytes",
      "pipe": "handoff/surprise",
      "file": "handoff/surprise",
      "wrong-kind": "handoff/surprise",
      "wrong-address": "handoff/surprise",
      "too-few": "handoff/bad-bytes",
      "too-many": "handoff/bad-bytes",
      "on-cancel": "handoff/bad-bytes",
      "no-hello": "handoff/not-trusted",
      "half": "handoff/timed-out",
    };
    for (const [what, code] of Object.entries(codes)) {
      const { told, events } = await misbehave(receiver, path, what);
      assertEquals(told?.code, code, what);
      const refused = events.filter(({ type }) => type === "refused");
      assertEquals(refused.length, 1, what);
      assertEquals(receiver.state.waiting, 0);
    }
    await misbehave(receiver, path, "die-half");
    assertEquals(receiver.state.waiting, 0);
    assertEquals(await countFdsAtMost(before) <= before, true);
    // What is whole is kept, though its sender was killed right after.
    await misbehave(receiver, path, "die");
    const socket = await receiver.receive();
    assertEquals(socket.kind, "tcp-conn");
    socket.close();
    assertEquals(await countFdsAtMost(before) <= before, true);
  },
});

testWith({
  name: "strangers, open folders and abstract sockets are refused",
  needs: ["linux"],
  fn: async () => {
    const path = await privatePath();
    const refused: string[] = [];
    {
      await using receiver = receiveSockets(path, { peerUid: 54_321 });
      receiver.on("refused", ({ code, by }) => refused.push(`${code} ${by}`));
      const error = await assertRejects(() => openSender(path), HandoffError);
      assertEquals(error.code, "handoff/not-trusted");
      assert(error.message.includes("not 54321"), error.message);
    }
    assertEquals(refused, ["handoff/not-trusted us"]);
    await using _receiver = receiveSockets(path, { token: "right" });
    const error = await assertRejects(
      () => openSender(path, { peerUid: 54_321 }),
      HandoffError,
    );
    assertEquals(error.code, "handoff/not-trusted");
    const wrong = await assertRejects(
      () => openSender(path, { token: "wrong" }),
      HandoffError,
      "token",
    );
    assertEquals(wrong.code, "handoff/not-trusted");
    const folder = await Deno.makeTempDir();
    await Deno.chmod(folder, 0o755);
    const open = assertThrows(
      () => receiveSockets(`${folder}/x`),
      HandoffError,
      "mode 755",
    );
    assertEquals(open.code, "handoff/insecure-path");
    assertThrows(() => receiveSockets("\0x"), RangeError, "abstract");
    await assertRejects(() => openSender("\0x"), RangeError, "abstract");
    assertThrows(() => receiveSockets(path), Deno.errors.AddrInUse);
    assertThrows(
      () => receiveSockets(path, { waitingMax: 0 }),
      RangeError,
      "waitingMax",
    );
    const nobody = await assertRejects(
      () => openSender(`${folder}/nobody`),
      HandoffError,
      "no such path",
    );
    assertEquals(nobody.code, "handoff/peer-gone");
  },
});

testWith({
  name:
    "a peer has a quota, and a program that takes nothing stops the reading",
  needs: ["linux"],
  fn: async () => {
    const path = await privatePath();
    await using receiver = receiveSockets(path, {
      socketsPerPeerMax: 6,
      waitingMax: 3,
      peersMax: 1,
    });
    await using sender = await openSender(path, { timeoutMs: 10_000 });
    const second = await assertRejects(() => openSender(path), HandoffError);
    assertEquals(second.code, "handoff/quota");
    const sent: Promise<void>[] = [];
    const peers: Deno.TcpConn[] = [];
    for (let i = 0; i < 7; i++) {
      const { held, peer } = await pair();
      peers.push(peer);
      sent.push(sender.send(held));
    }
    const last = sent.pop()!;
    await Promise.all(sent.slice(0, 3));
    assertEquals(receiver.state.waiting, 3);
    for (let i = 0; i < 6; i++) (await receiver.receive()).close();
    await Promise.all(sent);
    const over = await assertRejects(() => last, HandoffError);
    assertEquals(over.code, "handoff/quota");
    assertEquals(over.sockets.length, 1);
    over.sockets[0]!.close();
    peers.forEach((peer) => peer.close());
  },
});

testWith({
  name: "a receiver that freezes gets nothing, also when it thaws",
  needs: ["linux", "sh"],
  timeout: 60_000,
  fn: async () => {
    const before = await countFds();
    {
      await using receiver = await startReceiver("deno");
      await using sender = await openSender(receiver.path, { timeoutMs: 300 });
      receiver.kill("SIGSTOP");
      const { held, peer } = await pair();
      const error = await assertRejects(() => sender.send(held), HandoffError);
      assertEquals(error.code, "handoff/timed-out");
      assertEquals([error.uncertain, error.sockets], [false, [held]]);
      receiver.kill("SIGCONT");
      // It is ours alone: the receiver, thawed, read the cancellation.
      using mine = await adopt(held, "conn");
      const buffer = new Uint8Array(16);
      for (let i = 0; i < 20; i++) {
        await peer.write(new TextEncoder().encode("ping"));
        assertEquals(await mine.read(buffer), 4);
      }
      peer.close();
    }
    assert(await countFdsAtMost(before + 1) <= before + 1);
  },
});

testWith({
  name: "a receiver killed at any moment leaves what it did not take here",
  needs: ["linux", "sh"],
  timeout: 120_000,
  fn: async () => {
    const before = await countFds();
    for (let run = 0; run < runs(6, 100); run++) {
      await using receiver = await startReceiver("c");
      await using sender = await openSender(receiver.path);
      const made = await Promise.all(Array.from({ length: 20 }, pair));
      const sending = made.map(({ held }) =>
        sender.send(held).then(() => "sent", (error: HandoffError) => {
          assertEquals(error.code, "handoff/peer-gone");
          assertEquals(error.uncertain, false);
          return "kept";
        })
      );
      for (let i = 0; i < run; i++) await sending[i];
      receiver.kill("SIGKILL");
      const results = await Promise.all(sending);
      for (const [i, { held, peer }] of made.entries()) {
        assertEquals(held.closed, results[i] === "sent");
        held[Symbol.dispose]();
        peer.close();
      }
    }
    assert(await countFdsAtMost(before + 1) <= before + 1);
  },
});

for (const language of ["deno", "node"] as const) {
  testWith({
    name: `a ${language} child gets sockets over node's channel, without FFI`,
    needs: language === "node" ? ["unix", "node"] : ["unix"],
    timeout: 60_000,
    fn: async () => {
      const [command, ...args] = language === "node"
        ? ["node", here("ipc_child.cjs")]
        : [
          Deno.execPath(),
          "run",
          "--no-prompt",
          "--no-check",
          "--allow-net=127.0.0.1",
          here("ipc_child.ts"),
        ];
      const child = spawn(command!, args, {
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      const sender = await openSender(child, { timeoutMs: 30_000 });
      assertEquals(sender.state, { mode: "node-ipc", phase: "open" });
      for (let i = 0; i < 20; i++) {
        const { held, peer } = await pair();
        // Unread bytes, and one that comes while it is on its way.
        const unread = new TextEncoder().encode("unread ");
        const again = await adopt(held, "socket");
        again.unshift(unread);
        const sent = sender.send(again);
        await peer.write(new TextEncoder().encode("new"));
        await sent;
        await peer.closeWrite();
        assertEquals(await new Response(peer.readable).text(), "unread new");
      }
      const listener = await listen({ port: 0 });
      const { port } = listener.addr;
      await sender.send(listener);
      const client = await Deno.connect({ hostname: HOST, port });
      const answer = await new Response(client.readable).text();
      assertEquals(answer, "listener node-ipc");
      const socket = createSocket("udp4");
      await new Promise<void>((resolve) => socket.bind(0, HOST, resolve));
      const { port: udp } = socket.address();
      if (language === "deno") { // Node's type for a raw UDP handle is another.
        await sender.send(socket);
        const asking = createSocket("udp4");
        const came = new Promise<string>((resolve) =>
          asking.once("message", (bytes) => resolve(String(bytes)))
        );
        asking.send("?", udp, HOST);
        assertEquals(await came, "udp");
        asking.close();
      } else socket.close();
      child.disconnect();
      await ended;
      await sender.close();
      assertEquals(sender.state.phase, "closed");
    },
  });
}

testWith({
  name: "openSender() and receiveSockets() say what is missing without FFI",
  needs: ["unix"],
  fn: async () => {
    const denied = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-check", here("no_ffi.ts")],
    }).output();
    assertEquals(
      toText(denied.stdout),
      "handoff/not-supported true\nhandoff/not-supported true\n",
      toText(denied.stderr),
    );
  },
});

testWith({
  name: "listeners, Unix and UDP sockets travel between processes",
  needs: ["linux"],
  fn: async () => {
    const path = await privatePath();
    await using receiver = receiveSockets(path);
    await using sender = await openSender(path);
    const unix = await listen({ path: `${path}.web` });
    await sender.send(unix, { meta: { name: "unix" } });
    const held = await receiver.receive();
    assertEquals([held.kind, held.meta], ["unix-listener", { name: "unix" }]);
    using again = await adopt(held, "listener");
    const [client, conn] = await Promise.all([
      Deno.connect({ transport: "unix", path: `${path}.web` }),
      again.accept(),
    ]);
    await sender.send(conn);
    const moved = await receiver.receive();
    assertEquals(moved.kind, "unix-conn");
    using mine = await adopt(moved, "conn");
    await mine.write(new TextEncoder().encode("hello"));
    assertEquals(await client.read(new Uint8Array(9)), 5);
    client.close();
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, HOST, resolve));
    await sender.send(socket);
    const udp = await receiver.receive();
    assertEquals(udp.kind, "udp");
    udp.close();
  },
});
