/**
 * The doctor's judgement: findings in, diagnosis out. Pure. What stands lower on
 * the ladder explains what stands above it, so the first cause is the root; what
 * is proved higher up (an answer from far away) clears what is below.
 */
import type { Findings, LinkFinding } from "./_doctor_findings.ts";
import { heardFromFar, isFault, Ladder, opened } from "./_doctor_ladder.ts";
import { judgeNames } from "./_doctor_name_rules.ts";
import { judgeService } from "./_doctor_service.ts";
import type { Cause, Step } from "./diagnosis.ts";

/** Judges all findings. */
export function judgeFindings(
  findings: Findings,
): { readonly causes: readonly Cause[]; readonly steps: readonly Step[] } {
  const ladder = new Ladder();
  judgeSystem(findings, ladder);
  judgeLinks(findings, ladder);
  judgeRoutes(findings, ladder);
  judgeHost(findings, ladder);
  judgeNames(findings, ladder);
  judgeService(findings, ladder);
  // Of several, those that keep it from working are before those that do not.
  const causes = [
    ...ladder.causes.filter(({ minor }) => !minor),
    ...ladder.causes.filter(({ minor }) => minor),
  ];
  return { causes, steps: ladder.steps };
}

function judgeSystem({ system }: Findings, ladder: Ladder): void {
  if (system === undefined) {
    ladder.unknown(
      "system",
      "No socket may be opened to try: pass --allow-net",
    );
  } else if (system.descriptorsOut) {
    ladder.fail("system", "descriptors-exhausted", {
      what: "This program can open no more files or sockets",
      evidence: "Opening a socket fails with EMFILE",
      fix: "Close what is not used, or raise the limit: ulimit -n 65536",
    });
  } else if (system.portsOut) {
    ladder.fail("system", "ports-exhausted", {
      what: "All local ports are in use",
      evidence: "No free port can be bound or connected from",
      fix:
        "Keep connections open instead of making new ones, or widen net.ipv4.ip_local_port_range",
    });
  } else ladder.ok("system", "Sockets can be opened");
}

function judgeLinks(findings: Findings, ladder: Ladder): void {
  const { links, target } = findings;
  if (links === undefined) {
    ladder.unknown(
      "link",
      "The interfaces cannot be asked: pass --allow-run=ip",
    );
    ladder.unknown("address", "The addresses cannot be asked");
    return;
  }
  if (isOwn(findings)) {
    ladder.ok("link", `${target!.hostname} is this host`);
    return;
  }
  const names = links.map(({ name }) => name).join(", ") || "none";
  const up = links.filter((link) => link.up);
  if (up.length === 0) {
    return ladder.fail("link", "no-link", {
      what: "No network interface is up",
      evidence: `Interfaces: ${names}; none is up`,
      fix: `ip link set ${links[0]?.name ?? "eth0"} up`,
    });
  }
  const carried = up.filter(({ carrier }) => carrier);
  if (carried.length === 0) {
    return ladder.fail("link", "no-carrier", {
      what: "The cable or the radio has no other end",
      evidence: `${up.map(({ name }) => name).join(", ")}: up, without carrier`,
      fix: "Plug the cable in, or join a wireless network",
    });
  }
  ladder.ok("link", `${carried.map(({ name }) => name).join(", ")}: up`);
  judgeAddresses(findings, carried, ladder);
}

function judgeAddresses(
  findings: Findings,
  links: readonly LinkFinding[],
  ladder: Ladder,
): void {
  const all = links.flatMap(({ addresses }) => addresses);
  const global = all.filter(({ linkLocal }) => !linkLocal);
  const usable = global.filter(({ tentative, duplicate }) =>
    !tentative && !duplicate
  );
  const duplicate = global.find((address) => address.duplicate);
  const tentative = global.find((address) =>
    address.tentative && !address.duplicate
  );
  if (duplicate !== undefined) {
    ladder.fail("address", "duplicate-address", {
      what: "Another host has one of the own IPv6 addresses",
      evidence: `${duplicate.address} failed duplicate address detection`,
      fix: "Give this host another address, or find the other one",
    }, usable.length > 0 && worksBesides(findings));
  } else if (tentative !== undefined) {
    ladder.fail("address", "address-tentative", {
      what: "An address is still being checked, and cannot be used yet",
      evidence: `${tentative.address} is tentative`,
      fix: "Wait 1 to 2 s (whenUsable does), then try again",
    }, usable.length > 0 && worksBesides(findings));
  } else if (usable.length === 0 && all.length > 0 && worksBesides(findings)) {
    ladder.ok("address", "Link-local addresses alone, and they do");
  } else if (usable.length === 0) {
    ladder.fail("address", "no-address", {
      what: "The interface has no address",
      evidence: all.length > 0
        ? "Only link-local addresses"
        : "No address on any interface that is up",
      fix: "See that a DHCP client runs: dhclient -v, or networkctl renew",
    });
  } else {
    ladder.ok("address", usable.map(({ address }) => address).join(", "));
  }
  const { conflict } = findings;
  if (conflict === undefined) return;
  ladder.fail("conflict", "address-conflict", {
    what: "Another host on this link has the own IPv4 address",
    evidence: `${conflict.other} answers for ${conflict.address}`,
    fix: "Renew the lease, or give one of the two another address",
  });
}

function judgeRoutes(findings: Findings, ladder: Ladder): void {
  const { routes, links, hops } = findings;
  if (routes === undefined || isOwn(findings) || links === undefined) return;
  const downBelow = ladder.causes.some(({ step }) => step === "link");
  if (routes.length === 0 || downBelow) {
    return ladder.unknown("route", "No route was asked for");
  }
  const forbidden = routes.find(({ kind }) => kind === "forbidden");
  const way = routes.find(({ kind }) => kind === "unicast");
  if (way === undefined) {
    if (forbidden !== undefined) {
      return ladder.fail("route", "route-forbidden", {
        what: "A route forbids the address, as a VPN's kill switch does",
        evidence: `The route to ${forbidden.to} is a blackhole or prohibits it`,
        fix: "Connect the VPN, or see: ip route show; ip rule show",
      });
    }
    return ladder.fail("route", "no-route", {
      what: "There is no route to the target",
      evidence: `No route to ${routes.map(({ to }) => to).join(", ")}`,
      fix: "See that there is a default route: ip route show default",
    });
  }
  ladder.ok(
    "route",
    `By ${way.interface}${way.gateway ? ` and ${way.gateway}` : ""}` +
      (findings.tunnel === undefined
        ? ""
        : `, through the tunnel ${findings.tunnel}`),
  );
  const asked = routes.flatMap(({ gateway, to }) => [gateway ?? to])
    .filter((hop) => hops[hop] !== undefined);
  const silent = asked.filter((hop) => hops[hop] === false);
  if (asked.length === 0) return ladder.unknown("gateway", "No next hop");
  if (silent.length === asked.length && !heardFromFar(findings)) {
    return ladder.fail("gateway", "gateway-silent", {
      what: "The router does not answer on the link",
      evidence: `${silent.join(", ")} answers no address resolution`,
      fix: "Restart the router, or join the network again: ip neigh show",
    });
  }
  ladder.ok("gateway", "The next hop answers");
}

function judgeHost(findings: Findings, ladder: Ladder): void {
  const { sendForbidden, firewall, proxies, target } = findings;
  if (sendForbidden) {
    ladder.fail("firewall", "local-firewall", {
      what: "The firewall of this host forbids what goes out",
      evidence: "Sending a datagram fails with EPERM",
      fix: "See: nft list ruleset, or iptables -S OUTPUT",
    });
  } else if (firewall !== undefined && !firewall.open) {
    ladder.fail("firewall", "firewall-blocks", {
      what: "The firewall of this host lets nobody in",
      evidence: firewall.why,
      fix: "holdfast firewall plan --port PORT",
    });
  } else if (
    firewall === undefined && !isOwn(findings) &&
    Object.keys(findings.hops).length === 0
  ) {
    ladder.unknown("firewall", "No datagram was sent to try");
  } else {
    ladder.ok("firewall", firewall?.why ?? "Nothing here forbids to send");
  }
  const broken = proxies.find(({ failure }) => isFault(failure));
  if (broken !== undefined) {
    ladder.fail("proxy", "proxy-broken", {
      what: "The proxy that the environment names does not answer",
      evidence: `${broken.variable}=${broken.address}: ${broken.failure!.why}`,
      fix: `unset ${broken.variable}, or start the proxy`,
    }, target !== undefined && opened(findings).length > 0);
  } else if (proxies.length > 0) {
    ladder.ok("proxy", proxies.map(({ address }) => address).join(", "));
  }
}

/** Whether the target is this very host. */
function isOwn({ routes, target, connects }: Findings): boolean {
  // Without an address of the target the routes are those of others.
  return target !== undefined && connects.length > 0 &&
    (routes?.length ?? 0) > 0 &&
    routes!.every(({ kind }) => kind === "local");
}

/** Whether what was asked for works in spite of it. */
function worksBesides(findings: Findings): boolean {
  return findings.target === undefined
    ? heardFromFar(findings)
    : opened(findings).length > 0;
}
