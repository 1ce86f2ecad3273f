// deno-lint-ignore-file no-console -- a command-line program
/**
 * From a change of the network to its event: ours beside the least that can be
 * done (a hint and one snapshot), and beside the rules of other monitors.
 *
 *     deno task bench:netwatch           # about 3 minutes
 *     deno task bench:netwatch --quick   # about a minute
 *
 * On Linux, in a network namespace that it makes itself, as an ordinary user.
 * Tells what it finds on stderr, and ends with one JSON line on stdout;
 * docs/benchmarks.md says what each key means.
 *
 * @module
 */
const inside = new URL("./netwatch/inside.ts", import.meta.url).pathname;

if (import.meta.main) {
  const { success } = await new Deno.Command("unshare", {
    args: [
      "-Urn",
      Deno.execPath(),
      "run",
      "--no-prompt",
      "--allow-sys",
      "--allow-run",
      "--allow-read",
      "--allow-write",
      inside,
      ...Deno.args,
    ],
    stdin: "null",
  }).spawn().status;
  if (!success) {
    console.error(
      "Cannot measure: this needs Linux with unshare and ip, and a kernel that lets users make namespaces",
    );
    Deno.exit(1);
  }
}
