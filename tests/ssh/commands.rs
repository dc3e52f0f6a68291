//! Commands: input, output, how they end, and what happens when the connection does not live as long.

use std::time::{Duration, Instant};

use breakglass::link::ssh::{Exit, Fault, Stage};
use libtest_mimic::Trial;

use crate::support::{Verdict, noise, plenty, seconds, session, trial, unexpected};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("a_script_on_stdin_runs_and_its_status_and_signal_come_back", script_status_signal),
        trial("megabytes_go_in_and_out_at_once", megabytes),
        trial("a_command_that_never_reads_its_input_ends_all_the_same", ignores_input),
        trial("commands_run_side_by_side_in_one_session", side_by_side),
        trial("a_command_past_its_deadline_is_left_alone_and_the_session_goes_on", past_deadline),
        trial("too_much_output_is_cut_off", too_much),
        trial("a_connection_killed_under_a_command_leaves_its_outcome_unknown", killed),
    ]
}

async fn script_status_signal() -> Verdict {
    let (_host, session) = session("cmd-status").await?;
    let command = session.endpoint().script_command();
    let out = session.exec(command, b"echo out; echo err >&2; exit 7\n".to_vec(), plenty()).await?;
    assert_eq!(
        (out.exit.clone(), out.stdout.as_slice(), out.stderr.as_slice()),
        (Exit::Status(7), &b"out\n"[..], &b"err\n"[..])
    );
    assert_eq!((out.bytes_sent, out.bytes_received), (36, 8));
    let out = session.exec("kill -TERM $$", Vec::new(), plenty()).await?;
    assert_eq!(out.exit, Exit::Signal("TERM".into()));
    let out = session.exec("true", Vec::new(), plenty()).await?;
    assert!(out.success() && out.stdout.is_empty());
    session.close().await;
    Ok(())
}

async fn megabytes() -> Verdict {
    let (_host, session) = session("cmd-mega").await?;
    let input = noise(3 << 20);
    let out = session.exec("cat", input.clone(), plenty()).await?;
    assert!(out.success() && out.stdout == input, "cat gave back {} bytes", out.stdout.len());
    let out = session.exec("tee /dev/stderr", input.clone(), plenty()).await?;
    assert!(out.stdout == input && out.stderr == input, "{} and {} bytes", out.stdout.len(), out.stderr.len());
    Ok(())
}

async fn ignores_input() -> Verdict {
    let (_host, session) = session("cmd-deaf").await?;
    let out = session.exec("exec <&-; echo done", noise(8 << 20), plenty()).await?;
    assert_eq!((out.exit, out.stdout.as_slice()), (Exit::Status(0), &b"done\n"[..]));
    Ok(())
}

async fn side_by_side() -> Verdict {
    let (_host, session) = session("cmd-side").await?;
    let all = (0..20).map(|n| {
        let session = session.clone();
        async move {
            let input = noise(100_000 * (n % 3 + 1));
            let out = session.exec(&format!("cat; exit {n}"), input.clone(), plenty()).await?;
            assert!(out.stdout == input);
            Ok::<_, breakglass::link::ssh::SshError>(out.exit)
        }
    });
    let exits = futures::future::try_join_all(all).await?;
    assert_eq!(exits, (0..20).map(Exit::Status).collect::<Vec<_>>());
    Ok(())
}

async fn past_deadline() -> Verdict {
    let (host, session) = session("cmd-late").await?;
    let started = Instant::now();
    // Input that the command never reads keeps the channel's window full.
    let late = session.exec("exec sleep 1000", noise(5 << 20), seconds(1)).await.expect_err("it never ends");
    assert!(started.elapsed() < Duration::from_secs(20), "took {:?}", started.elapsed());
    assert!(
        late.outcome_unknown() && matches!(*late.fault, Fault::Timeout { stage: Stage::Command, sent: true }),
        "{late}"
    );
    assert_eq!(host.processes_named("sleep")?.len(), 1, "its outcome is unknown, and so it is");
    let out = session.exec("echo still here", Vec::new(), plenty()).await?;
    assert_eq!(out.stdout, b"still here\n");
    Ok(())
}

async fn too_much() -> Verdict {
    let (_host, session) = session("cmd-much").await?;
    let error = session.exec("yes", Vec::new(), plenty()).await.expect_err("it never ends");
    assert!(error.outcome_unknown() && matches!(*error.fault, Fault::TooLong { .. }), "{error}");
    assert!(session.exec("true", Vec::new(), plenty()).await?.success());
    Ok(())
}

async fn killed() -> Verdict {
    let (host, session) = session("cmd-killed").await?;
    let task = tokio::spawn({
        let session = session.clone();
        async move { session.exec("touch /run/began; exec sleep 1000", Vec::new(), plenty()).await }
    });
    host.sh("while ! [ -e /run/began ]; do sleep 0.05; done")?.ok()?;
    for process in host.processes_named("sshd")? {
        process.signal(rustix::process::Signal::KILL);
    }
    let error = task.await?.expect_err("the command can't have ended");
    match &*error.fault {
        Fault::Lost { sent: true, .. } => assert!(error.outcome_unknown()),
        other => return Err(unexpected(other)),
    }
    // The command's own end comes before that of the connection, which what is sent in between is lost with, too.
    let until = plenty();
    while !session.is_closed() {
        assert!(Instant::now() < until, "nobody saw the connection end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let error = session.exec("true", Vec::new(), plenty()).await.expect_err("there is no connection");
    assert!(!error.outcome_unknown() && matches!(*error.fault, Fault::Lost { sent: false, .. }), "{error}");
    Ok(())
}
