/**
 * One PowerShell that stays: it says "hint" when Windows says that something
 * changed, and answers "read" with the whole network on one line. Starting one
 * takes seconds of a core, so it is asked, not started anew.
 */
import type { Monitor, MonitorListener } from "./_monitor.ts";
import { explain } from "./_run.ts";
import { WINDOWS_SNAPSHOT } from "./_windows_json.ts";

const ANSWER = "network ";
const HINT = "hint";
const ANSWER_MS_MAX = 15_000;
const LINE_LENGTH_MAX = 8 * 1024 * 1024;

/**
 * Its program. Events are handled between statements only, so it must not wait
 * in ReadLine for ever; and Console.In has no reading that does not wait. It
 * ends with its input, so it does not outlive a program that is killed. Output
 * is UTF-8: it would be in the code page of the system otherwise.
 */
const PROGRAM = `
$ErrorActionPreference = 'SilentlyContinue'
[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false
$changes = [System.Net.NetworkInformation.NetworkChange]
$say = { [Console]::Out.WriteLine('${HINT}') }
$null = Register-ObjectEvent $changes NetworkAddressChanged -Action $say
$null = Register-ObjectEvent $changes NetworkAvailabilityChanged -Action $say
$null = Register-CimIndicationEvent -ClassName Win32_IP4RouteTableEvent -Action $say
$lines = New-Object System.IO.StreamReader ([Console]::OpenStandardInput())
while ($true) {
  $next = $lines.ReadLineAsync()
  while (-not $next.Wait(100)) { }
  if ($null -eq $next.Result) { break }
  $json = ${WINDOWS_SNAPSHOT.replaceAll("\n", " ")}
  [Console]::Out.WriteLine('${ANSWER}' + $json)
}
`;

/** What to start; a test passes a program that answers as a Windows did. */
export interface PowerShellCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** The PowerShell that every Windows has. */
export const WINDOWS_POWERSHELL: PowerShellCommand = {
  command: "powershell",
  args: [
    "-NoLogo",
    "-NoProfile",
    "-NonInteractive",
    "-ExecutionPolicy",
    "Bypass",
    "-Command",
    PROGRAM,
  ],
};

/** A monitor that can be asked for the network too. */
export interface AskedMonitor extends Monitor {
  /** The answer; `undefined` when none came, or it ended. */
  read(signal: AbortSignal): Promise<string | undefined>;
}

/** Starts it; `undefined` when it cannot be, and `onEnd` has been told. */
export function startPowerShell(
  listener: MonitorListener,
  { command, args }: PowerShellCommand = WINDOWS_POWERSHELL,
): AskedMonitor | undefined {
  try {
    const child = new Deno.Command(command, {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    return new PowerShell(child, listener);
  } catch (error) {
    const { message, why } = explain(command, error);
    listener.onEnd(message, why !== "failed");
    return undefined;
  }
}

class PowerShell implements AskedMonitor {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #ended: Promise<void>;
  #answer: PromiseWithResolvers<string | undefined> | undefined;
  #stopping = false;

  constructor(child: Deno.ChildProcess, listener: MonitorListener) {
    this.#child = child;
    this.#stdin = child.stdin.getWriter();
    this.#reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    this.#ended = this.#listen(listener);
  }

  async #listen(listener: MonitorListener): Promise<void> {
    let text = "";
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) break;
      const lines = (text + value).split(/\r?\n/);
      text = lines.pop()!;
      if (text.length > LINE_LENGTH_MAX) text = "";
      for (const line of lines) this.#heard(line, listener);
    }
    this.#answer?.resolve(undefined);
    await this.#stdin.close().catch(() => {});
    await this.#child.status;
    if (!this.#stopping) listener.onEnd("powershell ended", false);
  }

  #heard(line: string, listener: MonitorListener): void {
    if (this.#stopping) return;
    if (line === HINT) listener.onHint("change");
    else if (line.startsWith(ANSWER)) {
      this.#answer?.resolve(line.slice(ANSWER.length));
      this.#answer = undefined;
    }
  }

  async read(signal: AbortSignal): Promise<string | undefined> {
    const { promise, resolve } = this.#answer ??= Promise.withResolvers();
    const timer = setTimeout(() => resolve(undefined), ANSWER_MS_MAX);
    const onAbort = () => resolve(undefined);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await this.#stdin.write(new TextEncoder().encode("read\n"));
      return await promise;
    } catch {
      return undefined; // It ended: the listener is told.
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      // A late answer is nobody's.
      this.#answer = undefined;
    }
  }

  unref(): void {
    this.#child.unref();
  }

  ref(): void {
    this.#child.ref();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It is gone already.
    }
    await this.#ended;
  }
}
