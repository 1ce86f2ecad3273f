/** Addresses, ports and scripts of the lab: what each of its hosts is. */

/** Addresses of the lab. */
export const LAB: Readonly<
  Record<
    | "client4"
    | "client6"
    | "gateway4"
    | "gateway6"
    | "second4"
    | "server4"
    | "server6",
    string
  >
> = {
  client4: "10.66.1.2",
  client6: "fd66:1::2",
  gateway4: "10.66.1.1",
  gateway6: "fd66:1::1",
  second4: "10.66.2.3",
  server4: "10.66.2.2",
  server6: "fd66:2::2",
};

/** A service of the server. */
export type Service =
  | "clock"
  | "control"
  | "dead"
  | "echo"
  | "ends"
  | "expired"
  | "frozen"
  | "half"
  | "hello"
  | "http"
  | "portal"
  | "reset"
  | "sink"
  | "tls"
  | "unread";

/** Ports of the server; nobody listens on `dead` and `frozen`. */
export const PORTS: Readonly<Record<Service, number>> = {
  clock: 82,
  control: 9999,
  expired: 444,
  dead: 9,
  echo: 7000,
  ends: 7006,
  frozen: 7100,
  half: 7003,
  hello: 7001,
  http: 80,
  portal: 81,
  reset: 7002,
  sink: 7005,
  tls: 443,
  unread: 7004,
};

/** Sets the client up. */
export const CLIENT_UP: string = `
ip link set lo up
ip link set cl up
ip addr replace ${LAB.client4}/24 dev cl
ip addr replace ${LAB.client6}/64 dev cl nodad
ip route replace default via ${LAB.gateway4} dev cl
ip -6 route replace default via ${LAB.gateway6} dev cl`;

/** Sets the router up. */
export const ROUTER_UP: string = `
ip link set lo up
ip link set lan up
ip link set wan up
ip addr replace ${LAB.gateway4}/24 dev lan
ip addr replace ${LAB.gateway6}/64 dev lan nodad
ip addr replace 10.66.2.1/24 dev wan
ip addr replace fd66:2::1/64 dev wan nodad
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding`;

/** Sets the server up. */
export const SERVER_UP: string = `
ip link set lo up
ip link set srv up
ip addr replace ${LAB.server4}/24 dev srv
ip addr replace ${LAB.second4}/24 dev srv
ip addr replace ${LAB.server6}/64 dev srv nodad
ip route replace default via 10.66.2.1
ip -6 route replace default via fd66:2::1`;

/** Takes every rule of a firewall away. */
export const NO_RULES: string = `
for t in iptables ip6tables; do
  for c in INPUT OUTPUT FORWARD; do $t -P $c ACCEPT; done
  $t -F; $t -t nat -F; $t -t mangle -F
done
if command -v nft > /dev/null; then nft delete table arp lab 2> /dev/null || true; fi`;
