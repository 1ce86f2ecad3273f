/** The upper rungs: portal, clock, connection, TLS, service, packets. Pure. */
import type { Findings } from "./_doctor_findings.ts";
import { isFault, type Ladder, opened } from "./_doctor_ladder.ts";

/** A clock further off than this spoils certificates. */
const CLOCK_MAX_MS = 60_000;

/** Judges what lies at the other end. */
export function judgeService(findings: Findings, ladder: Ladder): void {
  judgePortal(findings, ladder);
  judgeClock(findings, ladder);
  if (findings.target !== undefined && findings.connects.length > 0) {
    judgeConnection(findings, ladder);
  }
  judgeIdle(findings, ladder);
  judgeBrokers(findings, ladder);
}

function judgePortal({ portal }: Findings, ladder: Ladder): void {
  if (portal.state === "portal") {
    ladder.fail("portal", "portal", {
      what: "This network wants a login first",
      evidence: portal.location === undefined
        ? "Somebody else answers for the test page"
        : `The test page is sent to ${portal.location}`,
      fix: `Open ${
        portal.location ?? "any page over http"
      } in a browser, and log in`,
    });
  } else if (portal.state === "free") {
    ladder.ok("portal", "The test page answers by itself");
  } else ladder.unknown("portal", portal.why);
}

function judgeClock({ clockMs }: Findings, ladder: Ladder): void {
  if (clockMs === undefined) {
    return ladder.unknown("clock", "No server told the time");
  }
  const off = Math.abs(clockMs);
  if (off <= CLOCK_MAX_MS) {
    return ladder.ok("clock", `Within ${Math.ceil(off / 1_000)} s`);
  }
  const days = off / 86_400_000;
  const amount = days >= 2
    ? `${Math.round(days)} days`
    : `${Math.round(off / 60_000)} minutes`;
  ladder.fail("clock", "clock-wrong", {
    what: `The clock of this host is ${amount} ${
      clockMs > 0 ? "ahead" : "behind"
    }`,
    evidence: `${Math.round(clockMs / 1_000)} s beside the server's`,
    fix: "timedatectl set-ntp true",
  });
}

function judgeConnection(findings: Findings, ladder: Ladder): void {
  const { connects, target } = findings;
  const { hostname, port } = target!;
  const list = connects.map(({ address, failure }) =>
    `${address}: ${failure?.why ?? "open"}`
  ).join("; ");
  const open = opened(findings);
  if (
    !connects.some(({ failure }) => failure === undefined || isFault(failure))
  ) {
    return ladder.unknown(
      "connection",
      `It may not be tried: pass --allow-net=${hostname}:${port}`,
    );
  }
  if (connects.every(({ failure }) => failure?.failure?.startsWith("dns-"))) {
    return ladder.unknown("connection", list);
  }
  if (open.length === 0) return judgeClosed(findings, list, ladder);
  const six = connects.filter(({ family }) => family === "v6");
  const sixBroken = six.length > 0 && six.every(({ silent }) => silent);
  if (sixBroken) {
    ladder.fail("connection", "ipv6-broken", {
      what: "IPv6 does not get through, and IPv4 does",
      evidence: list,
      fix: "See the IPv6 router; dial() prefers IPv4 after three failures",
    }, true);
  } else ladder.ok("connection", `${hostname}:${port} is open: ${list}`);
  judgeTls(findings, ladder);
  judgeAnswers(findings, ladder);
}

function judgeClosed(
  { connects, target }: Findings,
  evidence: string,
  ladder: Ladder,
): void {
  const failures = connects.map(({ failure }) => failure?.failure);
  const codes = connects.map(({ failure }) => failure?.code);
  const { hostname, port } = target!;
  if (codes.includes("EADDRNOTAVAIL")) {
    return ladder.fail("connection", "ports-exhausted", {
      what: "All local ports to this target are in use",
      evidence,
      fix:
        "Keep connections open instead of making new ones, or widen net.ipv4.ip_local_port_range",
    });
  }
  if (failures.includes("refused")) {
    return ladder.fail("connection", "target-refused", {
      what: `The host answers, and nobody listens on port ${port}`,
      evidence,
      fix: `Start the service on ${hostname}, or see the port`,
    });
  }
  if (
    codes.some((code) =>
      ["EACCES", "EHOSTUNREACH", "ENETUNREACH"].includes(code ?? "")
    )
  ) {
    return ladder.fail("connection", "target-rejected", {
      what: "A firewall or a router on the way rejects it",
      evidence,
      fix: `Ask who runs the network to let ${hostname}:${port} through`,
    });
  }
  ladder.fail("connection", "target-silent", {
    what: "The target does not answer: it is off, or a firewall drops it",
    evidence,
    fix:
      `See whether ${hostname} runs, and its firewall: holdfast firewall check --port ${port}`,
  });
}

function judgeTls({ tls, clockMs }: Findings, ladder: Ladder): void {
  if (tls === undefined) return;
  if (tls === "works") return ladder.ok("tls", "The certificate is trusted");
  if (tls === "silent") return; // The service itself is judged.
  const evidence = tls.why;
  if (tls.failure === "tls-wrong-name") {
    return ladder.fail("tls", "tls-name", {
      what: "The certificate is for another name",
      evidence,
      fix: "Use the name that stands in the certificate",
    });
  }
  if (tls.failure === "tls-clock") {
    // With a wrong clock the certificate itself may be good.
    if (Math.abs(clockMs ?? 0) > CLOCK_MAX_MS) return;
    return ladder.fail("tls", "tls-validity", {
      what: "The certificate has expired, or is not valid yet",
      evidence,
      fix: "Renew the certificate of the server",
    });
  }
  if (tls.failure === "wrong-protocol" || tls.failure === "peer-rst") {
    return ladder.fail("tls", "not-tls", {
      what: "The server does not speak TLS on this port",
      evidence,
      fix: "Leave TLS out, or see the port",
    });
  }
  ladder.fail("tls", "tls-untrusted", {
    what: "The certificate is from nobody that this host trusts",
    evidence,
    fix:
      "A proxy may open TLS: ask for its certificate and pass it by caCerts; never ignore it",
  });
}

function judgeAnswers(
  { service, mtu, tls }: Findings,
  ladder: Ladder,
): void {
  if (service === "silent" || tls === "silent") {
    return ladder.fail("service", "service-frozen", {
      what: "The host accepts connections, and the service does not answer",
      evidence: "Connected; no answer to a request",
      fix: "Restart the service: it hangs, or is overloaded",
    });
  }
  if (service === "answers") ladder.ok("service", "It answers a request");
  if (mtu === "black-hole") {
    return ladder.fail("packets", "mtu-black-hole", {
      what: "Large packets vanish on the way, small ones pass",
      evidence:
        "A request of 4 kB is not answered, the same in pieces of 1000 bytes is",
      fix:
        "sysctl net.ipv4.tcp_mtu_probing=1, or a smaller MTU: ip link set eth0 mtu 1280",
    });
  }
  if (mtu === "passes") ladder.ok("packets", "Large packets pass");
}

function judgeIdle({ idle }: Findings, ladder: Ladder): void {
  if (idle === "held") ladder.ok("idle", "An idle connection stays open");
  if (idle === "untried") {
    ladder.unknown("idle", "It takes a target that is open and speaks HTTP");
  }
  if (idle === "ended") {
    ladder.unknown("idle", "The service itself ends idle connections sooner");
  }
  if (idle !== "dropped") return;
  ladder.fail("idle", "idle-dropped", {
    what: "Connections that are idle are forgotten on the way",
    evidence: "After the pause the connection no longer answers",
    fix: "Send a heartbeat more often than that: watchLiveness",
  });
}

function judgeBrokers({ brokers }: Findings, ladder: Ladder): void {
  if (brokers.length === 0) return;
  const dead = brokers.filter(({ failure }) => isFault(failure));
  const evidence = brokers.map(({ url, failure }) =>
    `${url}: ${failure?.why ?? "reached"}`
  ).join("; ");
  if (dead.length === 0) {
    return brokers.every(({ failure }) => failure === undefined)
      ? ladder.ok("brokers", evidence)
      : ladder.unknown("brokers", evidence);
  }
  ladder.fail("brokers", "broker-unreachable", {
    what: `${dead.length} of ${brokers.length} brokers cannot be reached`,
    evidence,
    fix: "See these brokers, or name others",
  }, dead.length < brokers.length);
}
