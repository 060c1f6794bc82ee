//! A report as lines of text, which a terminal may show in colours.

use ratatui::style::{Style, Stylize as _};
use ratatui::text::{Line, Span};

use crate::top::report::{Report, Row, Table};

/// The longest line of totals: beyond, the eye does not find its way back.
const TOTALS_WIDTH: usize = 110;
/// Stands between two figures of the totals.
const BETWEEN: &str = " · ";

/// The report in lines of at most `width` characters: totals are wrapped, and tables leave out their last columns.
pub(crate) fn lines(report: &Report, width: usize) -> Vec<Line<'static>> {
    let mut lines = totals(report, width.min(TOTALS_WIDTH));
    if !report.troubles.is_empty() {
        lines.push(Line::default());
    }
    for trouble in &report.troubles {
        let text = format!("{} is {}: {}", trouble.address, trouble.state, trouble.why);
        lines.push(Line::from(Span::styled(text, style_of(trouble.state))));
    }
    for table in &report.tables {
        lines.push(Line::default());
        lines.extend(table_lines(table, width));
    }
    lines
}

fn totals(report: &Report, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let (mut line, mut length) = (Line::default(), 0);
    for (_, title, cell) in &report.totals {
        let (title, figure) = (format!("{title} "), cell.text());
        let n_more = title.len() + figure.len();
        if length > 0 && length + BETWEEN.chars().count() + n_more > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push_span(BETWEEN.dark_gray());
            length += BETWEEN.chars().count();
        }
        line.push_span(Span::raw(title));
        line.push_span(figure.bold());
        length += n_more;
    }
    lines.push(line);
    lines
}

fn table_lines(table: &Table, width: usize) -> Vec<Line<'static>> {
    let texts: Vec<Vec<String>> = table.rows.iter().map(cells).collect();
    let titles: Vec<&str> =
        [table.tier.name, "state"].into_iter().chain(table.tier.columns.iter().map(|column| column.title)).collect();
    let widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(place, title)| {
            texts.iter().filter_map(|row| row.get(place)).map(String::len).fold(title.len(), usize::max)
        })
        .collect();
    let mut total = 0;
    let n_shown = widths.iter().take_while(|width_of| {
        total += **width_of + 2;
        total <= width.saturating_add(2)
    });
    let n_shown = n_shown.count().max(1);
    let aligned = |texts: &[&str]| {
        let columns = texts.iter().zip(&widths).take(n_shown).enumerate();
        let padded = columns.map(|(place, (text, width))| match place {
            0 | 1 => format!("{text:<width$}"),
            _ => format!("{text:>width$}"),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head = Line::from(aligned(&titles).bold());
    let rows = table.rows.iter().zip(&texts).map(|(row, texts)| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        Line::from(Span::styled(aligned(&texts), style_of(row.state)))
    });
    std::iter::once(head).chain(rows).collect()
}

fn cells(row: &Row) -> Vec<String> {
    [row.address.clone(), row.state.to_owned()].into_iter().chain(row.cells.iter().map(|cell| cell.text())).collect()
}

fn style_of(state: &str) -> Style {
    match state {
        "unreachable" => Style::new().red(),
        "not ready" => Style::new().yellow(),
        _ => Style::new(),
    }
}
