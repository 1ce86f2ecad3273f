/**
 * Tunnels for programs that know nothing of Holdfast: their TCP connections
 * survive cuts, changes of address and sleep. `deno run jsr:@holdfast/resume/cli`
 * is the same as a command, and so is `holdfast tunnel`.
 *
 * @module
 */
export {
  parseTunnelAddress,
  type TunnelAddress,
  tunnelAddressText,
} from "./_tunnel_address.ts";
export { connectTunnel, type TunnelClient } from "./tunnel_client.ts";
export type { TunnelEvent, TunnelStats } from "./tunnel_events.ts";
export type {
  ConnectTunnelOptions,
  LocalConn,
  LocalSource,
  ServeTunnelOptions,
  TunnelPredecessor,
} from "./tunnel_options.ts";
export { serveTunnel, type TunnelServer } from "./tunnel_server.ts";
