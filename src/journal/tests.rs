//! Journals that were torn, changed, cut, or written by somebody else.

use std::fs;

use serde_json::json;

use super::{
    Entry, FORMAT, Glance, Header, Identity, JournalError, MINOR, RunFolder, Store, Writer, glance, read, verify,
};
use crate::change::{Blob, Body, KubeCall, Method, Op};
use crate::process::Clock;

struct Kept {
    _dir: tempfile::TempDir,
    store: Store,
}

impl Kept {
    fn new() -> (Self, RunFolder) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let folder = store.create("20250101T000000Z-abcd").unwrap();
        (Self { _dir: dir, store }, folder)
    }
}

fn clock() -> Clock {
    Clock::Fixed("2025-01-01T00:00:00Z".parse().unwrap())
}

fn header(format: u32) -> Header {
    Header { format, reason: Some("it drowns".into()), ..Header::sample("20250101T000000Z-abcd") }
}

/// A journal of five lines.
fn written() -> (Kept, RunFolder) {
    let (kept, folder) = Kept::new();
    let mut writer = Writer::create(folder.clone(), header(FORMAT), clock()).unwrap();
    for step in 0..4 {
        writer.append(Entry::StepStarted { cluster: "österreich".into(), step }).unwrap();
    }
    (kept, folder)
}

fn edit(folder: &RunFolder, edit: impl FnOnce(Vec<String>) -> Vec<String>) {
    let text = fs::read_to_string(folder.journal()).unwrap();
    let lines = text.split_inclusive('\n').map(str::to_owned).collect();
    fs::write(folder.journal(), edit(lines).concat()).unwrap();
}

/// A line that follows from the last one, whatever it says.
fn append(folder: &RunFolder, head: &str, text: &str) {
    let journal = fs::read_to_string(folder.journal()).unwrap();
    let line = super::read::seal(text, &super::read::chain(head, text));
    fs::write(folder.journal(), journal + &line).unwrap();
}

#[track_caller]
fn damaged(change: impl FnOnce(Vec<String>) -> Vec<String>, at: usize) {
    let (_kept, folder) = written();
    edit(&folder, change);
    match read(&folder) {
        Err(JournalError::Damaged { line, .. }) => assert_eq!(line, at),
        other => panic!("{other:?}"),
    }
    assert!(Writer::open(folder, clock()).is_err(), "nothing is appended to a damaged journal");
}

#[test]
fn what_was_changed_removed_or_moved_is_found_at_its_line() {
    let changed = |mut lines: Vec<String>| {
        lines[2] = lines[2].replace("\"step\":1", "\"step\":7");
        lines
    };
    damaged(changed, 3);
    damaged(|mut lines| [lines.drain(..2).collect::<Vec<_>>(), lines.split_off(1)].concat(), 3);
    damaged(
        |mut lines| {
            lines.swap(2, 3);
            lines
        },
        3,
    );
    damaged(
        |mut lines| {
            lines.insert(2, lines[1].clone());
            lines
        },
        3,
    );
    damaged(
        |mut lines| {
            lines[1] = "{}\n".into();
            lines
        },
        2,
    );
    damaged(
        |mut lines| {
            lines.remove(0);
            lines
        },
        1,
    );
}

#[test]
fn an_empty_journal_and_stray_bytes_are_damage() {
    let (_kept, folder) = written();
    fs::write(folder.journal(), "").unwrap();
    assert!(matches!(read(&folder), Err(JournalError::Damaged { .. })));
    let (_kept, folder) = written();
    let mut bytes = fs::read(folder.journal()).unwrap();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 5;
    bytes[second] = 0xff;
    fs::write(folder.journal(), bytes).unwrap();
    assert!(matches!(read(&folder), Err(JournalError::Damaged { line: 2, .. })));
}

/// The last line may be cut at any byte, in the middle of a character too.
#[test]
fn a_torn_last_line_is_forgiven_wherever_it_is_torn() {
    let (_kept, folder) = written();
    let whole = fs::read(folder.journal()).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in last + 1..whole.len() {
        fs::write(folder.journal(), &whole[..cut]).unwrap();
        let journal = read(&folder).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        assert_eq!((journal.count, journal.torn), (4, true), "cut at {cut}");
        assert!(matches!(verify(&folder, None), Err(JournalError::Torn { line: 5, .. })), "cut at {cut}");
    }
    // What is appended afterwards follows the last whole line.
    let mut writer = Writer::open(folder.clone(), clock()).unwrap();
    writer.append(Entry::StepStarted { cluster: "east".into(), step: 3 }).unwrap();
    let verified = verify(&folder, None).unwrap();
    assert_eq!((verified.lines, verified.head.len(), verified.anchored), (5, 64, None));
}

#[test]
fn a_newer_format_is_told_apart_from_damage() {
    let (_kept, folder) = Kept::new();
    drop(Writer::create(folder.clone(), header(FORMAT + 1), clock()).unwrap());
    assert!(matches!(read(&folder), Err(JournalError::Newer { format, .. }) if format == FORMAT + 1));
    // Sealed in a way that this version does not know.
    let line = json!({"entry": {"started": {"format": FORMAT + 1}}, "signature": "x"});
    fs::write(folder.journal(), format!("{line}\n")).unwrap();
    assert!(matches!(Writer::open(folder, clock()), Err(JournalError::Newer { .. })));
}

/// A run of an older format that a newer program went on with: from there on it is of that format, whatever its header says.
#[test]
fn what_a_newer_program_went_on_with_is_newer_and_not_damaged() {
    let (_kept, folder) = Kept::new();
    let older = Header { minor: MINOR - 1, ..header(FORMAT) };
    drop(Writer::create(folder.clone(), older, clock()).unwrap());
    let mut writer = Writer::open(folder.clone(), clock()).unwrap();
    let began = |step| Entry::StepStarted { cluster: "east".into(), step };
    let written: Vec<bool> = (0..2).map(|step| writer.append(began(step)).unwrap().written.is_some()).collect();
    assert_eq!(written, [true, false], "it is said once");
    drop(writer);
    let again = Writer::open(folder.clone(), clock()).unwrap().append(began(2)).unwrap();
    assert_eq!(again.written, None, "and not again");

    let next = |entry: &str| {
        let head = read(&folder).unwrap().last_hash;
        let written = format!("{{\"format\":{FORMAT},\"minor\":{},\"version\":\"9.8.7\"}}", MINOR + 1);
        format!("{head} {{\"seq\":5,\"at\":\"2025-01-01T00:00:00Z\",\"written\":{written},\"entry\":{entry}}}")
    };
    let before = fs::read_to_string(folder.journal()).unwrap();
    for (entry, known) in [(r#"{"resumed":{"operator":"eve"}}"#, true), (r#"{"foretold":{"what":"this"}}"#, false)] {
        fs::write(folder.journal(), &before).unwrap();
        let line = next(entry);
        let (head, text) = line.split_once(' ').unwrap();
        append(&folder, head, text);
        match (read(&folder), known) {
            (Ok(journal), true) => assert_eq!(journal.count, 5),
            (Err(JournalError::Newer { version: Some(version), .. }), false) => assert_eq!(version, "9.8.7", "{entry}"),
            (other, _) => panic!("{entry}: {other:?}"),
        }
        let refused = Writer::open(folder.clone(), clock()).unwrap_err();
        assert!(matches!(&refused, JournalError::Newer { minor, .. } if *minor == MINOR + 1), "{entry}: {refused}");
    }
}

/// The second number grows with fields that may be missing and with lines that an older program does not know.
#[test]
fn of_a_newer_second_number_what_is_known_is_read_and_nothing_is_appended() {
    let (_kept, folder) = Kept::new();
    let newer = Header { minor: MINOR + 1, version: "9.8.7".into(), ..header(FORMAT) };
    let mut writer = Writer::create(folder.clone(), newer, clock()).unwrap();
    writer.append(Entry::StepStarted { cluster: "east".into(), step: 0 }).unwrap();
    let head = read(&folder).unwrap().last_hash;
    drop(writer);
    let refused = Writer::open(folder.clone(), clock()).unwrap_err().to_string();
    let ours = format!("knows formats up to {FORMAT}.{MINOR}");
    let wrote = format!("of format {FORMAT}.{}, written by breakglass 9.8.7", MINOR + 1);
    assert!(refused.contains(&wrote) && refused.contains(&ours), "{refused}");

    let unknown = json!({"seq": 3, "at": "2025-01-01T00:00:00Z", "entry": {"thought-of-later": {}}}).to_string();
    append(&folder, &head, &unknown);
    let refused = read(&folder).unwrap_err();
    assert!(matches!(&refused, JournalError::Newer { version: Some(version), .. } if version == "9.8.7"), "{refused}");

    // In a journal of our own format it is damage.
    let (_kept, folder) = written();
    let head = read(&folder).unwrap().last_hash;
    let unknown = unknown.replace("\"seq\":3", "\"seq\":6");
    append(&folder, &head, &unknown);
    assert!(matches!(read(&folder), Err(JournalError::Damaged { line: 6, .. })));
}

#[test]
fn two_processes_cannot_write_one_journal() {
    let (_kept, folder) = written();
    let writer = Writer::open(folder.clone(), clock()).unwrap();
    match Writer::open(folder.clone(), clock()) {
        Err(error @ JournalError::InUse { .. }) => assert!(error.to_string().contains("still under way")),
        other => panic!("{other:?}"),
    }
    assert!(read(&folder).is_ok(), "reading needs no lock");
    drop(writer);
    Writer::open(folder, clock()).unwrap();
}

/// A child that another thread starts has a copy of every open file until it runs its program.
#[test]
fn a_copy_of_the_file_in_a_starting_child_holds_no_journal() {
    let (_kept, folder) = written();
    let mut copy = None;
    let writer = Writer::open(folder.clone(), clock()).unwrap().through(|file| {
        copy = Some(file);
        Box::new(fs::File::open(folder.journal()).unwrap())
    });
    assert!(matches!(Writer::open(folder.clone(), clock()), Err(JournalError::InUse { .. })));
    drop(writer);
    Writer::open(folder, clock()).unwrap();
    drop(copy);
}

#[test]
fn kept_copies_are_proven_when_they_are_read_and_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_kept, folder) = written();
    let op = |blob| {
        Op::Kube(KubeCall {
            method: Method::Post,
            path: "/x".into(),
            content_type: String::new(),
            body: Body::Saved(blob),
            idempotent: true,
            already: Vec::new(),
            holds: None,
        })
    };
    let blob = Blob::new(b"a secret".to_vec());
    folder.keep(&op(blob.clone())).unwrap();
    let path = folder.path.join("blobs").join(&blob.sha256);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&folder.path).unwrap().permissions().mode() & 0o777, 0o700);

    let read_back = || op(Blob { bytes: None, ..blob.clone() });
    let mut filled = read_back();
    folder.fill(&mut filled).unwrap();
    assert_eq!(filled, op(blob.clone()));
    fs::write(&path, "another").unwrap();
    assert!(folder.fill(&mut read_back()).is_err());
    fs::remove_file(&path).unwrap();
    assert!(folder.fill(&mut read_back()).is_err());
}

#[test]
fn runs_are_found_by_the_start_or_the_end_of_their_name() {
    let (kept, _) = written();
    for typed in ["20250101T000000Z-abcd", "2025", "abcd", "last"] {
        assert_eq!(kept.store.open(typed).unwrap().run, "20250101T000000Z-abcd", "{typed}");
    }
    assert!(kept.store.open("2024").is_err());
    assert_eq!(kept.store.runs().unwrap().len(), 1);
}

#[test]
fn the_last_run_is_the_one_that_began_last() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let begin = |at: &str| {
        let id = store.next_id(at.parse().unwrap()).unwrap();
        drop(Writer::create(store.create(&id).unwrap(), header(FORMAT), clock()).unwrap());
        assert_eq!(store.open("last").unwrap().run, id, "begun at {at}");
        id
    };
    // Of a version that knew no fraction, with an end that sorts after all others.
    drop(Writer::create(store.create("20250101-000000-ffff").unwrap(), header(FORMAT), clock()).unwrap());
    assert!(begin("2025-01-01T00:00:00Z").starts_with("20250101-000000.001-"));
    // Ends are random: what sorts right by luck does not do so forty times.
    for _ in 0..40 {
        begin("2025-01-01T00:00:00.5Z");
    }
    assert!(begin("2024-12-31T00:00:00Z").starts_with("20250101-000000.540-"), "the clock was set back");
    assert!(begin("2025-01-01T00:00:01Z").starts_with("20250101-000001.000-"));
}

#[test]
fn a_cluster_is_another_by_its_ca_or_by_all_of_its_addresses() {
    let of = |servers: &[&str], ca: &str| Identity {
        cluster: "prod".into(),
        servers: servers.iter().map(|&server| server.to_owned()).collect(),
        ca: ca.repeat(64),
        hosts: None,
    };
    let then = of(&["10.0.0.1:6443", "10.0.0.2:6443"], "a");
    assert_eq!(then.differs(&of(&["10.0.0.2:6443", "10.0.0.9:6443"], "a"), &[]), None);
    let moved = then.differs(&of(&["10.9.0.1:6443"], "a"), &[]).unwrap();
    assert!(moved.contains("10.0.0.1:6443") && moved.contains("10.9.0.1:6443"), "{moved}");
    assert!(then.differs(&of(&["10.0.0.1:6443"], "b"), &[]).unwrap().contains("certificates"));
}

/// `kit import` writes 127.0.0.1:6443 for every API server that is reached through its host.
#[test]
fn a_loopback_address_makes_no_two_clusters_one() {
    let of = |servers: &[&str], hosts: &[(&str, &str)]| Identity {
        cluster: "prod".into(),
        servers: servers.iter().map(|&server| server.to_owned()).collect(),
        ca: "a".repeat(64),
        hosts: Some(hosts.iter().map(|(name, at)| ((*name).to_owned(), (*at).to_owned())).collect()),
    };
    let (cp1, cp2) = (("cp1", "10.0.0.1:22"), ("cp2", "10.0.0.2:22"));
    let elsewhere = ("cp1", "10.99.0.77:22");
    for local in ["127.0.0.1:6443", "[::1]:6443", "127.0.0.53:6443", "0.0.0.0:6443", "[::ffff:127.0.0.1]:6443"] {
        let then = of(&[local], &[cp1, cp2]);
        // One host at its place is enough, whatever it is called now.
        for hosts in [&[cp1, cp2][..], &[cp2], &[elsewhere, cp2], &[("cp9", "10.0.0.1:22")]] {
            assert_eq!(then.differs(&of(&[local], hosts), &[]), None, "{local} {hosts:?}");
        }
        let why = then.differs(&of(&[local], &[elsewhere]), &[]).unwrap();
        assert!(why.contains("hosts") && why.contains("10.99.0.77:22") && why.contains("10.0.0.1:22"), "{why}");
        // A host that something stands on is compared itself.
        let why = then.differs(&of(&[local], &[elsewhere, cp2]), &["cp1"]).unwrap();
        assert!(why.contains("cp1 is somewhere else (10.0.0.1:22 then, 10.99.0.77:22 now)"), "{why}");
        assert!(then.differs(&of(&[local], &[("cp1", "10.0.0.1:2222")]), &["cp1"]).is_some(), "another port");
        assert_eq!(then.unknown(&of(&[local], &[cp1]), &["cp1"]), None);
        // With nothing but loopback nobody can tell.
        let tunnel = of(&[local], &[("cp1", "127.0.0.1:2222")]);
        assert_eq!(tunnel.differs(&of(&[local], &[("cp1", "127.0.0.1:2223")]), &["cp1"]), None);
        assert!(tunnel.unknown(&tunnel, &["cp1"]).unwrap().contains("where cp1 was"));
        assert!(tunnel.unknown(&tunnel, &[]).unwrap().contains("only its certificates"));
    }
    // An address beside loopback counts.
    let then = of(&["10.0.0.1:6443", "127.0.0.1:6443"], &[]);
    assert!(then.differs(&of(&["10.9.0.1:6443", "127.0.0.1:6443"], &[]), &[]).is_some());
    let same = of(&["10.0.0.1:6443"], &[elsewhere]);
    assert!(of(&["10.0.0.1:6443"], &[cp1]).differs(&same, &["cp1"]).is_some(), "behind one balancer");
    // Of an older version: said, and not guessed at.
    let older = Identity { hosts: None, ..of(&["127.0.0.1:6443"], &[]) };
    assert_eq!(older.differs(&then, &["cp1"]), None);
    assert!(older.unknown(&then, &["cp1"]).unwrap().contains("where cp1 was is not in its journal"));
}

/// The chain alone proves neither: whoever may write the file can make it fit itself.
#[test]
fn a_tail_that_was_cut_off_and_a_file_written_anew_show_against_a_head() {
    let (_kept, folder) = written();
    let whole = verify(&folder, None).unwrap();
    assert_eq!(whole.anchored, None);
    for head in [&whole.head[..], &whole.head[..16]] {
        assert_eq!(verify(&folder, Some(head)).unwrap().anchored, Some(5));
    }
    // What is appended later takes nothing from what was noted.
    let mut writer = Writer::open(folder.clone(), clock()).unwrap();
    writer.append(Entry::StepStarted { cluster: "east".into(), step: 9 }).unwrap();
    drop(writer);
    assert_eq!(verify(&folder, Some(&whole.head)).unwrap().anchored, Some(5));

    let cut = |lines: usize| edit(&folder, |all| all.into_iter().take(lines).collect());
    let anew = || {
        fs::remove_file(folder.journal()).unwrap();
        let mut writer = Writer::create(folder.clone(), header(FORMAT), clock()).unwrap();
        (0..4).for_each(|step| drop(writer.append(Entry::StepStarted { cluster: "west".into(), step }).unwrap()));
    };
    let missing = |head: Option<&str>| match verify(&folder, head) {
        Err(JournalError::Damaged { what, .. }) => assert!(what.contains("cut off"), "{what}"),
        other => panic!("{other:?}"),
    };
    cut(4);
    assert_eq!(verify(&folder, None).unwrap().lines, 4, "the chain alone holds");
    missing(Some(&whole.head));
    anew();
    assert_eq!(verify(&folder, None).unwrap().lines, 5, "the chain alone holds");
    missing(Some(&whole.head));

    // The same against what was kept beside the runs when this one came to an end; other runs' heads say nothing.
    let now = verify(&folder, None).unwrap();
    folder.keep_head(5, &now.head).unwrap();
    RunFolder { run: "another".into(), ..folder.clone() }.keep_head(3, &whole.head).unwrap();
    assert_eq!(verify(&folder, None).unwrap().anchored, Some(5));
    cut(4);
    missing(None);
    anew();
    assert_eq!(verify(&folder, None).unwrap().anchored, Some(5), "the same lines again");
    edit(&folder, |_| Vec::new());
    assert!(verify(&folder, None).is_err());
}

#[test]
fn a_run_is_not_taken_up_on_the_word_of_another_s_journal_or_of_one_that_lost_its_end() {
    let (_kept, folder) = written();
    let head = verify(&folder, None).unwrap().head;
    folder.keep_head(5, &head).unwrap();
    drop(Writer::open(folder.clone(), clock()).unwrap());
    edit(&folder, |all| all.into_iter().take(4).collect());
    assert!(matches!(Writer::open(folder.clone(), clock()), Err(JournalError::Damaged { .. })));

    let (_kept, folder) = written();
    let other = RunFolder { run: "another".into(), ..folder.clone() };
    let said = read(&other).unwrap_err().to_string();
    assert!(said.contains("it is the journal of run ") && said.contains("another"), "{said}");
}

#[test]
fn heads_that_cannot_be_read_hold_up_no_run_and_are_said() {
    let (_kept, folder) = written();
    let heads = folder.path.with_file_name("heads");
    rustix::fs::mknodat(rustix::fs::CWD, &heads, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    assert!(folder.keep_head(5, "x").is_err(), "nobody reads there, and it was not waited for");
    assert!(verify(&folder, None).unwrap_err().to_string().contains("heads"));
    drop(Writer::open(folder, clock()).unwrap());
}

/// A list of runs looks at both ends of a journal that came to one; what is between them is not read.
#[test]
fn a_run_at_its_end_is_told_by_its_first_line_and_its_last() {
    let ended = |stands| Entry::Ended { code: 5, why: "so it is".into(), costs: None, stands };
    let list = |entries: Vec<Entry>, between: fn(Vec<String>) -> Vec<String>| {
        let (_kept, folder) = written();
        let mut writer = Writer::open(folder.clone(), clock()).unwrap();
        entries.into_iter().for_each(|entry| drop(writer.append(entry).unwrap()));
        edit(&folder, between);
        glance(&folder)
    };
    let whole: fn(Vec<String>) -> Vec<String> = |lines| lines;
    let broken: fn(Vec<String>) -> Vec<String> = |mut lines| {
        lines[2] = "{}\n".into();
        lines
    };
    let told = Glance {
        header: header(FORMAT),
        began: "2025-01-01T00:00:00Z".parse().unwrap(),
        ended: Some((5, "so it is".into())),
        stands: 7,
    };
    assert_eq!(list(vec![ended(Some(7))], broken).unwrap(), told);
    // An older version did not say what stands, and a run that was taken up again has no end yet: those are read.
    assert_eq!(list(vec![ended(None)], whole).unwrap(), Glance { stands: 0, ..told.clone() });
    assert!(matches!(list(vec![ended(None)], broken), Err(JournalError::Damaged { line: 3, .. })));
    let again = || vec![ended(Some(7)), Entry::Resumed { operator: "eve".into() }];
    assert_eq!(list(again(), whole).unwrap().ended, None);
    assert!(matches!(list(again(), broken), Err(JournalError::Damaged { line: 3, .. })));
    // The last line may be longer than what is read of a file at a time.
    let long = Entry::Ended { code: 5, why: "x".repeat(100_000), costs: None, stands: Some(7) };
    assert_eq!(list(vec![long], broken).unwrap().stands, 7);
    let torn: fn(Vec<String>) -> Vec<String> = |mut lines| {
        let last = lines.pop().unwrap();
        lines.push(last[..last.len() - 3].into());
        lines
    };
    assert_eq!(list(vec![ended(Some(7))], torn).unwrap().ended, None, "the torn line says nothing");
}
