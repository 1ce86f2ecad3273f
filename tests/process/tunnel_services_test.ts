/** Servers that keep state per connection, through a tunnel that is cut. */
import { soaking, testWith } from "@holdfast/testkit";
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { psql, startPostgres } from "./_postgres.ts";
import {
  answers,
  freePort,
  hashOf,
  randomFile,
  Running,
  startTunnel,
} from "./_tunnel_world.ts";

const LONG_MS = 240_000;
const CUTS = 100;
const MIB = 1024 * 1024;

testWith({
  name:
    `psql keeps one long transaction open through ${CUTS} cuts, and all of it is committed`,
  needs: ["linux", "postgres"],
  async fn() {
    await using postgres = await startPostgres();
    await postgres.query("create table rows (n int primary key)");
    await using tunnel = await startTunnel(postgres.port);
    const client = psql(tunnel.port).spawn();
    const output = client.output();
    const writer = client.stdin.getWriter();
    const say = (line: string) =>
      writer.write(new TextEncoder().encode(`${line}\n`));
    await say("begin;");
    await say("select txid_current();");
    for (let i = 0; i < CUTS; i++) {
      for (let j = 0; j < 10; j++) {
        await say(`insert into rows values (${i * 10 + j});`);
      }
      await tunnel.cutAlone(i);
    }
    // Until it is committed nobody else sees a row of it.
    assertEquals(await postgres.query("select count(*) from rows"), "0");
    await say("select txid_current();");
    await say("select count(*) from rows;");
    await say("commit;");
    await writer.close();
    const { code, stdout, stderr } = await deadline(output, LONG_MS);
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
    const inserted = lines.filter((line) => line === "INSERT 0 1").length;
    assertEquals(inserted, CUTS * 10);
    assertEquals(lines.slice(-2), [String(CUTS * 10), "COMMIT"]);
    assertEquals(lines.at(-3), lines[1], "it is another transaction");
    assertEquals(
      await postgres.query("select count(*), sum(n) from rows"),
      `${CUTS * 10}|${(CUTS * 10) * (CUTS * 10 - 1) / 2}`,
    );
  },
});

/** Everything in a folder: paths and hashes. */
async function contents(folder: string, at = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder + at)) {
    const path = `${at}/${name}`;
    if (isDirectory) found.push(...await contents(folder, path));
    else found.push(`${path} ${await hashOf(folder + path)}`);
  }
  return found.sort();
}

testWith({
  name:
    `rsync sends a tree and fetches it again through ${CUTS} cuts each, byte-identical`,
  needs: ["unix", "rsync"],
  async fn() {
    const folder = await Deno.makeTempDir();
    const at = (name: string) => `${folder}/${name}`;
    const large = soaking() ? 256 * MIB : 24 * MIB;
    for (const name of ["from/deep/er", "kept"]) {
      await Deno.mkdir(at(name), { recursive: true });
    }
    await randomFile(at("from/large"), large);
    for (let i = 0; i < 200; i++) {
      await randomFile(at(`from/deep/er/${i}`), i * 200);
    }
    const port = freePort();
    await Deno.writeTextFile(
      at("config"),
      [
        ...["use chroot = no", "reverse lookup = no"],
        ...(Deno.uid() === 0 ? ["uid = 0", "gid = 0"] : []),
        "[kept]",
        ...[`path = ${at("kept")}`, "read only = no", ""],
      ].join("\n"),
    );
    const daemon = new Running("rsync", [
      ...["--daemon", "--no-detach", `--config=${at("config")}`],
      ...["--address=127.0.0.1", `--port=${port}`],
    ]);
    await answers(port);
    {
      await using tunnel = await startTunnel(port);
      const kept = `rsync://127.0.0.1:${tunnel.port}/kept/`;
      for (const [from, to] of [[at("from/"), kept], [kept, at("back/")]]) {
        await using rsync = new Running("rsync", ["-a", "-W", from!, to!]);
        let over = false;
        const status = rsync.child.status.finally(() => over = true);
        await tunnel.cutDuring(CUTS, large, () => over);
        assert(!over, `it ended before the last cut: ${rsync.said}`);
        const { code } = await deadline(status, LONG_MS);
        assertEquals([code, rsync.said], [0, ""]);
      }
    }
    assertEquals(await contents(at("kept")), await contents(at("from")));
    assertEquals(await contents(at("back")), await contents(at("from")));
    await daemon[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  },
});

// A game as they were once played over telnet: who hangs up has lost it all.
const DUNGEON = `
import random, socketserver, sys

class Game(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        dice, x, y, gold, moves = random.Random(7), 0, 0, 0, 0
        self.say("A dungeon. Go n, e, s or w; dig; quit.")
        for line in self.rfile:
            word = line.decode().strip()
            moves += 1
            if word == "quit":
                self.say(f"You leave with {gold} gold after {moves} moves.")
                return
            if word == "dig":
                found = dice.randrange(100)
                gold += found
                self.say(f"You find {found} gold.")
            elif word in "nesw":
                x += {"e": 1, "w": -1}.get(word, 0)
                y += {"n": 1, "s": -1}.get(word, 0)
                self.say(f"You are at {x}, {y}." + " Bats!" * dice.randrange(3))
            self.say(f"[{moves}: {gold} gold]")

    def say(self, text):
        self.wfile.write((text + "\\n").encode())

class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

with Server(("127.0.0.1", 0), Game) as server:
    print("port", server.server_address[1], flush=True)
    server.serve_forever()
`;

/** Plays a whole game, move by move; gives all that was said. */
async function play(
  port: number,
  moves: readonly string[],
  between: (i: number) => Promise<void>,
): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  let said = "";
  const into = new Uint8Array(4096);
  const hear = async (until: (text: string) => boolean): Promise<void> => {
    for (let text = ""; !until(text);) {
      const n = await deadline(conn.read(into), LONG_MS);
      if (n === null) return;
      const piece = new TextDecoder().decode(into.subarray(0, n));
      text += piece;
      said += piece;
    }
  };
  await hear((text) => text.endsWith("\n"));
  for (const [i, move] of moves.entries()) {
    await conn.write(new TextEncoder().encode(`${move}\n`));
    await between(i);
    await hear((text) => text.endsWith("]\n"));
  }
  await conn.write(new TextEncoder().encode("quit\n"));
  await hear(() => false);
  return said;
}

testWith({
  name:
    `a game of lines is the same through ${CUTS} cuts as without them, to the last coin`,
  needs: ["unix", "python3"],
  async fn() {
    await using game = new Running("python3", ["-c", DUNGEON]);
    const port = Number((await game.says(/port (\d+)/))[1]);
    const moves = Array.from(
      { length: 2 * CUTS },
      (_, i) => ["n", "dig", "e", "dig", "s", "w", "dig"][i % 7]!,
    );
    const plain = await play(port, moves, () => Promise.resolve());
    await using tunnel = await startTunnel(port);
    const cutAll = await play(
      tunnel.port,
      moves,
      // Half of them while the answer is under way.
      (i) => i % 2 === 0 ? tunnel.cutAlone(i / 2) : Promise.resolve(),
    );
    assertEquals(cutAll, plain);
    assert(plain.endsWith(`gold after ${2 * CUTS + 1} moves.\n`));
    assert(tunnel.proxy.cuts >= CUTS, `${tunnel.proxy.cuts} cuts`);
  },
});
