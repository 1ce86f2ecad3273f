// deno-lint-ignore-file no-console -- that is what its test looks at
/**
 * Looks a name up without a descriptor left, in a process that may have few
 * (`ulimit -n`), and again with room. Prints one line of JSON.
 */
import { startDnsServer } from "@holdfast/testkit/dns";
import { classify, resolve } from "../mod.ts";

// Deno opens what signals need when it is first asked, and panics without room.
Deno.addSignalListener("SIGUSR2", () => {});
await using dns = await startDnsServer({ four: "192.0.2.4" });
const look = (name: string) =>
  resolve(name, {
    ...{ servers: [dns.address], families: ["v4"], hosts: false },
    deadlineMs: 600_000,
  }).then(
    ({ addresses }) => addresses[0]?.address,
    (error) => classify(error).failure,
  );
const told = [await look("warm.test")];
const held: Deno.FsFile[] = [];
try {
  for (;;) held.push(Deno.openSync("/dev/null"));
} catch {
  // No more.
}
told.push(await look("none.test"));
for (const file of held) file.close();
told.push(await look("room.test"));
console.log(JSON.stringify(told));
Deno.exit(0);
