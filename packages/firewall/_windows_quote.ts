/**
 * The ways of quoting that a command for Windows goes through: PowerShell's
 * own, its encoded argument, and the command line that each program splits
 * again by itself. Pure functions, each total on the text that is let in.
 */

/** Every character that PowerShell takes for a single quote. */
const QUOTES = /['\u2018\u2019\u201a\u201b]/g;

/**
 * A text as a literal of PowerShell, in which nothing is expanded.
 *
 * @throws {TypeError} When it holds a control character.
 */
export function quotePowerShell(text: string): string {
  // deno-lint-ignore no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text)) {
    throw new TypeError(
      `Cannot quote: control characters are not allowed: current value is ${
        JSON.stringify(text)
      }`,
    );
  }
  return `'${text.replace(QUOTES, "$&$&")}'`;
}

/** A script for `-EncodedCommand`: UTF-16, low byte first, in base 64. */
export function encodePowerShell(script: string): string {
  let bytes = "";
  for (let at = 0; at < script.length; at++) {
    const unit = script.charCodeAt(at);
    bytes += String.fromCharCode(unit & 0xff, unit >> 8);
  }
  return btoa(bytes);
}

/** Where PowerShell of Windows itself is; never by the search path. */
export const POWERSHELL =
  "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe";
/** Where netsh is. */
export const NETSH = "C:\\Windows\\System32\\netsh.exe";

/** The command that runs a script of ours, and nothing of the user's. */
export function powerShellArgv(script: string): string[] {
  return [
    POWERSHELL,
    "-NoLogo",
    "-NoProfile",
    "-NonInteractive",
    "-EncodedCommand",
    encodePowerShell(script),
  ];
}

/**
 * The same, with the rights of an administrator, after one prompt (UAC). A
 * prompt that is refused ends with 1223, in every language.
 */
export function elevatedArgv(script: string): string[] {
  const [file, ...args] = powerShellArgv(script);
  // By .NET: Start-Process would hide the number of the error in a sentence.
  // No argument needs quotes: they are letters, digits, `+`, `/`, `=`, `-`.
  return powerShellArgv([
    "$start = [System.Diagnostics.ProcessStartInfo]::new()",
    `$start.FileName = ${quotePowerShell(file!)}`,
    `$start.Arguments = ${quotePowerShell(args.join(" "))}`,
    "$start.Verb = 'runas'",
    "$start.UseShellExecute = $true",
    "$start.WindowStyle = 'Hidden'",
    "try {",
    "  $child = [System.Diagnostics.Process]::Start($start)",
    "  $child.WaitForExit()",
    "  exit $child.ExitCode",
    "} catch {",
    "  $cause = $_.Exception.GetBaseException()",
    "  if ($cause -is [System.ComponentModel.Win32Exception]) { exit $cause.NativeErrorCode }",
    "  exit 1",
    "}",
  ].join("\n"));
}

/** What UAC ends with when the person says no. */
export const ELEVATION_REFUSED = 1223;
