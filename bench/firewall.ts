// deno-lint-ignore-file no-console -- a command-line program
/**
 * What a look, a verdict, a plan with its proof, an opening and a revert cost
 * on six real firewalls, beside the bare calls of the tools and beside ufw and
 * firewall-cmd by hand; and how many of the verdicts are wrong.
 *
 *     deno task bench:firewall
 *
 * On Linux, in namespaces that it makes itself. Tells what it finds on stderr,
 * and ends with one JSON line on stdout; docs/benchmarks.md says what each key
 * means.
 *
 * @module
 */
const FOLDER = new URL("../packages/firewall/testdata/", import.meta.url);
const BACKENDS = [
  ...["nft", "iptables-nft", "iptables-legacy", "ufw"],
  ...["firewalld-nft", "firewalld-iptables"],
];
const RULESETS = 150;
const SEQUENCES = 30;

type Numbers = Record<string, number>;

/** Runs a part in namespaces of its own; undefined when it fails. */
async function part(
  script: string,
  ...args: string[]
): Promise<Numbers | undefined> {
  const path = new URL(script, FOLDER).pathname;
  const { success, stdout } = await new Deno.Command("unshare", {
    args: ["-Urnm", Deno.execPath(), "run", "-A", "--quiet", path, ...args],
    stderr: "inherit",
  }).output();
  if (!success) return undefined;
  return JSON.parse(new TextDecoder().decode(stdout).trim());
}

const round = (value: number) => Math.round(value * 100) / 100;
const key = (name: string) => name.replaceAll("-", "_");

if (import.meta.main) {
  const figures: Numbers = {};
  const peers: Numbers = {};
  const ratios: Numbers = {};
  let backends = 0;
  let ours = 0;
  let bare = 0;
  for (const backend of BACKENDS) {
    const times = await part("measure_backend.ts", backend);
    if (times === undefined) continue;
    backends++;
    ours += times.verdict!;
    bare += times.bare!;
    for (const name of ["cold", "detect", "verdict", "plan"]) {
      figures[`${name}_ms_${key(backend)}`] = round(times[name]!);
    }
    figures[`apply_ms_${key(backend)}`] = round(times.apply!);
    figures[`revert_ms_${key(backend)}`] = round(times.revert!);
    peers[`open_ms_${key(backend)}`] = round(times.hand_open!);
    peers[`shut_ms_${key(backend)}`] = round(times.hand_shut!);
    ratios[`apply_vs_by_hand_${key(backend)}`] = round(
      times.apply! / times.hand_open!,
    );
    console.error(
      `${backend}: verdict ${round(times.verdict!)} ms (bare calls ${
        round(times.bare!)
      }), plan ${round(times.plan!)}, apply ${round(times.apply!)} (by hand ${
        round(times.hand_open!)
      }), revert ${round(times.revert!)} (by hand ${round(times.hand_shut!)})`,
    );
  }
  ratios.detect_vs_bare_calls = round(ours / bare);
  figures.detect_ms = round(ours / backends);
  figures.backends = backends;
  const speed = await part("measure_evaluator.ts") ?? {};
  for (const [name, value] of Object.entries(speed)) {
    figures[name] = round(value);
    console.error(`${name}: ${round(value)}`);
  }
  const fuzz = await part("against_kernel.ts", "20260103", String(RULESETS));
  figures.fuzz_rulesets = fuzz?.rulesets ?? 0;
  figures.fuzz_probes = fuzz?.probes ?? 0;
  figures.fuzz_unknown = fuzz?.unknown ?? 0;
  // The part fails at the first wrong one.
  figures.fuzz_wrong = fuzz === undefined ? 1 : 0;
  const exact = await part("sequences.ts", "nft", "3", String(SEQUENCES));
  figures.revert_sequences = exact?.sequences ?? 0;
  figures.revert_inexact = exact === undefined ? 1 : 0;
  console.error(
    `${figures.fuzz_rulesets} random rulesets, ${figures.fuzz_probes} probes, ${figures.fuzz_unknown} unknown, ${figures.fuzz_wrong} wrong`,
  );
  if (backends === 0) {
    console.error(
      "Cannot measure: this needs Linux with unshare, ip, nft, iptables, ufw and firewalld (tools/setup_debian.sh)",
    );
    Deno.exit(1);
  }
  console.log(JSON.stringify({ bench: "firewall", ratios, figures, peers }));
}
