import { assert, assertEquals, assertRejects } from "@std/assert";
import { runs, testWith } from "@holdfast/testkit";
import { adopt } from "./adopt.ts";
import { libc, useLibc } from "./_libc.ts";
import { detach } from "./detach.ts";
import { HandoffError } from "./error.ts";
import { openHolder } from "./holder.ts";
import {
  dropFromHolder,
  listHolder,
  storeInHolder,
  takeFromHolder,
} from "./holder_client.ts";
import { listen } from "./listen.ts";
import { countFds, countFdsAtMost } from "./testdata/fds.ts";
import { startLoad } from "./testdata/load.ts";

// Else the first test would seem to leak it.
useLibc();
libc();
const HOST = "127.0.0.1";

async function privatePath(): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o700);
  return `${folder}/holder`;
}

async function startServer(path: string): Promise<Deno.ChildProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check"],
      new URL("./testdata/held_server.ts", import.meta.url).pathname,
      path,
    ],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return child;
}

testWith({
  name: "kill -9 of the server refuses nobody: the next one answers who waits",
  needs: ["linux"],
  timeout: 300_000,
  fn: async () => {
    const path = await privatePath();
    await using holder = await openHolder(path);
    const web = await listen({ port: 0 });
    const { port } = web.addr;
    await holder.store("web", web);
    let server = await startServer(path);
    const running = startLoad(() => port, { fresh: 8, kept: 0 });
    for (let i = 0; i < runs(3, 50); i++) {
      const { ok } = running.load;
      while (running.load.ok < ok + 20) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      server.kill("SIGKILL");
      await server.status;
      await server.stdout.cancel();
      // Nobody accepts now: clients wait in the kernel's queue.
      server = await startServer(path);
    }
    const { ok } = running.load;
    while (running.load.ok < ok + 20) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const load = await running.stop();
    server.kill("SIGKILL");
    await server.status;
    await server.stdout.cancel();
    assertEquals([load.refused, load.other], [0, []]);
    // Only who was being answered at the kill lost its answer: one a client.
    assert(load.cut + load.reset <= 8 * runs(3, 50), `${load.cut}`);
    assertEquals(load.pids.size, runs(3, 50) + 1);
  },
});

testWith({
  name: "a holder keeps connections with their state, and gives each once",
  needs: ["linux", "sh"],
  fn: async () => {
    const before = await countFds();
    {
      const path = await privatePath();
      await using holder = await openHolder(path, {
        token: "t",
        socketsMax: 2,
      });
      const token = { token: "t" };
      using listener = await listen({ port: 0 });
      const [peer, conn] = await Promise.all([
        Deno.connect({ hostname: HOST, port: listener.addr.port }),
        listener.accept(),
      ]);
      const state = new TextEncoder().encode('{"user":7}');
      const mine = await storeInHolder(path, "c", conn, { ...token, state });
      // This process, killed now, would close its own hold, and no more.
      mine.close();
      await peer.write(new TextEncoder().encode("still"));
      assertEquals(await listHolder(path, token), [{
        name: "c",
        kind: "tcp-conn",
        local: `${HOST}:${listener.addr.port}`,
      }]);
      const taken = await takeFromHolder(path, "c", token);
      assertEquals(taken.state, state);
      using again = await adopt(taken.socket, "conn");
      assertEquals(await again.read(new Uint8Array(9)), 5);
      const gone = await assertRejects(
        () => takeFromHolder(path, "c", token),
        HandoffError,
      );
      assertEquals(gone.code, "handoff/no-such-socket");
      const stranger = await assertRejects(
        () => takeFromHolder(path, "c"),
        HandoffError,
        "token",
      );
      assertEquals(stranger.code, "handoff/not-trusted");
      await holder.store("a", await listen({ port: 0 }));
      await holder.store("b", await listen({ port: 0 }));
      const full = await detach(await listen({ port: 0 }));
      const quota = await assertRejects(
        () => storeInHolder(path, "d", full, token),
        HandoffError,
      );
      assertEquals(quota.code, "handoff/quota");
      full.close();
      await dropFromHolder(path, "a", token);
      assertEquals([...holder.state.keys()], ["b"]);
      peer.close();
    }
    assert(await countFdsAtMost(before + 1) <= before + 1);
  },
});
