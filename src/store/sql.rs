//! The text of statements, put together at compile time from pieces, for both databases.

/// A statement in the dialect of each database.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// A [`Statement`] from constant pieces of text, with parameters `$1`, `$2`, … . Where the dialects differ, both
/// texts stand side by side.
macro_rules! sql {
    (sqlite: [$($sqlite:expr),+ $(,)?], postgres: [$($postgres:expr),+ $(,)?] $(,)?) => {
        $crate::store::sql::Statement {
            sqlite: $crate::store::sql::joined!(b'?'; $($sqlite),+),
            postgres: $crate::store::sql::joined!(b'$'; $($postgres),+),
        }
    };
    ($($part:expr),+ $(,)?) => {
        $crate::store::sql::sql!(sqlite: [$($part),+], postgres: [$($part),+])
    };
}
pub(super) use sql;

/// Joins constant pieces of text; parameters begin with `mark`.
macro_rules! joined {
    ($mark:literal; $($part:expr),+ $(,)?) => {{
        const PARTS: &[&str] = &[$($part),+];
        const BYTES: [u8; $crate::store::sql::length(PARTS)] =
            $crate::store::sql::join(PARTS, $mark);
        match str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("the pieces are ASCII"),
        }
    }};
}
pub(super) use joined;

pub(super) const fn length(parts: &[&str]) -> usize {
    let (mut length, mut part) = (0, 0);
    while part < parts.len() {
        length += parts[part].len();
        part += 1;
    }
    length
}

pub(super) const fn join<const N: usize>(parts: &[&str], mark: u8) -> [u8; N] {
    let mut joined = [0; N];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            let is_parameter = bytes[index] == b'$'
                && index + 1 < bytes.len()
                && bytes[index + 1].is_ascii_digit();
            joined[at] = if is_parameter { mark } else { bytes[index] };
            at += 1;
            index += 1;
        }
        part += 1;
    }
    joined
}

/// `list` without the comma and the space at its end.
pub(super) const fn without_comma(list: &str) -> &str {
    list.split_at(list.len() - 2).0
}

/// The first `count` parameters, separated by commas.
pub(super) const fn parameters(count: usize) -> &'static str {
    const ALL: &str = "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
        $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, ";
    let (mut end, mut commas) = (0, 0);
    while commas < count {
        if ALL.as_bytes()[end] == b',' {
            commas += 1;
        }
        end += 1;
    }
    ALL.split_at(end - 1).0
}

/// `count` parameters after the first `before`, separated by commas.
pub(super) const fn parameters_after(before: usize, count: usize) -> &'static str {
    let all = parameters(before + count);
    all.split_at(parameters(before).len() + 2).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_one_text_whose_parameters_each_database_marks_its_own_way() {
        const BOTH: Statement = sql!("SELECT $1, '$.a' FROM a WHERE b IN (", parameters(12), ")");
        assert!(
            BOTH.postgres.starts_with("SELECT $1, '$.a'") && BOTH.postgres.ends_with("$11, $12)")
        );
        assert!(BOTH.sqlite.starts_with("SELECT ?1, '$.a'") && BOTH.sqlite.ends_with("?11, ?12)"));
    }
}
