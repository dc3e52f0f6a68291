//! Whom a jail holds, as an expression of CEL over what an authorizer is told of a request.

use std::fmt;

/// Who is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A user, by the name that API servers know it by.
    User(String),
    /// A group.
    Group(String),
}

/// A resource that requests are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// As it stands in paths: `pods`.
    pub plural: String,
    /// Its API group; empty for the core group.
    pub group: String,
}

/// Who is held, and which of its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whom {
    /// Who.
    pub who: Who,
    /// As a person names it: `serviceaccount/telemetry/agent`.
    pub called: String,
    /// Only requests of these verbs; empty: of all.
    pub verbs: Vec<String>,
    /// Only requests for these; empty: for all.
    pub resources: Vec<Resource>,
}

impl Whom {
    /// True for what is held, and never an error.
    pub fn expression(&self) -> String {
        let mut all = vec![match &self.who {
            Who::User(name) => format!("request.user == {}", string(name)),
            Who::Group(name) => format!("has(request.groups) && {} in request.groups", string(name)),
        }];
        if !self.is_whole() {
            all.push("has(request.resourceAttributes)".into());
        }
        if !self.verbs.is_empty() {
            let verbs: Vec<String> = self.verbs.iter().map(|verb| string(verb)).collect();
            all.push(format!("request.resourceAttributes.verb in [{}]", verbs.join(", ")));
        }
        if !self.resources.is_empty() {
            let is = |field: &str, value: &str| format!("request.resourceAttributes.{field} == {}", string(value));
            let one = |it: &Resource| format!("({} && {})", is("resource", &it.plural), is("group", &it.group));
            all.push(format!("({})", self.resources.iter().map(one).collect::<Vec<_>>().join(" || ")));
        }
        all.join(" && ")
    }

    /// Everything that it asks is held, also what is about no resource.
    pub fn is_whole(&self) -> bool {
        self.verbs.is_empty() && self.resources.is_empty()
    }

    /// Which of its requests, for the end of a sentence.
    pub fn which(&self) -> String {
        which(&self.verbs, &self.resources)
    }
}

/// Requests of somebody to do these for these, for the end of a sentence; where none is named all are meant.
pub fn which(verbs: &[String], resources: &[Resource]) -> String {
    let all: Vec<String> = resources.iter().map(ToString::to_string).collect();
    match (verbs.join(", "), all.join(", ")) {
        (verbs, resources) if verbs.is_empty() && resources.is_empty() => "all of its requests".into(),
        (verbs, resources) if resources.is_empty() => format!("its requests to {verbs}"),
        (verbs, resources) if verbs.is_empty() => format!("its requests for {resources}"),
        (verbs, resources) => format!("its requests to {verbs} for {resources}"),
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plural)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

/// On one line of ASCII.
impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", super::text::plain(&self.called), self.which())
    }
}

/// A string of CEL, in ASCII without any sign that a line or another string could end with.
pub(super) fn string(text: &str) -> String {
    let mut all = String::from("'");
    for c in text.chars() {
        match c {
            ' ' | '!' | '#'..='&' | '('..='[' | ']'..='~' => all.push(c),
            c if u32::from(c) > 0xffff => all.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => all.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    all.push('\'');
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whom(who: Who, verbs: &[&str], resources: &[(&str, &str)]) -> String {
        let own = |text: &&str| (*text).to_owned();
        let resources = resources.iter().map(|(plural, group)| Resource { plural: own(plural), group: own(group) });
        let verbs = verbs.iter().map(own).collect();
        Whom { who, called: "x".into(), verbs, resources: resources.collect() }.expression()
    }

    #[test]
    fn a_user_a_group_and_parts_of_what_they_ask_are_told_apart() {
        let agent = || Who::User("system:serviceaccount:telemetry:agent".into());
        assert_eq!(whom(agent(), &[], &[]), "request.user == 'system:serviceaccount:telemetry:agent'");
        assert_eq!(whom(Who::Group("ci".into()), &[], &[]), "has(request.groups) && 'ci' in request.groups");
        assert_eq!(
            whom(agent(), &["list", "watch"], &[("pods", ""), ("deployments", "apps")]),
            "request.user == 'system:serviceaccount:telemetry:agent' && has(request.resourceAttributes) && \
             request.resourceAttributes.verb in ['list', 'watch'] && ((request.resourceAttributes.resource == 'pods' && \
             request.resourceAttributes.group == '') || (request.resourceAttributes.resource == 'deployments' && \
             request.resourceAttributes.group == 'apps'))"
        );
        assert!(whom(agent(), &["list"], &[]).contains("has(request.resourceAttributes)"));
    }

    #[test]
    fn no_name_ends_its_string() {
        assert_eq!(string("it's \"odd\" \\ \n\u{7f}"), r"'it\u0027s \u0022odd\u0022 \u005c \u000a\u007f'");
        assert_eq!(string("J\u{fc}rgen \u{1f600}"), r"'J\u00fcrgen \U0001f600'");
        let every: String = (1..=0x2fff_u32).filter_map(char::from_u32).collect();
        let safe = |c: char| c == ' ' || c.is_ascii_graphic();
        assert!(string(&every).chars().all(safe));
        assert_eq!(string(&every).matches(['\'', '"']).count(), 2);
    }
}
