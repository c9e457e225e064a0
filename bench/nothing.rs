//! A store that answers registrations at once and stores none of them.

use std::{path::Path, sync::Arc};

use doorward::{
    config::EmbeddedConfig,
    store::{self, Access, Failing, Failure, Store, embedded::OpenError},
};

/// A store in `folder` that breaks the promise of every registration, which is what it is for.
pub(crate) fn store(folder: &Path, settings: &EmbeddedConfig) -> Result<Arc<Store>, OpenError> {
    let failing = Arc::new(Failing::default());
    failing.fail_after(0, Failure::Pretend);
    let opened = store::open_folder(folder, settings, Access::Serve)?;
    let opened = Arc::into_inner(opened).expect("the store has one owner");
    Ok(Arc::new(opened.with(failing)))
}
