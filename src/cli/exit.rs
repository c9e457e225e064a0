//! How a command ends: its exit code, and the one line that says why. The codes are a promise to scripts;
//! `--help` and the manual page print [`EXIT_CODES`].

use std::{error::Error, fmt, io, process::ExitCode};

/// The exit codes, as help and manual show them.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it failed: the reason is on standard error
  2  the command line is wrong
  3  the answer is no: not found, or rejected by a check, an import, or a copy";

/// What a command that ran to its end has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It did what was asked.
    Done,
    /// It ran, and the answer is no: what was asked for is not there, or was refused.
    No,
}

impl Outcome {
    /// [`Outcome::Done`] when `good`, else [`Outcome::No`].
    pub(super) const fn from_verdict(good: bool) -> Self {
        if good { Self::Done } else { Self::No }
    }

    pub(super) fn code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::No => ExitCode::from(3),
        }
    }
}

type Cause = Box<dyn Error + Send + Sync>;

/// Why a command could not run to its end. `Display` is the whole chain of causes in one line.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line asks for something that cannot be meant.
    Usage(String),
    /// It was tried and failed; `what` was being done, or for whom.
    Failed { what: String, cause: Option<Cause> },
    /// Whoever read standard output has seen enough, as `head` does. No fault.
    OutputClosed,
}

impl Failure {
    /// A failure that needs no further cause.
    pub(super) fn because(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), cause: None }
    }

    /// For `map_err`: `what` failed, and the error says why.
    pub(super) fn of<E: Into<Cause>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |cause| Self::Failed { what, cause: Some(cause.into()) }
    }

    /// For `map_err` on a write to standard output.
    pub(super) fn of_output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::OutputClosed;
        }
        Self::of("cannot write to standard output")(error)
    }

    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::OutputClosed => ExitCode::SUCCESS,
            Self::Failed { .. } => ExitCode::FAILURE,
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) | Self::Failed { what, cause: None } => f.write_str(what),
            Self::Failed { what, cause: Some(cause) } => write!(f, "{what}: {}", Chain(&**cause)),
            Self::OutputClosed => f.write_str("standard output was closed"),
        }
    }
}

/// An error and its causes in one line.
pub(super) struct Chain<'error>(pub(super) &'error dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}

/// Without a source: `Display` has told it all.
impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the shell")]
    struct Shell(#[source] io::Error);

    #[test]
    fn a_failure_says_its_whole_chain_in_one_line() {
        let failure = Failure::of("cannot open x")(Shell(io::Error::other("the kernel")));

        assert_eq!(failure.to_string(), "cannot open x: the shell: the kernel");
        assert_eq!(Failure::because("no").to_string(), "no");
    }

    #[test]
    fn only_a_closed_pipe_is_no_fault_of_the_output() {
        assert!(matches!(
            Failure::of_output(io::ErrorKind::BrokenPipe.into()),
            Failure::OutputClosed
        ));
        assert!(matches!(
            Failure::of_output(io::ErrorKind::StorageFull.into()),
            Failure::Failed { .. }
        ));
    }
}
