//! `doorward openapi`.

use super::{
    exit::{Failure, Outcome},
    output::print,
};

/// Prints what the server answers at `/openapi.json`.
pub(super) fn run() -> Result<Outcome, Failure> {
    print(crate::openapi::document().trim_end())?;
    Ok(Outcome::Done)
}
