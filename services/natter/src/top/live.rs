//! The report in a terminal, as it changes, until somebody leaves.

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::Stylize as _;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use ratatui::{DefaultTerminal, Frame};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::top::lines::lines;
use crate::top::report::Report;

/// Longest wait for a key before the newest report is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// What the terminal shows beside the report.
#[derive(Debug, Default)]
struct View {
    /// Lines that were scrolled away.
    skipped: usize,
}

/// What a key asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Leave,
    Scroll(isize),
    Begin,
    Nothing,
}

/// Shows the newest report until somebody leaves, or the program is told to end. Blocks its thread. The terminal is as
/// before afterwards, also after an error or a panic of any thread.
pub(crate) fn show(reports: &watch::Receiver<Option<Report>>, end: &CancellationToken) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let shown = draw_until_left(&mut terminal, reports, end);
    let restored = ratatui::try_restore();
    shown.and(restored)
}

fn draw_until_left(
    terminal: &mut DefaultTerminal,
    reports: &watch::Receiver<Option<Report>>,
    end: &CancellationToken,
) -> io::Result<()> {
    let mut view = View::default();
    while !end.is_cancelled() {
        terminal.draw(|frame| view.draw(frame, reports.borrow().as_ref()))?;
        if event::poll(DRAW_EVERY)?
            && let Event::Key(key) = event::read()?
        {
            match wish(key) {
                Wish::Leave => return Ok(()),
                Wish::Scroll(by) => view.skipped = view.skipped.saturating_add_signed(by),
                Wish::Begin => view.skipped = 0,
                Wish::Nothing => {}
            }
        }
    }
    Ok(())
}

fn wish(key: KeyEvent) -> Wish {
    if key.kind == KeyEventKind::Release {
        return Wish::Nothing;
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Wish::Leave,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Wish::Leave,
        KeyCode::Down | KeyCode::Char('j') => Wish::Scroll(1),
        KeyCode::Up | KeyCode::Char('k') => Wish::Scroll(-1),
        KeyCode::PageDown | KeyCode::Char(' ') => Wish::Scroll(10),
        KeyCode::PageUp => Wish::Scroll(-10),
        KeyCode::Home | KeyCode::Char('g') => Wish::Begin,
        _ => Wish::Nothing,
    }
}

impl View {
    fn draw(&mut self, frame: &mut Frame<'_>, report: Option<&Report>) {
        let [body, foot] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(frame.area());
        let text = match report {
            Some(report) => lines(report, body.width.into()),
            None => vec![Line::from("looking ...")],
        };
        // The last line stays in sight.
        self.skipped = self.skipped.min(text.len().saturating_sub(1));
        let is_cut = text.len() - self.skipped > body.height.into();
        frame.render_widget(Paragraph::new(text[self.skipped..].to_vec()), body);
        let more = if is_cut { ", ↓ for more" } else { "" };
        frame.render_widget(Line::from(format!("natter top: q leaves, ↑ ↓ scroll{more}")).reversed(), foot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::report::tests::two_edges;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn screen(view: &mut View, report: Option<&Report>, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame, report)).unwrap();
        let cells = terminal.backend().buffer().content();
        let rows = cells.chunks(width.into()).map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    fn report() -> Report {
        let mut system = two_edges();
        system.loses("10.0.0.1:9090", "connection refused");
        Report::of(&system)
    }

    #[test]
    fn a_terminal_shows_totals_troubles_and_tables() {
        let screen = screen(&mut View::default(), Some(&report()), 100, 20);
        let text = screen.join("\n");
        assert!(screen[0].starts_with("connected 2 · of at most 100 · rooms 1 · appended/s 2.0"), "{text}");
        assert!(text.contains("10.0.0.1:9090 is unreachable: connection refused"), "{text}");
        assert!(text.contains("10.0.0.2:9090 is not ready: waits for nats: no stream"), "{text}");
        let head = screen.iter().position(|line| line.starts_with("edge ")).expect(&text);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&screen[head])[..5], ["edge", "state", "conns", "limit", "rooms"], "{text}");
        assert_eq!(words(&screen[head + 1]), ["10.0.0.1:9090", "unreachable"], "{text}");
        assert_eq!(words(&screen[head + 2])[..6], ["10.0.0.2:9090", "not", "ready", "2", "100", "1"], "{text}");
        assert!(screen[19].starts_with("natter top: q leaves"), "{text}");
    }

    #[test]
    fn where_there_is_no_room_the_last_columns_go_and_lines_are_scrolled() {
        let narrow = screen(&mut View::default(), Some(&report()), 40, 30);
        let head = narrow.iter().find(|line| line.starts_with("edge ")).expect("the table is there");
        assert!(head.contains("conns") && !head.contains("memory"), "{head}");
        let mut view = View { skipped: 1000 };
        let end = screen(&mut view, Some(&report()), 100, 5);
        assert!(end[0].starts_with("10.0.0.2:9090"), "{end:?}");
        let begin = screen(&mut View::default(), Some(&report()), 100, 5);
        assert!(begin[4].contains("for more"), "{begin:?}");
        assert_eq!(screen(&mut View::default(), None, 100, 5)[0], "looking ...");
    }

    #[test]
    fn keys_are_those_that_people_try() {
        let pressed = |code, modifiers| wish(KeyEvent::new(code, modifiers));
        assert_eq!(pressed(KeyCode::Char('q'), KeyModifiers::NONE), Wish::Leave);
        assert_eq!(pressed(KeyCode::Char('c'), KeyModifiers::CONTROL), Wish::Leave);
        assert_eq!(pressed(KeyCode::Char('c'), KeyModifiers::NONE), Wish::Nothing);
        assert_eq!(pressed(KeyCode::Down, KeyModifiers::NONE), Wish::Scroll(1));
    }
}
