//! What clients say of their families, remembered: most clients that register are copies of an app that registered
//! before, and to work out a family takes a fifth of the part of a registration that is neither HTTP nor the store.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    client::{ClientMetadata, ClientName},
    family::Destination,
    store::FamilySaid,
};

/// How many are remembered.
const PLACES: usize = 256;

/// How long a name, and the destinations of one, can be to be remembered.
const NAME_BYTES_MAX: usize = 200;
const DESTINATIONS_MAX: usize = 8;

/// The last ones, each in the place that its name and destinations lead to.
#[derive(Default)]
pub(super) struct Remembered(Mutex<Vec<Option<One>>>);

struct One {
    destinations: Vec<Destination<'static>>,
    said: Arc<FamilySaid>,
}

impl Remembered {
    /// What a client with this metadata says of its family.
    pub(super) fn said(&self, metadata: &ClientMetadata) -> Arc<FamilySaid> {
        let name = metadata.client_name.as_ref().map(ClientName::as_str);
        let uris = metadata.redirect_uris.as_slice();
        if name.is_some_and(|name| name.len() > NAME_BYTES_MAX) || uris.len() > DESTINATIONS_MAX {
            return Arc::new(FamilySaid::by(metadata));
        }
        let mut hasher = DefaultHasher::new();
        let destinations: Vec<Destination<'_>> = uris.iter().map(Destination::of).collect();
        (name, &destinations).hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % PLACES as u64).unwrap_or_default();
        if let Some(Some(one)) = self.places().get(place)
            && one.said.name() == name
            && one.destinations == destinations
        {
            return Arc::clone(&one.said);
        }
        // Others do not wait while this is worked out.
        let said = Arc::new(FamilySaid::by(metadata));
        let destinations = destinations.into_iter().map(Destination::into_owned).collect();
        let mut places = self.places();
        if places.is_empty() {
            places.resize_with(PLACES, || None);
        }
        if let Some(free) = places.get_mut(place) {
            *free = Some(One { destinations, said: Arc::clone(&said) });
        }
        said
    }

    fn places(&self) -> MutexGuard<'_, Vec<Option<One>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(name: &str, redirect_uris: &[&str]) -> ClientMetadata {
        let metadata = serde_json::json!({ "client_name": name, "redirect_uris": redirect_uris });
        serde_json::from_value(metadata).unwrap()
    }

    #[test]
    fn what_is_remembered_is_what_the_client_says() {
        let remembered = Remembered::default();
        for turn in 0..3 {
            for app in 0..1_000 {
                let uris =
                    [&*format!("http://127.0.0.1:{}/cb", app + turn), "https://a.example/cb"];
                let metadata = metadata(&format!("App {}", app % 400), &uris[..=app % 2]);
                assert_eq!(*remembered.said(&metadata), FamilySaid::by(&metadata));
            }
        }
        let known = metadata("App", &["http://127.0.0.1:1/cb"]);
        let again = metadata("App", &["http://127.0.0.1:2/cb"]);
        let said = remembered.said(&known);
        assert!(Arc::ptr_eq(&said, &remembered.said(&again)), "ports do not matter");
        let other = metadata("App", &["http://127.0.0.1:1/cb", "app.example:/cb"]);
        assert_ne!(*remembered.said(&other), *said);
    }
}
