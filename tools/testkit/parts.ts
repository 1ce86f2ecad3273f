/**
 * The real parts that some tests need: "is it here?", asked by running it.
 * A missing one is a named, counted skip, or a failure where everything is
 * required (`HOLDFAST_REQUIRE=all`, as in CI).
 */

/** A program that some test runs. */
export type Program =
  | "arping"
  | "bash"
  | "busybox"
  | "chromium"
  | "conntrack"
  | "dbus-daemon"
  | "faketime"
  | "firewalld"
  | "fish"
  | "gcc"
  | "gunicorn"
  | "haproxy"
  | "ip"
  | "iptables"
  | "mosquitto"
  | "nft"
  | "nginx"
  | "node"
  | "ping"
  | "postgres"
  | "python3"
  | "redis-server"
  | "rsync"
  | "script"
  | "sh"
  | "spin"
  | "ssh"
  | "sshd"
  | "systemd-socket-activate"
  | "ufw"
  | "unshare"
  | "zsh";

/** How to ask each part for a sign of life; the exit code does not matter. */
const PROBES: Record<Program, readonly [string, ...string[]]> = {
  arping: ["arping", "-V"],
  bash: ["bash", "--version"],
  busybox: ["busybox", "true"],
  chromium: ["chromium", "--version"],
  conntrack: ["conntrack", "--version"],
  "dbus-daemon": ["dbus-daemon", "--version"],
  faketime: ["faketime", "--version"],
  firewalld: ["firewall-cmd", "--version"],
  fish: ["fish", "--version"],
  gcc: ["gcc", "--version"],
  gunicorn: ["gunicorn", "--version"],
  haproxy: ["haproxy", "-v"],
  ip: ["ip", "-V"],
  iptables: ["iptables", "--version"],
  mosquitto: ["mosquitto", "-h"],
  nft: ["nft", "--version"],
  nginx: ["nginx", "-v"],
  node: ["node", "--version"],
  ping: ["ping", "-V"],
  // The server is in a folder of its version; it comes with its client.
  postgres: ["pg_lsclusters", "--help"],
  python3: ["python3", "--version"],
  "redis-server": ["redis-server", "--version"],
  rsync: ["rsync", "--version"],
  script: ["script", "--version"],
  sh: ["sh", "-c", ":"],
  spin: ["spin", "-V"],
  ssh: ["ssh", "-V"],
  sshd: ["/usr/sbin/sshd", "-V"],
  "systemd-socket-activate": ["systemd-socket-activate", "--version"],
  ufw: ["ufw", "--version"],
  unshare: ["unshare", "--version"],
  zsh: ["zsh", "--version"],
};

/**
 * A program; `"linux"`; `"unix"`, any system but Windows; or `"netns"`, network
 * namespaces for an ordinary user.
 */
export type Part = Program | "linux" | "netns" | "unix";

const known = new Map<Part, string | undefined>();

/** Why the part cannot be used here; `undefined` when it can. */
export function missing(part: Part): string | undefined {
  if (!known.has(part)) {
    known.set(part, probe(part));
  }
  return known.get(part);
}

function probe(part: Part): string | undefined {
  if (part === "netns") return probeNetns();
  const { os } = Deno.build;
  if (part === "linux") return os === part ? undefined : `${os} is no Linux`;
  if (part === "unix") {
    return os === "windows" ? "Windows is no Unix" : undefined;
  }
  return probeProgram(part);
}

function probeProgram(part: Program): string | undefined {
  const [command, ...args] = PROBES[part];
  try {
    new Deno.Command(command, { args, stdout: "null", stderr: "null" })
      .outputSync();
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return `${command} is not installed`;
    }
    throw error;
  }
}

function probeNetns(): string | undefined {
  const absent = Deno.build.os === "linux"
    ? missing("unshare") ?? missing("ip")
    : `${Deno.build.os} has no network namespaces`;
  if (absent !== undefined) return absent;
  const { success } = new Deno.Command("unshare", {
    args: ["-Urn", "ip", "link", "set", "lo", "up"],
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return success ? undefined : "this kernel refuses user namespaces";
}

/** Whether a missing part is a failure. */
export function requireAll(): boolean {
  return Deno.env.get("HOLDFAST_REQUIRE") === "all";
}

/** A test that needs real parts. */
export interface PartTest extends Omit<Deno.TestDefinition, "ignore"> {
  /** What must be here for the test to run. */
  readonly needs: readonly Part[];
}

/**
 * Registers a test that needs real parts. Where one is missing the test is
 * left out by name, with the reason in its name; with `HOLDFAST_REQUIRE=all`
 * it fails instead.
 */
export function testWith(definition: PartTest): void {
  const { needs, ...test } = definition;
  const reasons = needs.map(missing).filter((reason) => reason !== undefined);
  if (reasons.length === 0) return Deno.test(test);
  const reason = reasons.join(", ");
  if (requireAll()) {
    Deno.test(test.name, () => {
      throw new Error(
        `Cannot run "${test.name}": ${reason}: run tools/setup_debian.sh`,
      );
    });
    return;
  }
  Deno.test({
    ...test,
    name: `${test.name} [left out: ${reason}]`,
    ignore: true,
  });
}
