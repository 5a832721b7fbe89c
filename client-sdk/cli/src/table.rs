//! Tables that fit the terminal.

use crate::console::Console;
use crate::text::{clean, shorten, width};

/// Rows below a line of headings.
pub(crate) struct Table<const N: usize> {
    headings: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(headings: [&'static str; N]) -> Self {
        Self { headings, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: [&str; N]) {
        self.rows.push(row.map(clean));
    }

    /// As lines. Only on a terminal is anything shortened: a program wants all of it.
    pub(crate) fn render(&self, console: &Console) -> String {
        let widths = self.widths(console.width);
        let line = |cells: [&str; N]| {
            let mut line = String::new();
            for (cell, width_of_column) in cells.iter().zip(widths) {
                let cell = shorten(cell, width_of_column);
                let padding = width_of_column - width(&cell) + GAP;
                line.push_str(&cell);
                line.extend(std::iter::repeat_n(' ', padding));
            }
            line.trim_end().to_owned()
        };
        let mut text = console.bold(&line(self.headings)) + "\n";
        for row in &self.rows {
            text.push_str(&line(row.each_ref().map(String::as_str)));
            text.push('\n');
        }
        text
    }

    /// The natural widths; where they do not fit, the widest column gives way first.
    fn widths(&self, available: Option<usize>) -> [usize; N] {
        let mut widths = self.headings.map(width);
        for row in &self.rows {
            for (column, cell) in widths.iter_mut().zip(row) {
                *column = width(cell).max(*column);
            }
        }
        let Some(available) = available else { return widths };
        let available = available.saturating_sub(GAP * (N - 1));
        while widths.iter().sum::<usize>() > available {
            match widths.iter_mut().max() {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}

const GAP: usize = 2;
const NARROWEST: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(columns: Option<usize>, expected: &str) {
        let mut table = Table::new(["USER", "ID"]);
        table.add(["ada@contoso.com", "uid.utid-of-some-length"]);
        table.add(["李@x", "u\u{1b}"]);
        assert_eq!(table.render(&Console::plain(columns)), expected);
    }

    #[test]
    fn a_table_is_aligned_by_columns_and_not_by_bytes() {
        check(
            None,
            "USER             ID\nada@contoso.com  uid.utid-of-some-length\n李@x             u\u{fffd}\n",
        );
    }

    #[test]
    fn a_table_fits_a_narrow_terminal() {
        check(
            Some(30),
            "USER            ID\nada@contoso.c…  uid.utid-of-s…\n李@x            u\u{fffd}\n",
        );
    }

    #[test]
    fn a_terminal_that_is_too_narrow_for_anything_gets_a_table_all_the_same() {
        check(Some(3), "USER  ID\nada…  uid…\n李@x  u\u{fffd}\n");
    }
}
