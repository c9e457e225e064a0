//! What the table of settings is made of, and the macro that turns it into structures and rows.
//!
//! The macro knows the form of the table and nothing of any setting. The last word of each row is its kind
//! (`kind.rs`), which says what a value may be and whether it is a secret. A setting whose values are tables
//! has an `entry` (`tables.rs`), with a row for each member.

use super::{
    SECTIONS,
    fault::Faults,
    kind::{Given, Shape},
    values::Values,
};

/// One row of the table: all that is known of a setting, or of a member of an entry, without its Rust type.
pub(super) struct Setting {
    /// `rate_limit.per_source`; of a member, its name.
    pub(super) key: &'static str,
    /// The lines of its comment.
    pub(super) about: &'static [&'static str],
    /// In TOML, as written in the table; `None` when it must be given, or may be absent.
    pub(super) default: Option<&'static str>,
    /// Whether it may be absent; only members of entries may.
    pub(super) may_be_absent: bool,
    /// The default under `--dev`, where that is another.
    pub(super) dev: Option<&'static str>,
    /// A telling value, in TOML, where the default says little.
    pub(super) example: Option<&'static str>,
    /// What a value may be, in words.
    pub(super) expected: fn() -> String,
    /// How text from the environment becomes a value.
    pub(super) shape: fn() -> Shape,
    /// A TOML value of this setting, spelled our way.
    pub(super) spell: fn(&'static str) -> String,
    /// Whether no message may show a value of this setting.
    pub(super) is_secret: fn() -> bool,
    /// Whether this value holds a secret, so that others must not read it where it is written.
    pub(super) holds_secret: fn(&Given<'_>) -> bool,
    /// Whether values are names of files that hold a secret.
    pub(super) names_secret_file: fn() -> bool,
    /// The members of its entries, when its values are tables.
    pub(super) members: fn() -> &'static [Self],
}

impl Setting {
    /// The environment variable of this setting: `DOORWARD_RATE_LIMIT__PER_SOURCE`.
    pub(super) fn variable(&self) -> String {
        format!("DOORWARD_{}", self.key.replace('.', "__").to_uppercase())
    }
}

/// A heading of the file, or its top.
pub(super) struct SectionAbout {
    /// Empty for the settings at the top.
    pub(super) name: &'static str,
    /// The lines of its comment.
    pub(super) about: &'static [&'static str],
    /// Whether it may be left out although its settings have no defaults.
    pub(super) optional: bool,
    pub(super) settings: &'static [Setting],
}

/// What the macro makes of every structure.
pub(super) trait Section: Sized {
    const ABOUT: SectionAbout;

    /// Reads all its settings, so that every fault is found; `None` when there was one.
    fn read(values: &Values<'_>, faults: &mut Faults) -> Option<Self>;

    /// The key and the TOML of every setting, in the order of the table.
    fn write(&self) -> Vec<(&'static str, String)>;
}

impl<S: Section> Section for Option<S> {
    const ABOUT: SectionAbout = SectionAbout { optional: true, ..S::ABOUT };

    fn read(values: &Values<'_>, faults: &mut Faults) -> Option<Self> {
        if S::ABOUT.settings.iter().any(|setting| values.has(setting.key)) {
            S::read(values, faults).map(Some)
        } else {
            Some(None)
        }
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        self.as_ref().map(S::write).unwrap_or_default()
    }
}

/// The rows of the table, in its order.
pub(super) fn settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// The row of a key.
pub(super) fn setting(key: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.key == key)
}

/// Makes of the table: a structure for each section, a [`Section`] implementation for each, the
/// structure of the whole, and `SECTIONS`, the table as data. Of an `entry`: its structure, and its
/// [`Entry`](super::tables::Entry) implementation.
macro_rules! table {
    (
        $(#[doc = $config_about:literal])+
        $config:ident { $($top:tt)* }
        $(
            $(#[doc = $about:literal])+
            $section:ident $([$optional:ident])? : $type:ident { $($rows:tt)* }
        )*
    ) => {
        table! { @section [$($config_about)+] "", "", $config { $($top)* } {
            $($(#[doc = $about])+ $section: table!(@held $type $($optional)?),)*
        } }
        $(table! {
            @section [$($about)+] stringify!($section), concat!(stringify!($section), "."),
            $type { $($rows)* } {}
        })*

        /// The table of settings.
        const SECTIONS: &[$crate::config::setting::SectionAbout] = {
            use $crate::config::setting::Section;
            &[$config::ABOUT, $(<table!(@held $type $($optional)?)>::ABOUT),*]
        };
    };

    (
        @section [$($section_about:literal)+] $section:expr, $prefix:expr,
        $type:ident {
            $(
                $(#[doc = $about:literal])+
                $field:ident: $of:ty = $default:tt $(dev $dev:tt)? $(example $example:tt)?, $kind:expr;
            )+
        }
        { $($(#[doc = $held_about:literal])+ $held:ident: $held_type:ty,)* }
    ) => {
        $(#[doc = $section_about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $type {
            $($(#[doc = $about])+ pub $field: $of,)+
            $($(#[doc = $held_about])+ pub $held: $held_type,)*
        }

        impl $crate::config::setting::Section for $type {
            const ABOUT: $crate::config::setting::SectionAbout =
                $crate::config::setting::SectionAbout {
                    name: $section,
                    about: &[$($section_about),+],
                    optional: false,
                    settings: &[$(table!(
                        @row concat!($prefix, stringify!($field)), [$($about)+] $default
                        ($($dev)?) ($($example)?) $kind
                    )),+],
                };

            fn read(
                values: &$crate::config::values::Values<'_>,
                faults: &mut $crate::config::fault::Faults,
            ) -> Option<Self> {
                $(let $field = values.read(concat!($prefix, stringify!($field)), &$kind, faults);)+
                $(let $held = $crate::config::setting::Section::read(values, faults);)*
                Some(Self { $($field: $field?,)+ $($held: $held?,)* })
            }

            fn write(&self) -> Vec<(&'static str, String)> {
                [$((
                    concat!($prefix, stringify!($field)),
                    $crate::config::kind::Kind::write(&$kind, &self.$field),
                )),+]
                .into_iter()
                $(.chain($crate::config::setting::Section::write(&self.$held)))*
                .collect()
            }
        }
    };

    (
        $(#[doc = $entry_about:literal])+
        entry $type:ident $(, alone $alone:literal)? $(, check $check:ident)? {
            $(
                $(#[doc = $about:literal])+
                $field:ident: $of:ty = $default:tt $(example $example:tt)?, $kind:expr;
            )+
        }
    ) => {
        $(#[doc = $entry_about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $type {
            $($(#[doc = $about])+ pub $field: $of,)+
        }

        impl $crate::config::tables::Entry for $type {
            const MEMBERS: &[$crate::config::setting::Setting] = &[$(table!(
                @row stringify!($field), [$($about)+] $default () ($($example)?) $kind
            )),+];
            $(const ALONE: Option<&str> = Some($alone);)?

            fn read(members: &mut $crate::config::tables::Members<'_, '_>) -> Option<Self> {
                $(let $field = table!(
                    @read_member members, stringify!($field), $default, $kind
                );)+
                let entry = Self { $($field: $field?,)+ };
                $(if let Some(fault) = entry.$check() {
                    return members.refuse(fault);
                })?
                Some(entry)
            }

            fn write(&self) -> Vec<(&'static str, String)> {
                let members = [$((
                    stringify!($field),
                    table!(@write_member &self.$field, $default, $kind),
                )),+];
                members.into_iter().filter_map(|(name, toml)| Some((name, toml?))).collect()
            }
        }
    };

    (@row $key:expr, [$($about:literal)+] $default:tt ($($dev:tt)?) ($($example:tt)?) $kind:expr) => {
        $crate::config::setting::Setting {
            key: $key,
            about: &[$($about),+],
            default: table!(@toml $default),
            may_be_absent: table!(@may_be_absent $default),
            dev: table!(@maybe $($dev)?),
            example: table!(@maybe $($example)?),
            expected: || $crate::config::kind::Kind::expected(&$kind),
            shape: || $crate::config::kind::Kind::shape(&$kind),
            spell: |toml| $crate::config::kind::spell(&$kind, toml),
            is_secret: || $crate::config::kind::Kind::is_secret(&$kind),
            holds_secret: |given| $crate::config::kind::holds_secret(&$kind, given),
            names_secret_file: || $crate::config::kind::Kind::names_secret_file(&$kind),
            members: || $crate::config::kind::Kind::members(&$kind),
        }
    };

    (@read_member $members:ident, $name:expr, unset, $kind:expr) => {
        $members.required($name, &$kind)
    };
    (@read_member $members:ident, $name:expr, none, $kind:expr) => {
        $members.optional($name, &$kind)
    };
    (@read_member $members:ident, $name:expr, $default:tt, $kind:expr) => {
        $members.or_default($name, &$kind, stringify!($default))
    };

    (@write_member $value:expr, unset, $kind:expr) => {
        Some($crate::config::kind::Kind::write(&$kind, $value))
    };
    (@write_member $value:expr, none, $kind:expr) => {
        $value.as_ref().map(|value| $crate::config::kind::Kind::write(&$kind, value))
    };
    (@write_member $value:expr, $default:tt, $kind:expr) => {{
        let toml = $crate::config::kind::Kind::write(&$kind, $value);
        (toml != $crate::config::kind::spell(&$kind, stringify!($default))).then_some(toml)
    }};

    (@held $type:ident) => { $type };
    (@held $type:ident optional) => { Option<$type> };
    (@toml unset) => { None };
    (@toml none) => { None };
    (@toml $toml:tt) => { Some(stringify!($toml)) };
    (@may_be_absent none) => { true };
    (@may_be_absent $default:tt) => { false };
    (@maybe) => { None };
    (@maybe $toml:tt) => { Some(stringify!($toml)) };
}
pub(super) use table;
