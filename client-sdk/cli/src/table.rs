//! Tables that fit the terminal: what a person may want to type or compare is never cut; where it has no room, the cells of
//! a row stand below each other.

use crate::console::Console;
use crate::text::{clean, shorten, shorten_path, width, width_of_last_name, wrap};
use crate::time::without_seconds;

/// Rows below a line of headings.
pub(crate) struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[String; N]>,
}

/// A heading, and what gives way in a narrow terminal.
#[derive(Clone, Copy)]
pub(crate) enum Column {
    /// Nothing: an id or a name that commands take.
    Whole(&'static str),
    /// The seconds and the year: an RFC 3339 time.
    Time(&'static str),
    /// What comes first: a path, whose end tells the most.
    Path(&'static str),
    /// What comes last, after the words have had lines of their own.
    Text(&'static str),
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Self::Whole(heading) | Self::Time(heading) => heading,
            Self::Path(heading) | Self::Text(heading) => heading,
        }
    }

    /// The lines of a cell of this width.
    fn fit(self, cell: &str, columns: usize) -> Vec<String> {
        match self {
            _ if width(cell) <= columns => vec![cell.to_owned()],
            Self::Whole(_) => vec![cell.to_owned()],
            Self::Time(_) => vec![without_seconds(cell)],
            Self::Path(_) => vec![shorten_path(cell, columns)],
            Self::Text(_) => {
                wrap(cell, columns).iter().map(|line| shorten(line, columns)).collect()
            }
        }
    }

    /// The columns that a cell needs at least.
    fn least(self, cell: &str) -> usize {
        let natural = width(cell);
        match self {
            Self::Whole(_) => natural,
            Self::Time(_) => width(&without_seconds(cell)),
            Self::Path(_) => natural.min(width_of_last_name(cell)).min(LEAST_OF_PATH),
            Self::Text(_) => natural.min(LEAST_OF_TEXT),
        }
    }
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(columns: [Column; N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: [&str; N]) {
        self.rows.push(row.map(clean));
    }

    /// As lines. Only on a terminal is anything shortened: a program wants all of it.
    pub(crate) fn render(&self, console: &Console) -> String {
        match self.widths(console.width) {
            Some(widths) => self.in_columns(widths, console),
            None => self.below_each_other(console),
        }
    }

    fn in_columns(&self, widths: [usize; N], console: &Console) -> String {
        let headings = self.columns.map(|column| vec![column.heading().to_owned()]);
        let mut text = console.bold(line(&headings, widths, 0).trim_end()) + "\n";
        for row in &self.rows {
            let mut cells = [const { Vec::new() }; N];
            for (index, cell) in row.iter().enumerate() {
                cells[index] = self.columns[index].fit(cell, widths[index]);
            }
            let height = cells.iter().map(Vec::len).max().unwrap_or(1).max(1);
            for number in 0..height {
                text += line(&cells, widths, number).trim_end();
                text.push('\n');
            }
        }
        text
    }

    fn below_each_other(&self, console: &Console) -> String {
        let margin = self.columns.map(|column| width(column.heading())).into_iter().max();
        let margin = margin.unwrap_or_default();
        let rows = self.rows.iter().map(|row| {
            let cells = self.columns.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
            let lines = cells.map(|(column, cell)| {
                let heading = format!("{:<margin$}", column.heading());
                format!("{}  {cell}\n", console.bold(&heading))
            });
            lines.collect::<String>()
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    /// The natural widths; where they do not fit, times and paths give way first, and then the widest texts. None when even
    /// that is not enough.
    fn widths(&self, available: Option<usize>) -> Option<[usize; N]> {
        let natural = self.widest(|_, cell| width(cell));
        let Some(available) = available else { return Some(natural) };
        let available = available.saturating_sub(GAP * (N - 1));
        let least = self.widest(Column::least);
        let mut widths = natural;
        let has_room = |widths: &[usize; N]| widths.iter().sum::<usize>() <= available;
        for gives_way in [Column::is_time, Column::is_path, Column::is_text] {
            while !has_room(&widths) {
                let indices =
                    (0..N).filter(|it| gives_way(self.columns[*it]) && widths[*it] > least[*it]);
                match indices.max_by_key(|it| widths[*it]) {
                    Some(widest) => widths[widest] -= 1,
                    None => break,
                }
            }
        }
        has_room(&widths).then_some(widths)
    }

    /// Of each column.
    fn widest(&self, measure: impl Fn(Column, &str) -> usize) -> [usize; N] {
        let mut widths = self.columns.map(|column| width(column.heading()));
        for row in &self.rows {
            for (index, cell) in row.iter().enumerate() {
                widths[index] = measure(self.columns[index], cell).max(widths[index]);
            }
        }
        widths
    }
}

impl Column {
    fn is_time(self) -> bool {
        matches!(self, Self::Time(_))
    }

    fn is_path(self) -> bool {
        matches!(self, Self::Path(_))
    }

    fn is_text(self) -> bool {
        matches!(self, Self::Text(_))
    }
}

/// One line of a row whose cells have several.
fn line<const N: usize>(cells: &[Vec<String>; N], widths: [usize; N], number: usize) -> String {
    let mut line = String::new();
    for (cell, columns) in cells.iter().zip(widths) {
        let piece = cell.get(number).map_or("", String::as_str);
        line.push_str(piece);
        line.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(piece)) + GAP));
    }
    line
}

const GAP: usize = 2;
const LEAST_OF_TEXT: usize = 8;
/// Few names are longer.
const LEAST_OF_PATH: usize = 24;

#[cfg(test)]
mod tests {
    use super::Column::{Path, Text, Time, Whole};
    use super::*;

    fn check(columns: Option<usize>, expected: &str) {
        let mut table = Table::new([Time("WHEN"), Whole("ID"), Text("FOR"), Path("PROGRAM")]);
        table.add([
            "2023-11-14T22:43:20Z",
            "-H4SI",
            "User.Read Mail.Read",
            "/usr/lib/tool/bin/curl",
        ]);
        table.add(["", "李@x", "u\u{1b}", ""]);
        let shown = table.render(&Console::plain(columns));
        assert_eq!(shown, expected, "{columns:?}\n{shown}");
        // Where cells stand below each other, what is whole is whole even if the terminal is narrower than that.
        let is_wide = |columns: &usize| *columns > 40;
        if let Some(columns) = columns.filter(is_wide) {
            assert!(shown.lines().all(|line| width(line) <= columns), "{shown}");
        }
    }

    #[test]
    fn a_table_is_aligned_by_columns_and_not_by_bytes() {
        let whole = "\
WHEN                  ID     FOR                  PROGRAM
2023-11-14T22:43:20Z  -H4SI  User.Read Mail.Read  /usr/lib/tool/bin/curl
                      李@x   u\u{fffd}
";
        check(None, whole);
        check(Some(80), whole);
    }

    #[test]
    fn in_a_narrow_terminal_times_lose_their_seconds_then_paths_their_folders() {
        check(
            Some(60),
            "\
WHEN          ID     FOR                  PROGRAM
11-14 22:43Z  -H4SI  User.Read Mail.Read  …/tool/bin/curl
              李@x   u\u{fffd}
",
        );
    }

    #[test]
    fn then_texts_take_several_lines_and_ids_stay_whole() {
        check(
            Some(44),
            "\
WHEN          ID     FOR             PROGRAM
11-14 22:43Z  -H4SI  User.Read       …/curl
                     Mail.Read
              李@x   u\u{fffd}
",
        );
    }

    #[test]
    fn where_there_is_no_room_at_all_cells_stand_below_each_other() {
        check(
            Some(20),
            "\
WHEN     2023-11-14T22:43:20Z
ID       -H4SI
FOR      User.Read Mail.Read
PROGRAM  /usr/lib/tool/bin/curl

ID       李@x
FOR      u\u{fffd}
",
        );
    }
}
