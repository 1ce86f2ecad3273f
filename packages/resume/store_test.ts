import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { ResumeError } from "./mod.ts";
import { sqliteStore } from "./sqlite.ts";
import { memoryStore } from "./store.ts";
import { storeSuite } from "./testdata/store_suite.ts";

let file = "";
let folder = "";

const SUBJECTS = [
  storeSuite({
    name: "memory",
    open: (now) => Promise.resolve(memoryStore({ now })),
    close: () => Promise.resolve(),
    controlsTime: true,
  }),
  ...(["process", "power"] as const).map((survives) =>
    storeSuite({
      name: `SQLite, survives ${survives}`,
      async open(now) {
        folder = await Deno.makeTempDir();
        file = `${folder}/sessions.db`;
        return sqliteStore(file, { now, survives });
      },
      reopen: (now) => Promise.resolve(sqliteStore(file, { now, survives })),
      close: () => Deno.remove(folder, { recursive: true }),
      controlsTime: true,
    })
  ),
];
for (const { name, fn } of SUBJECTS.flat()) Deno.test(name, fn);

Deno.test("SQLite: a file of another program, of nothing, or a damaged one is told of, and let be", async () => {
  const folder = await Deno.makeTempDir();
  const at = (name: string) => `${folder}/${name}`;
  const fails = (name: string, says: string) => {
    const error = assertThrows(() => sqliteStore(at(name)), ResumeError);
    assertEquals(error.code, "resume/store");
    assertStringIncludes(error.message, `Cannot use "${at(name)}"`);
    assertStringIncludes(error.message, says);
  };
  await Deno.writeFile(
    at("text"),
    new TextEncoder().encode("not a database ".repeat(99)),
  );
  fails("text", "not a database");
  assertStringIncludes(await Deno.readTextFile(at("text")), "not a database");

  const { DatabaseSync } = await import("node:sqlite");
  const foreign = new DatabaseSync(at("foreign"));
  foreign.exec(
    "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine')",
  );
  foreign.close();
  fails("foreign", "another program");
  const again = new DatabaseSync(at("foreign"));
  assertEquals(again.prepare("SELECT text FROM notes").get()?.text, "mine");
  again.close();

  const store = sqliteStore(at("ours"));
  fails("ours", "locked"); // One process at a time.
  await store[Symbol.asyncDispose]();
  const bytes = await Deno.readFile(at("ours"));
  await Deno.writeFile(at("ours"), bytes.fill(0xff, 16_384, 16_600));
  fails("ours", "");

  fails("no/such/folder", "");
  await Deno.remove(folder, { recursive: true });
});

testWith({
  name: "SQLite: only its owner can read the file, in which secrets are",
  needs: ["unix"],
  async fn() {
    const folder = await Deno.makeTempDir();
    const store = sqliteStore(`${folder}/s.db`);
    await store.create({
      sid: "00112233445566778899aabbccddeeff",
      secret: new Uint8Array(64),
      keyId: new Uint8Array(0),
      expiresAt: Date.now() + 1_000,
    });
    for await (const { name } of Deno.readDir(folder)) {
      const { mode } = await Deno.stat(`${folder}/${name}`);
      assert((mode! & 0o077) === 0, `${name} has mode ${mode!.toString(8)}`);
    }
    await store[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  },
});
