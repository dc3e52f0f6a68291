//! Lockouts on real parts: each is made for real, kubectl is shown to be out, the shipped runbook is run unattended by the
//! program itself, its effect is looked at, and `undo` brings back the same bytes.

#![expect(clippy::disallowed_methods, reason = "a test has no `Process` to ask")]
#![expect(clippy::disallowed_macros, reason = "a test says on its standard output what the program said")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::{Host, Kit, Kubectl, KubeletPlane, Lab, Lent, Output, Pool, Running, User, test, wait_until};

mod bad_manifest;
mod bad_rollout;
mod certificates_expired;
mod credentials;
mod masters_offender;
mod oom_loop;
mod pods_on_nodes;
mod recovery_killed;
mod recovery_server;
mod regain_access;
mod rights;
mod status;
mod stray_manifest;
mod webhook_deadlock;

/// More than anything takes here, also where three storms blow beside it.
const LONG: Duration = Duration::from_mins(10);

fn main() -> ExitCode {
    testbed::main_with_kubernetes(vec![
        // The longest first; storms take turns.
        test(
            "an_api_server_that_is_killed_for_its_memory_at_each_start_comes_back_and_undo_is_exact",
            oom_loop::an_api_server_that_is_killed_at_each_start_comes_back_and_undo_is_exact,
        ),
        test(
            "an_offender_of_system_masters_ends_although_its_certificate_stays_good",
            masters_offender::it_ends_although_its_certificate_stays_good,
        ),
        test(
            "an_offenders_pods_stand_still_on_their_nodes_without_the_api_and_go_on",
            pods_on_nodes::they_stand_still_and_go_on,
        ),
        test(
            "an_offenders_pods_lose_their_way_to_the_api_on_their_nodes_and_nobody_else_does",
            pods_on_nodes::their_way_to_the_api_is_closed,
        ),
        test(
            "one_runbook_tells_the_lockouts_apart_and_opens_each_and_changes_nothing_where_nothing_is_wrong",
            regain_access::each_lockout_is_told_apart_and_opened,
        ),
        test(
            "a_webhook_that_refuses_every_pod_also_its_own_is_disarmed_and_comes_back_to_the_byte",
            webhook_deadlock::opened_and_undone,
        ),
        test(
            "whoever_looks_with_an_empty_laptop_sees_what_stands_and_nothing_is_once_it_is_undone",
            status::from_an_empty_laptop,
        ),
        test("administrators_whose_binding_was_deleted_are_let_in_again_and_undo_is_exact", rights::deleted),
        test("rights_that_were_emptied_or_lead_elsewhere_are_put_right_and_undo_is_exact", rights::emptied),
        test("of_several_webhooks_only_those_that_are_dead_or_named_are_touched", webhook_deadlock::only_the_dead),
        test(
            "a_policy_that_refuses_and_an_aggregated_api_that_is_dead_are_disarmed_by_name",
            webhook_deadlock::policies_and_aggregated_apis,
        ),
        test(
            "a_client_certificate_that_has_ended_is_no_lockout_where_a_host_has_another",
            credentials::a_certificate_that_has_ended,
        ),
        test(
            "a_sign_on_that_is_gone_is_no_lockout_and_where_no_credential_lies_the_ca_signs_one",
            credentials::a_sign_on_that_is_gone,
        ),
        test(
            "a_write_gets_through_a_recovery_api_server_while_the_hosts_own_hangs",
            recovery_server::a_write_gets_through_beside_a_server_that_hangs,
        ),
        test(
            "what_stands_in_the_way_of_a_recovery_api_server_is_said_and_a_flag_that_kills_it_is_left_out",
            recovery_server::what_stands_in_the_way_is_said,
        ),
        test(
            "neither_webhooks_nor_rights_stand_in_the_way_of_a_recovery_api_server_where_that_was_asked_for",
            recovery_server::webhooks_and_rights_do_not_stand_in_its_way,
        ),
        test(
            "a_recovery_api_server_leaves_nothing_however_it_ends",
            recovery_server::it_leaves_nothing_however_it_ends,
        ),
        test("a_recovery_api_server_ends_wherever_its_client_is_killed", recovery_killed::at_each_place_of_its_journal),
        test(
            "an_api_server_that_crash_loops_by_flags_comes_back_without_them_and_they_come_back_by_undo",
            bad_manifest::a_bad_flag_is_taken_out_and_comes_back_by_undo,
        ),
        test(
            "a_manifest_that_is_gone_or_cannot_be_read_is_put_back_from_a_copy_that_was_named",
            bad_manifest::another_text_is_put_in_where_the_manifest_is_gone,
        ),
        test(
            "a_kubelet_that_holds_on_to_an_old_pod_is_told_with_what_ends_it",
            bad_manifest::a_kubelet_that_holds_on_is_told,
        ),
        test(
            "the_copy_that_the_kit_has_of_a_manifest_is_put_in_where_it_is_gone_and_undo_is_exact",
            bad_manifest::the_kits_copy_is_put_in_where_the_manifest_is_gone,
        ),
        test(
            "a_bad_version_goes_back_behind_a_gate_its_nodes_run_the_good_one_and_undo_is_exact",
            bad_rollout::it_comes_back_behind_a_gate,
        ),
        test(
            "a_bad_version_that_its_controller_gave_up_goes_back_and_is_waited_for",
            bad_rollout::one_that_its_controller_gave_up_is_waited_for,
        ),
        test(
            "a_stray_copy_of_the_manifest_that_wins_is_moved_out_and_comes_back_by_undo",
            stray_manifest::a_stray_copy_is_moved_out_and_comes_back_by_undo,
        ),
        test(
            "certificates_that_have_ended_are_renewed_on_their_host_and_undo_is_exact",
            certificates_expired::what_has_ended_is_renewed_and_comes_back_by_undo,
        ),
        test(
            "a_ca_that_has_ended_is_signed_anew_by_its_own_key_and_undo_is_exact",
            certificates_expired::a_ca_that_has_ended_is_signed_by_itself,
        ),
    ])
}

/// What was printed, without the breaks of its lines.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A control plane of static pods with a worker, and an engineer with a kit for it.
struct Scene {
    plane: KubeletPlane,
    worker: Host,
    /// The kit, the home and the runs of the engineer.
    folder: PathBuf,
}

/// The program with these arguments, of an engineer with this folder.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("USER", "alice")
        .env("BREAKGLASS_KIT", folder.join("kit"))
        .env("BREAKGLASS_STATE", folder.join("state"));
    command
}

/// Runs it to its end, however that comes out.
fn ends(folder: &Path, arguments: &[&str]) -> Result<Output> {
    let output = Running::start(&mut program(folder, arguments), b"")?.wait(LONG)?;
    println!("$ breakglass {}\n{}{}", arguments.join(" "), output.stdout, output.stderr);
    Ok(output)
}

/// The same to its good end; what it printed on both streams.
fn engineer(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = ends(folder, arguments)?;
    ensure!(output.success(), "breakglass {} ended with {}: {output:?}", arguments.join(" "), output.code);
    Ok(output.stdout + &output.stderr)
}

/// A cluster that no other test has at the time: each locks itself out, and puts it right again.
fn scene() -> Result<Lent<Scene>> {
    static SCENES: Pool<Scene> = Pool::of(2);
    let scene = SCENES.take(|number| {
        let lab = Lab::shared()?;
        let (cp, worker) = (lab.host(&format!("cp{number}"))?, lab.host(&format!("worker{number}"))?);
        let mut plane = KubeletPlane::start(lab, &cp, None)?;
        plane.add_worker(&worker)?;
        let scene = Scene { plane, worker, folder: lab.folder("engineer")? };
        scene.write_kit(User::Alice)?;
        Ok(scene)
    })?;
    // The test before may have left its API server to start.
    wait_until("an API server in good order", LONG, || scene.plane.is_ready())?;
    Ok(scene)
}

impl Scene {
    fn host(&self) -> &Host {
        self.plane.host()
    }

    /// A kit that dials the API server directly, as this user.
    fn write_kit(&self, user: User) -> Result<()> {
        Kit::direct(&[self.host().clone()]).with_credentials(&self.plane.access().credential_files(user)?).write(
            Lab::shared()?,
            &self.folder.join("kit"),
            "lab",
        )
    }

    /// kubectl of alice, who is a cluster administrator by RBAC, like any engineer.
    fn kubectl(&self) -> Result<Kubectl> {
        self.plane.kubectl(User::Alice)
    }

    /// The program with these arguments.
    fn program(&self, arguments: &[&str]) -> Command {
        program(&self.folder, arguments)
    }

    /// Runs it to its end, however that comes out.
    fn ends(&self, arguments: &[&str]) -> Result<Output> {
        ends(&self.folder, arguments)
    }

    /// Runs it to its good end; what it printed on both streams.
    fn run(&self, arguments: &[&str]) -> Result<String> {
        engineer(&self.folder, arguments)
    }

    /// The newest run of a runbook.
    fn last_run(&self, name: &str) -> Result<String> {
        let all = self.run(&["runs"])?;
        let line = all.lines().find(|line| line.contains(name)).with_context(|| format!("no run of {name}:\n{all}"))?;
        let run = line.split_whitespace().next().with_context(|| format!("no run in {line:?}"))?;
        Ok(run.to_owned())
    }

    /// An object as it stands, without what the server sets at each write.
    fn object(&self, path: &str) -> Result<Value> {
        let masters = self.plane.kubectl(User::Masters)?;
        let mut object: Value = serde_json::from_str(&masters.run(&["get", "--raw", path])?.ok()?)?;
        let metadata = object["metadata"].as_object_mut().with_context(|| format!("no object at {path}"))?;
        for field in ["resourceVersion", "generation", "managedFields"] {
            metadata.remove(field);
        }
        Ok(object)
    }
}
