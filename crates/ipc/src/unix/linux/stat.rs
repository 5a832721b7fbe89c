//! One process's row of facts: `/proc/<number>/stat`, proc_pid_stat(5).

pub(super) struct Stat {
    /// The name that it gives itself, 15 bytes of anything.
    pub(super) name: String,
    pub(super) parent: u32,
    /// When it started, in ticks since the machine did.
    pub(super) started: u64,
}

impl Stat {
    pub(super) fn read(number: u32) -> Option<Self> {
        let row = std::fs::read(format!("/proc/{number}/stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&row))
    }

    /// The name is in parentheses and may have some itself; the numbers behind it have none.
    fn parse(row: &str) -> Option<Self> {
        let (head, tail) = row.rsplit_once(") ")?;
        let (_, name) = head.split_once(" (")?;
        let mut columns = tail.split_ascii_whitespace();
        let parent = columns.nth(1)?.parse().ok()?;
        let started = columns.nth(17)?.parse().ok()?;
        Some(Self { name: name.to_owned(), parent, started })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str) {
        let rest = "15802 15802 4896 0 -1 4194304 98 0 0 0 0 0 0 0 20 0 1 0 3686955 3133440 362";
        let stat = Stat::parse(&format!("15804 ({name}) R {rest}\n")).expect("a row");
        assert_eq!((stat.name.as_str(), stat.parent, stat.started), (name, 15802, 3_686_955));
    }

    #[test]
    fn a_name_may_look_like_the_rest_of_the_row() {
        for name in ["cat", "a b", "x) R 1 1 1", "(", ")", "", " ("] {
            check(name);
        }
    }

    #[test]
    fn what_is_no_row_tells_nothing() {
        for row in ["", "1", "1 (x)", "1 (x) R", "1 (x) R 2 3", "1 (x) R y 0 0 0"] {
            assert!(Stat::parse(row).is_none(), "{row:?}");
        }
    }
}
