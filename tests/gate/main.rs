//! The gate through the real program on real hosts: whatever happens to the client, a gate ends.

#![expect(clippy::disallowed_macros, reason = "a test says the figures it measured")]
#![expect(clippy::disallowed_methods, reason = "a test has no `Process` to ask for the time")]

use std::process::ExitCode;

mod broken;
mod fleet;
mod killed;
mod own_way;
mod printed;
mod program;
mod whole;

fn main() -> ExitCode {
    testbed::main(vec![
        testbed::test("closed_proven_and_opened_in_stages::nft", || whole::closed_and_opened("nft")),
        testbed::test("closed_proven_and_opened_in_stages::iptables_nft", || whole::closed_and_opened("iptables-nft")),
        testbed::test("closed_proven_and_opened_in_stages::iptables_legacy", || {
            whole::closed_and_opened("iptables-legacy")
        }),
        testbed::test("what_makes_no_sense_is_refused_before_anything_changes", whole::refused),
        testbed::test("a_gate_that_no_new_connection_confirms_is_gone_in_time", whole::unconfirmed),
        testbed::test("a_gate_that_cuts_its_own_operators_requests_is_not_confirmed", own_way::cut),
        testbed::test("a_host_without_ipv6_rules_is_not_closed_unasked", own_way::half_a_firewall),
        testbed::test("what_is_printed_is_what_is_written::nft", || printed::rules("nft")),
        testbed::test("what_is_printed_is_what_is_written::iptables_nft", || printed::rules("iptables-nft")),
        testbed::test("what_is_printed_is_what_is_written::iptables_legacy", || printed::rules("iptables-legacy")),
        testbed::test("killed_clients_leave_no_gate_that_stays::nft", || killed::at_random("nft", 34)),
        testbed::test("killed_clients_leave_no_gate_that_stays::iptables_nft", || {
            killed::at_random("iptables-nft", 33)
        }),
        testbed::test("killed_clients_leave_no_gate_that_stays::iptables_legacy", || {
            killed::at_random("iptables-legacy", 33)
        }),
        testbed::test("a_closing_broken_off_anywhere_is_gone_on_with_and_taken_back", broken::anywhere),
        testbed::test("two_hundred_hosts_with_a_third_of_them_dead", fleet::two_hundred),
    ])
}
