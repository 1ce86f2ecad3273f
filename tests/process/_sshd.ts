/** A real OpenSSH server on loopback, with keys and files of its own. */
import { assertEquals } from "@std/assert";
import { answers, freePort, Running } from "./_tunnel_world.ts";

/** See the module's comment. */
export interface Sshd extends AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  /** What `ssh` and `scp` need to reach it through another port. */
  options(port: number): string[];
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(command, { args }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}

/** Starts it; only the key of this test is let in. */
export async function startSshd(): Promise<Sshd> {
  const folder = await Deno.makeTempDir();
  const at = (name: string) => `${folder}/${name}`;
  for (const name of ["host", "user"]) {
    await run(
      "ssh-keygen",
      ...["-q", "-t", "ed25519", "-N", "", "-f", at(name)],
    );
  }
  await Deno.copyFile(at("user.pub"), at("authorized"));
  const port = freePort();
  await Deno.writeTextFile(
    at("config"),
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${at("host")}`,
      `AuthorizedKeysFile ${at("authorized")}`,
      "PidFile none",
      "StrictModes no",
      "UsePAM no",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin prohibit-password",
      "Subsystem sftp internal-sftp",
      "",
    ].join("\n"),
  );
  const stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const daemon = ["-D", "-e", "-f", at("config")];
  // As root it insists on an empty folder of the system's; where there is none
  // it gets one in a mount namespace of its own.
  const needsFolder = Deno.uid() === 0 &&
    !await Deno.stat("/run/sshd").then(() => true, () => false);
  stack.use(
    needsFolder
      ? new Running("unshare", [
        ...["-m", "sh", "-c"],
        'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec /usr/sbin/sshd "$@"',
        ...["sshd", ...daemon],
      ])
      : new Running("/usr/sbin/sshd", daemon),
  );
  await answers(port);
  return {
    port,
    folder,
    options: (through) => [
      ...["-F", "none", "-i", at("user"), "-o", `Port=${through}`],
      ...["-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"],
      ...["-o", `UserKnownHostsFile=${at("known")}`, "-o", "LogLevel=ERROR"],
      ...["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"],
    ],
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
