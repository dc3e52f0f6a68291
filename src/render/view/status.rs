//! What of ours stands, cluster by cluster.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::change::Target;
use crate::render::alike::{self, Alike, Gathered};
use crate::render::{VERSION, one_line, table};
use crate::shell::word;
use crate::status::{Back, Kind, NotKnown, Place, Seen, Stands, objects};
use crate::words;

/// What leads a command to where this one was.
pub(crate) enum Flags {
    /// The cluster's name, and this.
    Kit(String),
    /// This alone.
    Typed(String),
}

/// What was found.
pub(crate) struct Report {
    /// The clusters that were looked at, in their order.
    pub clusters: Vec<String>,
    /// How many hosts of each were asked.
    pub hosts: Vec<usize>,
    /// What leads a command there.
    pub flags: Flags,
    /// What stands, and what is gone.
    pub stands: Vec<Stands>,
    /// What could not be looked at.
    pub not_known: Vec<NotKnown>,
    /// What is not ours, and worth a line.
    pub remarks: Vec<String>,
    /// Clusters of which journals here tell, and that were not asked for.
    pub others: Vec<String>,
    /// Requests and bytes of what was asked of the API; `None`: it was not asked.
    pub api: Option<(u64, u64)>,
}

impl Report {
    /// What the journals say where nobody could be asked.
    pub(crate) fn of_journals(stands: Vec<Stands>, not_known: Vec<NotKnown>) -> Self {
        Self {
            clusters: Vec::new(),
            hosts: Vec::new(),
            flags: Flags::Kit(String::new()),
            stands,
            not_known,
            remarks: Vec::new(),
            others: Vec::new(),
            api: None,
        }
    }

    /// How many things stand, as far as is known.
    pub(crate) fn stand(&self) -> usize {
        self.stands.iter().filter(|one| one.seen != Seen::Gone).count()
    }

    /// How many hosts could not be asked at all.
    pub(crate) fn hosts_silent(&self) -> usize {
        self.not_known.iter().filter(|one| one.host.is_some() && one.what == "what stands there").count()
    }

    /// What takes one of them back; `hosts`: on how many it stands, and their names.
    fn command(&self, one: &Stands, hosts: &[String]) -> String {
        match &one.back {
            Back::Undo => format!("breakglass undo {}", word(&one.run)),
            Back::Verb { words, targets } => {
                let targets =
                    if *targets { format!(" --targets {}", word(&words::fold(hosts))) } else { String::new() };
                let there = match &self.flags {
                    Flags::Kit(kit) => format!(" --cluster {}{kit}", word(&one.cluster)),
                    Flags::Typed(flags) => flags.clone(),
                };
                format!("breakglass {words}{targets}{there}")
            }
            Back::OnHost { command, from_here } => match hosts {
                [_] => from_here.clone(),
                // Never two components of a control plane at a time.
                _ if one.kind == Kind::Manifest => format!("on each, one after another: {command}"),
                _ => format!("on each: {command}"),
            },
            Back::Typed(command) => command.clone(),
            Back::Nothing(why) => why.clone(),
        }
    }
}

/// A table for each cluster, then what is not known.
pub(crate) fn text(report: &Report) -> String {
    let mut text = String::new();
    let mut clusters: Vec<&str> = report.clusters.iter().map(String::as_str).collect();
    for one in &report.stands {
        if !clusters.contains(&one.cluster.as_str()) {
            clusters.push(&one.cluster);
        }
    }
    let mut quiet: Vec<(String, Vec<String>)> = Vec::new();
    for cluster in clusters {
        let here: Vec<&Stands> = report.stands.iter().filter(|one| one.cluster == cluster).collect();
        let said = sentence(report, cluster, &here);
        if here.is_empty() {
            match quiet.iter_mut().find(|(known, _)| *known == said) {
                Some((_, names)) => names.push(cluster.to_owned()),
                None => quiet.push((said, vec![cluster.to_owned()])),
            }
            continue;
        }
        let _ = writeln!(text, "{}\n{}", one_line(&format!("{cluster}: {said}")), rows(report, &groups(&here)));
    }
    for (said, names) in quiet {
        let _ = writeln!(text, "{}", one_line(&format!("{}: {said}", words::fold(&names))));
    }
    for line in below(report) {
        let _ = writeln!(text, "{}", one_line(&line));
    }
    text
}

/// What stands in a cluster, in one sentence.
fn sentence(report: &Report, cluster: &str, here: &[&Stands]) -> String {
    let stand = groups(here).iter().filter(|group| group[0].seen != Seen::Gone).count();
    let asked = report.clusters.iter().position(|name| name == cluster);
    let dark = report.not_known.iter().any(|one| one.cluster.as_deref() == Some(cluster));
    let Some(asked) = asked else {
        return format!("{} by the journals here; nobody was asked there", count(stand));
    };
    if stand == 0 && !dark && report.hosts[asked] > 0 && report.api.is_some() {
        return "nothing stands".into();
    }
    let place = match (report.hosts[asked], report.api) {
        (0, None) => "; its hosts are not known, so nobody was asked".to_owned(),
        (0, Some(_)) => "; its hosts are not known, and only its objects were looked at".to_owned(),
        _ if dark => "; not all could be looked at".to_owned(),
        _ => String::new(),
    };
    format!("{}{place}", count(stand))
}

fn count(stand: usize) -> String {
    match stand {
        0 => "nothing was seen to stand".into(),
        1 => "1 thing stands".into(),
        many => format!("{many} things stand"),
    }
}

/// Those that are alike but for where they stand.
fn groups<'a>(here: &[&'a Stands]) -> Vec<Vec<&'a Stands>> {
    let mut groups: Vec<Vec<&Stands>> = Vec::new();
    for one in here {
        match groups.iter_mut().find(|group| is_alike(group[0], one)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups
}

fn is_alike(one: &Stands, other: &Stands) -> bool {
    let back = match (&one.back, &other.back) {
        (Back::OnHost { command, .. }, Back::OnHost { command: other, .. }) => command == other,
        (one, other) => one == other,
    };
    let key = |one: &Stands| {
        (
            one.kind,
            one.what.clone(),
            one.run.clone(),
            one.operator.clone(),
            one.about.clone(),
            one.seen,
            one.ends.is_some(),
        )
    };
    // What stands on an object is a thing of its own.
    back && matches!((&one.place, &other.place), (Place::Host(_), Place::Host(_))) && key(one) == key(other)
}

/// A table, and below each line of it what takes that back: a line of its own, to be copied.
fn rows(report: &Report, groups: &[Vec<&Stands>]) -> String {
    let heading = ["WHERE", "WHAT STANDS", "SINCE", "ENDS BY ITSELF", "WHOSE"];
    let lines = table(&heading, &groups.iter().map(|members| row(members)).collect::<Vec<_>>());
    let back = groups.iter().map(|members| {
        let how = match members[0].back {
            Back::Undo | Back::Verb { .. } | Back::OnHost { .. } | Back::Typed(_) => "taken back by: ",
            Back::Nothing(_) => "not taken back: ",
        };
        one_line(&format!("    {how}{}", report.command(members[0], &names(members))))
    });
    // The heading has nothing below it.
    let below = std::iter::once(None).chain(back.map(Some));
    let both = |(line, below): (&str, Option<String>)| {
        std::iter::once(line.to_owned()).chain(below).map(|line| line + "\n").collect::<String>()
    };
    lines.lines().zip(below).map(both).collect()
}

fn names(members: &[&Stands]) -> Vec<String> {
    members.iter().map(|one| one.place.name().to_owned()).collect()
}

fn row(members: &[&Stands]) -> Vec<String> {
    let one = members[0];
    let since = members.iter().filter_map(|one| one.since).min();
    let ends = members.iter().filter_map(|one| one.ends.as_ref()).min_by_key(|ends| ends.seconds);
    vec![
        words::fold(&names(members)),
        what(one),
        since.map(|since| since.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default(),
        ends.map_or_else(|| if one.seen == Seen::Gone { String::new() } else { "no".into() }, |ends| ends.how.clone()),
        whose(one),
    ]
}

fn what(one: &Stands) -> String {
    match one.seen {
        Seen::Mark | Seen::Both => one.what.clone(),
        Seen::Journal if one.kind == Kind::Unmarked => one.what.clone(),
        Seen::Journal => format!("{} (by its journal; not looked at)", one.what),
        Seen::Gone => format!("{}: there no more, only its journal has it", one.what),
    }
}

fn whose(one: &Stands) -> String {
    if one.run.is_empty() {
        return "not known".into();
    }
    let by = one.operator.as_ref().map_or_else(String::new, |operator| format!(" of {operator}"));
    let about = if one.about.is_empty() { String::new() } else { format!(" ({})", one.about) };
    format!("{}{by}{about}", one.run)
}

/// What is not known, what is not ours, and what was not asked.
fn below(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let mut dark = Gathered::default();
    for NotKnown { cluster, host, what, why } in &report.not_known {
        let said = format!("{what}: {why}");
        match (cluster, host) {
            (Some(cluster), Some(host)) => dark.add(&Target::host(cluster, host), &said),
            (Some(cluster), None) => dark.add(&Target::cluster(cluster), &said),
            // About a journal.
            (None, _) => lines.push(format!("not known: {said}")),
        }
    }
    let at = |alike: &Alike| format!("not known: {}: {}", alike::names(alike.targets(), true), alike.text());
    lines.extend(dark.all().iter().map(at));
    lines.extend(report.remarks.iter().map(|remark| format!("note: {remark}")));
    if !report.others.is_empty() {
        let names = words::fold(&report.others);
        lines.push(format!("note: journals here tell of changes on {names}, which was not asked for: --cluster all"));
    }
    match report.api {
        Some((requests, bytes)) => lines.push(format!(
            "objects were looked at by {}, {}; what was deleted leaves no mark, only a journal",
            words::count(usize::try_from(requests).unwrap_or(usize::MAX), "request"),
            words::bytes(bytes)
        )),
        None if !report.clusters.is_empty() => lines.push(format!(
            "not looked at: objects in the API; --api lists them (up to {} LISTs of metadata for each cluster)",
            objects::count()
        )),
        None => {}
    }
    lines
}

/// All of it as one value.
pub(crate) fn json(report: &Report) -> Value {
    let one = |one: &Stands| {
        let hosts = [one.place.name().to_owned()];
        let (host, object) = match &one.place {
            Place::Host(host) => (Some(host), None),
            Place::Object(object) => (None, Some(object)),
            Place::Elsewhere => (None, None),
        };
        let by = match one.back {
            Back::Undo => "undo",
            Back::Verb { .. } => "verb",
            Back::OnHost { .. } => "host",
            Back::Typed(_) => "kubectl",
            Back::Nothing(_) => "nothing",
        };
        let seen = match one.seen {
            Seen::Mark => "mark",
            Seen::Both => "both",
            Seen::Journal => "journal",
            Seen::Gone => "gone",
        };
        json!({
            "cluster": one.cluster, "host": host, "object": object, "kind": one.kind.word(),
            "folder": Some(&one.part).filter(|part| part.starts_with('/')), "what": one.what, "run": Some(&one.run).filter(|run| !run.is_empty()),
            "operator": one.operator, "about": one.about, "since": one.since,
            "ends": one.ends.as_ref().map(|ends| json!({ "seconds": ends.seconds, "how": ends.how })), "seen": seen,
            "back": { "by": by, "command": report.command(one, &hosts) },
        })
    };
    let (gone, stands): (Vec<&Stands>, Vec<&Stands>) = report.stands.iter().partition(|one| one.seen == Seen::Gone);
    let not_known =
        |one: &NotKnown| json!({ "cluster": one.cluster, "host": one.host, "what": one.what, "why": one.why });
    json!({
        "v": VERSION,
        "clusters": report.clusters,
        "stands": stands.into_iter().map(one).collect::<Vec<_>>(),
        "gone": gone.into_iter().map(one).collect::<Vec<_>>(),
        "notKnown": report.not_known.iter().map(not_known).collect::<Vec<_>>(),
        "remarks": report.remarks,
        "api": report.api.map(|(requests, bytes)| json!({ "requests": requests, "bytes": bytes })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Ends;

    fn gate(host: &str, seconds: u64) -> Stands {
        Stands {
            cluster: "prod".into(),
            place: Place::Host(host.into()),
            kind: Kind::Gate,
            part: String::new(),
            what: "gate: closed".into(),
            run: "r1".into(),
            operator: Some("alice".into()),
            about: "it drowns".into(),
            since: Some("2026-11-28T03:12:00Z".parse().unwrap()),
            ends: Some(Ends { seconds, how: format!("everybody in {seconds}s") }),
            seen: Seen::Mark,
            back: Back::Verb { words: "gate open --of r1".into(), targets: false },
        }
    }

    fn folder(host: &str) -> Stands {
        let command = "rm -r /etc/kubernetes/breakglass-r2-1-room".to_owned();
        Stands {
            kind: Kind::Manifest,
            part: "/etc/kubernetes/breakglass-r2-1-room".into(),
            what: "limits or flags changed (kube-apiserver.yaml)".into(),
            run: "r2".into(),
            operator: None,
            about: String::new(),
            since: None,
            ends: None,
            back: Back::OnHost { from_here: format!("ssh root@{host} '{command}'"), command },
            ..gate(host, 0)
        }
    }

    fn report(stands: Vec<Stands>) -> Report {
        Report {
            clusters: vec!["prod".into()],
            hosts: vec![3],
            flags: Flags::Kit(" --kit 'a kit'".into()),
            stands,
            not_known: Vec::new(),
            remarks: Vec::new(),
            others: Vec::new(),
            api: None,
        }
    }

    fn lines(report: &Report) -> Vec<String> {
        text(report).lines().map(str::to_owned).collect()
    }

    #[test]
    fn hosts_that_are_alike_are_one_line_with_the_first_end_and_the_command_below_it() {
        let all = lines(&report(vec![gate("cp1", 900), gate("cp2", 880), folder("cp1"), folder("cp3")]));
        assert_eq!(all[0], "prod: 2 things stand");
        let has = |line: usize, words: &[&str]| {
            assert!(words.iter().all(|word| all[line].contains(word)), "{line} {words:?}: {all:#?}");
        };
        has(2, &["cp[1-2] ", "gate: closed", "2026-11-28 03:12 UTC", "everybody in 880s", "r1 of alice (it drowns)"]);
        assert_eq!(all[3], "    taken back by: breakglass gate open --of r1 --cluster prod --kit 'a kit'");
        has(4, &["cp[1,3]", "limits or flags changed", " no ", " r2"]);
        has(5, &["on each, one after another: rm -r /etc/kubernetes/breakglass-r2-1-room"]);
        let one = lines(&report(vec![folder("cp1")]));
        assert!(
            one[3].ends_with("taken back by: ssh root@cp1 'rm -r /etc/kubernetes/breakglass-r2-1-room'"),
            "{one:?}"
        );
    }

    #[test]
    fn a_node_is_named_and_whoever_came_without_a_kit_is_led_back_the_same_way() {
        let back = Back::Verb { words: "gate open --of r1".into(), targets: true };
        let nodes = vec![Stands { back: back.clone(), ..gate("n1", 9) }, Stands { back, ..gate("n2", 9) }];
        let typed = Report { flags: Flags::Typed(" --via cp1".into()), ..report(nodes) };
        assert!(
            text(&typed).contains(": breakglass gate open --of r1 --targets 'n[1-2]' --via cp1\n"),
            "{}",
            text(&typed)
        );
    }

    /// A journal is here: what was not looked at is as it says, what was looked at and is not there is gone.
    #[test]
    fn what_only_a_journal_tells_of_is_told_apart_from_what_was_seen() {
        let by = |seen| Stands { seen, back: Back::Undo, ..gate("cp1", 9) };
        let both = text(&report(vec![by(Seen::Both)]));
        assert!(both.contains("gate: closed  ") && both.contains("taken back by: breakglass undo r1\n"), "{both}");
        let unseen = text(&report(vec![by(Seen::Journal)]));
        assert!(unseen.contains("gate: closed (by its journal; not looked at)"), "{unseen}");
        let gone = report(vec![Stands { ends: None, ..by(Seen::Gone) }]);
        assert!(text(&gone).starts_with("prod: nothing was seen to stand\n"), "{}", text(&gone));
        assert!(text(&gone).contains("there no more, only its journal has it"), "{}", text(&gone));
        assert_eq!(gone.stand(), 0);
        let never =
            Stands { back: Back::Nothing("it was not saved".into()), kind: Kind::Unmarked, ..by(Seen::Journal) };
        let told = text(&report(vec![never]));
        assert!(told.contains("gate: closed  ") && told.contains("    not taken back: it was not saved\n"), "{told}");
    }

    #[test]
    fn what_could_not_be_looked_at_is_never_called_nothing() {
        let dark = |host: &str| NotKnown {
            cluster: Some("prod".into()),
            host: Some(host.into()),
            what: "what stands there".into(),
            why: "no answer in time".into(),
        };
        let damaged =
            NotKnown { cluster: None, host: None, what: "what stands of run r9".into(), why: "damaged".into() };
        let dark = Report { not_known: vec![damaged, dark("cp1"), dark("cp2")], ..report(Vec::new()) };
        assert_eq!(
            lines(&dark),
            [
                "prod: nothing was seen to stand; not all could be looked at",
                "not known: what stands of run r9: damaged",
                "not known: prod/cp[1-2]: what stands there: no answer in time",
                "not looked at: objects in the API; --api lists them (up to 23 LISTs of metadata for each cluster)",
            ]
        );
        assert_eq!(dark.hosts_silent(), 2);
        let fleet = Report {
            clusters: (1..=300).map(|n| format!("eu{n}")).collect(),
            hosts: vec![3; 300],
            api: Some((3900, 12_000_000)),
            ..report(Vec::new())
        };
        let quiet = lines(&fleet);
        assert_eq!(quiet[0], "eu[1-300]: nothing stands");
        assert!(quiet[1].starts_with("objects were looked at by 3900 requests, 12.0 MB"), "{quiet:?}");
        let alone = Report { hosts: vec![0], ..report(Vec::new()) };
        assert_eq!(lines(&alone)[0], "prod: nothing was seen to stand; its hosts are not known, so nobody was asked");
    }

    #[test]
    fn machines_get_one_value_with_what_stands_what_is_gone_and_what_is_not_known() {
        let gone = Stands { seen: Seen::Gone, back: Back::Undo, ..gate("cp2", 9) };
        let value = json(&report(vec![gate("cp1", 900), folder("cp1"), gone]));
        assert_eq!((value["v"].as_u64(), value["stands"].as_array().map(Vec::len)), (Some(1), Some(2)));
        assert_eq!(value["stands"][0]["ends"]["seconds"], 900);
        assert_eq!(value["stands"][0]["folder"], serde_json::Value::Null);
        assert_eq!(value["stands"][1]["folder"], "/etc/kubernetes/breakglass-r2-1-room");
        assert_eq!(value["stands"][1]["back"]["by"], "host");
        assert_eq!(value["gone"][0]["back"]["command"], "breakglass undo r1");
        assert_eq!((&value["notKnown"], &value["api"]), (&json!([]), &Value::Null));
    }

    /// A mark is anybody's to write.
    #[test]
    fn nothing_that_a_mark_says_acts_on_the_terminal() {
        let nasty = "r\u{1b}[2J\nerror: x";
        let one =
            Stands { run: nasty.into(), what: nasty.into(), about: nasty.into(), back: Back::Undo, ..gate("cp1", 9) };
        let said = text(&report(vec![one]));
        assert!(!said.contains('\u{1b}') && !said.lines().any(|line| line.starts_with("error")), "{said}");
        assert!(said.contains("breakglass undo 'r"), "{said}");
    }
}
