import {
  IP_MONITOR,
  type Monitor,
  type MonitorListener,
  ROUTE_MONITOR,
  startMonitor,
} from "./_monitor.ts";
import { platform } from "./_platform.ts";
import { type AskedMonitor, startPowerShell } from "./_powershell.ts";

/** What gives hints on this system. */
export function startFor(
  listener: MonitorListener,
): Monitor | AskedMonitor | undefined {
  switch (platform()) {
    case "windows":
      return startPowerShell(listener);
    case "bsd":
      return startMonitor(ROUTE_MONITOR, listener);
    default:
      return startMonitor(IP_MONITOR, listener);
  }
}
