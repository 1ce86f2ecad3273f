/** What the rules of `_tidy.ts` know by name: long files, and the pure core. */

/** Files over the limit, and why each is one concept. */
export const LONG_FILES: Readonly<Record<string, string>> = {
  "packages/resume/_conn.ts":
    "the facade of Deno.Conn: a method for each of the interface, none of them long",
  "packages/resume/_incoming.ts":
    "one handshake from its first record to its session, each step short",
  "packages/resume/messages.ts":
    "one class: what is sent, what is received, and what a successor needs of both",
  "tools/testkit/lab_faults.ts":
    "one list: each root cause of the doctor, and how the lab brings it about",
  "packages/signal/_endpoint.ts":
    "the facade of Signalling, and the wiring of its parts",
  "packages/signal/_sender.ts":
    "one outbox and its letters: each thing that can happen to them is a short method",
  "packages/resume/_stream_core.ts":
    "one state machine: each of its steps reads and writes most of its state",
  "src/_peer.ts": "the facade of Peer, and the wiring of its parts",
  "packages/resume/_client_session.ts":
    "one client: it opens, redials, replaces and lets go, each step short",
  "packages/resume/server.ts":
    "the facade of the server: its options, and a method for each thing to ask of it",
  "packages/handoff/listener.ts":
    "the facade of Deno.Listener: a method for each of the interface, none of them long",
  "packages/handoff/upgrader.ts":
    "the facade of Upgrader: each method hands on to a part of its own",
};

/**
 * Files of the pure core, by name, in any package. A file with another name
 * may be pure as well; one with such a name must be.
 */
export const PURE_FILES: readonly string[] = [
  "_core*.ts",
  "*_core.ts",
  "core.ts",
  "*_step.ts",
  "step.ts",
  // what cores are made of: windows, queues, wire formats, parsers, rules
  "*_address.ts",
  "*_alarm_heap.ts",
  "*_assemble.ts",
  "*_bucket.ts",
  "*_buffer.ts",
  "*_diff*.ts",
  "*_dns_cache.ts",
  "*_dns_config.ts",
  "*_dns_race.ts",
  "*_dns_reading.ts",
  "*_doctor_findings.ts",
  "*_doctor_ladder.ts",
  "*_errno.ts",
  "*_eyeballs.ts",
  "*_evaluate*.ts",
  "*_frame.ts",
  "*_inbox.ts",
  "*_liveness.ts",
  "*_clock.ts",
  "*_commit_point.ts",
  "*_safe_point.ts",
  "*_segment.ts",
  "*_stored_state.ts",
  "*_linux_ip.ts",
  "*_linux_text.ts",
  "*_linux_ways.ts",
  "*_link_class.ts",
  "*_link_health.ts",
  "*_link_limits.ts",
  "*_lookup.ts",
  "*_ordering.ts",
  "*_outbox_types.ts",
  "*_chunks.ts",
  "*_packet.ts",
  "*_content.ts",
  "*_route_health.ts",
  "*_ifconfig.ts",
  "*_windows_json.ts",
  "*_listen_fds.ts",
  "*_lru.ts",
  "*_netstat.ts",
  "*_outbox.ts",
  "*_parser.ts",
  "*_race.ts",
  "*_route_print.ts",
  "*_rules.ts",
  "*_tombstones.ts",
  "*_verdict.ts",
  "*_window.ts",
  "*_wire.ts",
  "*_interval_set.ts",
  "_iptables_*.ts",
  "_nft_*.ts",
  "*_proof.ts",
  "*_tri.ts",
  "*_libc_layout.ts",
  "*_sockaddr.ts",
  "*_socket_kind.ts",
  "_bytes.ts",
  "*_windows_change.ts",
  "*_windows_commands.ts",
  "*_windows_program.ts",
  "*_windows_quote.ts",
  "*_ipfw_judge.ts",
  "*_ipfw_plan.ts",
  "*_pf_judge.ts",
  "*_pf_plan.ts",
  "*_macos_plan.ts",
  "*_macos_quote.ts",
  "*_freebsd_judge.ts",
  "*_other_match.ts",
  "*_other_sequence.ts",
  "*_other_tag.ts",
  "*_pf_match.ts",
  "*_refusal.ts",
  "*_tunnel_state.ts",
  "*_why_failed.ts",
  "_judge.ts",
  "_ipc.ts",
  "*_ipfw_match.ts",
  "classify.ts",
  "diff.ts",
  "evaluate.ts",
];
