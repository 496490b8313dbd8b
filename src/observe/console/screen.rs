//! [`Screen`]: the terminal that the progress bar is drawn on.

use std::io::Result;

use indicatif::TermLike;

use crate::core::stderr::{self, Keep};

/// Standard error as a terminal. Drawing never waits: if the terminal takes nothing, the drawing is lost.
#[derive(Debug)]
pub(super) struct Screen;

/// The width of a terminal that does not tell its own.
const USUAL_WIDTH: u16 = 80;

/// Writes the control sequence with which a terminal moves its cursor by `n`.
#[expect(clippy::unnecessary_wraps, reason = "the trait wants results")]
fn move_cursor(n: usize, direction: char) -> Result<()> {
    if n > 0 {
        stderr::write(format!("\x1b[{n}{direction}"), Keep::IfRoom);
    }
    Ok(())
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        terminal_size::terminal_size_of(std::io::stderr()).map_or(USUAL_WIDTH, |(width, _)| width.0)
    }

    fn height(&self) -> u16 {
        terminal_size::terminal_size_of(std::io::stderr()).map_or(20, |(_, height)| height.0)
    }

    fn move_cursor_up(&self, n: usize) -> Result<()> {
        move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> Result<()> {
        move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> Result<()> {
        move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> Result<()> {
        move_cursor(n, 'D')
    }

    fn write_line(&self, text: &str) -> Result<()> {
        stderr::write_line(text, Keep::IfRoom);
        Ok(())
    }

    fn write_str(&self, text: &str) -> Result<()> {
        stderr::write(text.to_owned(), Keep::IfRoom);
        Ok(())
    }

    fn clear_line(&self) -> Result<()> {
        stderr::write("\r\x1b[2K".to_owned(), Keep::IfRoom);
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}
