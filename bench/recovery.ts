// deno-lint-ignore-file no-console -- a command-line program
/**
 * Recovery beside plain Deno, in one run: a path that dies, an IPv6 link that
 * flaps, 30 % loss, a dead name server, AAAA that is swallowed, descriptors that
 * run out, a herd; and the doctor before every fault of the lab.
 *
 *     deno task bench:recovery           # about 12 minutes
 *     deno task bench:recovery --quick   # about 4 minutes
 *
 * On Linux, in namespaces that it makes itself. Tells what it finds on stderr,
 * and ends with one JSON line on stdout; docs/benchmarks.md says what each key
 * means.
 *
 * @module
 */
const inside = new URL("./recovery/inside.ts", import.meta.url).pathname;

if (import.meta.main) {
  const { success } = await new Deno.Command("unshare", {
    args: ["-Urnm", Deno.execPath(), "run", "-A", inside, ...Deno.args],
    stdin: "null",
  }).spawn().status;
  if (!success) {
    console.error(
      "Cannot measure: this needs Linux with unshare, ip, iptables, arping and ping (tools/setup_debian.sh)",
    );
    Deno.exit(1);
  }
}
