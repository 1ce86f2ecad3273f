/** Where the tools of a system are, and what they are run with. */
export interface Places {
  readonly folders: readonly string[];
  /** What the names of programs end with. */
  readonly suffix: string;
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
}

const UNIX = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const SYSTEM32 = "C:\\Windows\\System32";

/**
 * The places of a system, as `Deno.build.os` names it. Fixed: neither a search
 * path nor `%SystemRoot%` of whoever runs it decides which tool is run, so a
 * Windows in another folder than `C:\Windows` is not read.
 */
export function placesOf(system: string): Places {
  switch (system) {
    case "windows":
      return {
        folders: [SYSTEM32, `${SYSTEM32}\\WindowsPowerShell\\v1.0`],
        suffix: ".exe",
        // Without it PowerShell does not start.
        env: { SystemRoot: "C:\\Windows", PATH: SYSTEM32 },
      };
    case "darwin":
      return unix([...UNIX, "/usr/libexec/ApplicationFirewall"]);
    default:
      return unix(UNIX);
  }
}

function unix(folders: readonly string[]): Places {
  const env = { LC_ALL: "C", PATH: UNIX.join(":") };
  return { folders, suffix: "", env };
}
