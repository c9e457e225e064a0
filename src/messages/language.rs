//! The languages of the catalog.

use std::sync::LazyLock;

use fluent_bundle::{FluentResource, concurrent::FluentBundle};

type Bundle = FluentBundle<FluentResource>;

/// Declares the languages, one row each: its tag is also the name of its file.
macro_rules! languages {
    ($($(#[$about:meta])* $language:ident = $tag:literal;)*) => {
        /// A language of the catalog.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Language { $($(#[$about])* $language,)* }

        impl Language {
            /// Every language; the first is the default.
            pub(crate) const ALL: &[Self] = &[$(Self::$language,)*];

            /// Its language tag (BCP 47).
            pub(crate) const fn tag(self) -> &'static str {
                match self { $(Self::$language => $tag,)* }
            }

            /// Its messages, parsed when a page first needs them.
            pub(super) fn bundle(self) -> &'static Bundle {
                match self {
                    $(Self::$language => {
                        static BUNDLE: LazyLock<Bundle> =
                            LazyLock::new(|| bundle($tag, include_str!(concat!($tag, ".ftl"))));
                        &BUNDLE
                    })*
                }
            }
        }
    };
}

languages! {
    English = "en";
    German = "de";
    French = "fr";
    Spanish = "es";
    Japanese = "ja";
}

fn bundle(tag: &str, catalog: &str) -> Bundle {
    let locale = tag.parse().expect("a tag in the table is a language tag");
    let messages = FluentResource::try_new(catalog.to_owned());
    let messages = messages.expect("tests parse every catalog");
    let mut bundle = FluentBundle::new_concurrent(vec![locale]);
    // Pages isolate names with `bdi`.
    bundle.set_use_isolating(false);
    bundle.add_resource(messages).expect("tests find every message once");
    bundle
}

impl Language {
    /// The language of a tag such as `de-CH`.
    pub(crate) fn of(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next()?;
        Self::ALL.iter().copied().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }
}
