//! `restore-rights`: the bindings that make administrators, and the role that gives everything, put back where they are gone.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::automation;
use super::kube_object::{self, Seen};
use super::rbac::giving::{ADMIN, By, Judged, Wish};
use super::rbac::subject::{KUBEADM_ADMINS, Subject};
use super::{
    Announced, Fault, Kind, Look, ObjectRef, Question, Scope, Sends, Step, StepError, Survey, Times, params, schema_of,
};
use crate::change::Target;
use crate::duration::HumanDuration;
use crate::journal::{ChangeRecord, ChangeState};
use crate::kit::{Cluster, RENEW};
use crate::world::{Accept, ReadErrorKind};

/// The group that is allowed everything before any binding is asked, and the binding that every API server makes for it.
const MASTERS: &str = "system:masters";

/// The kind.
pub(super) struct RestoreRights;

/// Puts the rights of administrators back.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The ClusterRoleBinding; without it kubeadm's, `kubeadm:cluster-admins`.
    #[serde(default)]
    binding: Option<String>,
    /// The ClusterRole that it gives; without it `cluster-admin`.
    #[serde(default)]
    role: Option<String>,
    /// Groups that it has to name. With `binding`, these or `users` are needed, but for `kubeadm:cluster-admins`, which is of
    /// the group of that name, and `cluster-admin`, which is of `system:masters`.
    #[serde(default)]
    groups: Vec<String>,
    /// Users that it has to name, as their certificate or the identity provider calls them; a service account as
    /// `system:serviceaccount:NAMESPACE:NAME`.
    #[serde(default)]
    users: Vec<String>,
    /// How long each request that looks may take.
    #[serde(default = "kube_object::look_within")]
    look_within: HumanDuration,
    /// How long each write may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    deadline: HumanDuration,
}

struct Restoring {
    wishes: Vec<Wish>,
    subjects: Vec<Subject>,
    with: Params,
}

impl Params {
    /// Whom the binding has to name.
    fn subjects(&self) -> Result<Vec<Subject>, Vec<Fault>> {
        let (mut all, mut faults) = (Vec::new(), Vec::new());
        let groups = self.groups.iter().map(|name| ("groups", format!("group/{name}")));
        let users = self.users.iter().map(|name| ("users", format!("user/{name}")));
        for (parameter, typed) in groups.chain(users) {
            match Subject::parse(&typed, None) {
                Ok(subject) if all.contains(&subject) => {
                    faults.push(Fault::at(parameter, format!("{subject} is named twice")));
                }
                Ok(subject) => all.push(subject),
                Err(why) => faults.push(Fault::at(parameter, why)),
            }
        }
        match &self.binding {
            _ if !all.is_empty() || !faults.is_empty() => {}
            None => all.push(Subject::Group(KUBEADM_ADMINS.into())),
            Some(name) => match unnamed(name) {
                Some(group) => all.push(Subject::Group(group.into())),
                None => faults.push(Fault::at("groups", format!("say whom {name} has to name, here or in `users`"))),
            },
        }
        if faults.is_empty() { Ok(all) } else { Err(faults) }
    }
}

/// The group of a binding that is known by its name.
fn unnamed(binding: &str) -> Option<&'static str> {
    match binding {
        KUBEADM_ADMINS => Some(KUBEADM_ADMINS),
        ADMIN => Some(MASTERS),
        _ => None,
    }
}

/// A name as it is typed, without the word for what it is the name of.
fn name(typed: &str, kind: &str, parameter: &'static str) -> Result<String, Fault> {
    let name = typed.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/')).unwrap_or(typed);
    let at = ObjectRef::parse(&format!("{kind}/{name}"), None).map_err(|why| Fault::at(parameter, why))?;
    Ok(at.name)
}

impl Kind for RestoreRights {
    fn name(&self) -> &'static str {
        "restore-rights"
    }

    fn doc(&self) -> &'static str {
        "Puts the rights of administrators back where their binding was deleted, emptied or made to give another role. \
         Without parameters: the ClusterRole cluster-admin with all its rules, kubeadm's ClusterRoleBinding \
         kubeadm:cluster-admins, and the one of every cluster, cluster-admin (of the group system:masters). With \
         `binding`: that one alone, and its role.\n\n\
         A GET for each, and a write for each that lacks something: what is not there is created; a binding that does not \
         name somebody, or a cluster-admin without all its rules, gets just what is missing, by a JSON patch that tests \
         its uid and the list as seen. Nothing else in it is touched. Which role a binding gives cannot be changed: one \
         that gives another is asked about by name, then saved, deleted with its uid and version as precondition, and \
         made anew for those that the step names. The run's id is left in the annotation breakglass.io/restored. `undo` \
         deletes what was created and takes out what was added, only where it still is just as we left it; a look before \
         the DELETE says which uid and version it has.\n\n\
         API servers let nobody give rights that he has not himself: only a credential of system:masters, which no \
         binding can take away, or of somebody who may `bind` the role gets through. A 403 is told with where another \
         credential is. Each API server makes cluster-admin and its binding anew when it starts, where nothing forbids \
         that; kubeadm's binding nobody makes anew. To give rights to everybody (system:authenticated and the like) a word \
         has to be typed."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let mut faults: Vec<Fault> = kube_object::too_short(with.deadline).into_iter().collect();
        let mut named = |typed: &Option<String>, kind, parameter, default: &str| match typed {
            Some(typed) => name(typed, kind, parameter).unwrap_or_else(|fault| {
                faults.push(fault);
                String::new()
            }),
            None => default.to_owned(),
        };
        let binding = named(&with.binding, "clusterrolebinding", "binding", KUBEADM_ADMINS);
        let role = named(&with.role, "clusterrole", "role", ADMIN);
        let subjects = match with.subjects() {
            Ok(subjects) if faults.is_empty() => subjects,
            subjects => return Err(faults.into_iter().chain(subjects.err().unwrap_or_default()).collect()),
        };
        let of_every_cluster = binding == ADMIN;
        let mut wishes = vec![Wish::role(&role), Wish::binding(&binding, &role, subjects.clone(), of_every_cluster)];
        if with.binding.is_none() && role == ADMIN {
            wishes.push(Wish::binding(ADMIN, ADMIN, vec![Subject::Group(MASTERS.into())], true));
        }
        Ok(Box::new(Restoring { wishes, subjects, with }))
    }
}

impl Step for Restoring {
    fn intent(&self) -> String {
        let all = self.wishes.iter().map(Wish::intent).collect::<Vec<_>>().join("; ");
        format!("put back, where it is missing: {all}")
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let mut all = Vec::new();
        for (subject, why) in self.everybody() {
            let what = Sends::Ask(format!("whether {subject} is meant: {why}"));
            all.push(Announced::new(what, Times::AtMost(1), "it is typed out"));
        }
        for wish in &self.wishes {
            all.push(Announced::get(wish.at.path(), Times::Once, "sees whether it is there, and what it lacks"));
            if wish.is_a_binding() {
                let what = Sends::Ask(format!("whether {} may be deleted and made anew", wish.short()));
                all.push(Announced::new(what, Times::AtMost(1), "its name is typed, where it gives another role"));
            }
            for (op, why) in wish.announced() {
                all.push(Announced::op(op, Times::AtMost(1), why));
            }
            let why = "looks again after a write, or where its reply was lost";
            all.push(Announced::get(wish.at.path(), Times::AtMost(3), why));
        }
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }
}

impl Restoring {
    /// Those who are nearly everybody, and who that is.
    fn everybody(&self) -> impl Iterator<Item = (&Subject, &'static str)> {
        self.subjects.iter().filter_map(|subject| Some((subject, subject.everybody()?)))
    }

    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        for (subject, who) in self.everybody() {
            let text = format!("{subject} is to have all that {} gives, and {who}", self.wishes[0].short());
            if let Some(asked) = asked(look, subject.to_string(), &subject.to_string(), text)? {
                return Ok(asked);
            }
        }
        let mut survey = Survey::default();
        for wish in &self.wishes {
            if look.history.done(&wish.key()) {
                continue;
            }
            if let Some(refused) = [wish.key(), wish.key_of_old()].iter().find_map(|key| refused(look, key)) {
                return Err(refused);
            }
            if let Some(asked) = self.judge(look, wish, &mut survey).await? {
                return Ok(Survey { saw: survey.saw, ..asked });
            }
        }
        Ok(survey)
    }

    /// Looks at one object and says what is missing there; a question, where one comes first.
    async fn judge(&self, look: Look<'_>, wish: &Wish, survey: &mut Survey) -> Result<Option<Survey>, StepError> {
        let mark = format!("{} step {}", look.mark.run, look.step + 1);
        let by =
            By { mark: &mark, operator: &look.mark.operator, deadline_secs: self.with.deadline.0.as_secs().max(1) };
        let seen = kube_object::get(look, &wish.at, Accept::Json, self.with.look_within.0).await;
        let object = match seen.map_err(|error| denied(look, error))? {
            Seen::There(object) => Some(object),
            Seen::Absent => None,
        };
        let replace = look.history.answer(&another_role(wish)) == Some(true);
        let judged = match &object {
            Some(object) => wish.judge(object, replace, by)?,
            None => wish.absent(by)?,
        };
        let ours = object.as_ref().is_some_and(|object| Wish::is_ours(object, &mark));
        let key = wish.key();
        if ours {
            survey.arrived.extend(look.history.missed(&key));
        } else {
            // Somebody else made it so meanwhile: what of ours has no outcome did not.
            let open = |record: &&ChangeRecord| record.change.key == key && record.state.is_open();
            survey.not_made.extend(look.history.changes.iter().filter(open).map(|record| record.id));
        }
        match judged {
            Judged::There if !ours => survey.see([format!("{} lacks nothing", wish.short())]),
            Judged::There => {}
            Judged::Lacks(changes) => {
                survey.see(object.as_ref().and_then(|object| automation::comes_back(&wish.at, object)));
                survey.see(wish.at_a_start(object.as_ref()));
                survey.changes.extend(changes);
            }
            Judged::GivesAnother(role) => {
                let text = format!(
                    "{} gives {role}, and which role a binding gives cannot be changed: it has to be saved, deleted and made \
                     anew; whom it names loses {role} by it",
                    wish.short()
                );
                return asked(look, another_role(wish), &wish.at.name, text);
            }
        }
        Ok(None)
    }
}

/// Which question it is whether a binding of another role may be made anew.
fn another_role(wish: &Wish) -> String {
    format!("another role: {}", wish.short())
}

/// A question that wants a word typed; `None` where the answer was yes.
fn asked(look: Look<'_>, id: String, word: &str, text: String) -> Result<Option<Survey>, StepError> {
    match look.history.answer(&id) {
        Some(true) => Ok(None),
        Some(false) => Err(StepError::Declined(text)),
        None => {
            let text = format!("{text}. Type {word} if that is meant");
            let question = Question { id, text, typed: Some(word.to_owned()), unattended: false, otherwise: None };
            Ok(Some(Survey { ask: Some(question), ..Survey::default() }))
        }
    }
}

/// A write that this process was just refused with a 403: nothing is won by sending it again.
fn refused(look: Look<'_>, key: &str) -> Option<StepError> {
    let record = look.history.last(key).filter(|record| record.state == ChangeState::Failed)?;
    (look.history.here(record) && record.said.starts_with("403")).then(|| StepError::Refused {
        why: format!(
            "{}; nobody can give rights that he has not himself, and our credential ({}) has not these",
            record.said,
            source(look)
        ),
        hint: Some(another_credential(look)),
    })
}

/// A look that was refused, with where another credential is.
fn denied(look: Look<'_>, error: StepError) -> StepError {
    match error {
        StepError::Read(mut read) if read.kind == ReadErrorKind::Denied && read.hint.as_deref() != Some(RENEW) => {
            read.tried.push(format!("our credential is the one of {}", source(look)));
            read.hint = Some(another_credential(look));
            StepError::Read(read)
        }
        other => other,
    }
}

/// Whose credential it is, or where it is from.
fn source(look: Look<'_>) -> String {
    if let Some(won) = look.reads.known_by(&look.target.cluster) {
        return won;
    }
    look.reads.cluster(&look.target.cluster).map_or_else(String::new, |cluster| cluster.source.clone())
}

/// Where a credential is that no binding can take rights from.
fn another_credential(look: Look<'_>) -> String {
    let read = "sudo cat /etc/kubernetes/super-admin.conf";
    let host = look.reads.cluster(&look.target.cluster).and_then(|cluster| cluster.api_hosts().next());
    let get = host.map_or_else(|| format!("{read}, on a control-plane host,"), |host| host.by_hand(read));
    let ours = if look.reads.known_by(&look.target.cluster).is_none() {
        "the same with --access, by one that lies on a control-plane host; or by hand "
    } else {
        ""
    };
    format!(
        "{ours}(umask 077; {get} > super-admin.conf), then the same with --kubeconfig super-admin.conf in place of --cluster: it is of \
         {MASTERS}, which needs no binding (before kubeadm 1.29 admin.conf is; k3s: /etc/rancher/k3s/k3s.yaml)"
    )
}
