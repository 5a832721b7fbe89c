//! A QR code, drawn in half blocks: two of its rows to a line.

use qrcode::render::Renderer;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// The code of an address; none when it does not fit into so many columns and rows.
pub(crate) fn draw(address: &str, columns: usize, rows: usize, has_colour: bool) -> Option<String> {
    // A screen is no scratched label: the lowest correction gives the smallest code.
    let code = QrCode::with_error_correction_level(address, EcLevel::L).ok()?;
    let width = code.width() + 2 * QUIET_ZONE as usize;
    if width > columns || width.div_ceil(2) > rows {
        return None;
    }
    let modules = code.to_colors();
    let mut renderer = Renderer::<Dense1x2>::new(&modules, code.width(), QUIET_ZONE);
    if has_colour {
        let lines = renderer.build();
        return Some(
            lines.lines().map(|line| format!("{BLACK_ON_WHITE}{line}{RESET}\n")).collect(),
        );
    }
    // Most terminals are dark, so what is drawn is the light.
    Some(renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build() + "\n")
}

/// On each side, in modules. ISO/IEC 18004 wants four, for print on whatever paper; on a screen scanners need two, and the
/// code then fits a terminal of 24 rows with the words below it.
const QUIET_ZONE: u32 = 2;
/// Of the 256 colours, those that no theme changes.
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
const RESET: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::width;

    const ADDRESS: &str = "https://microsoft.com/devicelogin";

    #[test]
    fn a_code_fits_its_columns_and_rows_or_is_left_out() {
        let code = draw(ADDRESS, 80, 24, false).unwrap();
        let columns = code.lines().map(width).max().unwrap();
        let rows = code.lines().count();
        assert!(rows <= 17, "{rows}");
        assert_eq!(draw(ADDRESS, columns, rows, false), Some(code));
        assert_eq!(draw(ADDRESS, columns - 1, rows, false), None);
        assert_eq!(draw(ADDRESS, columns, rows - 1, false), None);
    }

    #[test]
    fn colours_end_with_each_line() {
        let code = draw(ADDRESS, 80, 24, true).unwrap();
        assert!(code.lines().all(|line| line.starts_with(BLACK_ON_WHITE) && line.ends_with(RESET)));
    }
}
