/** What the name servers said, and whether anything far away answers. Pure. */
import type { Findings } from "./_doctor_findings.ts";
import { heardFromFar, type Ladder } from "./_doctor_ladder.ts";

/** Judges the look-up, and what its silence means. */
export function judgeNames(findings: Findings, ladder: Ladder): void {
  const { target, name } = findings;
  const servers = findings.servers?.filter(({ kind }) =>
    kind !== "not-allowed"
  );
  const forbidden = findings.servers?.length !== servers?.length;
  if (target !== undefined && !target.isName) {
    ladder.unknown("names", `${target.hostname} is an address`);
    return judgeInternet(findings, ladder);
  }
  if (servers === undefined || forbidden && servers.length === 0) {
    return ladder.unknown(
      "names",
      "The name servers may not be asked: pass --allow-net and --allow-read=/etc",
    );
  }
  if (servers.length === 0) {
    return ladder.fail("names", "no-resolver", {
      what: "No name server is configured",
      evidence: "/etc/resolv.conf names none",
      fix: "Put a line such as `nameserver 192.0.2.1` into /etc/resolv.conf",
    });
  }
  const told = servers.map(({ server, kind }) => `${server}: ${kind}`);
  const list = told.join("; ");
  if (servers.every(({ kind }) => kind === "not-asked")) {
    ladder.unknown("names", "There was no name to ask for");
    return judgeInternet(findings, ladder);
  }
  const silent = servers.filter(({ kind }) => kind === "silent");
  if (silent.length === servers.length) {
    return judgeSilence(findings, list, ladder);
  }
  const kinds = new Set(servers.map(({ kind }) => kind));
  if (kinds.has("sinkhole")) {
    return ladder.fail("names", "name-sinkholed", {
      what: "A blocker answers for the name server",
      evidence: list,
      fix: "Allow the name in the blocker, or ask another server",
    });
  }
  const failing = servers.every(({ kind }) =>
    ["malformed", "refused", "server-failure", "silent"].includes(kind)
  );
  if (failing) {
    return ladder.fail("names", "resolver-failing", {
      what: "The name servers answer, and fail",
      evidence: list,
      fix: "Name another server in /etc/resolv.conf",
    });
  }
  if (
    name?.code === "recovery/no-such-name" ||
    name?.code === "recovery/no-address"
  ) {
    return ladder.fail("names", "name-unknown", {
      what: "The name does not exist, or has no address",
      evidence: list,
      fix: `See how ${target?.hostname ?? "it"} is spelled`,
    });
  }
  if (silent.length > 0) {
    return ladder.fail("names", "resolver-dead", {
      what: "One of the name servers is dead, and slows the system's look-ups",
      evidence: list,
      fix: `Take ${silent[0]!.server} out of /etc/resolv.conf`,
    }, true);
  }
  ladder.ok("names", list);
}

/** None of the servers answers. */
function judgeSilence(findings: Findings, list: string, ladder: Ladder): void {
  if (!heardFromFar(findings) && Object.values(findings.hops).includes(true)) {
    return ladder.fail("internet", "upstream-silent", {
      what: "The router answers, and nothing beyond it does",
      evidence: `Next hop fine; ${list}`,
      fix: "See whether the router is online; restart it or call its provider",
    });
  }
  return ladder.fail("names", "resolver-silent", {
    what: "No name server answers",
    evidence: list,
    fix:
      "Name another server in /etc/resolv.conf, or pass servers to resolve()",
  });
}

/** For an address there are no name servers to tell. */
function judgeInternet(findings: Findings, ladder: Ladder): void {
  const { connects, hops, routes } = findings;
  const far = routes?.some(({ gateway }) => gateway !== undefined) ?? false;
  const silent = connects.length > 0 && connects.every(({ silent }) => silent);
  if (!silent || !far || heardFromFar(findings)) return;
  if (!Object.values(hops).includes(true)) return;
  const { servers } = findings;
  if (servers === undefined || servers.length === 0) return;
  ladder.fail("internet", "upstream-silent", {
    what: "The router answers, and nothing beyond it does",
    evidence: "Neither the target nor a name server answers",
    fix: "See whether the router is online; restart it or call its provider",
  });
}
