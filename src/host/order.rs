//! One script as a value: its name, what it is told, and how its answer is read.
//!
//! An order stands in the file that makes its script, by [`order!`], with the parser of its answer; `orders.rs` holds the set of all.
//! Name and arguments stand in a script's first line and in the journal, from which they become the value again.

use crate::script::{Answer, Script};

/// One script: its name, what it is told, and what it answers.
pub trait Order: Sized {
    /// As dotted words.
    const NAME: &'static str;

    /// What it answers, as a value.
    type Answer;

    /// What it is told, in order.
    fn args(&self) -> Vec<(String, String)>;

    /// The order that was told this; `None` when something of it is missing or makes no sense. What is told besides is left out.
    fn read(args: &[(String, String)]) -> Option<Self>;

    /// Reads what the script printed; `None` if it broke off.
    fn parse(&self, stdout: &str) -> Option<Self::Answer>;

    /// The script that does it.
    fn script(&self, body: impl Into<String>) -> Script {
        Script { args: self.args(), ..Script::new(Self::NAME, body) }
    }

    /// The script that does it, where that only looks.
    fn query(self, body: impl Into<String>) -> Query<Self> {
        Query { script: self.script(body), order: self }
    }

    /// The order that a script is, if it is one of this kind.
    fn of(script: &Script) -> Option<Self> {
        (script.name == Self::NAME).then(|| Self::read(&script.args)).flatten()
    }
}

/// A script that only looks, and how what it prints is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<O> {
    order: O,
    script: Script,
}

impl<O: Order> Query<O> {
    /// Says it in words, as [`Script::words`].
    #[must_use]
    pub(super) fn words(self, words: impl Into<String>) -> Self {
        Self { script: self.script.words(words), ..self }
    }

    /// What is sent.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Reads what it printed.
    ///
    /// # Errors
    /// Why that cannot be understood: the reason that the script gave itself, or that it broke off.
    pub fn read(&self, stdout: &str) -> Result<O::Answer, String> {
        let why = || Answer::parse(stdout).get("failed").unwrap_or("the answer broke off").to_owned();
        self.order.parse(stdout).ok_or_else(why)
    }
}

impl<O> From<Query<O>> for Script {
    fn from(query: Query<O>) -> Self {
        query.script
    }
}

/// One thing that an order is told, as text and back.
pub(super) trait Told: Sized {
    fn tell(&self) -> Option<String>;
    fn hear(text: Option<&str>) -> Option<Self>;
}

impl Told for String {
    fn tell(&self) -> Option<String> {
        Some(self.clone())
    }

    fn hear(text: Option<&str>) -> Option<Self> {
        text.map(str::to_owned)
    }
}

impl Told for Option<String> {
    fn tell(&self) -> Option<String> {
        self.clone()
    }

    fn hear(text: Option<&str>) -> Option<Self> {
        Some(text.map(str::to_owned))
    }
}

impl Told for u64 {
    fn tell(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn hear(text: Option<&str>) -> Option<Self> {
        text?.parse().ok()
    }
}

/// An order: its name, what it is told, and what it answers with the function that reads that of the order and what was printed. One without an answer of its own
/// answers an [`Answer`](crate::script::Answer), line by line.
macro_rules! order {
    ($(#[$doc:meta])* $order:ident = $name:literal { $($field:ident: $type:ty),* }) => {
        order! {
            $(#[$doc])* $order = $name { $($field: $type),* } -> crate::script::Answer, |_, stdout| Some(crate::script::Answer::parse(stdout))
        }
    };
    ($(#[$doc:meta])* $order:ident = $name:literal { $($field:ident: $type:ty),* } -> $answer:ty, $parse:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $order {
            $(
                /// As the first line of the script says it.
                pub $field: $type,
            )*
        }

        impl crate::host::order::Order for $order {
            const NAME: &'static str = $name;
            type Answer = $answer;

            fn args(&self) -> Vec<(String, String)> {
                let all: Vec<(&str, Option<String>)> =
                    vec![$((stringify!($field), crate::host::order::Told::tell(&self.$field))),*];
                all.into_iter().filter_map(|(key, told)| Some((key.to_owned(), told?))).collect()
            }

            fn read(args: &[(String, String)]) -> Option<Self> {
                let told = |key: &str| args.iter().find(|(known, _)| known == key).map(|(_, text)| text.as_str());
                let _ = &told;
                Some(Self { $($field: crate::host::order::Told::hear(told(stringify!($field)))?,)* })
            }

            fn parse(&self, stdout: &str) -> Option<Self::Answer> {
                $parse(self, stdout)
            }
        }
    };
}

pub(super) use order;
