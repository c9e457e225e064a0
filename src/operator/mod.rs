//! Operators: what each role may do, and the tokens that their programs present.
//!
//! Pure: time and entropy are arguments.

mod role;
mod token;

pub(crate) use self::token::token_name;
pub use self::{
    role::{OperatorScope, Role},
    token::{OperatorToken, OperatorTokenId},
};
